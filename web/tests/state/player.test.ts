import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Player } from '../../src/state/player';

/** As the browser's `<audio>`, with a clock that a test moves. */
class FakeSpeaker extends EventTarget {
  src = '';
  currentTime = 0;
  duration = NaN;
  playbackRate = 1;
  defaultPlaybackRate = 1;
  paused = true;
  refuses: Error | null = null;

  play(): Promise<void> {
    if (this.refuses) return Promise.reject(this.refuses);
    this.paused = false;
    this.dispatchEvent(new Event('play'));
    return Promise.resolve();
  }

  pause(): void {
    if (this.paused) return;
    this.paused = true;
    this.dispatchEvent(new Event('pause'));
  }

  knows(duration: number): void {
    this.duration = duration;
    this.dispatchEvent(new Event('durationchange'));
  }

  /** To its end. */
  ends(at: number): void {
    this.currentTime = at;
    this.paused = true;
    this.dispatchEvent(new Event('pause'));
    this.dispatchEvent(new Event('ended'));
  }
}

const ONE = { key: 'm1', url: '/one', seconds: 10 };
const OTHER = { key: 'm2', url: '/other', seconds: null };

describe('the player', () => {
  let speaker: FakeSpeaker;
  let player: Player;

  beforeEach(() => {
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
    speaker = new FakeSpeaker();
    player = new Player(speaker);
  });
  afterEach(() => vi.useRealTimers());

  it('plays and pauses, and says where it is', () => {
    player.toggle(ONE);
    expect([speaker.src, player.playing.value, player.seconds.value]).toEqual(['/one', true, 10]);
    speaker.currentTime = 4;
    vi.advanceTimersByTime(100);
    expect(player.at.value).toBe(4);
    player.toggle(ONE);
    expect([player.playing.value, player.at.value]).toEqual([false, 4]);
  });

  it('plays one at a time, each from its beginning', () => {
    player.toggle(ONE);
    speaker.currentTime = 4;
    player.toggle(OTHER);
    expect(player.isCurrent('m1')).toBe(false);
    expect(player.isCurrent('m2')).toBe(true);
    expect([speaker.src, player.at.value, player.playing.value]).toEqual(['/other', 0, true]);
  });

  it('never takes an endless length for one, and learns the true one in the end', () => {
    player.toggle(OTHER);
    speaker.knows(Infinity);
    expect(player.seconds.value).toBeNull();
    speaker.ends(3.5);
    expect([player.seconds.value, player.at.value, player.playing.value]).toEqual([3.5, 0, false]);
  });

  it('goes where it is told, within the track', () => {
    player.seek(ONE, 6);
    expect([speaker.currentTime, player.at.value, player.playing.value]).toEqual([6, 6, false]);
    player.seek(ONE, 99);
    expect(speaker.currentTime).toBe(10);
    player.seek(ONE, -1);
    expect(speaker.currentTime).toBe(0);
  });

  it('keeps its speed from one track to the next', () => {
    player.toggle(ONE);
    player.changeSpeed();
    expect([player.speed.value, speaker.playbackRate, speaker.defaultPlaybackRate]).toEqual([1.5, 1.5, 1.5]);
    player.changeSpeed();
    player.changeSpeed();
    expect([player.speed.value, speaker.playbackRate]).toEqual([1, 1]);
  });

  it('follows whoever else pauses it, such as a headset', () => {
    player.toggle(ONE);
    speaker.pause();
    expect(player.playing.value).toBe(false);
  });

  it('says what cannot be played, of that track alone', async () => {
    speaker.refuses = Object.assign(new Error('no decoder'), { name: 'NotSupportedError' });
    player.toggle(ONE);
    await Promise.resolve();
    expect([player.failed.value, player.playing.value]).toEqual([true, false]);
    speaker.refuses = null;
    player.toggle(OTHER);
    expect(player.failed.value).toBe(false);
  });

  it('takes it for no failure when something else came first', async () => {
    speaker.refuses = Object.assign(new Error('interrupted'), { name: 'AbortError' });
    player.toggle(ONE);
    await Promise.resolve();
    expect(player.failed.value).toBe(false);
  });

  it('stops, and is at nothing', () => {
    player.toggle(ONE);
    speaker.currentTime = 4;
    player.stop();
    expect([player.track.value, player.playing.value, player.at.value, speaker.paused]).toEqual([null, false, 0, true]);
  });
});
