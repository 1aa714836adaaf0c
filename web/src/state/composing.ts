import { signal } from '@preact/signals-core';
import type { Message } from '../protocol/types.gen';

export type Mode = { kind: 'new' } | { kind: 'reply'; to: Message } | { kind: 'edit'; message: Message };

const NEW: Mode = { kind: 'new' };

/** The server lets a message be corrected for so long. */
const EDITABLE_FOR_MS = 15 * 60_000;

/** What the open conversation's input is for at the moment. */
export class Composing {
  readonly mode = signal<Mode>(NEW);

  reply(to: Message): void {
    this.mode.value = { kind: 'reply', to };
  }

  edit(message: Message): void {
    this.mode.value = { kind: 'edit', message };
  }

  reset(): void {
    this.mode.value = NEW;
  }
}

export function mayEdit(message: Message, me: string, now: number): boolean {
  const isOwnText = message.senderId === me && message.messageType === 'text' && !message.isDeleted;
  return isOwnText && now - Date.parse(message.timestamp) < EDITABLE_FOR_MS;
}

export function mayRemove(message: Message, me: string): boolean {
  return message.senderId === me && !message.isDeleted;
}
