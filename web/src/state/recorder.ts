import { batch, signal } from '@preact/signals-core';

/** Why nothing is recorded. */
export type MicrophoneProblem = 'insecure' | 'unsupported' | 'denied' | 'absent' | 'busy' | 'failed';

export class NoMicrophone extends Error {
  override readonly name = 'NoMicrophone';

  constructor(readonly problem: MicrophoneProblem) {
    super(problem);
  }
}

export interface Listener {
  /** What was recorded since the last part; parts put together are a file. */
  onPart: (part: Blob) => void;
  /** Nothing more will come: the microphone was unplugged, or taken away by the user. */
  onLost: () => void;
}

/** A microphone that is open and being recorded. */
export interface Take {
  readonly type: string;
  /** How loud it is now, 0 to 1. */
  level(): number;
  /** Resolves when all that was recorded until then has been handed over. */
  pause(): Promise<void>;
  resume(): void;
  /** As `pause`, and the microphone is off. */
  stop(): Promise<void>;
}

export interface Microphone {
  /** Records from then on. Rejects with NoMicrophone. */
  open(listener: Listener): Promise<Take>;
}

/** What was recorded so far. */
export interface VoiceNote {
  bytes: Blob;
  durationMs: number;
  /** One for each LEVEL_EVERY_MS. */
  levels: readonly number[];
}

/** By whom a recording was ended: the user, the server's limit, the microphone. */
export type Ending = 'asked' | 'full' | 'lost';

export type Phase =
  | { is: 'asking' }
  | { is: 'recording' }
  | { is: 'paused'; note: VoiceNote }
  | { is: 'finished'; note: VoiceNote; ending: Ending }
  | { is: 'failed'; problem: MicrophoneProblem };

export const LEVEL_EVERY_MS = 80;

/**
 * A voice note in the making: recorded, paused and heard, gone on with, finished. `finish` turns the microphone off and
 * keeps what there is; so does the server's limit of size, in time, and a microphone that goes away.
 */
export class Recorder {
  readonly phase = signal<Phase>({ is: 'asking' });
  readonly elapsedMs = signal(0);
  readonly levels = signal<readonly number[]>([]);
  #take: Take | null = null;
  #parts: Blob[] = [];
  #bytes = 0;
  #largestPart = 0;
  #countedAt = 0;
  #timer: ReturnType<typeof setInterval> | undefined;
  #finishing: Promise<VoiceNote | null> | null = null;
  #discarded = false;

  constructor(private readonly microphone: Microphone, private readonly maxBytes: number, private readonly now: () => number) {}

  /** Asks for the microphone and records. Again after a failure. */
  async start(): Promise<void> {
    this.phase.value = { is: 'asking' };
    try {
      const take = await this.microphone.open({ onPart: (part) => this.#came(part), onLost: () => void this.finish('lost') });
      if (this.#discarded) await take.stop();
      else this.#record(take);
    } catch (error) {
      this.phase.value = { is: 'failed', problem: error instanceof NoMicrophone ? error.problem : 'failed' };
    }
  }

  async pause(): Promise<void> {
    if (this.phase.peek().is !== 'recording') return;
    this.#count();
    clearInterval(this.#timer);
    await this.#take!.pause();
    if (this.phase.peek().is === 'recording') this.phase.value = { is: 'paused', note: this.#note() };
  }

  resume(): void {
    if (this.phase.peek().is !== 'paused') return;
    this.#take!.resume();
    this.#record(this.#take!);
  }

  /** Null when nothing was recorded. */
  finish(ending: Ending = 'asked'): Promise<VoiceNote | null> {
    const phase = this.phase.peek();
    if (phase.is === 'finished') return Promise.resolve(phase.note);
    const take = this.#take;
    if (!take) return Promise.resolve(null);
    this.#finishing ??= Promise.resolve().then(() => this.#end(take, ending)); // later: ending brings a part, and that may end it
    return this.#finishing;
  }

  /** The microphone is off, and nothing is kept. */
  discard(): void {
    this.#discarded = true;
    clearInterval(this.#timer);
    void this.#take?.stop();
    this.#parts = [];
  }

  #record(take: Take): void {
    this.#take = take;
    this.#countedAt = this.now();
    this.phase.value = { is: 'recording' };
    this.#timer = setInterval(() => this.#count(), LEVEL_EVERY_MS);
  }

  #count(): void {
    const now = this.now();
    batch(() => {
      this.elapsedMs.value += now - this.#countedAt;
      this.levels.value = [...this.levels.peek(), this.#take!.level()];
    });
    this.#countedAt = now;
  }

  #came(part: Blob): void {
    this.#parts.push(part);
    this.#bytes += part.size;
    this.#largestPart = Math.max(this.#largestPart, part.size);
    const spare = 2 * this.#largestPart; // the part that is being recorded, and what ends the file
    if (this.#take && this.#bytes + spare > this.maxBytes) void this.finish('full');
  }

  async #end(take: Take, ending: Ending): Promise<VoiceNote | null> {
    if (this.phase.peek().is === 'recording') this.#count();
    clearInterval(this.#timer);
    await take.stop();
    const note = this.#note();
    this.phase.value = note.bytes.size ? { is: 'finished', note, ending } : { is: 'failed', problem: 'failed' };
    return note.bytes.size ? note : null;
  }

  #note(): VoiceNote {
    const type = this.#take!.type;
    return { bytes: new Blob(this.#parts, { type }), durationMs: this.elapsedMs.peek(), levels: this.levels.peek() };
  }
}

const ENDINGS: Readonly<Record<string, string>> = { 'audio/webm': 'webm', 'audio/mp4': 'm4a', 'audio/ogg': 'ogg' };

/** Such as `voice-2026-03-10-1205.webm`, in local time. */
export function voiceName(type: string, at: Date): string {
  const day = [at.getFullYear(), at.getMonth() + 1, at.getDate()].map(two).join('-');
  return `voice-${day}-${two(at.getHours())}${two(at.getMinutes())}.${ENDINGS[type] ?? 'audio'}`;
}

function two(number: number): string {
  return String(number).padStart(2, '0');
}
