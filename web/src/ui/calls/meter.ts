import { loudness } from '../../state/waveform';

/** How loud streams are at the moment, from 0 to 1. */
export class Meter {
  readonly #context = new AudioContext();
  readonly #inputs = new Map<string, { stream: MediaStream; source: MediaStreamAudioSourceNode; analyser: AnalyserNode }>();

  /** What is not among them is no longer listened to. */
  follow(streams: ReadonlyMap<string, MediaStream>): void {
    for (const [id, { stream, source }] of this.#inputs) {
      if (streams.get(id) === stream) continue;
      source.disconnect();
      this.#inputs.delete(id);
    }
    for (const [id, stream] of streams) {
      if (this.#inputs.has(id) || stream.getAudioTracks().length === 0) continue;
      const source = this.#context.createMediaStreamSource(stream);
      const analyser = new AnalyserNode(this.#context, { fftSize: 2048 });
      source.connect(analyser);
      this.#inputs.set(id, { stream, source, analyser });
    }
    if (this.#context.state === 'suspended') void this.#context.resume();
  }

  levels(): Map<string, number> {
    return new Map([...this.#inputs].map(([id, { analyser }]) => [id, levelOf(analyser)]));
  }

  close(): void {
    void this.#context.close();
  }
}

function levelOf(analyser: AnalyserNode): number {
  const samples = new Float32Array(analyser.fftSize);
  analyser.getFloatTimeDomainData(samples);
  return loudness(samples);
}
