import { lazy, Suspense } from 'preact/compat';
import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks';
import type { InboxEntry } from '../../protocol/types.gen';
import { Unreachable } from '../../protocol/refused';
import { mayEdit, type Mode } from '../../state/composing';
import { takesSound } from '../../state/file_rules';
import type { NewMessage } from '../../state/outbox';
import { previewOf } from '../../state/words';
import { useApp } from '../app';
import { texts } from '../i18n';
import { previewText, titleOf } from '../names';
import { Icon } from '../parts/Icon';
import { IconButton } from '../parts/IconButton';
import { sentenceOf } from '../problems';

const EmojiPicker = lazy(() => import('./EmojiPicker'));
const VoiceNote = lazy(() => import('./voice/VoiceNote'));

/** The server takes 16 kB; a few characters of four bytes fit in as well. */
const CONTENT_MAX_CHARS = 4000;

interface Props {
  entry: InboxEntry;
  onFiles: (files: readonly File[]) => void;
}

/** What is said next: a text, or a voice note while there is one in the making. */
export function Composer({ entry, onFiles }: Props) {
  const { chat } = useApp();
  const mode = chat.composing.mode.value;
  const recorder = mode.kind === 'edit' ? undefined : chat.recordings.in(entry.id);
  return (
    <footer class="composer">
      <ModeBar mode={mode} />
      {recorder
        ? <Suspense fallback={null}><VoiceNote recorder={recorder} conversationId={entry.id} reply={replyOf(mode)} /></Suspense>
        : <Writing entry={entry} onFiles={onFiles} />}
    </footer>
  );
}

/** A draft that is kept, a reply, or the correction of a message. */
function Writing({ entry, onFiles }: Props) {
  const { chat, config, mayFocus } = useApp();
  const t = texts();
  const mode = chat.composing.mode.value;
  const editing = mode.kind === 'edit' ? mode.message : null;
  const [correction, setCorrection] = useState('');
  const [problem, setProblem] = useState<string | null>(null);
  const field = useRef<HTMLTextAreaElement>(null);
  const text = editing ? correction : chat.drafts.of(entry.id);

  useEffect(() => {
    if (mode.kind === 'edit') setCorrection(mode.message.content);
    setProblem(null);
    if (mayFocus() && (mode.kind !== 'new' || !isTouch())) field.current?.focus();
  }, [mode, entry.id]);
  useLayoutEffect(() => grow(field.current), [text]);

  const write = (value: string) => {
    setProblem(null);
    if (editing) setCorrection(value);
    else draft(value);
  };

  const draft = (value: string) => {
    chat.drafts.set(entry.id, value);
    if (value.trim()) chat.typing.write(entry.id);
    else chat.typing.stop();
  };

  const send = async () => {
    const content = text.trim();
    if (!content) return;
    if (editing) {
      try {
        if (content !== editing.content) await chat.edit(editing, content);
        chat.composing.reset();
      } catch (error) {
        setProblem(sentenceOf(error));
      }
      return;
    }
    chat.drafts.set(entry.id, '');
    chat.typing.stop();
    chat.composing.reset();
    await chat.outbox.add({ conversationId: entry.id, content, file: null, ...replyOf(mode) });
  };

  const onKeyDown = (event: KeyboardEvent) => {
    if (event.isComposing) return;
    if (event.key === 'Enter' && !event.shiftKey && !isTouch()) {
      event.preventDefault();
      void send();
    } else if (event.key === 'Escape' && mode.kind !== 'new') {
      event.preventDefault();
      chat.composing.reset();
    } else if (event.key === 'ArrowUp' && !text) {
      const last = chat.histories.known(entry.id)?.messages.peek().findLast((message) => mayEdit(message, chat.me.id, Date.now()));
      if (!last) return;
      event.preventDefault();
      chat.composing.edit(last);
    }
  };

  const onPaste = (event: ClipboardEvent) => {
    const files = [...(event.clipboardData?.files ?? [])];
    if (!files.length) return;
    event.preventDefault();
    onFiles(files);
  };

  const insert = (emoji: string) => {
    const at = field.current?.selectionStart ?? text.length;
    write(text.slice(0, at) + emoji + text.slice(at));
    field.current?.focus();
  };

  return (
    <>
      {problem && <p class="problem" role="alert">{problem}</p>}
      <form
        class="composer-line"
        onSubmit={(event) => {
          event.preventDefault();
          void send();
        }}
      >
        {!editing && <Attach onFiles={onFiles} />}
        <div class="composer-field">
          <textarea
            ref={field} rows={1} value={text} maxLength={CONTENT_MAX_CHARS} placeholder={t.message} dir="auto"
            aria-label={t.writeTo(titleOf(entry, chat))} enterkeyhint={isTouch() ? 'enter' : 'send'}
            onInput={(event) => write(event.currentTarget.value)} onKeyDown={onKeyDown} onPaste={onPaste} onBlur={() => chat.typing.stop()}
          />
          <Emoji onChoose={insert} />
        </div>
        {!editing && !text.trim() && takesSound(config)
          ? <Record conversationId={entry.id} onProblem={setProblem} />
          : (
            <button type="submit" class="send" aria-label={editing ? t.save : t.send} title={editing ? t.save : t.send} disabled={!text.trim()}>
              <Icon name={editing ? 'check' : 'send'} />
            </button>
          )}
      </form>
    </>
  );
}

/** What records is loaded when somebody wants to. */
function Record({ conversationId, onProblem }: { conversationId: string; onProblem: (sentence: string) => void }) {
  const app = useApp();
  const t = texts();
  const begin = async () => {
    try {
      const { record } = await import('./voice/VoiceNote');
      record(app, conversationId);
    } catch (error) {
      onProblem(sentenceOf(new Unreachable('not loaded', { cause: error })));
    }
  };
  return <button type="button" class="send" aria-label={t.recordVoice} title={t.recordVoice} onClick={() => void begin()}><Icon name="mic" /></button>;
}

function replyOf(mode: Mode): Pick<NewMessage, 'replyTo' | 'replyPreview'> {
  return mode.kind === 'reply' ? { replyTo: mode.to.id, replyPreview: previewOf(mode.to) } : { replyTo: null, replyPreview: null };
}

function ModeBar({ mode }: { mode: Mode }) {
  const { chat } = useApp();
  const t = texts();
  if (mode.kind === 'new') return null;
  const message = mode.kind === 'reply' ? mode.to : mode.message;
  const name = message.senderId === chat.me.id ? t.you : message.sender.name;
  return (
    <div class="mode">
      <Icon name={mode.kind === 'reply' ? 'reply' : 'edit'} size={18} />
      <div class="mode-text">
        <span class="quote-name">{mode.kind === 'reply' ? t.replyingTo(name) : t.editing}</span>
        <span class="quote-text">{previewText(previewOf(message))}</span>
      </div>
      <IconButton icon="close" label={t.cancel} size={18} onClick={() => chat.composing.reset()} />
    </div>
  );
}

function Attach({ onFiles }: { onFiles: (files: readonly File[]) => void }) {
  const { config } = useApp();
  const input = useRef<HTMLInputElement>(null);
  return (
    <>
      <IconButton icon="attach" label={texts().attach} onClick={() => input.current?.click()} />
      <input
        ref={input} type="file" multiple hidden accept={config.allowedTypes.join(',')}
        onChange={(event) => {
          onFiles([...(event.currentTarget.files ?? [])]);
          event.currentTarget.value = '';
        }}
      />
    </>
  );
}

function Emoji({ onChoose }: { onChoose: (emoji: string) => void }) {
  const [open, setOpen] = useState(false);
  const button = useRef<HTMLDivElement>(null);
  const close = () => {
    setOpen(false);
    button.current?.querySelector('button')?.focus();
  };
  return (
    <div class="emoji" ref={button}>
      <IconButton icon="emoji" label={texts().emoji} aria-expanded={open} aria-haspopup="dialog" onClick={() => setOpen(!open)} />
      {open && <Suspense fallback={null}><EmojiPicker onChoose={(emoji) => { setOpen(false); onChoose(emoji); }} onClose={close} /></Suspense>}
    </div>
  );
}

function grow(field: HTMLTextAreaElement | null): void {
  if (!field) return;
  field.style.height = 'auto';
  field.style.height = `${field.scrollHeight}px`;
}

/** On a touch screen Enter makes a new line, as its keyboard shows. */
function isTouch(): boolean {
  return matchMedia('(pointer: coarse)').matches;
}
