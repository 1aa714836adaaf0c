import { signal } from '@preact/signals-core';
import type { CallSignalled, Candidate, Description, IceServer } from '../../protocol/types.gen';
import type { Connect, Counters, Kind, Link } from './link';

/** `lost` comes back by itself or by an ICE restart; the server says when somebody has left. */
export type PeerState = 'connecting' | 'connected' | 'lost';

/** A connection that breaks off may find itself again; after this it is helped. */
const RESTART_AFTER_MS = 3_000;
/** An ICE restart that has not helped by then is tried again. */
const RESTART_AGAIN_MS = 10_000;

export type Told = { description: Description } | { candidate: Candidate | null };

interface PeerNeeds {
  connect: Connect;
  iceServers: readonly IceServer[];
  /** Of two that offer at once, the polite one takes its offer back. */
  polite: boolean;
  tell: (signal: Told) => void;
  /** Before an ICE restart: renews the credentials of the relay, where they are old. */
  beforeRestart: () => Promise<void>;
}

/**
 * The connection to one other participant, by perfect negotiation
 * (https://w3c.github.io/webrtc-pc/#perfect-negotiation-example).
 */
export class Peer {
  readonly state = signal<PeerState>('connecting');
  readonly streams = signal<readonly MediaStream[]>([]);
  readonly #link: Link;
  #heard: Promise<void> = Promise.resolve();
  #lastSeq = 0;
  #isOffering = false;
  #isTakingAnswer = false;
  #ignoresOffer = false;
  #early: (Candidate | null)[] = [];
  #timer: ReturnType<typeof setTimeout> | undefined;
  #isClosed = false;

  constructor(private readonly needs: PeerNeeds) {
    this.#link = needs.connect(needs.iceServers, {
      negotiationNeeded: () => void this.#offer(),
      candidate: (candidate) => this.#tell({ candidate }),
      track: (stream) => this.#trackCame(stream),
      stateChanged: (state) => this.#stateChanged(state),
    });
  }

  /** In the order they come, each after the one before is done with; one that comes again is dropped. */
  hear(heard: Pick<CallSignalled, 'seq' | 'description' | 'candidate'>): Promise<void> {
    if (heard.seq <= this.#lastSeq) return this.#heard;
    this.#lastSeq = heard.seq;
    this.#heard = this.#heard.then(() => this.#take(heard)).catch(() => this.restart());
    return this.#heard;
  }

  send(kind: Kind, track: MediaStreamTrack | null): void {
    if (!this.#isClosed) void this.#link.send(kind, track).catch(() => undefined); // closed meanwhile
  }

  restart(): void {
    clearTimeout(this.#timer);
    if (this.#isClosed) return;
    this.#timer = setTimeout(() => this.restart(), RESTART_AGAIN_MS);
    void this.needs.beforeRestart().catch(() => undefined).then(() => {
      if (!this.#isClosed && this.state.peek() !== 'connected') this.#link.restartIce();
    });
  }

  setIceServers(servers: readonly IceServer[]): void {
    this.#link.setIceServers(servers);
  }

  stats(): Promise<Counters> {
    return this.#link.stats();
  }

  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#timer);
    this.#link.close();
  }

  async #offer(): Promise<void> {
    this.#isOffering = true;
    try {
      this.#tell({ description: await this.#link.describe() });
    } catch {
      // closed, or overtaken by the other side's offer: then an answer is due, and made there
    } finally {
      this.#isOffering = false;
    }
  }

  async #take({ description, candidate }: Pick<CallSignalled, 'description' | 'candidate'>): Promise<void> {
    if (this.#isClosed) return;
    if (description) await this.#describe(description as Description);
    else if (!this.#link.isDescribed) this.#early.push(candidate);
    else await this.#addCandidate(candidate);
  }

  async #describe(description: Description): Promise<void> {
    const isOffer = description.type === 'offer';
    const isReady = !this.#isOffering && (this.#link.signalingState === 'stable' || this.#isTakingAnswer);
    this.#ignoresOffer = !this.needs.polite && isOffer && !isReady;
    if (this.#ignoresOffer) return;
    this.#isTakingAnswer = !isOffer;
    try {
      await this.#link.accept(description);
    } finally {
      this.#isTakingAnswer = false;
    }
    if (isOffer) this.#tell({ description: await this.#link.describe() });
    for (const candidate of this.#early.splice(0)) await this.#addCandidate(candidate);
  }

  /** Those of an offer that is ignored mean nothing here. */
  async #addCandidate(candidate: Candidate | null): Promise<void> {
    try {
      await this.#link.addCandidate(candidate);
    } catch (error) {
      if (!this.#ignoresOffer) throw error;
    }
  }

  #trackCame(stream: MediaStream): void {
    stream.onremovetrack = () => (this.streams.value = this.streams.peek().filter((each) => each.getTracks().length > 0));
    // A new array also for a stream that is known: it has another track now.
    this.streams.value = [...new Set([...this.streams.peek(), stream])];
  }

  #stateChanged(state: RTCPeerConnectionState): void {
    if (state === 'connected') {
      clearTimeout(this.#timer);
      this.state.value = 'connected';
    } else if (state === 'disconnected' || state === 'failed') {
      clearTimeout(this.#timer);
      this.state.value = 'lost';
      this.#timer = setTimeout(() => this.restart(), state === 'failed' ? 0 : RESTART_AFTER_MS);
    }
  }

  #tell(signal: Told): void {
    if (!this.#isClosed) this.needs.tell(signal);
  }
}
