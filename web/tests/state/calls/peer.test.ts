import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { Candidate } from '../../../src/protocol/types.gen';
import { Peer, type Told } from '../../../src/state/calls/peer';
import { settled } from '../../support';
import { FakeLink } from './fakes';

const CANDIDATE: Candidate = { candidate: 'candidate:1', sdpMid: '0', sdpMLineIndex: 0 };

/** One side, and what it has told. */
class Side {
  link!: FakeLink;
  readonly told: Told[] = [];
  readonly peer: Peer;
  seq = 0;
  renewals = 0;

  constructor(name: string, polite: boolean) {
    this.peer = new Peer({
      polite, iceServers: [], tell: (signal) => void this.told.push(signal),
      beforeRestart: () => Promise.resolve(void (this.renewals += 1)),
      connect: (servers, events) => (this.link = new FakeLink(servers, events, name)),
    });
  }

  hears(signal: Told): Promise<void> {
    const heard = 'description' in signal ? signal.description : null;
    return this.peer.hear({
      seq: (this.seq += 1), description: heard && { type: heard.type, sdp: heard.sdp ?? '' }, candidate: 'candidate' in signal ? signal.candidate : null,
    });
  }

  async offers(): Promise<void> {
    this.link.events.negotiationNeeded();
    await settled();
  }
}

async function deliver(from: Side, to: Side): Promise<void> {
  for (const signal of from.told.splice(0)) await to.hears(signal);
  await settled();
}

describe('two peers', () => {
  let [impolite, polite] = [new Side('a', false), new Side('b', true)];

  beforeEach(() => {
    vi.useFakeTimers();
    [impolite, polite] = [new Side('a', false), new Side('b', true)];
  });
  afterEach(() => {
    impolite.peer.close();
    polite.peer.close();
    vi.useRealTimers();
  });

  it('agree on an offer', async () => {
    await impolite.offers();
    await deliver(impolite, polite);
    await deliver(polite, impolite);
    expect([impolite.link.signalingState, polite.link.signalingState]).toEqual(['stable', 'stable']);
    expect(impolite.link.taken).toEqual([{ type: 'answer', sdp: 'b answer 1' }]);
  });

  it('leave the first offer to the impolite one, as long as that makes one', async () => {
    await polite.offers();
    expect(polite.told).toEqual([]);
    await vi.advanceTimersByTimeAsync(2_000);
    expect(polite.told).toEqual([{ description: { type: 'offer', sdp: 'b offer 1' } }]);
  });

  it('agree when both offer at once: the polite one takes its offer back', async () => {
    await polite.offers();
    await vi.advanceTimersByTimeAsync(2_000);
    await impolite.offers();
    await Promise.all([deliver(polite, impolite), deliver(impolite, polite)]);
    await deliver(polite, impolite);
    expect([impolite.link.signalingState, polite.link.signalingState]).toEqual(['stable', 'stable']);
    expect(polite.link.taken).toEqual([{ type: 'offer', sdp: 'a offer 1' }]);
    expect(impolite.link.taken).toEqual([{ type: 'answer', sdp: 'b answer 2' }]);
  });

  it('let go of the candidates of an offer that is ignored, and take those of the answer', async () => {
    await impolite.offers();
    await impolite.hears({ description: { type: 'offer', sdp: 'b offer 1' } });
    await impolite.hears({ candidate: { ...CANDIDATE, candidate: 'candidate:ignored' } });
    await impolite.hears({ description: { type: 'answer', sdp: 'b answer 2' } });
    await impolite.hears({ candidate: CANDIDATE });
    expect(impolite.link.candidates).toEqual([CANDIDATE]);
  });

  it('go on after a candidate that means nothing', async () => {
    await polite.hears({ description: { type: 'offer', sdp: 'a offer 1' } });
    const add = vi.spyOn(polite.link, 'addCandidate').mockRejectedValueOnce(new Error('unknown ufrag'));
    await polite.hears({ candidate: CANDIDATE });
    await polite.hears({ candidate: null });
    expect(add).toHaveBeenCalledTimes(2);
    await vi.advanceTimersByTimeAsync(60_000);
    expect(polite.link.restarts).toBe(0);
  });

  it('keep candidates until they know what they belong to', async () => {
    await polite.hears({ candidate: CANDIDATE });
    await polite.hears({ candidate: null });
    expect(polite.link.candidates).toEqual([]);
    await polite.hears({ description: { type: 'offer', sdp: 'a offer 1' } });
    expect(polite.link.candidates).toEqual([CANDIDATE, null]);
  });

  it('drop a signal that comes twice', async () => {
    const offer = { seq: 5, description: { type: 'offer', sdp: 'a offer 1' }, candidate: null };
    await polite.peer.hear(offer);
    await polite.peer.hear(offer);
    expect(polite.link.taken).toHaveLength(1);
  });

  it('renegotiate when a screen comes in mid-call', async () => {
    await impolite.offers();
    await deliver(impolite, polite);
    await deliver(polite, impolite);
    await polite.offers();
    await deliver(polite, impolite);
    await deliver(impolite, polite);
    expect(polite.link.taken.at(-1)).toEqual({ type: 'answer', sdp: 'a answer 2' });
  });

  it('restart ICE at once when it has failed, with credentials that are good', async () => {
    impolite.link.events.stateChanged('failed');
    expect(impolite.peer.state.value).toBe('lost');
    await vi.advanceTimersByTimeAsync(0);
    expect([impolite.link.restarts, impolite.renewals]).toEqual([1, 1]);
  });

  it('do not restart both at once', async () => {
    polite.link.events.stateChanged('failed');
    await vi.advanceTimersByTimeAsync(1_900);
    expect(polite.link.restarts).toBe(0);
    await vi.advanceTimersByTimeAsync(100);
    expect(polite.link.restarts).toBe(1);
  });

  it('let a connection that breaks off find itself again first', async () => {
    impolite.link.events.stateChanged('disconnected');
    await vi.advanceTimersByTimeAsync(2_900);
    expect(impolite.link.restarts).toBe(0);
    impolite.link.events.stateChanged('connected');
    await vi.advanceTimersByTimeAsync(60_000);
    expect(impolite.link.restarts).toBe(0);
  });

  it('try again as long as it does not help, and not after the end', async () => {
    impolite.link.events.stateChanged('failed');
    await vi.advanceTimersByTimeAsync(0);
    await vi.advanceTimersByTimeAsync(21_000);
    expect(impolite.link.restarts).toBe(3);
    impolite.peer.close();
    await vi.advanceTimersByTimeAsync(60_000);
    expect(impolite.link.restarts).toBe(3);
    expect(impolite.link.isClosed).toBe(true);
  });
});
