import type { CallSummary, Message } from '../../protocol/types.gen';
import { useApp } from '../app';
import { clockOf } from '../format';
import { texts } from '../i18n';
import { Icon } from '../parts/Icon';

/** What a call has left in the conversation, and the way to call back. */
export function CallCard({ message, call }: { message: Message; call: CallSummary }) {
  const { chat, door } = useApp();
  const t = texts().call;
  const own = message.senderId === chat.me.id;
  const missed = call.state === 'missed' && !own;
  const video = call.media === 'video';
  return (
    <div class={`card call-card ${missed ? 'call-missed' : ''}`}>
      <span class="card-icon"><Icon name={video ? 'video' : missed ? 'phoneMissed' : 'phone'} /></span>
      <span class="card-text">
        <span class="card-name">{missed ? (video ? t.missedVideo : t.missedAudio) : (video ? t.videoName : t.audioName)}</span>
        <span class="card-about">{aboutOf(call, own)}</span>
        {!door.isAbsent && (
          <button type="button" class="link call-back" onClick={() => void door.start(message.conversationId, call.media)}>
            {own ? t.callAgain : t.callBack}
          </button>
        )}
      </span>
    </div>
  );
}

function aboutOf({ state, durationMs }: CallSummary, own: boolean): string {
  const { outcome } = texts().call;
  if (state === 'hangup') return clockOf(durationMs / 1000);
  return state === 'missed' ? (own ? outcome.noAnswer : outcome.notAnswered) : outcome[state];
}
