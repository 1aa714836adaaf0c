import { effect, signal } from '@preact/signals';
import type { LiveCall } from '../../state/calls/call';
import type { Counters } from '../../state/calls/link';
import type { NetworkProblem } from '../../state/calls/network_check';
import type { Participant } from '../../state/calls/participant';
import { qualityOf, type Quality } from '../../state/calls/quality';
import { Speaker } from '../../state/calls/speaker';
import { Meter } from './meter';
import { checkNetwork } from './webrtc';

export const ME = 'me';

const LEVELS_EVERY_MS = 150;
const QUALITY_EVERY_MS = 2_000;
/** A connection that has not come about by then may never. */
const CHECK_AFTER_MS = 8_000;

/** What is measured while a call is on: who speaks, how good each connection is, and what is wrong with the network. */
export class Watch {
  readonly speaker = new Speaker(Date.now);
  readonly ownLevel = signal(0);
  readonly quality = signal<ReadonlyMap<string, Quality>>(new Map());
  readonly problem = signal<NetworkProblem | null>(null);
  readonly #meter = new Meter();
  readonly #counters = new Map<string, Counters>();
  readonly #stops: (() => void)[];
  #check: ReturnType<typeof setTimeout> | undefined;

  constructor(private readonly call: LiveCall) {
    const levels = setInterval(() => this.#levels(), LEVELS_EVERY_MS);
    const quality = setInterval(() => void this.#quality(), QUALITY_EVERY_MS);
    this.#stops = [
      () => clearInterval(levels),
      () => clearInterval(quality),
      effect(() => this.#meter.follow(this.#sounds())),
      effect(() => this.#phase()),
    ];
  }

  stop(): void {
    clearTimeout(this.#check);
    this.#stops.forEach((stop) => stop());
    this.#meter.close();
  }

  #sounds(): Map<string, MediaStream> {
    const sounds = new Map<string, MediaStream>();
    for (const [id, { incoming }] of this.call.others.value) {
      const stream = incoming.streams.value.find((each) => each.getAudioTracks().length > 0);
      if (stream) sounds.set(id, stream);
    }
    const microphone = this.call.media.microphone.value;
    if (microphone) sounds.set(ME, new MediaStream([microphone]));
    return sounds;
  }

  #levels(): void {
    const levels = this.#meter.levels();
    this.ownLevel.value = levels.get(ME) ?? 0;
    this.speaker.levels(levels);
  }

  async #quality(): Promise<void> {
    const measured = new Map<string, Quality>();
    await Promise.all([...this.call.others.peek()].map(async ([id, participant]) => {
      const quality = await this.#qualityOf(id, participant);
      if (quality) measured.set(id, quality);
    }));
    this.quality.value = measured;
  }

  async #qualityOf(id: string, { incoming }: Participant): Promise<Quality | null> {
    if (incoming.state.peek() !== 'connected') return null;
    const [before, now] = [this.#counters.get(id), await incoming.stats()];
    this.#counters.set(id, now);
    return before ? qualityOf(before, now) : null;
  }

  /** While it rings there is time to look; and when the connection does not come. */
  #phase(): void {
    const phase = this.call.phase.value;
    clearTimeout(this.#check);
    if (phase === 'connected') this.problem.value = null;
    if (phase === 'outgoing') void this.#look();
    else if (phase === 'connecting' || phase === 'reconnecting') this.#check = setTimeout(() => void this.#look(), CHECK_AFTER_MS);
  }

  async #look(): Promise<void> {
    const call = this.call.call.peek();
    if (!call || call.mediaServer) return; // the way to a media server is that server's to know
    const problem = await checkNetwork(call.iceServers);
    if (this.call.phase.peek() !== 'connected') this.problem.value = problem;
  }
}
