import type { InboxEntry, Message } from '../protocol/types.gen';

export const PREVIEW_MAX_CHARS = 100;

/** A message in one line, in the server's own words (`replyPreview`, `lastMessage`). */
export function previewOf(message: Pick<Message, 'content' | 'messageType' | 'fileName' | 'isDeleted'>): string {
  if (message.isDeleted) return '';
  if (message.messageType === 'text' || message.messageType === 'call') return message.content.slice(0, PREVIEW_MAX_CHARS);
  return `${message.messageType === 'audio' ? 'Audio' : 'Archivo'}: ${message.fileName ?? ''}`;
}

/** The caption of a file message; null when it has none, for which the server puts the file's data as JSON. */
export function captionOf({ messageType, content, fileUrl }: Message): string | null {
  if (messageType === 'text' || !content.trim()) return null;
  try {
    const data = JSON.parse(content) as { fileUrl?: unknown } | null;
    if (data !== null && typeof data === 'object' && data.fileUrl === fileUrl) return null;
  } catch {
    // not JSON: somebody wrote it
  }
  return content;
}

/** What clients call a file that was recorded in the chat: this one, and those before it. */
export function isVoiceNote(fileName: string | null): boolean {
  return /^(voice|audio)(-note)?(-[\d-]+)?\.\w+$/.test(fileName ?? '');
}

/** Whoever is on the other side of a private conversation. */
export function otherSide(conversation: Pick<InboxEntry, 'type' | 'participants'>, me: string): string | null {
  if (conversation.type !== 'private') return null;
  return conversation.participants.find((id) => id !== me) ?? me;
}

/** For a search that finds "José" by "jose". */
export function folded(text: string): string {
  return text.normalize('NFD').replace(/\p{M}/gu, '').toLowerCase();
}
