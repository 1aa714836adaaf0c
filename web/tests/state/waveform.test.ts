import { describe, expect, it } from 'vitest';
import { barsOf, loudness } from '../../src/state/waveform';

describe('a waveform', () => {
  it('has the loudest of each stretch, measured by the loudest of all', () => {
    expect(barsOf([0.1, -0.4, 0.2, 0.1, 0, 0.05], 3)).toEqual([1, 0.5, 0.125]);
  });

  it('has its bars where there are fewer samples than bars, and none', () => {
    expect(barsOf([0.5], 4)).toEqual([1, 1, 1, 1]);
    expect(barsOf([], 2)).toEqual([0, 0]);
  });

  it('is flat where nobody spoke', () => {
    expect(barsOf([0.001, -0.002, 0.001], 3)).toEqual([0, 0, 0]);
  });
});

describe('loudness', () => {
  it('is nothing for silence, and all for the loudest there is', () => {
    expect(loudness(new Float32Array(64))).toBe(0);
    expect(loudness([])).toBe(0);
    expect(loudness(new Float32Array(64).fill(1))).toBe(1);
  });

  it('grows as people hear it: half the amplitude is a little softer', () => {
    const [full, half] = [loudness([0.5, -0.5]), loudness([0.25, -0.25])];
    expect(half).toBeLessThan(full);
    expect(half).toBeGreaterThan(full - 0.15);
  });
});
