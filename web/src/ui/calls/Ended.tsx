import { useEffect, useRef } from 'preact/hooks';
import type { EndReason, LiveCall } from '../../state/calls/call';
import { MediaProblem } from '../../state/calls/local_media';
import { clockOf } from '../format';
import { Icon } from '../parts/Icon';
import { sentenceOf } from '../problems';
import type { Room } from './room';
import { mediaSentence, words } from './words';

/** After a call that came to its end as calls do, one need not click anything away. */
const GONE_AFTER_MS = 4_000;
const BY_ITSELF: readonly EndReason[] = ['hangup', 'replaced'];
const AGAIN: readonly EndReason[] = ['missed', 'busy', 'declined', 'failed', 'lost', 'error'];

/** How the call ended, in words. */
export function Ended({ room, call }: { room: Room; call: LiveCall }) {
  const t = words();
  const close = useRef<HTMLButtonElement>(null);
  const { reason, durationMs, error } = call.ending.value!;
  const dismiss = () => room.calls.dismiss();
  useEffect(() => {
    close.current!.focus({ preventScroll: true });
    if (!BY_ITSELF.includes(reason)) return;
    const timer = setTimeout(dismiss, GONE_AFTER_MS);
    return () => clearTimeout(timer);
  }, [reason]);
  const small = room.minimised.value;
  const text = error === undefined ? t.endedText[reason] : error instanceof MediaProblem ? mediaSentence(error) : sentenceOf(error);
  const again = AGAIN.includes(reason);
  return (
    <section
      class="call-stage call-over" aria-label={t.call} {...(small ? { 'data-small': '' } : {})}
      onKeyDown={(event) => {
        if (event.key !== 'Escape') return;
        event.preventDefault();
        event.stopPropagation();
        dismiss();
      }}
    >
      <div class="call-over-text">
        <span class="call-over-icon"><Icon name={error === undefined ? 'hangUp' : 'alert'} size={30} /></span>
        <div role="alert">
          <h2>{t.ended[reason]}</h2>
          {text && <p>{text}</p>}
          {durationMs > 0 && <p>{t.after(clockOf(durationMs / 1000))}</p>}
        </div>
        <div class="call-over-choices">
          <button type="button" class="button" ref={close} onClick={dismiss}>{t.close}</button>
          {again && (
            <button type="button" class="button button-primary" onClick={() => void room.again(call)}>
              {error === undefined ? t.again : t.retry}
            </button>
          )}
        </div>
      </div>
    </section>
  );
}
