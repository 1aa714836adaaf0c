import { signal } from '@preact/signals-core';
import type { CallSignalled, Candidate, Description, IceServer } from '../../protocol/types.gen';
import type { Connect, Counters, Kind, Link } from './link';
import type { Incoming, IncomingState } from './route';

/**
 * So long the polite side lets the other make the first offer, and the first attempt to restart. It could as well offer at
 * once and take its offer back, but Chromium (156) may then gather candidates without end.
 */
const POLITE_WAITS_MS = 2_000;
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
export class Peer implements Incoming {
  readonly state = signal<IncomingState>('connecting');
  readonly streams = signal<readonly MediaStream[]>([]);
  readonly #link: Link;
  #heard: Promise<void> = Promise.resolve();
  #lastSeq = 0;
  #isOffering = false;
  #ignoresOffer = false;
  #early: (Candidate | null)[] = [];
  #timer: ReturnType<typeof setTimeout> | undefined;
  #firstOffer: ReturnType<typeof setTimeout> | undefined;
  #isClosed = false;

  constructor(private readonly needs: PeerNeeds) {
    this.#link = needs.connect(needs.iceServers, {
      negotiationNeeded: () => this.#negotiate(),
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

  /** Unless it is connected by then. */
  restart(afterMs = 0): void {
    clearTimeout(this.#timer);
    if (this.#isClosed) return;
    this.#timer = setTimeout(() => this.#restart(), afterMs + (this.needs.polite ? POLITE_WAITS_MS : 0));
  }

  #restart(): void {
    if (this.state.peek() === 'connected') return;
    this.#timer = setTimeout(() => this.#restart(), RESTART_AGAIN_MS);
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
    clearTimeout(this.#firstOffer);
    this.#link.close();
  }

  #negotiate(): void {
    if (!this.needs.polite || this.#link.isDescribed) void this.#offer();
    else this.#firstOffer ??= setTimeout(() => {
      if (!this.#isClosed && !this.#link.isDescribed) void this.#offer();
    }, POLITE_WAITS_MS);
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
    else if (this.#link.isDescribed) await this.#addCandidate(candidate);
    else if (!this.#ignoresOffer) this.#early.push(candidate);
  }

  async #describe(description: Description): Promise<void> {
    const isOffer = description.type === 'offer';
    // No answer is being taken at this moment: what is heard is dealt with one after the other.
    const collides = this.#isOffering || this.#link.signalingState !== 'stable';
    this.#ignoresOffer = !this.needs.polite && isOffer && collides;
    if (this.#ignoresOffer) return;
    await this.#link.accept(description);
    if (isOffer) this.#tell({ description: await this.#link.describe() });
    for (const candidate of this.#early.splice(0)) await this.#addCandidate(candidate);
  }

  /** One that means nothing here, such as one of an offer that was ignored, is one way less; the others are tried. */
  async #addCandidate(candidate: Candidate | null): Promise<void> {
    await this.#link.addCandidate(candidate).catch(() => undefined);
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
      this.state.value = 'lost';
      this.restart(state === 'failed' ? 0 : RESTART_AFTER_MS);
    }
  }

  #tell(signal: Told): void {
    if (!this.#isClosed) this.needs.tell(signal);
  }
}
