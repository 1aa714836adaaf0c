import type { ServerConfig } from '../../../protocol/config';
import { isAllowed } from '../../../state/file_rules';
import { NoMicrophone, type Listener, type Microphone, type MicrophoneProblem, type Take } from '../../../state/recorder';
import { loudness } from '../../../state/waveform';

/** What browsers record; the first that this one can and the server takes. */
const TYPES = ['audio/webm;codecs=opus', 'audio/mp4', 'audio/ogg;codecs=opus'] as const;

/** Enough for speech in Opus, and plain AAC still bears it. */
const BITS_PER_SECOND = 32_000;

/** A limit of size is noticed that soon, and a crash of the browser's recorder loses no more. */
const PART_EVERY_MS = 500;

const PROBLEMS: Readonly<Record<string, MicrophoneProblem>> = {
  NotAllowedError: 'denied', SecurityError: 'denied', NotFoundError: 'absent', OverconstrainedError: 'absent',
  NotReadableError: 'busy', AbortError: 'busy', NotSupportedError: 'unsupported',
};

/** The browser's microphone, recorded as a type that the server takes. */
export class BrowserMicrophone implements Microphone {
  constructor(private readonly config: Pick<ServerConfig, 'allowedTypes'>) {}

  async open(listener: Listener): Promise<Take> {
    if (!isSecureContext) throw new NoMicrophone('insecure');
    const type = this.#type();
    if (type === undefined || !('mediaDevices' in navigator)) throw new NoMicrophone('unsupported');
    try {
      const stream = await navigator.mediaDevices.getUserMedia({ audio: { echoCancellation: true, noiseSuppression: true, autoGainControl: true } });
      return new BrowserTake(stream, type, listener);
    } catch (error) {
      throw new NoMicrophone((error instanceof DOMException && PROBLEMS[error.name]) || 'failed');
    }
  }

  #type(): string | undefined {
    if (!('MediaRecorder' in window)) return undefined;
    return TYPES.find((type) => MediaRecorder.isTypeSupported(type) && isAllowed(bare(type), this.config));
  }
}

function bare(type: string): string {
  return type.split(';')[0]!;
}

class BrowserTake implements Take {
  readonly type: string;
  readonly #recorder: MediaRecorder;
  readonly #context = new AudioContext();
  readonly #meter: AnalyserNode;
  readonly #samples: Float32Array<ArrayBuffer>;

  constructor(private readonly stream: MediaStream, type: string, listener: Listener) {
    this.#recorder = new MediaRecorder(stream, { mimeType: type, audioBitsPerSecond: BITS_PER_SECOND });
    this.type = bare(this.#recorder.mimeType || type);
    this.#recorder.addEventListener('dataavailable', ({ data }) => listener.onPart(data));
    this.#recorder.addEventListener('error', listener.onLost);
    for (const track of stream.getTracks()) track.addEventListener('ended', listener.onLost);
    this.#meter = new AnalyserNode(this.#context, { fftSize: 2048 });
    this.#samples = new Float32Array(this.#meter.fftSize);
    this.#context.createMediaStreamSource(stream).connect(this.#meter);
    this.#recorder.start(PART_EVERY_MS);
  }

  level(): number {
    this.#meter.getFloatTimeDomainData(this.#samples);
    return loudness(this.#samples);
  }

  async pause(): Promise<void> {
    const handedOver = this.#next('dataavailable');
    this.#recorder.pause();
    this.#recorder.requestData();
    await handedOver;
  }

  resume(): void {
    this.#recorder.resume();
  }

  /** May be called twice. */
  async stop(): Promise<void> {
    if (this.#recorder.state !== 'inactive') {
      const stopped = this.#next('stop');
      this.#recorder.stop();
      await stopped;
    }
    for (const track of this.stream.getTracks()) track.stop();
    if (this.#context.state !== 'closed') await this.#context.close();
  }

  #next(event: 'dataavailable' | 'stop'): Promise<void> {
    return new Promise((resolve) => this.#recorder.addEventListener(event, () => resolve(), { once: true }));
  }
}
