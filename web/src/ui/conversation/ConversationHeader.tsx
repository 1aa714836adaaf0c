import type { InboxEntry } from '../../protocol/types.gen';
import { useApp } from '../app';
import { CallButtons } from '../calls/CallButtons';
import { seenOf } from '../format';
import { texts } from '../i18n';
import { companionOf, titleOf } from '../names';
import { Avatar } from '../parts/Avatar';
import { IconButton } from '../parts/IconButton';
import { firstName } from '../sidebar/ConversationItem';

export function ConversationHeader({ entry, onDetails }: { entry: InboxEntry; onDetails: () => void }) {
  const { chat, preferences, only } = useApp();
  const t = texts();
  const title = titleOf(entry, chat);
  const companion = companionOf(entry, chat);
  const muted = preferences.isMuted(entry.id);
  return (
    <header class="conversation-head">
      {only.value === null && <IconButton icon="back" label={t.back} class="back" onClick={() => void chat.open(null)} />}
      <h1 class="conversation-heading">
        <button type="button" class="conversation-title" onClick={onDetails}>
          <Avatar id={companion?.id ?? entry.id} name={title} picture={companion?.avatar ?? null} status={companion?.status} group={entry.type === 'group'} />
          <span class="item-text">
            <span class="item-name">{title}</span>
            <Subtitle entry={entry} />
          </span>
          <span class="hidden">{t.details}</span>
        </button>
      </h1>
      <CallButtons entry={entry} />
      <IconButton icon={muted ? 'bellOff' : 'bell'} label={muted ? t.unmute : t.mute} aria-pressed={muted} onClick={() => preferences.mute(entry.id, !muted)} />
      <IconButton icon="info" class="to-details" label={t.details} onClick={onDetails} />
    </header>
  );
}

function Subtitle({ entry }: { entry: InboxEntry }) {
  const { chat } = useApp();
  const t = texts();
  const typists = [...chat.typing.in(entry.id).values()];
  if (typists.length) {
    const names = typists.map(firstName);
    return <span class="item-preview item-typing">{entry.type === 'group' ? t.typing(names) : t.typingShort}</span>;
  }
  const companion = companionOf(entry, chat);
  if (companion) return (
    <span class="item-preview">{companion.status === 'offline' ? t.lastSeen(seenOf(companion.lastSeen)) : t.status[companion.status]}</span>
  );
  const online = entry.participants.filter((id) => chat.people.get(id)?.isOnline).length;
  return <span class="item-preview">{t.participants(entry.participants.length)}{online > 1 && `, ${t.onlineCount(online)}`}</span>;
}
