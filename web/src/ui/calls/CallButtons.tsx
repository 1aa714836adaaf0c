import type { InboxEntry } from '../../protocol/types.gen';
import { useApp } from '../app';
import { texts } from '../i18n';
import { Icon } from '../parts/Icon';
import { IconButton } from '../parts/IconButton';

/** To call the others of a conversation, or to join the call that they have. */
export function CallButtons({ entry }: { entry: InboxEntry }) {
  const { chat, door } = useApp();
  const t = texts().call;
  const current = door.room.value?.calls.current.value;
  const isBusy = current !== null && current !== undefined && current.ending.value === null;
  if (door.isAbsent || entry.participants.length < 2) return null;
  if (chat.ringing.isGoingOn(entry.id) && !isBusy) return (
    <button type="button" class="button button-primary button-small join-call" onClick={() => void door.start(entry.id, 'audio')}>
      <Icon name="phone" size={16} />{t.join}
    </button>
  );
  return (
    <>
      <IconButton icon="phone" label={t.audio} disabled={isBusy} onClick={() => void door.start(entry.id, 'audio')} />
      <IconButton icon="video" label={t.video} disabled={isBusy} onClick={() => void door.start(entry.id, 'video')} />
    </>
  );
}
