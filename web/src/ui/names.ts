import type { InboxEntry, User } from '../protocol/types.gen';
import type { Chat } from '../state/chat';
import { isVoiceNote, otherSide } from '../state/words';
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
  const [, kind, name] = /^(Archivo|Audio): (.*)/s.exec(preview ?? '') ?? [];
  if (name === undefined) return preview ?? '';
  if (kind === 'Archivo') return `📎 ${t.file}: ${name}`;
  return `🎤 ${isVoiceNote(name) ? t.voiceNote : `${t.audio}: ${name}`}`;
}
