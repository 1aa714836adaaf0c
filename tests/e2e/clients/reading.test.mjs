// Read marks, receipts and counts.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { World, answered, during, enter, rest, say } from './harness.mjs';
import { failure, hears, inboxEntry, like, number, time } from './shapes.mjs';

async function unreadChat(t, count = 3) {
  const world = new World(t);
  const [juan, maria, ana] = await world.online('Juan', 'María', 'Ana');
  const group = await world.group('Ventas', juan, maria, ana);
  for (let i = 1; i <= count; i += 1) await say(maria, group, `n${i}`);
  return { world, juan, maria, ana, group, everybody: [juan, maria, ana] };
}

const inbox = async (client) => (await answered(200, rest.get(`/api/conversations/user/${client.userId}`))).conversations;

describe('reading', { concurrency: 3 }, () => { // each test has people and conversations of its own
  test("mark_messages_as_read tells the reader's own devices, and the others by read_receipt", async (t) => {
    const { world, juan, maria, ana, group, everybody } = await unreadChat(t);
    const juanToo = await world.join(await answered(200, rest.get(`/api/users/${juan.userId}`)));
    const all = [...everybody, juanToo];
    const asked = { conversationId: group.id, userId: juan.userId };
    const mark = await during(all, () => juan.done('mark_messages_as_read', asked));
    like(mark, { ...asked, timestamp: time, lastReadSeq: 3 });
    for (const client of [juan, juanToo]) hears(client, ['messages_marked_as_read', mark]);
    for (const client of [maria, ana]) hears(client, ['read_receipt', mark]);
  });

  test('marking again without new messages is acknowledged and told to nobody', async (t) => {
    const { juan, group, everybody } = await unreadChat(t);
    const asked = { conversationId: group.id, userId: juan.userId };
    const first = await juan.done('mark_messages_as_read', asked);
    const again = await during(everybody, () => juan.done('mark_messages_as_read', asked));
    assert.equal(again.lastReadSeq, first.lastReadSeq);
    for (const client of everybody) hears(client);
  });

  test('the own list says what is unread, and no more after reading', async (t) => {
    const { juan, maria, group } = await unreadChat(t);
    const listed = {
      ...group, lastMessage: 'n3', lastMessageAt: time, lastSeq: 3, rev: number, updatedAt: time,
    };
    like(await inbox(juan), [inboxEntry({ ...listed, unreadCount: 3 })]);
    const [marias] = await inbox(maria);
    assert.equal(marias.unreadCount, 0); // one's own messages are read
    const mark = await juan.done('mark_messages_as_read', { conversationId: group.id, userId: juan.userId });
    like(await inbox(juan), [inboxEntry({ ...listed, unreadCount: 0, lastReadAt: mark.timestamp, lastReadSeq: 3 })]);
    await say(maria, group, 'n4');
    const [entry] = await inbox(juan);
    assert.deepEqual([entry.unreadCount, entry.lastReadSeq, entry.lastSeq], [1, 3, 4]);
  });

  test('POST …/mark-as-read does what the event does', async (t) => {
    const { juan, maria, ana, group, everybody } = await unreadChat(t);
    const url = `/api/conversations/${group.id}/mark-as-read`;
    const mark = await during(everybody, () => answered(200, rest.post(url, { userId: juan.userId })));
    like(mark, { conversationId: group.id, userId: juan.userId, timestamp: time, lastReadSeq: 3 });
    hears(juan, ['messages_marked_as_read', mark]);
    for (const client of [maria, ana]) hears(client, ['read_receipt', mark]);
    like(await answered(404, rest.post('/api/conversations/nowhere/mark-as-read', { userId: juan.userId })), failure(404, 'conversation_not_found'));
    like(await answered(403, rest.post(url, { userId: 'stranger' })), failure(403, 'not_a_participant'));
    like(await answered(400, rest.post(url, {})), failure(400, 'invalid_data', { fields: { userId: Array.isArray } }));
  });

  test('GET …/read-marks says how far everybody has read', async (t) => {
    const { juan, maria, ana, group } = await unreadChat(t);
    const url = `/api/conversations/${group.id}/read-marks`;
    const mark = (client, lastReadSeq, lastReadAt) => ({ userId: client.userId, lastReadSeq, lastReadAt });
    like(await answered(200, rest.get(url)), {
      conversationId: group.id, readMarks: [mark(juan, 0, null), mark(maria, 3, time), mark(ana, 0, null)],
    });
    const { timestamp } = await juan.done('mark_messages_as_read', { conversationId: group.id, userId: juan.userId });
    const { readMarks } = await answered(200, rest.get(url));
    assert.deepEqual(readMarks[0], mark(juan, 3, timestamp));
    like(await answered(404, rest.get('/api/conversations/nowhere/read-marks')), failure(404, 'conversation_not_found'));
  });

  test('unread notices count from the read mark', async (t) => {
    const { juan, maria, group, everybody } = await unreadChat(t);
    await juan.done('mark_messages_as_read', { conversationId: group.id, userId: juan.userId });
    await during(everybody, async () => {
      await say(maria, group, 'a');
      await say(maria, group, 'b');
    });
    assert.deepEqual(juan.heard().map(([name, { unreadCount }]) => [name, unreadCount]), [['unread_message_group', 1], ['unread_message_group', 2]]);
    await enter(group, juan);
    const state = await juan.done('join_room', { conversationId: group.id, userId: juan.userId });
    assert.deepEqual(state, { conversationId: group.id, lastSeq: 5, rev: 6, lastReadSeq: 3, unreadCount: 2 });
  });

  test('the own list puts the latest activity first', async (t) => {
    const { world, juan, maria, group } = await unreadChat(t, 1);
    const chat = await world.private(juan, maria);
    assert.deepEqual((await inbox(juan)).map(({ id }) => id), [chat.id, group.id]);
    await say(maria, group, 'más');
    assert.deepEqual((await inbox(juan)).map(({ id }) => id), [group.id, chat.id]);
  });
});
