import { signal } from '@preact/signals-core';

/** On the scale of `loudness`: a voice is above (−33 dB), a quiet room below. */
const SPEAKS_ABOVE = 0.4;
/** Pauses between words do not end a turn. */
const HOLD_MS = 900;

/** Who speaks, by the levels of what they send: nobody flickers, and whoever has begun keeps the word for a moment. */
export class Speaker {
  readonly current = signal<string | null>(null);
  #heardAt = 0;

  constructor(private readonly now: () => number) {}

  levels(levels: ReadonlyMap<string, number>): void {
    const current = this.current.peek();
    if (current !== null && (levels.get(current) ?? 0) > SPEAKS_ABOVE) this.#heardAt = this.now();
    if (current !== null && levels.has(current) && this.now() - this.#heardAt < HOLD_MS) return;
    const [loudest, level] = [...levels].reduce((best, each) => (each[1] > best[1] ? each : best), ['', 0]);
    this.current.value = level > SPEAKS_ABOVE ? loudest : null;
    this.#heardAt = this.now();
  }
}
