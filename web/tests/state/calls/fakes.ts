import type { Call, CallParticipant, CallRinging, Candidate, Description, IceServer, MediaServer } from '../../../src/protocol/types.gen';
import type { Counters, Kind, Link, LinkEvents } from '../../../src/state/calls/link';
import { MediaProblem, type Choice, type Device, type MediaFailure, type MediaSource } from '../../../src/state/calls/local_media';
import { MediaServerProblem, type JoinRoom, type MediaServerFailure, type RoomEvents, type RoomLink } from '../../../src/state/calls/room_link';
import { NOON } from '../../support';

/** A connection of which a test says what happens to it. It keeps the rules of offers and answers. */
export class FakeLink implements Link {
  signalingState: RTCSignalingState = 'stable';
  isDescribed = false;
  isClosed = false;
  restarts = 0;
  iceServers: readonly IceServer[];
  readonly sent = new Map<Kind, MediaStreamTrack | null>();
  readonly candidates: (Candidate | null)[] = [];
  readonly taken: Description[] = [];
  counters: Counters = { received: 0, lost: 0, rttMs: null };
  #made = 0;
  #local = '';

  constructor(iceServers: readonly IceServer[], readonly events: LinkEvents, readonly name = 'link') {
    this.iceServers = iceServers;
  }

  async describe(): Promise<Description> {
    await Promise.resolve();
    const type = this.signalingState === 'have-remote-offer' ? 'answer' : 'offer';
    this.signalingState = type === 'offer' ? 'have-local-offer' : 'stable';
    this.#local = `${this.name} ${type} ${(this.#made += 1)}`;
    return { type, sdp: this.#local };
  }

  async accept(description: Description): Promise<void> {
    await Promise.resolve();
    if (description.type === 'answer' && this.signalingState !== 'have-local-offer') throw new Error('an answer to nothing');
    this.signalingState = description.type === 'offer' ? 'have-remote-offer' : 'stable'; // an own offer is rolled back
    this.isDescribed = true;
    this.taken.push(description);
  }

  addCandidate(candidate: Candidate | null): Promise<void> {
    if (!this.isDescribed) return Promise.reject(new Error('no description'));
    this.candidates.push(candidate);
    return Promise.resolve();
  }

  send(kind: Kind, track: MediaStreamTrack | null): Promise<void> {
    this.sent.set(kind, track);
    return Promise.resolve();
  }

  restartIce(): void {
    this.restarts += 1;
  }

  setIceServers(servers: readonly IceServer[]): void {
    this.iceServers = servers;
  }

  stats(): Promise<Counters> {
    return Promise.resolve(this.counters);
  }

  close(): void {
    this.isClosed = true;
  }
}

/** For calls that never see a media server. */
export const noRoom: JoinRoom = () => Promise.reject(new Error('no media server was to be asked'));

/** A media server of which a test says what happens in its rooms. */
export class FakeMediaServer {
  readonly rooms: FakeRoom[] = [];
  readonly tokens: string[] = [];
  refuses: MediaServerFailure | null = null;

  readonly join: JoinRoom = ({ token }: MediaServer, events) => {
    this.tokens.push(token);
    if (this.refuses) return Promise.reject(new MediaServerProblem(this.refuses));
    this.rooms.push(new FakeRoom(events));
    return Promise.resolve(this.rooms.at(-1)!);
  };
}

export class FakeRoom implements RoomLink {
  isClosed = false;
  readonly sent = new Map<Kind, MediaStreamTrack | null>();
  counters: Counters = { received: 7, lost: 1, rttMs: 20 };

  constructor(readonly events: RoomEvents) {}

  send(kind: Kind, track: MediaStreamTrack | null): Promise<void> {
    this.sent.set(kind, track);
    return Promise.resolve();
  }

  stats(): Promise<Counters> {
    return Promise.resolve(this.counters);
  }

  close(): void {
    this.isClosed = true;
  }
}

export class FakeTrack {
  enabled = true;
  stopped = false;
  onended: (() => void) | null = null;

  constructor(readonly kind: string, readonly device: Choice = null) {}

  stop(): void {
    this.stopped = true;
  }

  get asTrack(): MediaStreamTrack {
    return this as unknown as MediaStreamTrack;
  }
}

/** What the user and the machine allow. */
export class FakeSource implements MediaSource {
  readonly refuses = new Map<Device, MediaFailure>();
  readonly opened: FakeTrack[] = [];

  microphone = (choice: Choice) => this.#open('microphone', choice);
  camera = (choice: Choice) => this.#open('camera', choice);
  screen = () => this.#open('screen', null);

  #open(device: Device, choice: Choice): Promise<MediaStreamTrack> {
    const failure = this.refuses.get(device);
    if (failure) return Promise.reject(new MediaProblem(device, failure));
    const track = new FakeTrack(device, choice);
    this.opened.push(track);
    return Promise.resolve(track.asTrack);
  }
}

export function aParticipant(id: string, part: Partial<CallParticipant> = {}): CallParticipant {
  return { participantId: id, userId: `user ${id}`, number: 2, polite: false, audio: true, video: false, screen: false, ...part };
}

export function aCall(part: Partial<Call> = {}): Call {
  return {
    callId: 'k1', conversationId: 'c1', state: 'ringing', reason: null, media: 'audio', startedBy: 'ana',
    startedAt: new Date(NOON).toISOString(), ringsUntil: new Date(NOON + 30_000).toISOString(), answeredAt: null,
    participantId: 'p-me', polite: false, participants: [], iceServers: [{ urls: ['stun:127.0.0.1:3478'] }], mediaServer: null, ...part,
  };
}

export function aRing(part: Partial<CallRinging> = {}): CallRinging {
  return {
    callId: 'k1', conversationId: 'c1', conversationName: '', isGroup: false, media: 'audio',
    caller: { id: 'luis', name: 'Luis', avatar: null }, startedAt: new Date(NOON).toISOString(),
    ringsUntil: new Date(NOON + 30_000).toISOString(), ...part,
  };
}
