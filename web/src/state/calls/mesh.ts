import { Unreachable } from '../../protocol/refused';
import type { Call, CallParticipant, CallSignalled, IceServer } from '../../protocol/types.gen';
import type { Wire } from '../../protocol/wire';
import type { Connect, Kind } from './link';
import type { LocalMedia } from './local_media';
import { Peer, type Told } from './peer';
import type { Incoming, Route } from './route';

export interface MeshNeeds {
  wire: Pick<Wire, 'ask'>;
  connect: Connect;
  media: Pick<LocalMedia, 'microphone' | 'camera' | 'screen'>;
  callId: () => string;
  /** Renews the credentials of the relay, where they are old. */
  renew: () => Promise<void>;
}

/** A connection to each of the others. */
export class Mesh implements Route {
  readonly #peers = new Map<string, Peer>();
  /** What came for somebody who was not announced yet, or before the answer that lets us in. */
  readonly #early = new Map<string, CallSignalled[]>();
  readonly #untold: [to: string, signal: Told][] = [];
  #iceServers: readonly IceServer[] = [];

  constructor(private readonly needs: MeshNeeds) {}

  renewed({ iceServers }: Call): void {
    this.#iceServers = iceServers;
    for (const peer of this.#peers.values()) peer.setIceServers(iceServers);
  }

  meet({ participantId: to, polite }: CallParticipant): Incoming {
    const peer = new Peer({
      connect: this.needs.connect, iceServers: this.#iceServers, polite,
      tell: (signal) => void this.#signal(to, signal),
      beforeRestart: () => this.needs.renew(),
    });
    this.#peers.set(to, peer);
    this.#sendTo(peer);
    for (const heard of this.#early.get(to) ?? []) void peer.hear(heard);
    this.#early.delete(to);
    return peer;
  }

  part(participantId: string): void {
    this.#peers.get(participantId)?.close();
    this.#peers.delete(participantId);
  }

  send(kind: Kind, track: MediaStreamTrack | null): void {
    for (const peer of this.#peers.values()) peer.send(kind, track);
  }

  signalled(heard: CallSignalled): void {
    const known = this.#peers.get(heard.from);
    if (known) void known.hear(heard);
    else this.#early.set(heard.from, [...(this.#early.get(heard.from) ?? []), heard]);
  }

  /** What could not be told while there was no connection, to those who are still there. */
  retell(): void {
    for (const [to, signal] of this.#untold.splice(0)) if (this.#peers.has(to)) void this.#tell(to, signal);
  }

  resume(): void {
    for (const peer of this.#peers.values()) if (peer.state.peek() !== 'connected') peer.restart();
  }

  close(): void {
    for (const id of [...this.#peers.keys()]) this.part(id);
  }

  #sendTo(peer: Peer): void {
    const { microphone, camera, screen } = this.needs.media;
    peer.send('audio', microphone.peek());
    peer.send('camera', camera.peek());
    if (screen.peek()) peer.send('screen', screen.peek());
  }

  /** In order: whatever comes after one that could not be told waits with it for the next connection. */
  async #signal(to: string, signal: Told): Promise<void> {
    if (this.#untold.length > 0) this.#untold.push([to, signal]);
    else await this.#tell(to, signal);
  }

  async #tell(to: string, signal: Told): Promise<void> {
    try {
      await this.needs.wire.ask('call_signal', { callId: this.needs.callId(), to, ...signal });
    } catch (error) {
      if (error instanceof Unreachable) this.#untold.push([to, signal]); // refused: they have left
    }
  }
}
