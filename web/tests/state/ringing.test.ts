import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Ringing } from '../../src/state/ringing';
import { FakeWire, NOON } from '../support';
import { aRing } from './calls/fakes';

describe('ringing', () => {
  let wire: FakeWire;
  let ringing: Ringing;

  beforeEach(() => {
    vi.useFakeTimers({ now: NOON + 90_000 }); // a clock that is wrong
    wire = new FakeWire();
    ringing = new Ringing(wire);
  });
  afterEach(() => {
    ringing.stopAll();
    vi.useRealTimers();
  });

  it('goes on as long as the server says, whatever the clock here says', () => {
    wire.hear('call_ringing', aRing());
    vi.advanceTimersByTime(29_000);
    expect(ringing.first.value?.callId).toBe('k1');
    vi.advanceTimersByTime(1_000);
    expect(ringing.first.value).toBeNull();
  });

  it('stops when it was answered elsewhere, or is over', () => {
    wire.hear('call_ringing', aRing());
    wire.hear('call_ringing', aRing({ callId: 'k2', conversationId: 'c2' }));
    wire.hear('call_answered_elsewhere', { callId: 'k1', conversationId: 'c1', answer: 'accepted' });
    expect(ringing.first.value?.callId).toBe('k2');
    wire.hear('call_ended', { callId: 'k2', conversationId: 'c2', reason: 'missed', durationMs: 0 });
    expect(ringing.first.value).toBeNull();
  });

  it('stops at once when it is declined, with or without a connection', async () => {
    wire.hear('call_ringing', aRing());
    await ringing.decline(aRing());
    expect(ringing.first.value).toBeNull();
    expect(wire.payloads('call_decline')).toEqual([{ callId: 'k1' }]);
  });

  it('leaves the call of a group open to be joined until it ends', () => {
    wire.hear('call_ringing', aRing({ isGroup: true }));
    ringing.stop('k1');
    expect(ringing.isGoingOn('c1')).toBe(true);
    wire.hear('call_ended', { callId: 'k1', conversationId: 'c1', reason: 'hangup', durationMs: 1 });
    expect(ringing.isGoingOn('c1')).toBe(false);
  });

  it('knows no call to join in a private conversation', () => {
    wire.hear('call_ringing', aRing());
    expect(ringing.isGoingOn('c1')).toBe(false);
  });
});
