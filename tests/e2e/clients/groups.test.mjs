// Groups: making, adding, leaving, taking out, deleting; each participant told once, wherever they are.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { World, answered, during, enter, rest, say } from './harness.mjs';
import { conversation, failure, hears, like, text, time, uuid } from './shapes.mjs';

const profile = async (client) => answered(200, rest.get(`/api/users/${client.userId}`));
const named = (group) => ({ conversationId: group.id, conversationName: group.name });

/** A group of Juan (its creator) and María, both with Ana watching from outside. */
async function ventas(t, ...names) {
  const world = new World(t);
  const [juan, maria, ana, ...others] = await world.online('Juan', 'María', 'Ana', ...names);
  const group = await world.group('Ventas', juan, maria, ...others);
  return { world, juan, maria, ana, others, group, everybody: [juan, maria, ana, ...others] };
}

const added = (group, ids, by, participants) => [
  ['user_added_to_group', {
    ...named(group), addedUsers: ids, addedBy: by, userId: ids[0], updatedParticipants: participants,
    participantCount: participants.length, timestamp: time,
  }],
  ['group_participants_updated', {
    ...named(group), participants, participantCount: participants.length, updatedAt: time, action: 'add', affectedUsers: ids, updatedBy: by,
  }],
];

const shrunk = (group, id, by, participants) => ['group_participants_updated', {
  ...named(group), participants, participantCount: participants.length, updatedAt: time, action: 'remove', affectedUsers: [id], updatedBy: by,
}];

describe('groups', { concurrency: 4 }, () => { // each test has people and conversations of its own
  test('create_group tells every socket of every participant once, also those in no room', async (t) => {
    const world = new World(t);
    const [juan, maria, ana] = await world.online('Juan', 'María', 'Ana');
    const mariaToo = await world.join(await profile(maria));
    const everybody = [juan, maria, mariaToo, ana];
    const group = await during(everybody, () => juan.done('create_group', {
      name: 'Ventas', description: 'Equipo de ventas', participants: [maria.userId, maria.userId], createdBy: juan.userId,
    }));
    like(group, conversation({
      type: 'group', name: 'Ventas', description: 'Equipo de ventas', participants: [juan.userId, maria.userId], createdBy: juan.userId,
    }));
    for (const client of [juan, maria, mariaToo]) hears(client, ['group_created', group]);
    hears(ana);
    assert.deepEqual(await answered(200, rest.get(`/api/conversations/${group.id}`)), group);
  });

  test('create_group without description has none, and with unknown users is refused', async (t) => {
    const world = new World(t);
    const [juan, maria] = await world.online('Juan', 'María');
    const group = await juan.done('create_group', { name: 'G', participants: [maria.userId], createdBy: juan.userId });
    assert.equal(group.description, null);
    const refusal = await during([juan, maria], () => juan.refused('unknown_users', 'create_group', {
      name: 'G', participants: [maria.userId, 'nobody', 'noone'], createdBy: juan.userId,
    }));
    assert.deepEqual(refusal.details, { userIds: ['nobody', 'noone'] });
    hears(maria);
    for (const body of [{ name: ' ', participants: [maria.userId] }, { name: 'G', participants: [] }]) {
      await juan.refused('invalid_data', 'create_group', { ...body, createdBy: juan.userId });
    }
  });

  test('a group made over REST is told to its participants too', async (t) => {
    const world = new World(t);
    const [juan, maria, ana] = await world.online('Juan', 'María', 'Ana');
    const group = await during([juan, maria, ana], () => world.group('Ventas', juan, maria));
    hears(juan, ['group_created', group]);
    hears(maria, ['group_created', group]);
    hears(ana);
  });

  test('add_user_to_group tells all participants, the new one included, and names only who is new', async (t) => {
    const { juan, maria, ana, group, everybody } = await ventas(t);
    const participants = [juan.userId, maria.userId, ana.userId];
    const ack = await during(everybody, () => juan.done('add_user_to_group', { conversationId: group.id, participants: [maria.userId, ana.userId] }));
    like(ack, { ...group, participants, updatedAt: time, rev: 1, addedUsers: [ana.userId] });
    for (const client of everybody) hears(client, ...added(group, [ana.userId], juan.userId, participants));
    const again = await during(everybody, () => juan.done('add_user_to_group', { conversationId: group.id, participants: [ana.userId] }));
    assert.deepEqual(again.addedUsers, []);
    for (const client of everybody) hears(client);
  });

  test('add_user_to_group takes the older body {userId, addedBy}', async (t) => {
    const { juan, maria, ana, group, everybody } = await ventas(t);
    const participants = [juan.userId, maria.userId, ana.userId];
    const body = { conversationId: group.id, userId: ana.userId, addedBy: maria.userId };
    const ack = await during(everybody, () => maria.done('add_user_to_group', body));
    assert.deepEqual([ack.id, ack.addedUsers, ack.participants], [group.id, [ana.userId], participants]);
    for (const client of everybody) hears(client, ...added(group, [ana.userId], maria.userId, participants));
  });

  test('who was added hears the room and gets notices of what comes after', async (t) => {
    const { juan, maria, ana, group } = await ventas(t);
    await say(juan, group, 'antes');
    await juan.done('add_user_to_group', { conversationId: group.id, participants: [ana.userId] });
    await during([juan, maria, ana], () => say(juan, group, 'después'));
    assert.deepEqual(ana.heard().map(([name, { unreadCount }]) => [name, unreadCount]), [['unread_message_group', 1]]);
    await enter(group, ana, maria);
  });

  test('add_user_to_group refuses private conversations, unknown users and unknown groups', async (t) => {
    const { world, juan, maria, ana, group, everybody } = await ventas(t);
    const chat = await world.private(juan, maria);
    await during(everybody, async () => {
      await juan.refused('not_a_group', 'add_user_to_group', { conversationId: chat.id, participants: [ana.userId] });
      const refusal = await juan.refused('unknown_users', 'add_user_to_group', { conversationId: group.id, participants: [ana.userId, 'nobody'] });
      assert.deepEqual(refusal.details, { userIds: ['nobody'] });
      await juan.refused('conversation_not_found', 'add_user_to_group', { conversationId: 'nowhere', participants: [ana.userId] });
      await juan.refused('invalid_data', 'add_user_to_group', { conversationId: group.id });
    });
    for (const client of everybody) hears(client);
  });

  test('POST …/participants answers with the conversation and who was added', async (t) => {
    const { juan, maria, ana, group, everybody } = await ventas(t);
    const participants = [juan.userId, maria.userId, ana.userId];
    const url = `/api/conversations/${group.id}/participants`;
    const body = await during(everybody, () => answered(201, rest.post(url, { participants: [ana.userId, maria.userId] })));
    like(body, { ...group, participants, updatedAt: time, rev: 1, addedUsers: [ana.userId] });
    for (const client of everybody) hears(client, ...added(group, [ana.userId], juan.userId, participants));
    assert.deepEqual((await answered(201, rest.post(url, { participants: [ana.userId] }))).addedUsers, []);
  });

  test('POST …/participants takes the older body and then answers success, conversationId and userId too', async (t) => {
    const { juan, maria, ana, group, everybody } = await ventas(t);
    const participants = [juan.userId, maria.userId, ana.userId];
    const url = `/api/conversations/${group.id}/participants`;
    const body = await during(everybody, () => answered(201, rest.post(url, { userId: ana.userId, addedBy: maria.userId })));
    like(body, { ...group, participants, updatedAt: time, rev: 1, addedUsers: [ana.userId], success: true, conversationId: group.id, userId: ana.userId });
    for (const client of everybody) hears(client, ...added(group, [ana.userId], maria.userId, participants));
  });

  test('POST …/participants refuses private conversations, unknown users and unknown groups', async (t) => {
    const { world, juan, maria, ana, group } = await ventas(t);
    const chat = await world.private(juan, maria);
    const post = (id, body) => rest.post(`/api/conversations/${id}/participants`, body);
    like(await answered(400, post(chat.id, { participants: [ana.userId] })), failure(400, 'not_a_group'));
    like(await answered(400, post(group.id, { participants: ['nobody'] })), failure(400, 'unknown_users', { userIds: ['nobody'] }));
    like(await answered(404, post('nowhere', { participants: [ana.userId] })), failure(404, 'conversation_not_found', { conversationId: 'nowhere' }));
    like(await answered(400, post(group.id, {})), failure(400, 'invalid_data', { fields: { participants: Array.isArray } }));
  });

  test('leave_group tells the others, the own devices, and ends membership', async (t) => {
    const { world, juan, maria, ana, group, everybody } = await ventas(t);
    const mariaToo = await world.join(await profile(maria));
    await enter(group, juan, maria);
    const all = [...everybody, mariaToo];
    const left = {
      ...named(group), userId: maria.userId, userName: 'María', leftBy: maria.userId, timestamp: time,
      ownershipTransferred: false, newOwnerId: null, newOwnerName: null,
    };
    const mine = { ...left, groupDeleted: false, deletedMessagesCount: 0 };
    const ack = await during(all, () => maria.done('leave_group', { conversationId: group.id, userId: maria.userId }));
    like(ack, mine);
    hears(maria, ['group_left', ack], ['leave_group_success', ack]);
    hears(mariaToo, ['group_left', ack]);
    hears(juan, ['user_left_group', { ...left, timestamp: ack.timestamp }], shrunk(group, maria.userId, maria.userId, [juan.userId]));
    hears(ana);
    await during(all, () => say(juan, group, 'ya no está'));
    for (const client of [maria, mariaToo]) hears(client);
    await maria.refused('not_a_participant', 'join_room', { conversationId: group.id, userId: maria.userId });
    assert.deepEqual((await answered(200, rest.get(`/api/conversations/user/${maria.userId}`))).conversations, []);
  });

  test("the creator's leaving hands the group to the longest-standing member", async (t) => {
    const { juan, maria, ana, group, everybody } = await ventas(t);
    await juan.done('add_user_to_group', { conversationId: group.id, participants: [ana.userId] });
    const left = {
      ...named(group), userId: juan.userId, userName: 'Juan', leftBy: juan.userId, timestamp: time,
      ownershipTransferred: true, newOwnerId: maria.userId, newOwnerName: 'María',
    };
    const ack = await during(everybody, () => juan.done('leave_group', { conversationId: group.id, userId: juan.userId }));
    like(ack, { ...left, groupDeleted: false, deletedMessagesCount: 0 });
    for (const client of [maria, ana]) {
      hears(client, ['user_left_group', left], shrunk(group, juan.userId, juan.userId, [maria.userId, ana.userId]));
    }
    const after = await answered(200, rest.get(`/api/conversations/${group.id}`));
    assert.deepEqual([after.createdBy, after.participants], [maria.userId, [maria.userId, ana.userId]]);
  });

  test('the last one out deletes the group with its messages', async (t) => {
    const { juan, maria, group, everybody } = await ventas(t);
    await maria.done('leave_group', { conversationId: group.id, userId: maria.userId });
    await say(juan, group, 'uno');
    await say(juan, group, 'dos');
    await enter(group, juan);
    const ack = await during(everybody, () => juan.done('leave_group', { conversationId: group.id, userId: juan.userId }));
    like(ack, {
      ...named(group), userId: juan.userId, userName: 'Juan', leftBy: juan.userId, timestamp: time, ownershipTransferred: false,
      newOwnerId: null, newOwnerName: null, groupDeleted: true, deletedMessagesCount: 2,
    });
    const gone = ['group_deleted', { ...named(group), deletedMessagesCount: 2, timestamp: time }];
    hears(juan, ['group_left', ack], gone, ['leave_group_success', ack]);
    hears(maria);
    await answered(404, rest.get(`/api/conversations/${group.id}`));
    await answered(404, rest.get(`/api/messages/${group.id}`));
  });

  test('leave_group fails with leave_group_error to the asker alone', async (t) => {
    const { world, juan, maria, ana, group, everybody } = await ventas(t);
    const chat = await world.private(juan, maria);
    const failed = (code) => ['leave_group_error', { error: text, code, details: () => true }];
    await during(everybody, () => ana.refused('not_a_participant', 'leave_group', { conversationId: group.id, userId: ana.userId }));
    hears(ana, failed('not_a_participant'));
    await during(everybody, () => juan.refused('not_a_group', 'leave_group', { conversationId: chat.id, userId: juan.userId }));
    hears(juan, failed('not_a_group'));
    hears(maria);
    await during(everybody, () => juan.refused('conversation_not_found', 'leave_group', { conversationId: 'nowhere', userId: juan.userId }));
    hears(juan, failed('conversation_not_found'));
  });

  test('taking a participant out tells them and those who remain', async (t) => {
    const { juan, maria, ana, group, others: [luis], everybody } = await ventas(t, 'Luis');
    await enter(group, juan, maria, luis);
    const url = `/api/conversations/${group.id}/participants/${maria.userId}`;
    like(await answered(403, rest.delete(url, { params: { removedBy: luis.userId } })), failure(403, 'not_group_creator'));
    const body = await during(everybody, () => answered(200, rest.delete(url, { params: { removedBy: juan.userId } })));
    like(body, { ...group, participants: [juan.userId, luis.userId], updatedAt: time, rev: 1 });
    hears(maria, ['user_removed_from_group', {
      ...named(group), userId: maria.userId, userName: 'María', removedBy: juan.userId, removedByName: 'Juan', timestamp: time,
    }]);
    for (const client of [juan, luis]) hears(client, shrunk(group, maria.userId, juan.userId, [juan.userId, luis.userId]));
    hears(ana);
    await during(everybody, () => say(juan, group, 'ya no está'));
    hears(maria);
    like(await answered(403, rest.delete(url, { params: { removedBy: juan.userId } })), failure(403, 'not_a_participant'));
  });

  test('taking out oneself is leaving', async (t) => {
    const { juan, maria, group, everybody } = await ventas(t);
    const url = `/api/conversations/${group.id}/participants/${maria.userId}`;
    like(await during(everybody, () => answered(200, rest.delete(url, { params: { removedBy: maria.userId } }))), {
      ...group, participants: [juan.userId], updatedAt: time, rev: 1,
    });
    assert.deepEqual(maria.heard().map(([name]) => name), ['group_left']);
    assert.deepEqual(juan.heard().map(([name]) => name), ['user_left_group', 'group_participants_updated']);
  });

  test('DELETE /api/conversations/:id deletes the group and tells its participants', async (t) => {
    const { juan, maria, ana, group, everybody } = await ventas(t);
    await say(juan, group, 'uno');
    await enter(group, juan);
    const body = await during(everybody, () => answered(200, rest.delete(`/api/conversations/${group.id}`)));
    like(body, { message: text, deletedMessagesCount: 1 });
    const gone = ['group_deleted', { ...named(group), deletedMessagesCount: 1, timestamp: time }];
    hears(juan, gone);
    hears(maria, gone);
    hears(ana);
    like(await answered(404, rest.get(`/api/conversations/${group.id}`)), failure(404, 'conversation_not_found', { conversationId: group.id }));
    await answered(404, rest.delete(`/api/conversations/${group.id}`));
    await juan.refused('conversation_not_found', 'send_message', { conversationId: group.id, senderId: juan.userId, content: 'x', messageType: 'text' });
    assert.ok(uuid(group.id));
  });
});
