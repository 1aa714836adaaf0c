import { signal } from '@preact/signals-core';
import type { Typing as TypingIndicator } from '../protocol/types.gen';
import type { Wire } from '../protocol/wire';

/** The server ends it 3 s after the last start; should its word be lost, it ends here. */
const GONE_AFTER_MS = 6_000;
/** Often enough that the server's 3 s do not run out while somebody writes. */
const REPEAT_MS = 2_000;

export type Typists = ReadonlyMap<string, string>;
const NOBODY: Typists = new Map();

/** Who is writing where: others as they are told of, and this user as they tell. */
export class Typing {
  readonly #rooms = signal<ReadonlyMap<string, Typists>>(new Map());
  readonly #timers = new Map<string, ReturnType<typeof setTimeout>>();
  #told: { conversationId: string; at: number } | null = null;

  constructor(private readonly wire: Pick<Wire, 'tell'>, private readonly now: () => number) {}

  /** Names by user id. */
  in(conversationId: string): Typists {
    return this.#rooms.value.get(conversationId) ?? NOBODY;
  }

  heard({ conversationId, userId, userName, isTyping }: TypingIndicator): void {
    const key = `${conversationId} ${userId}`;
    clearTimeout(this.#timers.get(key));
    this.#timers.delete(key);
    if (isTyping) this.#timers.set(key, setTimeout(() => this.ended(conversationId, userId), GONE_AFTER_MS));
    this.#set(conversationId, userId, isTyping ? userName : null);
  }

  /** Also what a message of theirs says. */
  ended(conversationId: string, userId: string): void {
    this.#set(conversationId, userId, null);
  }

  /** At each stroke of a key. */
  write(conversationId: string): void {
    if (this.#told?.conversationId !== conversationId) this.stop();
    if (this.#told && this.now() - this.#told.at < REPEAT_MS) return;
    this.#told = { conversationId, at: this.now() };
    this.wire.tell('typing_start', { conversationId });
  }

  /** Sent, emptied, or turned to something else. */
  stop(): void {
    if (!this.#told) return;
    this.wire.tell('typing_stop', { conversationId: this.#told.conversationId });
    this.#told = null;
  }

  #set(conversationId: string, userId: string, name: string | null): void {
    const known = this.#rooms.peek().get(conversationId) ?? NOBODY;
    if ((known.get(userId) ?? null) === name) return;
    const typists = new Map(known);
    if (name === null) typists.delete(userId);
    else typists.set(userId, name);
    this.#rooms.value = new Map(this.#rooms.peek()).set(conversationId, typists);
  }
}
