import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Typing } from '../../src/state/typing';
import { FakeWire, NOON } from '../support';

describe('typing', () => {
  let wire: FakeWire;
  let typing: Typing;

  beforeEach(() => {
    vi.useFakeTimers({ now: NOON });
    wire = new FakeWire();
    typing = new Typing(wire, Date.now);
  });
  afterEach(() => vi.useRealTimers());

  const told = () => wire.told.map(([event]) => event);
  const heard = (userId: string, isTyping: boolean) => typing.heard({ conversationId: 'c1', userId, userName: userId, isTyping });

  it('is told at the first stroke and then every two seconds', async () => {
    for (let stroke = 0; stroke < 9; stroke += 1) {
      typing.write('c1');
      await vi.advanceTimersByTimeAsync(500);
    }
    expect(told()).toEqual(['typing_start', 'typing_start', 'typing_start']);
  });

  it('is ended once, and where one wrote before', () => {
    typing.write('c1');
    typing.write('c2');
    typing.stop();
    typing.stop();
    expect(wire.told).toEqual([
      ['typing_start', { conversationId: 'c1' }], ['typing_stop', { conversationId: 'c1' }],
      ['typing_start', { conversationId: 'c2' }], ['typing_stop', { conversationId: 'c2' }],
    ]);
  });

  it('shows everybody who writes until they stop or send', () => {
    heard('luis', true);
    heard('marta', true);
    expect([...typing.in('c1').keys()]).toEqual(['luis', 'marta']);
    heard('luis', false);
    typing.ended('c1', 'marta');
    expect(typing.in('c1').size).toBe(0);
  });

  it('ends by itself should the server’s word be lost, later when it is repeated', async () => {
    heard('luis', true);
    await vi.advanceTimersByTimeAsync(5_000);
    heard('luis', true);
    await vi.advanceTimersByTimeAsync(5_000);
    expect(typing.in('c1').size).toBe(1);
    await vi.advanceTimersByTimeAsync(1_000);
    expect(typing.in('c1').size).toBe(0);
  });
});
