import type { Candidate, Description, IceServer } from '../../protocol/types.gen';

/** What is sent of one kind: audio and camera belong to one stream, the screen is a stream of its own. */
export type Kind = 'audio' | 'camera' | 'screen';

export interface LinkEvents {
  negotiationNeeded: () => void;
  /** Null: there are no more. */
  candidate: (candidate: Candidate | null) => void;
  /** Something of the other side's has come; the stream may be known already. */
  track: (stream: MediaStream) => void;
  stateChanged: (state: RTCPeerConnectionState) => void;
}

/** As much of `RTCPeerConnection` as a call uses. */
export interface Link {
  readonly signalingState: RTCSignalingState;
  readonly isDescribed: boolean;
  /** Makes an offer or an answer, whichever is due, and sets it here. */
  describe(): Promise<Description>;
  /** Sets the other side's; an offer of ours that is not answered is taken back for theirs. */
  accept(description: Description): Promise<void>;
  addCandidate(candidate: Candidate | null): Promise<void>;
  /** Null stops it. Only a first track, and the end of a screen, need a new negotiation. */
  send(kind: Kind, track: MediaStreamTrack | null): Promise<void>;
  restartIce(): void;
  setIceServers(servers: readonly IceServer[]): void;
  stats(): Promise<Counters>;
  close(): void;
}

export type Connect = (iceServers: readonly IceServer[], events: LinkEvents) => Link;

/** What has arrived and what was lost since the beginning, and how long a packet takes there and back. */
export interface Counters {
  received: number;
  lost: number;
  rttMs: number | null;
}
