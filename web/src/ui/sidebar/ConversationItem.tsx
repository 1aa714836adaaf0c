import type { InboxEntry } from '../../protocol/types.gen';
import { useApp } from '../app';
import { whenOf } from '../format';
import { texts } from '../i18n';
import { companionOf, previewText, titleOf } from '../names';
import { Avatar } from '../parts/Avatar';
import { Icon } from '../parts/Icon';

export function ConversationItem({ entry }: { entry: InboxEntry }) {
  const { chat, preferences } = useApp();
  const title = titleOf(entry, chat);
  const companion = companionOf(entry, chat);
  const isOpen = chat.opened.value === entry.id;
  const muted = preferences.isMuted(entry.id);
  return (
    <li>
      <button type="button" class="item" aria-current={isOpen ? 'true' : undefined} {...(chat.lastOpened.value === entry.id ? { 'data-last': '' } : {})} onClick={() => void chat.open(entry.id)}>
        <Avatar id={companion?.id ?? entry.id} name={title} picture={companion?.avatar ?? null} status={companion?.status} group={entry.type === 'group'} />
        <span class="item-text">
          <span class="item-line">
            <span class="item-name">{title}</span>
            {entry.lastMessageAt && <time class="item-time" dateTime={entry.lastMessageAt}>{whenOf(entry.lastMessageAt)}</time>}
          </span>
          <span class="item-line">
            <Preview entry={entry} isOpen={isOpen} />
            {muted && <span class="item-muted"><Icon name="bellOff" size={15} /><span class="hidden">{texts().muted}</span></span>}
            <Badge count={entry.unreadCount} quiet={muted} />
          </span>
        </span>
      </button>
    </li>
  );
}

function Preview({ entry, isOpen }: { entry: InboxEntry; isOpen: boolean }) {
  const { chat } = useApp();
  const t = texts();
  const typists = [...chat.typing.in(entry.id).values()];
  const draft = chat.drafts.of(entry.id);
  if (typists.length) return <span class="item-preview item-typing">{entry.type === 'group' ? t.typing(typists.map(firstName)) : t.typingShort}</span>;
  if (chat.recordings.in(entry.id) && !isOpen) return <span class="item-preview"><span class="item-draft">{t.draft}</span> 🎤 {t.voiceNote}</span>;
  if (draft && !isOpen) return <span class="item-preview"><span class="item-draft">{t.draft}</span> {draft}</span>;
  return <span class="item-preview">{previewText(entry.lastMessage)}</span>;
}

export function firstName(name: string): string {
  return name.split(/\s/)[0] ?? name;
}

export function Badge({ count, quiet = false }: { count: number; quiet?: boolean }) {
  if (count <= 0) return null;
  return (
    <span class={`badge ${quiet ? 'badge-quiet' : ''}`}>
      <span aria-hidden="true">{count > 99 ? '99+' : count}</span>
      <span class="hidden">{texts().unread(count)}</span>
    </span>
  );
}
