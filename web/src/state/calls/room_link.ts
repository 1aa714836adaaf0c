import type { MediaServer } from '../../protocol/types.gen';
import type { Counters, Kind } from './link';

/** Why there is no way into the media server's room. */
export type MediaServerFailure = 'media-server-unreachable' | 'media-server-refused';

export class MediaServerProblem extends Error {
  override readonly name = 'MediaServerProblem';

  constructor(readonly failure: MediaServerFailure, options?: ErrorOptions) {
    super(failure, options);
  }
}

export interface RoomEvents {
  /** All that comes from a participant now, sound and camera before the screen. */
  streams: (participantId: string, streams: readonly MediaStream[]) => void;
  /** `lost` is tried again by the room itself; after `closed` nothing comes any more. */
  stateChanged: (state: 'connected' | 'lost' | 'closed') => void;
}

/** As much of a media server's room as a call uses. */
export interface RoomLink {
  /** Null stops it. */
  send(kind: Kind, track: MediaStreamTrack | null): Promise<void>;
  /** Of what comes from one participant. */
  stats(participantId: string): Promise<Counters>;
  close(): void;
}

/** Rejects with MediaServerProblem. */
export type JoinRoom = (server: MediaServer, events: RoomEvents) => Promise<RoomLink>;
