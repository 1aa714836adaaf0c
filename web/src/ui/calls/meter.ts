/** How loud streams are, from 0 to 1: the root mean square of their last moment. */
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
      const analyser = new AnalyserNode(this.#context, { fftSize: 512 });
      source.connect(analyser);
      this.#inputs.set(id, { stream, source, analyser });
    }
    if (this.#context.state === 'suspended') void this.#context.resume();
  }

  levels(): Map<string, number> {
    return new Map([...this.#inputs].map(([id, { analyser }]) => [id, loudness(analyser)]));
  }

  close(): void {
    void this.#context.close();
  }
}

function loudness(analyser: AnalyserNode): number {
  const samples = new Float32Array(analyser.fftSize);
  analyser.getFloatTimeDomainData(samples);
  return Math.sqrt(samples.reduce((sum, sample) => sum + sample * sample, 0) / samples.length);
}
