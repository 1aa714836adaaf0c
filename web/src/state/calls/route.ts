import type { ReadonlySignal } from '@preact/signals-core';
import type { Call, CallParticipant, CallSignalled } from '../../protocol/types.gen';
import type { Counters, Kind } from './link';

/** `lost` comes back by itself; the server says when somebody has left. */
export type IncomingState = 'connecting' | 'connected' | 'lost';

/** What comes from one of the others. */
export interface Incoming {
  readonly state: ReadonlySignal<IncomingState>;
  readonly streams: ReadonlySignal<readonly MediaStream[]>;
  stats(): Promise<Counters>;
}

/** How sound and pictures get from one to the other: straight, or through a server. */
export interface Route {
  /** What the server says now, with credentials that are as good as new. */
  renewed(call: Call): void;
  meet(participant: CallParticipant): Incoming;
  part(participantId: string): void;
  /** To all who are there; null stops it. Newcomers get it when they come. */
  send(kind: Kind, track: MediaStreamTrack | null): void;
  signalled(heard: CallSignalled): void;
  /** There is a connection to the chat again, and nothing was missed. */
  retell(): void;
  /** There is a new connection to the chat: whoever is still not heard may be by now. */
  resume(): void;
  close(): void;
}
