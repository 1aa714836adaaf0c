import { computed, signal, type ReadonlySignal } from '@preact/signals-core';
import { Refused, Unreachable } from '../../protocol/refused';
import type { Call, CallEnded, CallMediaShown, CallParticipant, CallParticipantLeft, CallSignalled } from '../../protocol/types.gen';
import type { Wire } from '../../protocol/wire';
import type { Connect } from './link';
import type { LocalMedia } from './local_media';
import { MediaProblem } from './local_media';
import { MediaRoom } from './media_room';
import { Mesh } from './mesh';
import { Participant } from './participant';
import type { JoinRoom, MediaServerFailure } from './room_link';
import type { Route } from './route';

/** `asking`: for a microphone; `outgoing`: it rings at the others. */
export type Phase = 'asking' | 'outgoing' | 'connecting' | 'connected' | 'reconnecting' | 'ended';

/** How it ended: as the server says, or why this device is out of it. */
export type EndReason = CallEnded['reason'] | 'lost' | 'removed' | 'replaced' | 'error';

export interface Ending {
  reason: EndReason;
  durationMs: number;
  /** With `error`: what the user is to be told. */
  error?: unknown;
}

/** Credentials of a relay are good for an hour; older than this they are renewed before they are needed again. */
const RENEW_AFTER_MS = 30 * 60_000;

export interface CallNeeds {
  wire: Pick<Wire, 'ask' | 'tell'>;
  connect: Connect;
  join: JoinRoom;
  media: LocalMedia;
  now: () => number;
  deviceId: string;
}

/** How one gets into a call: by beginning one, or by answering. */
export type Entry =
  | { by: 'start'; clientCallId: string; media: Call['media'] }
  | { by: 'accept'; callId: string };

/** One call as this device is in it, from the click to the end. */
export class LiveCall {
  readonly call = signal<Call | null>(null);
  readonly others = signal<ReadonlyMap<string, Participant>>(new Map());
  readonly ending = signal<Ending | null>(null);
  /** When this device first heard somebody. */
  readonly connectedAt = signal<number | null>(null);
  /** The camera that was wanted and is not there. */
  readonly cameraProblem = signal<MediaProblem | null>(null);
  readonly phase = computed<Phase>(() => this.#phase());
  #joined: number | null = null;
  #stopTelling: (() => void) | undefined;
  /** A mesh until the answer says otherwise: it keeps what is signalled before that. */
  #route: Route;
  readonly #room = signal<MediaRoom | null>(null);
  /** The media server that all goes through does not let us in. */
  readonly mediaServerProblem = computed<MediaServerFailure | null>(() => this.#room.value?.problem.value ?? null);

  constructor(private readonly needs: CallNeeds, readonly conversationId: string, readonly entry: Entry, readonly withCamera: boolean) {
    const { wire, connect, media } = needs;
    this.#route = new Mesh({ wire, connect, media, callId: () => this.id!, renew: () => this.#renew() });
  }

  get media(): LocalMedia {
    return this.needs.media;
  }

  get id(): string | null {
    return this.call.peek()?.callId ?? (this.entry.by === 'accept' ? this.entry.callId : null);
  }

  /** Asks for the microphone, then for the call. Never rejects: what went wrong is the ending. */
  async begin(): Promise<void> {
    try {
      this.cameraProblem.value = await this.media.open(this.withCamera);
      if (this.ending.peek()) return; // given up meanwhile
      this.#enter(await this.#ask());
    } catch (error) {
      this.#failed(error);
    }
  }

  /** After a new connection: the call as it is now, and who is in it. */
  async resume(): Promise<void> {
    if (this.id === null || this.ending.peek() || this.#joined === null) return;
    try {
      await this.#refresh();
      this.#tellMedia();
      this.#route.retell();
      this.#route.resume();
    } catch (error) {
      if (error instanceof Refused) this.#failed(error); // without a connection the next one asks again
    }
  }

  /** There is the same connection again. */
  retell(): void {
    this.#route.retell();
  }

  hangUp(): void {
    this.end({ reason: 'hangup' });
  }

  end(how: Omit<Ending, 'durationMs'> & { durationMs?: number }): void {
    if (this.ending.peek()) return;
    const since = this.connectedAt.peek();
    this.ending.value = { durationMs: since === null ? 0 : this.needs.now() - since, ...how };
    this.#stopTelling?.();
    this.media.close();
    this.#route.close();
    this.others.value = new Map();
  }

  joined(participant: CallParticipant): void {
    if (this.others.peek().has(participant.participantId)) return;
    this.#meet(participant);
  }

  left({ participantId, reason }: CallParticipantLeft): void {
    if (participantId === this.call.peek()?.participantId) this.end({ reason });
    else this.#part(participantId);
  }

  shows(shown: CallMediaShown): void {
    this.others.peek().get(shown.participantId)?.shows(shown);
  }

  signalled(heard: CallSignalled): void {
    this.#route.signalled(heard);
  }

  #phase(): Phase {
    if (this.ending.value) return 'ended';
    const call = this.call.value;
    if (!call) return 'asking';
    const states = [...this.others.value.values()].map(({ incoming }) => incoming.state.value);
    if (states.includes('connected')) return 'connected';
    if (states.length === 0 && this.connectedAt.value === null && call.answeredAt === null) return 'outgoing';
    return this.connectedAt.value === null ? 'connecting' : 'reconnecting';
  }

  #ask(): Promise<Call> {
    const { wire, deviceId } = this.needs;
    if (this.entry.by === 'accept') return wire.ask('call_accept', { callId: this.entry.callId, deviceId });
    const { clientCallId, media } = this.entry;
    return wire.ask('call_start', { conversationId: this.conversationId, clientCallId, media, deviceId });
  }

  #enter(call: Call): void {
    if (this.ending.peek()) {
      this.needs.wire.tell('call_hangup', { callId: call.callId }); // given up before the answer came
      return;
    }
    this.#apply(call);
    if (!this.ending.peek()) this.#tellWhatIsSent();
  }

  #apply(call: Call): void {
    this.#joined = this.needs.now();
    this.call.value = call;
    if (call.state === 'ended') this.end({ reason: call.reason ?? 'failed' });
    else this.#reconcile(call);
  }

  #reconcile(call: Call): void {
    const here = new Set(call.participants.map(({ participantId }) => participantId));
    for (const id of this.others.peek().keys()) if (!here.has(id)) this.#part(id);
    this.#renewed(call);
    for (const participant of call.participants) {
      this.joined(participant);
      this.others.peek().get(participant.participantId)?.shows(participant);
    }
  }

  #renewed(call: Call): void {
    const { join, media } = this.needs;
    if (call.mediaServer && !this.#room.peek()) {
      this.#route = this.#room.value = new MediaRoom({ join, media, refresh: () => this.resume() }, call.mediaServer);
    }
    this.#route.renewed(call);
  }

  #meet(participant: CallParticipant): void {
    const incoming = this.#route.meet(participant);
    this.others.value = new Map(this.others.peek()).set(participant.participantId, new Participant(participant, incoming));
    incoming.state.subscribe((state) => {
      if (state === 'connected') this.connectedAt.value ??= this.needs.now();
    });
  }

  #part(participantId: string): void {
    this.#route.part(participantId);
    const others = new Map(this.others.peek());
    others.delete(participantId);
    this.others.value = others;
  }

  /** To all who are there, whenever it changes; newcomers get it when they come. */
  #tellWhatIsSent(): void {
    const { microphone, camera, screen, shown } = this.media;
    const stops = [
      onChange(microphone, (track) => this.#route.send('audio', track)),
      onChange(camera, (track) => this.#route.send('camera', track)),
      onChange(screen, (track) => this.#route.send('screen', track)),
      onChange(shown, () => this.#tellMedia()),
    ];
    this.#tellMedia();
    this.#stopTelling = () => stops.forEach((stop) => stop());
  }

  #tellMedia(): void {
    const callId = this.id;
    if (callId === null) return;
    this.needs.wire.ask('call_media', { callId, ...this.media.shown.peek() }).catch(() => undefined); // said again when resumed
  }

  /** The call as it is now, with new credentials. Rejects with Refused and Unreachable. */
  async #refresh(): Promise<void> {
    this.#apply(await this.needs.wire.ask('call_accept', { callId: this.id!, deviceId: this.needs.deviceId }));
  }

  async #renew(): Promise<void> {
    if (this.#joined === null || this.needs.now() - this.#joined >= RENEW_AFTER_MS) await this.#refresh();
  }

  #failed(error: unknown): void {
    const overAs = error instanceof Refused && error.code === 'call_over' ? error.details.reason : null;
    if (isEnd(overAs)) this.end({ reason: overAs });
    else if (error instanceof Refused && error.code === 'call_over') this.end({ reason: 'hangup' });
    else if (error instanceof Refused || error instanceof Unreachable || error instanceof MediaProblem) this.end({ reason: 'error', error });
    else {
      this.end({ reason: 'failed' });
      throw error;
    }
  }
}

/** Unlike `subscribe`, not with the value there is. */
function onChange<T>(of: ReadonlySignal<T>, changed: (value: T) => void): () => void {
  let last = of.peek();
  return of.subscribe((value) => {
    if (value !== last) changed((last = value));
  });
}

const ENDS: readonly unknown[] = ['hangup', 'missed', 'declined', 'busy', 'failed'] satisfies CallEnded['reason'][];

function isEnd(reason: unknown): reason is CallEnded['reason'] {
  return ENDS.includes(reason);
}
