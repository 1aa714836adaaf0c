import type { Candidate, Description, IceServer } from '../../protocol/types.gen';
import type { Connect, Counters, Kind, Link, LinkEvents } from '../../state/calls/link';
import { networkProblem, UNREACHABLE, type NetworkProblem } from '../../state/calls/network_check';
import { countersOf, type Report } from './counters';

export const connect: Connect = (iceServers, events) => new BrowserLink(iceServers, events);

/** The browser's own connection. */
class BrowserLink implements Link {
  readonly #connection: RTCPeerConnection;
  readonly #senders = new Map<Kind, RTCRtpSender>();
  /** Sound and camera in one stream: what belongs to one stream is kept in step. */
  readonly #main = new MediaStream();

  constructor(iceServers: readonly IceServer[], events: LinkEvents) {
    const connection = (this.#connection = new RTCPeerConnection({ iceServers: [...iceServers] }));
    connection.onnegotiationneeded = () => events.negotiationNeeded();
    connection.onicecandidate = ({ candidate }) => {
      if (candidate?.candidate !== '') events.candidate(candidate && plain(candidate));
    };
    connection.ontrack = ({ streams: [stream] }) => stream && events.track(stream);
    connection.onconnectionstatechange = () => events.stateChanged(connection.connectionState);
  }

  get signalingState(): RTCSignalingState {
    return this.#connection.signalingState;
  }

  get isDescribed(): boolean {
    return this.#connection.remoteDescription !== null;
  }

  async describe(): Promise<Description> {
    await this.#connection.setLocalDescription();
    const { type, sdp } = this.#connection.localDescription!;
    return { type, sdp };
  }

  accept(description: Description): Promise<void> {
    return this.#connection.setRemoteDescription(description);
  }

  addCandidate(candidate: Candidate | null): Promise<void> {
    return this.#connection.addIceCandidate(candidate);
  }

  async send(kind: Kind, track: MediaStreamTrack | null): Promise<void> {
    const sender = this.#senders.get(kind);
    if (kind === 'screen' && sender) {
      this.#connection.removeTrack(sender);
      this.#senders.delete(kind);
    } else if (sender) return sender.replaceTrack(track);
    if (track) this.#senders.set(kind, this.#connection.addTrack(track, kind === 'screen' ? new MediaStream() : this.#main));
  }

  restartIce(): void {
    this.#connection.restartIce();
  }

  setIceServers(iceServers: readonly IceServer[]): void {
    this.#connection.setConfiguration({ ...this.#connection.getConfiguration(), iceServers: [...iceServers] });
  }

  async stats(): Promise<Counters> {
    return countersOf((await this.#connection.getStats()).values() as Iterable<Report>);
  }

  close(): void {
    this.#connection.close();
  }
}

function plain({ candidate, sdpMid, sdpMLineIndex, usernameFragment }: RTCIceCandidate): Candidate {
  return { candidate, sdpMid, sdpMLineIndex, usernameFragment };
}

/** A server that has not answered by then does not answer; browsers may wait for it without end. */
const GATHER_WITHIN_MS = 8_000;

/** Gathers candidates for nobody, and says what speaks against a call. */
export async function checkNetwork(iceServers: readonly IceServer[]): Promise<NetworkProblem | null> {
  if (iceServers.length === 0) return null;
  const connection = new RTCPeerConnection({ iceServers: [...iceServers] });
  const types = new Set<string>();
  const errors: { url: string; code: number }[] = [];
  try {
    connection.createDataChannel('');
    const gathered = new Promise<void>((done) => {
      connection.onicecandidate = ({ candidate }) => {
        if (candidate?.type) types.add(candidate.type);
        if (candidate === null || types.has('relay')) done();
      };
      setTimeout(() => {
        for (const url of iceServers.flatMap(({ urls }) => urls)) errors.push({ url, code: UNREACHABLE });
        done();
      }, GATHER_WITHIN_MS);
    });
    connection.onicecandidateerror = ({ url, errorCode }) => void errors.push({ url, code: errorCode });
    await connection.setLocalDescription();
    await gathered;
  } finally {
    connection.close();
  }
  return networkProblem(iceServers, { types, errors });
}
