import { useEffect } from 'preact/hooks';
import type { CallRinging } from '../../protocol/types.gen';
import { useApp } from '../app';
import { texts } from '../i18n';
import { Avatar } from '../parts/Avatar';
import { Dialog } from '../parts/Dialog';
import { Icon, type IconName } from '../parts/Icon';
import { ringOut } from '../notifying';

/** Somebody calls. Escape lets it ring no more here, and is no answer. */
export function RingingDialog({ call }: { call: CallRinging }) {
  const { chat, door, preferences } = useApp();
  const t = texts().call;
  const { caller, isGroup, conversationName, media } = call;
  useEffect(() => ringOut(call, preferences), [call, preferences]);
  const title = media === 'video' ? t.incomingVideo : t.incomingAudio;
  return (
    <Dialog title={title} plain ringing onClose={() => chat.ringing.stop(call.callId)}>
      <div class="ringing">
        <span class="ringing-face"><Avatar id={caller.id} name={caller.name} picture={caller.avatar} size="l" /></span>
        <p class="ringing-name">{caller.name}</p>
        <p class="quiet">{isGroup ? t.inGroup(title, conversationName) : title}</p>
        <div class="ringing-answers">
          <Answer icon="hangUp" label={t.decline} kind="no" onClick={() => void chat.ringing.decline(call)} />
          {media === 'video' && <Answer icon="video" label={t.answerVideo} kind="yes" onClick={() => void door.answer(call, true)} />}
          <Answer icon="phone" label={media === 'video' ? t.answerAudio : t.answer} kind="yes" onClick={() => void door.answer(call, false)} />
        </div>
      </div>
    </Dialog>
  );
}

function Answer({ icon, label, kind, onClick }: { icon: IconName; label: string; kind: 'yes' | 'no'; onClick: () => void }) {
  return (
    <button type="button" class={`answer answer-${kind}`} onClick={onClick}>
      <span class="answer-icon"><Icon name={icon} size={28} /></span>
      <span>{label}</span>
    </button>
  );
}
