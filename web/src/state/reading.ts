import { signal } from '@preact/signals-core';
import type { Message } from '../protocol/types.gen';
import type { Wire } from '../protocol/wire';
import type { Inbox } from './inbox';

/** A read mark does not go out for each of several messages that come at once. */
const SETTLE_MS = 300;

/** The "new messages" line: above the first message after `afterSeq`. */
export interface Line {
  conversationId: string;
  afterSeq: number;
}

/** What the user has seen: moves the read mark while they look, and remembers where the new ones begin. */
export class Reading {
  readonly line = signal<Line | null>(null);
  #looksAt: string | null = null;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(private readonly wire: Pick<Wire, 'ask'>, private readonly inbox: Inbox) {}

  /** The newest messages of this conversation are before the user's eyes; null: of none. */
  look(conversationId: string | null): void {
    this.#looksAt = conversationId;
    this.#settle();
  }

  looksAt(conversationId: string): boolean {
    return this.#looksAt === conversationId;
  }

  opened(conversationId: string): void {
    const entry = this.inbox.get(conversationId);
    this.line.value = entry?.unreadCount ? { conversationId, afterSeq: entry.lastReadSeq } : null;
  }

  /** In the opened conversation. Call it before the inbox hears of the message. */
  messageCame({ conversationId, senderId }: Message): void {
    if (senderId === this.inbox.me) {
      if (this.line.peek()?.conversationId === conversationId) this.line.value = null;
      return;
    }
    const lastReadSeq = this.inbox.get(conversationId)?.lastReadSeq ?? 0;
    const line = this.line.peek();
    const isOld = line?.conversationId !== conversationId || line.afterSeq < lastReadSeq;
    if (isOld && !this.looksAt(conversationId)) this.line.value = { conversationId, afterSeq: lastReadSeq };
    this.#settle();
  }

  /** After a new connection, what could not be told before. */
  resume(): void {
    this.#settle();
  }

  #settle(): void {
    clearTimeout(this.#timer);
    if (this.#looksAt !== null) this.#timer = setTimeout(() => void this.#mark(this.#looksAt), SETTLE_MS);
  }

  async #mark(conversationId: string | null): Promise<void> {
    if (conversationId === null || !this.inbox.get(conversationId)?.unreadCount) return;
    try {
      this.inbox.markMoved(await this.wire.ask('mark_messages_as_read', { conversationId }));
    } catch {
      // told again at the next message, look or connection
    }
  }
}
