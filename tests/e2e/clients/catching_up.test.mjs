// Coming back: what has changed meanwhile, of any kind, in order; and groups that get another name.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { World, answered, during, enter, rest, say } from './harness.mjs';
import { change, failure, hears, like, message, number, text, time } from './shapes.mjs';

const sync = async (client, ...known) => (await client.done('sync', {
  conversations: known.map(([conversation, rev]) => ({ conversationId: conversation.id, rev })),
})).conversations;

const changes = (conversation, params) => rest.get(`/api/conversations/${conversation.id}/changes`, { params });

describe('catching up', { concurrency: 3 }, () => {
  test('sync tells everything that has changed, in order, and nothing twice', async (t) => {
    const world = new World(t);
    const [juan, maria, ana] = await world.online('Juan', 'María', 'Ana');
    const [juanUser, mariaUser] = await Promise.all([juan, maria].map(({ userId }) => answered(200, rest.get(`/api/users/${userId}`))));
    const group = await world.group('Ventas', juan, maria);
    assert.equal(group.rev, 0);
    const first = await say(juan, group, 'uno');
    const second = await say(maria, group, 'dos');
    const edited = await juan.done('edit_message', { messageId: first.id, newContent: 'uno, corregido', userId: juan.userId });
    await maria.done('delete_message', { messageId: second.id, userId: maria.userId });
    const mark = await juan.done('mark_messages_as_read', { conversationId: group.id, userId: juan.userId });
    await juan.done('add_user_to_group', { conversationId: group.id, participants: [ana.userId] });
    await juan.done('update_group', { conversationId: group.id, name: 'Compras', userId: juan.userId });
    await ana.done('leave_group', { conversationId: group.id, userId: ana.userId });

    const tombstone = message(mariaUser, { conversationId: group.id, seq: 2, content: '', isDeleted: true });
    const members = { newOwnerId: null, timestamp: time };
    const all = [
      change(1, 'message', { message: edited }),
      change(2, 'message', { message: tombstone }),
      change(3, 'edit', { message: edited }),
      change(4, 'delete', { message: tombstone }),
      change(5, 'read', { read: { userId: juan.userId, lastReadSeq: 2, timestamp: mark.timestamp } }),
      change(6, 'members', { members: { ...members, action: 'add', userIds: [ana.userId], by: juan.userId } }),
      change(7, 'details', { details: { name: 'Compras', description: 'El grupo Ventas', by: juan.userId, timestamp: time } }),
      change(8, 'members', { members: { ...members, action: 'remove', userIds: [ana.userId], by: ana.userId } }),
    ];
    const answer = (rev, since) => ({
      conversationId: group.id, rev, changes: all.slice(since, rev), hasMore: rev < 8, truncated: false,
    });
    like(await sync(juan, [group, 0]), [{ ...answer(8, 0), error: null }]);
    like(await sync(maria, [group, 5]), [{ ...answer(8, 5), error: null }]);
    like(await sync(maria, [group, 8]), [{ ...answer(8, 8), error: null }]);
    like(await answered(200, changes(group, { since: 0 })), answer(8, 0));
    like(await answered(200, changes(group, { since: 2, limit: 3, userId: juan.userId })), answer(5, 2));
    assert.equal((await answered(200, rest.get(`/api/conversations/${group.id}`))).rev, 8);
    const state = await juan.done('join_room', { conversationId: group.id, userId: juan.userId });
    like(state, { conversationId: group.id, lastSeq: 2, rev: 8, lastReadSeq: 2, unreadCount: 0 });
    like(edited, message(juanUser, { content: 'uno, corregido', isEdited: true, editedAt: time, seq: 1 }));
  });

  test('a rev that has never been begins anew', async (t) => {
    const world = new World(t);
    const [juan, maria] = await world.online('Juan', 'María');
    const pair = await world.private(juan, maria);
    await say(juan, pair, 'hola');
    const [answer] = await sync(juan, [pair, 99]);
    assert.deepEqual([answer.truncated, answer.rev, answer.changes.map(({ rev }) => rev)], [true, 1, [1]]);
  });

  test('only participants are told; of several conversations each is answered', async (t) => {
    const world = new World(t);
    const [juan, maria, ana] = await world.online('Juan', 'María', 'Ana');
    const theirs = await world.group('Ventas', juan, maria);
    const mine = await world.private(ana, juan);
    await say(juan, theirs, 'secreto');
    await say(juan, mine, 'hola');
    const [refused, told] = await sync(ana, [theirs, 0], [mine, 0]);
    like(refused, {
      conversationId: theirs.id, rev: 0, changes: [], hasMore: false, truncated: false,
      error: { code: 'not_a_participant', message: text, details: { conversationId: theirs.id, userId: ana.userId } },
    });
    assert.deepEqual([told.error, told.changes.length], [null, 1]);
    like(await answered(403, changes(theirs, { since: 0, userId: ana.userId })), failure(403, 'not_a_participant'));
    like(await answered(404, changes({ id: 'nowhere' }, { since: 0 })), failure(404, 'conversation_not_found'));
    like(await answered(400, changes(theirs, {})), failure(400, 'invalid_data'));
    const stranger = await world.client();
    await stranger.refused('not_identified', 'sync', { conversations: [{ conversationId: theirs.id, rev: 0 }] });
    await ana.refused('invalid_data', 'sync', { conversations: [] });
  });

  test('another name is told to every participant, wherever it was given', async (t) => {
    const world = new World(t);
    const [juan, maria, ana] = await world.online('Juan', 'María', 'Ana');
    const group = await world.group('Ventas', juan, maria);
    await enter(group, juan);
    const told = (beside, by) => ['group_updated', {
      conversationId: group.id, conversationName: 'Ventas', description: 'El grupo Ventas', updatedBy: by.userId, timestamp: time, ...beside,
    }];
    const asked = { conversationId: group.id, name: 'Compras', userId: juan.userId };
    const named = await during([juan, maria, ana], () => juan.done('update_group', asked));
    like(named, { ...group, name: 'Compras', rev: number, updatedAt: time });
    for (const client of [juan, maria]) hears(client, told({ conversationName: 'Compras' }, juan));
    hears(ana);

    const url = `/api/conversations/${group.id}`;
    const body = { description: null, userId: maria.userId };
    const described = await during([juan, maria], () => answered(200, rest.patch(url, body)));
    like(described, { ...named, description: null, rev: number, updatedAt: time });
    for (const client of [juan, maria]) hears(client, told({ conversationName: 'Compras', description: null }, maria));

    const again = await during([juan, maria], () => answered(200, rest.patch(url, body)));
    assert.deepEqual(again, described); // nothing has changed
    hears(juan);
    assert.deepEqual(await answered(200, rest.get(url)), described);

    like(await answered(403, rest.patch(url, { name: 'x', userId: ana.userId })), failure(403, 'not_a_participant'));
    like(await answered(400, rest.patch(url, { userId: maria.userId })), failure(400, 'invalid_data'));
    like(await answered(404, rest.patch('/api/conversations/nowhere', { name: 'x' })), failure(404, 'conversation_not_found'));
    const pair = await world.private(juan, maria);
    like(await answered(400, rest.patch(`/api/conversations/${pair.id}`, { name: 'x' })), failure(400, 'not_a_group'));
    await ana.refused('not_a_participant', 'update_group', { ...asked, userId: ana.userId });
  });
});
