// Rooms and typing: who may hear a conversation, and who sees that somebody writes.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { World, answered, during, enter, rest, say, settle } from './harness.mjs';
import { hears, like, message } from './shapes.mjs';

describe('rooms', { concurrency: 3 }, () => { // each test has people and conversations of its own
  test('join_room is told to the room once per user, and acknowledged with what is unread', async (t) => {
    const world = new World(t);
    const [juan, maria, ana] = await world.online('Juan', 'María', 'Ana');
    const group = await world.group('Ventas', juan, maria, ana);
    const secondDevice = await world.join(await answered(200, rest.get(`/api/users/${maria.userId}`)));
    await say(juan, group, 'uno');
    await say(juan, group, 'dos');
    await enter(group, juan);
    const everybody = [juan, maria, ana, secondDevice];
    const asked = { conversationId: group.id, userId: maria.userId };
    const state = await during(everybody, () => maria.done('join_room', asked));
    like(state, { conversationId: group.id, lastSeq: 2, rev: 2, lastReadSeq: 0, unreadCount: 2 });
    hears(juan, ['user_joined', asked]);
    hears(maria, ['user_joined', asked]);
    hears(ana);
    hears(secondDevice);
    await during(everybody, () => secondDevice.done('join_room', asked));
    for (const client of everybody) hears(client);
  });

  test('leave_room is told to the room when the last device leaves it, and membership stays', async (t) => {
    const world = new World(t);
    const [juan, maria] = await world.online('Juan', 'María');
    const secondDevice = await world.join(await answered(200, rest.get(`/api/users/${maria.userId}`)));
    const chat = await world.private(juan, maria);
    await enter(chat, juan, maria, secondDevice);
    const everybody = [juan, maria, secondDevice];
    const asked = { conversationId: chat.id, userId: maria.userId };
    assert.equal(await during(everybody, () => maria.done('leave_room', asked)), null);
    for (const client of everybody) hears(client);
    await during(everybody, () => secondDevice.done('leave_room', asked));
    hears(juan, ['user_left', asked]);
    hears(maria);
    hears(secondDevice);
    await say(maria, chat, 'sigo aquí');
  });

  test('a socket that closes is gone from the chat; only leave_room is told to the room', async (t) => {
    const world = new World(t);
    const [juan, maria] = await world.online('Juan', 'María');
    const chat = await world.private(juan, maria);
    await enter(chat, juan, maria);
    juan.forget();
    maria.close();
    await juan.next('user_status_update');
    await settle([juan]);
    assert.deepEqual(juan.heard().map(([name]) => name), ['user_disconnected', 'user_status_update']);
    const [listed] = (await answered(200, rest.get(`/api/conversations/user/${maria.userId}`))).conversations;
    assert.equal(listed.id, chat.id);
  });

  test('join_room of a stranger is refused, and nothing is heard of the conversation', async (t) => {
    const world = new World(t);
    const [juan, maria, eve] = await world.online('Juan', 'María', 'Eve');
    const chat = await world.private(juan, maria);
    await enter(chat, juan);
    const refusal = await during([juan, maria, eve], () => eve.refused('not_a_participant', 'join_room', { conversationId: chat.id, userId: eve.userId }));
    like(refusal, { code: 'not_a_participant', message: 'No participa en la conversación', details: { conversationId: chat.id, userId: eve.userId } });
    hears(juan);
    await during([juan, maria, eve], () => say(juan, chat, 'secreto'));
    hears(eve);
    await eve.refused('conversation_not_found', 'join_room', { conversationId: 'nowhere', userId: eve.userId });
  });

  test('nobody but participants may write, type, read or add in a conversation', async (t) => {
    const world = new World(t);
    const [juan, maria, eve] = await world.online('Juan', 'María', 'Eve');
    const group = await world.group('Ventas', juan, maria);
    await enter(group, juan, maria);
    const conversationId = group.id;
    await during([juan, maria, eve], async () => {
      const body = { conversationId, userId: eve.userId };
      await eve.refused('not_a_participant', 'send_message', { conversationId, senderId: eve.userId, content: 'x', messageType: 'text' });
      await eve.refused('not_a_participant', 'typing_start', { ...body, userName: 'Eve' });
      await eve.refused('not_a_participant', 'typing_stop', body);
      await eve.refused('not_a_participant', 'mark_messages_as_read', body);
      await eve.refused('not_a_participant', 'add_user_to_group', { conversationId, participants: [eve.userId] });
      await eve.refused('not_a_participant', 'leave_group', body);
    });
    hears(juan);
    hears(maria);
    hears(eve, ['leave_group_error', (body) => body.code === 'not_a_participant']);
  });

  test('typing is shown to the room, never to any device of the typist, and not outside the room', async (t) => {
    const world = new World(t);
    const [juan, maria, ana] = await world.online('Juan', 'María', 'Ana');
    const juanToo = await world.join(await answered(200, rest.get(`/api/users/${juan.userId}`)));
    const group = await world.group('Ventas', juan, maria, ana);
    await enter(group, juan, juanToo, maria);
    const everybody = [juan, juanToo, maria, ana];
    const shown = { conversationId: group.id, userId: juan.userId, userName: 'Juanito', isTyping: true };
    const typing = { conversationId: group.id, userId: juan.userId };
    assert.equal(await during(everybody, () => juan.done('typing_start', { ...typing, userName: 'Juanito' })), null);
    hears(maria, ['typing_indicator', shown]);
    for (const client of [juan, juanToo, ana]) hears(client);
    await during(everybody, () => juan.done('typing_start', { ...typing, userName: 'Juanito' }));
    for (const client of everybody) hears(client);
    assert.equal(await during(everybody, () => juan.done('typing_stop', typing)), null);
    hears(maria, ['typing_indicator', { ...shown, isTyping: false }]);
    for (const client of [juan, juanToo, ana]) hears(client);
    await during(everybody, () => juan.done('typing_stop', typing));
    for (const client of everybody) hears(client);
  });

  test('typing ends by itself three seconds after the last typing_start', async (t) => {
    const world = new World(t);
    const [juan, maria, ana] = await world.online('Juan', 'María', 'Ana');
    const group = await world.group('Ventas', juan, maria, ana);
    await enter(group, juan, maria, ana);
    const start = (client) => client.done('typing_start', { conversationId: group.id, userId: client.userId });
    const end = ({ userId }) => (data) => data.userId === userId && !data.isTyping;
    await start(ana);
    const began = performance.now();
    await start(maria);
    await juan.next('typing_indicator', (data) => data.userId === maria.userId && data.isTyping);
    await new Promise((resolve) => { setTimeout(resolve, 600); }); // it goes on writing
    const renewed = performance.now();
    await start(ana); // Ana is quicker again; María is not
    const told = await juan.next('typing_indicator', end(maria));
    const lasted = performance.now() - began;
    like(told, { conversationId: group.id, userId: maria.userId, userName: 'María', isTyping: false });
    assert.ok(lasted >= 2900 && lasted < 4500, `ended after ${lasted} ms`);
    await juan.next('typing_indicator', end(ana));
    const renewal = performance.now() - renewed;
    assert.ok(renewal >= 2900 && renewal < 4500, `ended ${renewal} ms after it was renewed`);
    await settle([juan]);
    assert.equal(juan.heard('typing_indicator').length, 4);
  });

  test('typing ends when the typist closes the page', async (t) => {
    const world = new World(t);
    const [juan, maria] = await world.online('Juan', 'María');
    const chat = await world.private(juan, maria);
    await enter(chat, juan, maria);
    await juan.done('typing_start', { conversationId: chat.id, userId: juan.userId, userName: 'Juan' });
    juan.close();
    await maria.next('typing_indicator', ({ isTyping }) => isTyping);
    const began = performance.now();
    await maria.next('typing_indicator', ({ isTyping }) => !isTyping);
    assert.ok(performance.now() - began < 2000);
  });

  test('whoever has left the room and comes back hears it again', async (t) => {
    const world = new World(t);
    const [juan, maria] = await world.online('Juan', 'María');
    const chat = await world.private(juan, maria);
    await enter(chat, juan, maria);
    await maria.done('leave_room', { conversationId: chat.id, userId: maria.userId });
    await enter(chat, maria);
    const user = await answered(200, rest.get(`/api/users/${juan.userId}`));
    await during([juan, maria], () => say(juan, chat, 'hola'));
    hears(maria, ['message_received', message(user, { conversationId: chat.id, recipientId: maria.userId, seq: 1, content: 'hola' })]);
  });
});
