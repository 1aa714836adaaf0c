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

/** What the server writes of a call: its name, and what became of it. */
const CALL_LINE = /^(Llamada|Videollamada)( perdida| rechazada| sin respuesta: ocupado| interrumpida| · [\d:]+)$/;

function callLine(video: boolean, outcome: string): string {
  const t = texts().call;
  const said: Record<string, string> = {
    ' perdida': t.outcome.notAnswered, ' rechazada': t.outcome.declined,
    ' sin respuesta: ocupado': t.outcome.busy, ' interrumpida': t.outcome.failed,
  };
  return `${video ? '📹' : '📞'} ${video ? t.videoName : t.audioName} · ${said[outcome] ?? outcome.slice(3)}`;
}

/** `lastMessage` and `replyPreview` in the user's language: the server has Spanish words for files and calls. */
export function previewText(preview: string | null): string {
  const t = texts();
  const call = CALL_LINE.exec(preview ?? '');
  if (call) return callLine(call[1] === 'Videollamada', call[2]!);
  const [, kind, name] = /^(Archivo|Audio): (.*)/s.exec(preview ?? '') ?? [];
  if (name === undefined) return preview ?? '';
  if (kind === 'Archivo') return `📎 ${t.file}: ${name}`;
  return `🎤 ${isVoiceNote(name) ? t.voiceNote : `${t.audio}: ${name}`}`;
}
