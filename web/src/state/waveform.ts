/** A sound in so many bars, from its samples or its levels: the loudest of each stretch, the loudest of all being 1. */
export function barsOf(samples: ArrayLike<number>, count: number): number[] {
  const bars = Array.from({ length: count }, (_, index) => loudest(samples, edge(samples, index, count), edge(samples, index + 1, count)));
  const most = Math.max(...bars);
  return most < SILENCE ? bars.map(() => 0) : bars.map((bar) => bar / most);
}

/** Below it there is nothing but the noise of the line, which must not look like speech. */
const SILENCE = 0.004;

/** Softer than this counts as nothing on a meter. */
const FLOOR_DECIBEL = -55;

/** How loud samples between -1 and 1 are to people, from 0 to 1. */
export function loudness(samples: ArrayLike<number>): number {
  let squares = 0;
  for (let at = 0; at < samples.length; at += 1) squares += samples[at]! ** 2;
  const decibel = 10 * Math.log10(squares / Math.max(samples.length, 1));
  return Math.min(1, Math.max(0, 1 - decibel / FLOOR_DECIBEL));
}

function edge(samples: ArrayLike<number>, index: number, count: number): number {
  return Math.floor((index * samples.length) / count);
}

function loudest(samples: ArrayLike<number>, from: number, to: number): number {
  let most = 0;
  for (let at = from; at < Math.max(to, from + 1) && at < samples.length; at += 1) most = Math.max(most, Math.abs(samples[at]!));
  return most;
}
