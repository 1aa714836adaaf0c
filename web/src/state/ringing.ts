import { computed, signal } from '@preact/signals-core';
import type { CallRinging } from '../protocol/types.gen';
import type { Wire } from '../protocol/wire';

/** Who calls, and where a call is going on: all of calls that a client must know before there is one. */
export class Ringing {
  /** Oldest first. */
  readonly #calls = signal<ReadonlyMap<string, CallRinging>>(new Map());
  readonly #timers = new Map<string, ReturnType<typeof setTimeout>>();
  /** Call ids by conversation: calls that have begun and have not ended, as far as this client was told. */
  readonly #going = signal<ReadonlyMap<string, string>>(new Map());
  /** The one that is to be answered; a second one waits behind it. */
  readonly first = computed(() => [...this.#calls.value.values()][0] ?? null);

  constructor(private readonly wire: Pick<Wire, 'ask' | 'on'>) {
    wire.on('call_ringing', (call) => this.#rang(call));
    wire.on('call_answered_elsewhere', ({ callId, conversationId, answer }) => {
      this.stop(callId);
      if (answer === 'declined') this.#over(conversationId, callId);
    });
    wire.on('call_ended', ({ callId, conversationId }) => {
      this.stop(callId);
      this.#over(conversationId, callId);
    });
  }

  /** A call of a group that one may still join. */
  isGoingOn(conversationId: string): boolean {
    return this.#going.value.has(conversationId);
  }

  /** Answered here, or joined by calling at the same moment. */
  stop(callId: string): void {
    clearTimeout(this.#timers.get(callId));
    this.#timers.delete(callId);
    const calls = new Map(this.#calls.peek());
    if (calls.delete(callId)) this.#calls.value = calls;
  }

  stopAll(): void {
    for (const callId of this.#calls.peek().keys()) this.stop(callId);
  }

  stopIn(conversationId: string): void {
    for (const call of this.#calls.peek().values()) if (call.conversationId === conversationId) this.stop(call.callId);
  }

  async decline({ callId }: Pick<CallRinging, 'callId'>): Promise<void> {
    this.stop(callId);
    // Without a connection it goes on ringing elsewhere, and is missed in the end.
    await this.wire.ask('call_decline', { callId }).catch(() => undefined);
  }

  /** By the server's clock alone: this machine's may be wrong. */
  #rang(call: CallRinging): void {
    const lastsMs = Date.parse(call.ringsUntil) - Date.parse(call.startedAt);
    this.stop(call.callId);
    this.#timers.set(call.callId, setTimeout(() => this.stop(call.callId), lastsMs));
    this.#calls.value = new Map(this.#calls.peek()).set(call.callId, call);
    if (call.isGroup) this.#going.value = new Map(this.#going.peek()).set(call.conversationId, call.callId);
  }

  #over(conversationId: string, callId: string): void {
    const going = new Map(this.#going.peek());
    if (going.get(conversationId) !== callId) return;
    going.delete(conversationId);
    this.#going.value = going;
  }
}
