import { signal } from '@preact/signals-core';
import type { Call, CallParticipant, MediaServer } from '../../protocol/types.gen';
import type { Counters, Kind } from './link';
import type { LocalMedia } from './local_media';
import { MediaServerProblem, type JoinRoom, type MediaServerFailure, type RoomLink } from './room_link';
import type { Incoming, IncomingState, Route } from './route';

const AGAIN_AFTER_MS = [1_000, 2_000, 5_000, 10_000];

interface MediaRoomNeeds {
  join: JoinRoom;
  media: Pick<LocalMedia, 'microphone' | 'camera' | 'screen'>;
  /** Asks for the call once more, which is then `renewed`. Never rejects. */
  refresh: () => Promise<void>;
}

/** Everything goes to one server, and comes from it. Who is in the call is the chat's to say, not the room's. */
export class MediaRoom implements Route {
  /** Why nothing goes and comes; it is tried again. */
  readonly problem = signal<MediaServerFailure | null>(null);
  readonly #incoming = new Map<string, FromRoom>();
  /** Also of those who are not announced yet. */
  readonly #streams = new Map<string, readonly MediaStream[]>();
  #link: RoomLink | null = null;
  #failures = 0;
  #again: ReturnType<typeof setTimeout> | undefined;
  #isClosed = false;

  constructor(private readonly needs: MediaRoomNeeds, private server: MediaServer) {
    void this.#enter();
  }

  renewed({ mediaServer }: Call): void {
    if (mediaServer) this.server = mediaServer;
  }

  meet({ participantId }: CallParticipant): Incoming {
    const incoming = new FromRoom(() => this.#link?.stats(participantId));
    this.#incoming.set(participantId, incoming);
    if (this.#link) incoming.hear(this.#streams.get(participantId) ?? []);
    return incoming;
  }

  part(participantId: string): void {
    this.#incoming.delete(participantId);
  }

  send(kind: Kind, track: MediaStreamTrack | null): void {
    void this.#link?.send(kind, track).catch(() => undefined); // the room is left or lost: in the next one all is sent anew
  }

  /** There are no signals: the room has its own. */
  signalled(): void {}

  retell(): void {}

  resume(): void {
    if (this.#again !== undefined) void this.#enterAgain();
  }

  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#again);
    this.#link?.close();
    this.#incoming.clear();
  }

  async #enter(): Promise<void> {
    try {
      const link = await this.needs.join(this.server, {
        streams: (id, streams) => this.#streamsCame(id, streams),
        stateChanged: (state) => this.#stateChanged(state),
      });
      if (this.#isClosed) link.close();
      else this.#entered(link);
    } catch (error) {
      this.problem.value = error instanceof MediaServerProblem ? error.failure : 'media-server-unreachable';
      this.#tryLater();
    }
  }

  #entered(link: RoomLink): void {
    this.#link = link;
    this.problem.value = null;
    const { microphone, camera, screen } = this.needs.media;
    for (const [kind, { value: track }] of [['audio', microphone], ['camera', camera], ['screen', screen]] as const) {
      if (track) this.send(kind, track);
    }
    this.#hearAll();
  }

  #hearAll(): void {
    for (const [id, incoming] of this.#incoming) incoming.hear(this.#streams.get(id) ?? []);
  }

  #stateChanged(state: 'connected' | 'lost' | 'closed'): void {
    if (state === 'connected') {
      this.#hearAll();
      return;
    }
    for (const incoming of this.#incoming.values()) incoming.lose();
    if (state === 'lost' || this.#isClosed) return;
    this.#link = null;
    this.#streams.clear();
    this.#tryLater();
  }

  #tryLater(): void {
    if (this.#isClosed) return;
    const after = AGAIN_AFTER_MS[Math.min(this.#failures, AGAIN_AFTER_MS.length - 1)];
    this.#failures += 1;
    this.#again = setTimeout(() => void this.#enterAgain(), after);
  }

  /** With a new token: the old one is good for some minutes only. */
  async #enterAgain(): Promise<void> {
    clearTimeout(this.#again);
    this.#again = undefined;
    await this.needs.refresh(); // without a connection to the chat the old one may still do
    if (!this.#isClosed) await this.#enter();
  }

  #streamsCame(id: string, streams: readonly MediaStream[]): void {
    this.#failures = 0; // merely to be let in is no success: one may be put out again at once
    this.#streams.set(id, streams);
    this.#incoming.get(id)?.hear(streams);
  }
}

const NOTHING: Counters = { received: 0, lost: 0, rttMs: null };

class FromRoom implements Incoming {
  readonly state = signal<IncomingState>('connecting');
  readonly streams = signal<readonly MediaStream[]>([]);

  constructor(private readonly measure: () => Promise<Counters> | undefined) {}

  hear(streams: readonly MediaStream[]): void {
    this.streams.value = streams;
    if (streams.length > 0) this.state.value = 'connected';
    else this.lose();
  }

  /** Whoever has not been heard yet is still awaited. */
  lose(): void {
    if (this.state.peek() === 'connected') this.state.value = 'lost';
  }

  async stats(): Promise<Counters> {
    return (await this.measure()) ?? NOTHING;
  }
}
