import { useEffect, useState } from 'preact/hooks';
import type { Message } from '../../protocol/types.gen';
import type { Timeline } from '../../state/timeline';
import { previewOf } from '../../state/words';
import { useApp } from '../app';
import { texts } from '../i18n';
import { previewText } from '../names';

const KEPT = 5;

/**
 * What screen readers say of new messages. The list itself is no live region: its rows come and go with scrolling, and
 * old messages would be read out as if they were new.
 */
export function Announcer({ timeline }: { timeline: Timeline }) {
  const { chat } = useApp();
  const [from] = useState(() => ({ seq: timeline.lastSeq }));
  const [said, setSaid] = useState<readonly Message[]>([]);
  const messages = timeline.messages.value;
  useEffect(() => {
    if (!from.seq) from.seq = timeline.lastSeq;
    const fresh = messages.slice(-KEPT).filter(({ seq, senderId }) => seq > from.seq && senderId !== chat.me.id);
    from.seq = Math.max(from.seq, timeline.lastSeq);
    if (fresh.length) setSaid((before) => [...before, ...fresh].slice(-KEPT));
  }, [messages]);
  return (
    <div class="hidden" role="log" aria-live="polite" aria-label={texts().newMessages}>
      {said.map((message) => <p key={message.id}>{message.sender.name}: {previewText(previewOf(message))}</p>)}
    </div>
  );
}
