import { describe, expect, it } from 'vitest';
import type { Pending } from '../../src/state/outbox';
import { rowsOf } from '../../src/state/rows';
import { aMessage, ME, messages } from '../support';

const at = (time: string) => ({ timestamp: new Date(`2026-03-${time}`).toISOString() });
const kinds = (...given: Parameters<typeof rowsOf>) => rowsOf(...given).map((row) => (row.kind === 'message' ? row.message.seq : row.kind));

const PENDING: Pending = {
  clientMessageId: 'p1', userId: ME, conversationId: 'c1', content: 'x', replyTo: null, replyPreview: null, file: null,
  queuedAt: 1, failure: null, stage: 'waiting', progress: 0,
};

describe('the rows of a conversation', () => {
  it('begin each day with its date', () => {
    const days = [aMessage(1, at('10T09:00')), aMessage(2, at('10T23:59')), aMessage(3, at('11T00:01'))];
    expect(kinds(days, [], null)).toEqual(['day', 1, 2, 'day', 3]);
  });

  it('group what one person says within five minutes', () => {
    const said = [
      aMessage(1, at('10T09:00')), aMessage(2, at('10T09:04')), aMessage(3, at('10T09:10')),
      aMessage(4, { ...at('10T09:11'), senderId: 'marta' }),
    ];
    const shape = rowsOf(said, [], null).flatMap((row) => (row.kind === 'message' ? [[row.begins, row.ends]] : []));
    expect(shape).toEqual([[true, false], [false, true], [true, true], [true, true]]);
  });

  it('show the line above the first new message, also when some before it are gone', () => {
    expect(kinds(messages(1, 4), [], { conversationId: 'c1', afterSeq: 2 })).toEqual(['day', 1, 2, 'line', 3, 4]);
    expect(kinds(messages(6, 7), [], { conversationId: 'c1', afterSeq: 2 })).toEqual(['day', 'line', 6, 7]);
    expect(kinds(messages(1, 4), [], { conversationId: 'c1', afterSeq: 4 })).toEqual(['day', 1, 2, 3, 4]);
  });

  it('end with what is on its way, but for what has arrived already', () => {
    expect(kinds(messages(1, 1), [PENDING], null)).toEqual(['day', 1, 'pending']);
    const arrived = aMessage(2, { senderId: ME, clientMessageId: 'p1' });
    expect(kinds([...messages(1, 1), arrived], [PENDING], null)).toEqual(['day', 1, 2]);
  });

  it('give a pending message and what becomes of it the same key', () => {
    const pending = rowsOf(messages(1, 1), [PENDING], null).at(-1)?.key;
    expect(rowsOf([aMessage(2, { senderId: ME, clientMessageId: 'p1' })], [], null).at(-1)?.key).toBe(pending);
  });

  it('have no key twice', () => {
    const rows = rowsOf(messages(1, 500), [PENDING], { conversationId: 'c1', afterSeq: 20 });
    expect(new Set(rows.map(({ key }) => key)).size).toBe(rows.length);
  });
});
