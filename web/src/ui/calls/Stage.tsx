import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks';
import type { LiveCall } from '../../state/calls/call';
import type { MediaProblem } from '../../state/calls/local_media';
import { useApp } from '../app';
import { clockOf } from '../format';
import { titleOf, companionOf } from '../names';
import { Avatar } from '../parts/Avatar';
import { IconButton } from '../parts/IconButton';
import { Controls } from './Controls';
import type { Room } from './room';
import { Tiles } from './Tiles';
import type { Watch } from './watch';
import { mediaSentence, words } from './words';

/** The call over all of the chat; or small, as a bar above it. */
export function Stage({ room, call, watch }: { room: Room; call: LiveCall; watch: Watch }) {
  const { chat } = useApp();
  const stage = useRef<HTMLElement>(null);
  const [problem, setProblem] = useState<MediaProblem | null>(null);
  const t = words();
  const small = room.minimised.value;
  const title = useTitle(call);
  const others = call.others.value;
  useFocusBack(stage);
  return (
    <section
      class="call-stage" ref={stage} aria-label={`${t.call}: ${title}`} {...(small ? { 'data-small': '' } : {})}
      onKeyDown={(event) => {
        if (event.key !== 'Escape' || small || event.defaultPrevented || stage.current!.querySelector('dialog[open]')) return;
        event.preventDefault();
        event.stopPropagation();
        room.minimised.value = true;
      }}
    >
      <header class="call-head">
        <IconButton icon={small ? 'maximise' : 'minimise'} label={small ? t.maximise : t.minimise} onClick={() => (room.minimised.value = !small)} />
        <div class="call-about">
          <h2 class="call-title">{title}</h2>
          <Status call={call} />
        </div>
        <PictureInPicture stage={stage} seen={[...others.values()].some(({ shown: { value } }) => value.video || value.screen)} />
      </header>
      <Notes lines={[
        chat.status.value === 'online' ? null : t.signallingLost,
        watch.problem.value && t.network[watch.problem.value],
        call.mediaServerProblem.value && t.mediaServer[call.mediaServerProblem.value],
        problem && mediaSentence(problem),
        call.cameraProblem.value && mediaSentence(call.cameraProblem.value),
        call.media.screen.value && t.yourScreen,
      ]} />
      <div class="call-body">
        {others.size === 0 && <Calling call={call} />}
        <Tiles call={call} watch={watch} />
      </div>
      <Controls room={room} call={call} watch={watch} onProblem={setProblem} />
    </section>
  );
}

function useTitle({ conversationId }: LiveCall): string {
  const { chat } = useApp();
  const entry = chat.inbox.get(conversationId);
  return entry ? titleOf(entry, chat) : '';
}

/** Into the call when it comes, back to where it was when it is over. */
function useFocusBack(stage: { current: HTMLElement | null }): void {
  const { find } = useApp();
  useLayoutEffect(() => {
    const { activeElement: before } = stage.current!.getRootNode() as Document | ShadowRoot;
    stage.current!.querySelector<HTMLElement>('.control')?.focus({ preventScroll: true });
    return () => queueMicrotask(() => {
      const back = before instanceof HTMLElement && before.isConnected && before !== document.body ? before : find('.conversation-title');
      back?.focus({ preventScroll: true });
    });
  }, []);
}

/** Said when it changes; the seconds are not. */
function Status({ call }: { call: LiveCall }) {
  const t = words();
  const phase = call.phase.value;
  const connectedAt = call.connectedAt.value;
  const now = useSeconds(connectedAt !== null);
  const said = phase === 'ended' ? '' : t[phase];
  return (
    <p class="call-status">
      <span role="status" class={phase === 'connected' ? 'hidden' : ''}>{said}</span>
      {phase === 'connected' && connectedAt !== null && <time>{clockOf((now - connectedAt) / 1000)}</time>}
    </p>
  );
}

function useSeconds(running: boolean): number {
  const [now, setNow] = useState(Date.now);
  useEffect(() => {
    if (!running) return;
    const tick = () => setNow(Date.now());
    tick();
    const timer = setInterval(tick, 1000);
    return () => clearInterval(timer);
  }, [running]);
  return now;
}

function Notes({ lines }: { lines: readonly (string | null)[] }) {
  return <div class="call-notes" role="status">{lines.filter(Boolean).map((line) => <p class="call-note" key={line}>{line}</p>)}</div>;
}

/** Nobody is there yet. */
function Calling({ call }: { call: LiveCall }) {
  const { chat } = useApp();
  const t = words();
  const entry = chat.inbox.get(call.conversationId);
  const companion = entry && companionOf(entry, chat);
  const phase = call.phase.value;
  return (
    <div class="calling" aria-hidden="true">
      <span class="ringing-face">
        <Avatar id={companion?.id ?? call.conversationId} name={useTitle(call)} picture={companion?.avatar ?? null} group={entry?.type === 'group'} size="l" />
      </span>
      <p class="ringing-name">{useTitle(call)}</p>
      <p>{phase === 'asking' ? t.askingText : phase === 'outgoing' ? t.outgoing : t.alone}</p>
    </div>
  );
}

/** The largest picture in a window of its own, where the browser has such. */
function PictureInPicture({ stage, seen }: { stage: { current: HTMLElement | null }; seen: boolean }) {
  if (!document.pictureInPictureEnabled || !seen) return null;
  const toggle = async () => {
    if (document.pictureInPictureElement) return document.exitPictureInPicture();
    const video = stage.current!.querySelector<HTMLVideoElement>('.tile-screen video, .tile-of:not(.tile-floating) video');
    await video?.requestPictureInPicture();
  };
  return <IconButton icon="pip" label={words().pip} class="control-extra" onClick={() => void toggle().catch(() => undefined)} />;
}
