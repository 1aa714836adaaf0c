import { batch, signal } from '@preact/signals-core';

/** What of an `<audio>` is used. */
export type Loudspeaker = Pick<
  HTMLAudioElement, 'src' | 'currentTime' | 'duration' | 'playbackRate' | 'defaultPlaybackRate' | 'play' | 'pause' | 'addEventListener'
>;

export interface Track {
  /** Which message, or which recording. */
  key: string;
  url: string;
  /** Null where only playing will tell. */
  seconds: number | null;
}

export const SPEEDS = [1, 1.5, 2] as const;
export type Speed = (typeof SPEEDS)[number];

const LOOK_EVERY_MS = 50;

/** Plays one track at a time. Where it is and whether it plays is its own affair: rows come and go with scrolling. */
export class Player {
  readonly track = signal<Track | null>(null);
  readonly playing = signal(false);
  /** In seconds, of the current track. */
  readonly at = signal(0);
  /** Null while it is unknown: what browsers record has no duration in it. */
  readonly seconds = signal<number | null>(null);
  readonly speed = signal<Speed>(1);
  /** The current track cannot be played. */
  readonly failed = signal(false);
  #timer: ReturnType<typeof setInterval> | undefined;

  constructor(private readonly speaker: Loudspeaker) {
    speaker.addEventListener('play', () => this.#plays(true));
    speaker.addEventListener('pause', () => this.#plays(false)); // a headset's key does that as well
    speaker.addEventListener('durationchange', () => this.#learn(speaker.duration));
    speaker.addEventListener('ended', () => this.#ended());
    speaker.addEventListener('error', () => this.#broke());
  }

  isCurrent(key: string): boolean {
    return this.track.value?.key === key;
  }

  toggle(track: Track): void {
    const plays = this.isCurrent(track.key) && this.playing.peek();
    this.#take(track);
    if (plays) this.speaker.pause();
    else this.speaker.play().catch((error: unknown) => this.#refused(error));
  }

  /** Also of a track that does not play; then it begins there. */
  seek(track: Track, seconds: number): void {
    this.#take(track);
    const end = this.seconds.peek() ?? Infinity;
    this.speaker.currentTime = Math.max(0, Math.min(seconds, end));
    this.at.value = this.speaker.currentTime;
  }

  changeSpeed(): void {
    const next = SPEEDS[(SPEEDS.indexOf(this.speed.peek()) + 1) % SPEEDS.length]!;
    this.speed.value = next;
    this.speaker.defaultPlaybackRate = next; // what a new track begins with
    this.speaker.playbackRate = next;
  }

  stop(): void {
    this.speaker.pause();
    batch(() => {
      this.track.value = null;
      this.at.value = 0;
    });
  }

  #take(track: Track): void {
    const isNew = this.track.peek()?.key !== track.key;
    batch(() => {
      this.track.value = track;
      if (isNew) {
        this.at.value = 0;
        this.seconds.value = null;
        this.failed.value = false;
      }
      this.#learn(track.seconds);
    });
    if (isNew) this.speaker.src = track.url;
  }

  #learn(seconds: number | null): void {
    if (seconds !== null && Number.isFinite(seconds)) this.seconds.value = seconds;
  }

  #plays(playing: boolean): void {
    this.playing.value = playing;
    clearInterval(this.#timer);
    if (playing) this.#timer = setInterval(() => (this.at.value = this.speaker.currentTime), LOOK_EVERY_MS);
    else if (this.track.peek()) this.at.value = this.speaker.currentTime;
  }

  #ended(): void {
    this.#learn(this.speaker.currentTime);
    this.#plays(false);
    this.speaker.currentTime = 0;
    this.at.value = 0;
  }

  #broke(): void {
    this.#plays(false);
    this.failed.value = this.track.peek() !== null;
  }

  /** Another track or `pause` came first: then nothing is wrong. */
  #refused(error: unknown): void {
    if (!(error instanceof Error && error.name === 'AbortError')) this.#broke();
  }
}
