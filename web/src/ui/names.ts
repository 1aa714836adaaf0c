import type { InboxEntry, User } from '../protocol/types.gen';
import type { Chat } from '../state/chat';
import { otherSide } from '../state/words';
import { texts } from './i18n';

/** A conversation's name as this user sees it. */
export function titleOf(entry: InboxEntry, chat: Chat): string {
  const other = otherSide(entry, chat.me.id);
  return other === null ? (entry.name ?? '') : chat.people.nameOf(other);
}

/** The other one of a private conversation. */
export function companionOf(entry: InboxEntry, chat: Chat): User | undefined {
  const other = otherSide(entry, chat.me.id);
  return other === null ? undefined : chat.people.get(other);
}

/** `lastMessage` and `replyPreview` in the user's language: the server has Spanish words for files. */
export function previewText(preview: string | null): string {
  const t = texts();
  return (preview ?? '').replace(/^(Archivo|Audio): /, (_whole, kind: string) => `${kind === 'Audio' ? '🎤' : '📎'} ${kind === 'Audio' ? t.audio : t.file}: `);
}
