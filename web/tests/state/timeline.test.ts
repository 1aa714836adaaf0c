import { describe, expect, it } from 'vitest';
import { Timeline } from '../../src/state/timeline';
import { aMessage, messages } from '../support';

function opened(from = 11, to = 20, limit = 10): Timeline {
  const timeline = new Timeline();
  timeline.start(messages(from, to), { rev: 20, limit });
  return timeline;
}

const seqs = (timeline: Timeline) => timeline.messages.value.map(({ seq }) => seq);

describe('a timeline', () => {
  it('appends the next message', () => {
    const timeline = opened();
    expect(timeline.put(aMessage(21))).toBe(true);
    expect(timeline.lastSeq).toBe(21);
  });

  it('says so when messages before a new one are missing, and does not take it', () => {
    const timeline = opened();
    expect(timeline.put(aMessage(23))).toBe(false);
    expect(timeline.lastSeq).toBe(20);
  });

  it('takes a message that comes twice once, in its newest form', () => {
    const timeline = opened();
    timeline.put(aMessage(15, { content: 'corrected' }));
    timeline.put(aMessage(20));
    expect(seqs(timeline)).toEqual([11, 12, 13, 14, 15, 16, 17, 18, 19, 20]);
    expect(timeline.at(15)?.content).toBe('corrected');
  });

  it('does not take what is older than what it knows', () => {
    const timeline = opened();
    timeline.put(aMessage(3));
    expect(timeline.firstSeq).toBe(11);
  });

  it('keeps what comes before its first page, which may have been read before that', () => {
    const timeline = new Timeline();
    expect(timeline.put(aMessage(2))).toBe(true);
    expect(timeline.put(aMessage(3))).toBe(true);
    expect(seqs(timeline)).toEqual([]);
    timeline.start(messages(1, 2), { rev: 2, limit: 10 });
    expect(seqs(timeline)).toEqual([1, 2, 3]);
  });

  it('puts older pages above, without what is there already', () => {
    const timeline = opened();
    timeline.prepend(messages(6, 12), 7);
    expect(seqs(timeline)).toEqual([6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20]);
    expect(timeline.hasOlder.value).toBe(true);
  });

  it('knows its beginning by seq 1 and by a page that is not full', () => {
    const whole = opened();
    whole.prepend(messages(1, 10), 10);
    expect(whole.hasOlder.value).toBe(false);
    const purged = opened();
    purged.prepend(messages(9, 10), 10);
    expect(purged.hasOlder.value).toBe(false);
  });

  it('makes a tombstone, and empties the quotes of it', () => {
    const timeline = opened();
    timeline.put(aMessage(21, { replyTo: 'm15', replyPreview: 'message 15', isReply: true }));
    timeline.bury({ messageId: 'm15', conversationId: 'c1', seq: 15 });
    expect(timeline.at(15)).toMatchObject({ isDeleted: true, content: '' });
    expect(timeline.at(21)?.replyPreview).toBe('');
  });

  it('forgets what is purged and goes on with the next number', () => {
    const timeline = opened();
    timeline.purge(20);
    expect(timeline.put(aMessage(21))).toBe(true);
    expect(seqs(timeline)).toEqual([21]);
  });

  it('knows that whoever wrote has read up to there, and never moves a mark back', () => {
    const timeline = opened();
    timeline.put(aMessage(21, { senderId: 'marta' }));
    timeline.mark('marta', 4);
    expect(timeline.marks.value.get('marta')).toBe(21);
  });
});
