import type { ComponentChildren } from 'preact';
import { useEffect, useMemo, useRef, useState } from 'preact/hooks';
import { Recorder, voiceName, type Phase, type VoiceNote as Note } from '../../../state/recorder';
import type { Chat } from '../../../state/chat';
import type { NewMessage } from '../../../state/outbox';
import { barsOf } from '../../../state/waveform';
import { useApp, type App } from '../../app';
import { clockOf, sizeOf } from '../../format';
import { texts } from '../../i18n';
import { Icon } from '../../parts/Icon';
import { IconButton } from '../../parts/IconButton';
import { sentenceOf } from '../../problems';
import { Listening } from './Listening';
import { BrowserMicrophone } from './microphone';
import { playerOf } from './player';
import { Bars, BARS } from './Waveform';

/** As many as a wide screen has room for. */
const METER_BARS = 120;

const guarded = new WeakSet<Chat>();

/** Begins a voice note; nothing else is heard meanwhile. */
export function record({ chat, config }: Pick<App, 'chat' | 'config'>, conversationId: string): void {
  playerOf(chat).stop();
  guard(chat);
  chat.recordings.begin(conversationId, new Recorder(new BrowserMicrophone(config), config.uploadMaxBytes, Date.now));
}

/** The browser asks before it closes a tab in which something was recorded. */
function guard(chat: Chat): void {
  if (guarded.has(chat)) return;
  guarded.add(chat);
  window.addEventListener('beforeunload', (event) => {
    if (chat.recordings.hasUnsent) event.preventDefault();
  });
}

/**
 * A voice note in the making, in place of the text. Whoever looks elsewhere finds it again: the microphone goes off, and
 * what was recorded stays.
 */
export default function VoiceNote({ recorder, conversationId, reply }: {
  recorder: Recorder;
  conversationId: string;
  reply: Pick<NewMessage, 'replyTo' | 'replyPreview'>;
}) {
  const { chat } = useApp();
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState<string | null>(null);
  const panel = useRef<HTMLDivElement>(null);
  const phase = recorder.phase.value;
  const t = texts();
  useEffect(() => () => leave(chat, recorder, conversationId), [chat, recorder, conversationId]);
  useEffect(() => {
    const { current } = panel;
    if (!current!.querySelector(':focus')) (current!.querySelector<HTMLElement>('[data-main]') ?? current!).focus();
  }, [phase.is]);

  const discard = () => {
    playerOf(chat).stop();
    chat.recordings.end(conversationId);
  };
  const send = async () => {
    setBusy(true);
    try {
      playerOf(chat).stop();
      const note = await recorder.finish();
      if (!note) return;
      const file = { bytes: note.bytes, name: voiceName(note.bytes.type, new Date()) };
      await chat.outbox.add({ conversationId, content: '', file, ...reply });
      chat.composing.reset();
      chat.recordings.end(conversationId);
    } catch (error) {
      setProblem(sentenceOf(error));
    } finally {
      setBusy(false);
    }
  };

  return (
    <div class="voice" ref={panel} tabIndex={-1} role="group" aria-label={t.voiceNote}>
      <Advice phase={phase} />
      {problem && <p class="problem" role="alert">{problem}</p>}
      <div class="voice-line">
        <IconButton icon={phase.is === 'failed' ? 'close' : 'trash'} label={phase.is === 'failed' ? t.close : t.discardRecording} onClick={discard} />
        <Middle phase={phase} recorder={recorder} conversationId={conversationId} />
        {phase.is === 'failed'
          ? <button type="button" class="button button-primary" data-main onClick={() => void recorder.start()}>{t.tryAgain}</button>
          : (
            <button
              type="button" class="send" aria-label={t.send} title={t.send} disabled={busy || phase.is === 'asking'}
              {...(phase.is === 'finished' ? { 'data-main': '' } : {})} onClick={() => void send()}
            >
              <Icon name="send" />
            </button>
          )}
      </div>
    </div>
  );
}

function leave(chat: Chat, recorder: Recorder, conversationId: string): void {
  const { is } = recorder.phase.peek();
  if (is === 'asking' || is === 'failed') chat.recordings.end(conversationId);
  else void recorder.finish();
}

/** What is going on, in words: for screen readers always, for everybody where there is something to know. */
function Advice({ phase }: { phase: Phase }) {
  const { config } = useApp();
  const t = texts();
  const ending = phase.is === 'finished' ? phase.ending : 'asked';
  if (phase.is === 'failed') return <p class="problem" role="alert">{t.microphone[phase.problem]}</p>;
  if (ending === 'full') return <p class="voice-advice" role="alert">{t.recordingFull(sizeOf(config.uploadMaxBytes))}</p>;
  if (ending === 'lost') return <p class="voice-advice" role="alert">{t.recordingLost}</p>;
  return <p class="hidden" role="status">{phase.is === 'recording' ? t.recording : phase.is === 'asking' ? t.microphoneAsked : t.recordingPaused}</p>;
}

function Middle({ phase, recorder, conversationId }: { phase: Phase; recorder: Recorder; conversationId: string }) {
  const t = texts();
  switch (phase.is) {
    case 'asking': return <Field><span class="voice-asked">{t.microphoneAsked}</span></Field>;
    case 'failed': return <span class="voice-space" />;
    case 'finished': return <Field><Review note={phase.note} conversationId={conversationId} /></Field>;
    case 'recording': return (
      <>
        <Field><Meter recorder={recorder} /></Field>
        <IconButton icon="pause" label={t.pauseRecording} class="voice-turn" data-main onClick={() => void recorder.pause()} key="turn" />
      </>
    );
    case 'paused': return (
      <>
        <Field><Review note={phase.note} conversationId={conversationId} /></Field>
        <IconButton icon="mic" label={t.resumeRecording} class="voice-turn" data-main onClick={() => recorder.resume()} key="turn" />
      </>
    );
  }
}

function Field({ children }: { children: ComponentChildren }) {
  return <div class="voice-field">{children}</div>;
}

/** The time, and how loud it has been lately. */
function Meter({ recorder }: { recorder: Recorder }) {
  const levels = recorder.levels.value.slice(-METER_BARS);
  const time = clockOf(recorder.elapsedMs.value / 1000);
  return (
    <>
      <span class="voice-dot" aria-hidden="true" />
      <span class="voice-time" role="timer" aria-label={texts().recordedTime(time)}>{time}</span>
      <span class="voice-meter" dir="ltr"><Bars bars={[...Array.from({ length: METER_BARS - levels.length }, () => 0), ...levels]} end /></span>
    </>
  );
}

function Review({ note, conversationId }: { note: Note; conversationId: string }) {
  const { chat } = useApp();
  const player = playerOf(chat);
  const [url, setUrl] = useState<string>();
  const bars = useMemo(() => barsOf(note.levels, BARS), [note]);
  useEffect(() => {
    const made = URL.createObjectURL(note.bytes);
    setUrl(made);
    return () => {
      player.stop();
      URL.revokeObjectURL(made);
    };
  }, [note]);
  const seconds = note.durationMs / 1000;
  const track = url === undefined ? undefined : { key: `recording ${conversationId}`, url, seconds };
  return <Listening player={player} track={track} seconds={seconds} bars={bars} />;
}
