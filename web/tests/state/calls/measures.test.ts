import { describe, expect, it } from 'vitest';
import { networkProblem } from '../../../src/state/calls/network_check';
import { qualityOf } from '../../../src/state/calls/quality';
import { Speaker } from '../../../src/state/calls/speaker';
import { viewsOf } from '../../../src/state/calls/views';

describe('the quality of a connection', () => {
  const before = { received: 1000, lost: 50, rttMs: 40 };

  it.each([
    ['good', { received: 1100, lost: 50, rttMs: 40 }],
    ['fair', { received: 1096, lost: 54, rttMs: 40 }],
    ['poor', { received: 1080, lost: 70, rttMs: 40 }],
    ['fair', { received: 1100, lost: 50, rttMs: 400 }],
    ['poor', { received: 1100, lost: 50, rttMs: 900 }],
    ['good', { received: 1000, lost: 50, rttMs: null }],
  ] as const)('is %s by what was lost lately and how long a packet takes', (quality, now) => {
    expect(qualityOf(before, now)).toBe(quality);
  });
});

describe('who speaks', () => {
  const levels = (ana: number, luis: number) => new Map([['ana', ana], ['luis', luis]]);

  it('is whoever is loudest, and keeps the word for a moment', () => {
    let now = 0;
    const speaker = new Speaker(() => now);
    speaker.levels(levels(0.6, 0.5));
    expect(speaker.current.value).toBe('ana');
    now = 500;
    speaker.levels(levels(0.1, 0.7));
    expect(speaker.current.value).toBe('ana');
    now = 1_000;
    speaker.levels(levels(0.1, 0.7));
    expect(speaker.current.value).toBe('luis');
    now = 2_000;
    speaker.levels(levels(0, 0));
    expect(speaker.current.value).toBeNull();
  });

  it('is nobody any more when they have left', () => {
    const speaker = new Speaker(() => 0);
    speaker.levels(levels(0.6, 0));
    speaker.levels(new Map([['luis', 0]]));
    expect(speaker.current.value).toBeNull();
  });
});

describe('a network that no call gets through', () => {
  const STUN = { urls: ['stun:a:3478'] };
  const TURN = { urls: ['turn:a:3478?transport=udp'] };
  const TURN_TCP = { urls: ['turn:a:3478?transport=udp', 'turns:a:5349?transport=tcp'] };
  const gathered = (types: string[], errors: [string, number][] = []) => ({
    types: new Set(types), errors: errors.map(([url, code]) => ({ url, code })),
  });

  it.each([
    [null, [STUN, TURN], gathered(['host', 'srflx', 'relay'])],
    [null, [STUN, TURN_TCP], gathered(['host', 'relay'], [['stun:a:3478', 701]])],
    [null, [STUN], gathered(['host', 'srflx'])],
    [null, [STUN], gathered(['host'])],
    ['udp-blocked', [STUN], gathered(['host'], [['stun:a:3478', 701]])],
    ['udp-blocked', [STUN, TURN], gathered(['host'], [['stun:a:3478', 701], ['turn:a:3478?transport=udp', 701]])],
    ['turn-unreachable', [STUN, TURN], gathered(['host', 'srflx'], [['turn:a:3478?transport=udp', 701]])],
    ['turn-unreachable', [STUN, TURN_TCP], gathered(['host'], [['stun:a:3478', 701]])],
    ['turn-refused', [STUN, TURN], gathered(['host', 'srflx'], [['turn:a:3478?transport=udp', 401]])],
  ] as const)('is %s', (problem, servers, shown) => {
    expect(networkProblem(servers.map(({ urls }) => ({ urls: [...urls] })), shown)).toBe(problem);
  });
});

describe('which stream is which', () => {
  const stream = (sounds: number, pictures: number) => ({
    getAudioTracks: () => Array<MediaStreamTrack>(sounds).fill({} as MediaStreamTrack),
    getVideoTracks: () => Array<MediaStreamTrack>(pictures).fill({} as MediaStreamTrack),
  });
  const [voice, talking, picture] = [stream(1, 0), stream(1, 1), stream(0, 1)];

  it('is told by the sound, and by what they say they show', () => {
    expect(viewsOf([talking], { video: true, screen: false })).toEqual({ main: talking, screen: null });
    expect(viewsOf([picture, talking], { video: true, screen: true })).toEqual({ main: talking, screen: picture });
    expect(viewsOf([voice, picture], { video: false, screen: true })).toEqual({ main: voice, screen: picture });
    expect(viewsOf([talking, picture], { video: true, screen: false })).toEqual({ main: talking, screen: null });
    expect(viewsOf([picture], { video: false, screen: true })).toEqual({ main: null, screen: picture });
    expect(viewsOf([], { video: true, screen: true })).toEqual({ main: null, screen: null });
  });
});
