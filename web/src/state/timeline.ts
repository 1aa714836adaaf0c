import { signal } from '@preact/signals-core';
import type { Message, MessageDeleted } from '../protocol/types.gen';

/**
 * One conversation's messages as far as they are known here: always a run of `seq` without gaps, oldest first.
 *
 * Empty until its first page is there; what is told before that waits for it: the page may have been read before.
 */
export class Timeline {
  readonly messages = signal<readonly Message[]>([]);
  readonly loaded = signal(false);
  readonly hasOlder = signal(true);
  /** Up to which message each participant has read, as far as that was told. */
  readonly marks = signal<ReadonlyMap<string, number>>(new Map());
  /** The conversation's change up to which all of it is known: `sync` asks for what came after. */
  rev = 0;
  #early: Message[] = [];

  get firstSeq(): number {
    return this.messages.peek()[0]?.seq ?? 0;
  }

  get lastSeq(): number {
    return this.messages.peek().at(-1)?.seq ?? 0;
  }

  at(seq: number): Message | undefined {
    return this.messages.peek()[seq - this.firstSeq];
  }

  byId(id: string): Message | undefined {
    return this.messages.peek().findLast((message) => message.id === id);
  }

  /** The newest page, and what is known of the conversation from before it was asked for. */
  start(page: readonly Message[], { rev, limit }: { rev: number; limit: number }): void {
    this.messages.value = page;
    this.hasOlder.value = page.length === limit && this.firstSeq > 1;
    this.rev = rev;
    this.loaded.value = true;
    for (const { senderId, seq } of page) this.mark(senderId, seq);
    for (const message of this.#early.splice(0)) this.put(message);
  }

  /** A page that ends where the known ones begin. */
  prepend(page: readonly Message[], limit: number): void {
    const older = page.filter(({ seq }) => this.firstSeq === 0 || seq < this.firstSeq);
    this.messages.value = [...older, ...this.messages.peek()];
    this.hasOlder.value = page.length === limit && this.firstSeq > 1;
  }

  /** A new message, or one again. False when some before it are missing: then they have to be asked for first. */
  put(message: Message): boolean {
    if (!this.loaded.peek()) {
      this.#early.push(message);
      return true;
    }
    const { messages, lastSeq, firstSeq } = { messages: this.messages.peek(), lastSeq: this.lastSeq, firstSeq: this.firstSeq };
    if (message.seq > lastSeq + 1 && messages.length > 0) return false;
    this.mark(message.senderId, message.seq);
    if (message.seq > lastSeq) this.messages.value = [...messages, message];
    else if (message.seq >= firstSeq) this.messages.value = messages.with(message.seq - firstSeq, message);
    return true;
  }

  /** A message as it is now, where it is known at all. */
  replace(message: Message): void {
    if (this.at(message.seq)) this.put(message);
  }

  /** A message has become a tombstone, and what answers it quotes nothing any more. */
  bury({ messageId, seq }: MessageDeleted): void {
    const buried = this.at(seq);
    if (!buried) return;
    this.messages.value = this.messages.peek().map((message) => {
      if (message.id === messageId) return tombstone(message);
      return message.replyTo === messageId ? { ...message, replyPreview: '' } : message;
    });
  }

  /** Everything up to there is gone for good. */
  purge(throughSeq: number): void {
    this.messages.value = this.messages.peek().filter(({ seq }) => seq > throughSeq);
    this.hasOlder.value = false;
  }

  mark(userId: string, seq: number): void {
    if ((this.marks.peek().get(userId) ?? 0) < seq) this.marks.value = new Map(this.marks.peek()).set(userId, seq);
  }

  forget(): void {
    this.messages.value = [];
    this.#early = [];
    this.loaded.value = false;
    this.hasOlder.value = true;
    this.rev = 0;
  }
}

function tombstone(message: Message): Message {
  return {
    ...message, isDeleted: true, content: '', messageType: 'text',
    fileUrl: null, fileName: null, fileSize: null, fileType: null, thumbnailUrl: null,
  };
}
