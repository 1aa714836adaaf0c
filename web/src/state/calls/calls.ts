import { effect, signal, type ReadonlySignal } from '@preact/signals-core';
import type { CallEnded, CallRinging } from '../../protocol/types.gen';
import type { Wire } from '../../protocol/wire';
import { LiveCall, type CallNeeds, type Entry } from './call';
import type { Ringing } from '../ringing';
import type { LocalMedia } from './local_media';

export interface CallsNeeds extends Omit<CallNeeds, 'media'> {
  wire: Pick<Wire, 'ask' | 'tell' | 'on' | 'onConnection'>;
  /** The user is known to the server, on the connection there is. */
  online: ReadonlySignal<boolean>;
  ringing: Pick<Ringing, 'stop' | 'stopIn'>;
  openMedia: () => LocalMedia;
  newId: () => string;
}

/** The one call this device can be in, and which event goes to it. */
export class Calls {
  /** Also one that has ended, until the user has seen how. */
  readonly current = signal<LiveCall | null>(null);
  #isNew = false;
  /** Left without a connection, and to be said with the next. */
  readonly #unsaid = new Set<string>();

  constructor(private readonly needs: CallsNeeds) {
    this.#listen();
  }

  start(conversationId: string, media: 'audio' | 'video'): Promise<void> {
    return this.#begin(conversationId, { by: 'start', clientCallId: this.needs.newId(), media }, media === 'video');
  }

  answer({ callId, conversationId }: Pick<CallRinging, 'callId' | 'conversationId'>, withCamera: boolean): Promise<void> {
    return this.#begin(conversationId, { by: 'accept', callId }, withCamera);
  }

  hangUp(): void {
    const call = this.current.peek();
    if (!call || call.ending.peek()) return;
    const { id } = call;
    call.hangUp();
    this.dismiss();
    if (id !== null && call.call.peek()) void this.#say(id);
  }

  /** The page goes away: nothing can be waited for. */
  leave(): void {
    const call = this.current.peek();
    if (call?.call.peek() && !call.ending.peek()) this.needs.wire.tell('call_hangup', { callId: call.id! });
    call?.hangUp();
  }

  dismiss(): void {
    if (this.current.peek()?.ending.peek()) this.current.value = null;
  }

  isIn(conversationId: string): boolean {
    const call = this.current.value;
    return call?.conversationId === conversationId && !call.ending.value;
  }

  async #begin(conversationId: string, entry: Entry, withCamera: boolean): Promise<void> {
    const before = this.current.peek();
    if (before && !before.ending.peek()) return;
    const { wire, connect, join, now, deviceId, openMedia } = this.needs;
    const call = new LiveCall({ wire, connect, join, now, deviceId, media: openMedia() }, conversationId, entry, withCamera);
    this.current.value = call;
    this.needs.ringing.stopIn(conversationId);
    await call.begin();
  }

  async #say(callId: string): Promise<void> {
    this.#unsaid.add(callId);
    try {
      await this.needs.wire.ask('call_hangup', { callId });
      this.#unsaid.delete(callId);
    } catch {
      // said when there is a connection again; without one the server lets go by itself
    }
  }

  #listen(): void {
    const { wire, online } = this.needs;
    wire.on('call_participant_joined', ({ callId, participant }) => this.#in(callId)?.joined(participant));
    wire.on('call_participant_left', (left) => this.#in(left.callId)?.left(left));
    wire.on('call_media', (shown) => this.#in(shown.callId)?.shows(shown));
    wire.on('call_signal', (heard) => this.#in(heard.callId)?.signalled(heard));
    wire.on('call_ended', (ended) => this.#ended(ended));
    wire.on('call_ringing', ({ callId, conversationId }) => {
      // Both call each other at once: it is one call, and this device is in it.
      if (this.isIn(conversationId)) this.needs.ringing.stop(callId);
    });
    wire.onConnection((change) => {
      if (change.is === 'fresh') this.#isNew = true;
    });
    effect(() => {
      if (online.value) this.#online();
    });
  }

  /** A connection that was recovered has missed nothing, but what was to be said meanwhile. */
  #online(): void {
    for (const callId of this.#unsaid) void this.#say(callId);
    if (this.#isNew) void this.current.peek()?.resume();
    else this.current.peek()?.retell();
    this.#isNew = false;
  }

  #ended({ callId, reason, durationMs }: CallEnded): void {
    this.#in(callId)?.end({ reason, durationMs });
  }

  #in(callId: string): LiveCall | null {
    const call = this.current.peek();
    return call && call.id === callId ? call : null;
  }
}
