import { useApp } from '../app';
import { sentenceOf } from '../problems';
import { Unreachable } from '../../protocol/refused';
import { RingingDialog } from './RingingDialog';

/** What calls show over everything else: the one that rings, and the one there is. */
export function CallLayer() {
  const { chat, door, only } = useApp();
  const room = door.room.value;
  const first = chat.ringing.first.value;
  const ringing = first && (only.value ?? first.conversationId) === first.conversationId ? first : null;
  return (
    <>
      {room && <room.Screen room={room} />}
      {ringing && <RingingDialog call={ringing} key={ringing.callId} />}
      {door.failed.value && <p class="toast" role="alert" onAnimationEnd={() => (door.failed.value = false)}>{sentenceOf(new Unreachable())}</p>}
    </>
  );
}
