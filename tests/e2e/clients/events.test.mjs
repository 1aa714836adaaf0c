// Acknowledgements and failures: nothing fails silently, and nothing a client sends closes its connection.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { TRANSPORT, World, answered, during, enter, rest, say, settle } from './harness.mjs';
import { hears, like, text } from './shapes.mjs';

const errorEvent = (event, code, details = () => true) => ['error', { event, code, message: text, details }];

describe('events', { concurrency: 3 }, () => { // each test has people and conversations of its own
  test('without acknowledgement a failure arrives as the event error, to the asker alone', async (t) => {
    const world = new World(t);
    const [juan, maria, eve] = await world.online('Juan', 'María', 'Eve');
    const chat = await world.private(juan, maria);
    const everybody = [juan, maria, eve];
    await during(everybody, () => eve.tell('join_room', { conversationId: chat.id, userId: eve.userId }));
    hears(eve, ['error', {
      event: 'join_room', code: 'not_a_participant', message: 'No participa en la conversación',
      details: { conversationId: chat.id, userId: eve.userId },
    }]);
    hears(juan);
    hears(maria);
    await during(everybody, () => juan.tell('send_message', { conversationId: chat.id, senderId: juan.userId, content: '', messageType: 'text' }));
    hears(juan, errorEvent('send_message', 'invalid_data', { fields: { content: Array.isArray } }));
    hears(maria);
  });

  test('with acknowledgement the same failure is not told twice', async (t) => {
    const world = new World(t);
    const [juan] = await world.online('Juan');
    await during([juan], () => juan.refused('conversation_not_found', 'join_room', { conversationId: 'nowhere', userId: juan.userId }));
    hears(juan);
  });

  test('events with a failure event of their own tell that one, and error only without acknowledgement', async (t) => {
    const world = new World(t);
    const [juan] = await world.online('Juan');
    const userId = juan.userId;
    const cases = [
      ['edit_message', { messageId: 'nowhere', newContent: 'x', userId }, 'edit_message_error', 'message_not_found'],
      ['delete_message', { messageId: 'nowhere', userId }, 'delete_message_error', 'message_not_found'],
      ['leave_group', { conversationId: 'nowhere', userId }, 'leave_group_error', 'conversation_not_found'],
      ['send_reply', { conversationId: 'nowhere', senderId: userId, content: 'x', messageType: 'text', replyTo: 'nowhere' }, 'reply_error', 'reply_target_missing'],
    ];
    for (const [event, body, failureEvent, code] of cases) {
      const told = [failureEvent, { error: text, code, details: () => true }];
      await during([juan], () => juan.refused(code, event, body));
      hears(juan, told);
      await during([juan], () => juan.tell(event, body));
      hears(juan, told, errorEvent(event, code));
    }
  });

  test('unknown events, wrong shapes and binary data are refused, and the connection stays', async (t) => {
    const world = new World(t);
    const [juan] = await world.online('Juan');
    const refusal = await juan.refused('unknown_event', 'order_pizza', { size: 'xl' });
    like(refusal, { code: 'unknown_event', message: 'Evento desconocido', details: { event: 'order_pizza' } });
    await juan.refused('invalid_data', 'join_room');
    await juan.refused('invalid_data', 'join_room', null);
    await juan.refused('invalid_data', 'join_room', 'conv123');
    await juan.refused('invalid_data', 'join_room', ['conv123']);
    await juan.refused('invalid_data', 'join_room', { conversationId: 'a' }, { conversationId: 'b' });
    const fields = await juan.refused('invalid_data', 'join_room', { conversationId: 5, userId: juan.userId, extra: true });
    assert.deepEqual(Object.keys(fields.details.fields).sort(), ['conversationId', 'extra']);
    await during([juan], () => juan.socket.emit('send_message', { content: Buffer.from('bytes') }));
    hears(juan, errorEvent('send_message', 'binary_not_supported'));
    await during([juan], () => juan.socket.emit('order_pizza'));
    hears(juan, errorEvent('order_pizza', 'unknown_event', { event: 'order_pizza' }));
    await during([juan], () => juan.socket.emit('send_message', { content: 'x'.repeat(100_000) }));
    hears(juan, errorEvent('send_message', 'too_large', { maxBytes: 65536 }));
    assert.equal(juan.socket.connected, true);
  });

  test('failures speak the language that the connection asked for', async (t) => {
    const world = new World(t);
    const client = await world.client({ extraHeaders: { 'Accept-Language': 'en' } });
    const refusal = await client.refused('not_identified', 'join_room', { conversationId: 'c' });
    assert.equal(refusal.message, 'Identify yourself first');
  });

  test('a socket that joins as somebody else speaks for them, and no more for the first', async (t) => {
    const world = new World(t);
    const [watcher] = await world.online('Vigía');
    const [juan, maria] = await world.users('Juan', 'María');
    const client = await world.join(juan);
    await settle([watcher]);
    watcher.forget();
    await client.done('user_join', { userId: maria.id, name: maria.name, email: maria.email });
    await watcher.next('user_status_update', ({ userId, status }) => userId === juan.id && status === 'offline');
    const chat = await world.private(juan, maria);
    const sent = await client.done('send_message', { conversationId: chat.id, content: 'soy María', messageType: 'text' });
    assert.equal(sent.senderId, maria.id);
  });

  test('a message content comes back exactly as it was sent', async (t) => {
    const world = new World(t);
    const [juan, maria] = await world.online('Juan', 'María');
    const chat = await world.private(juan, maria);
    await enter(chat, juan, maria);
    for (const content of ['👩‍👩‍👧‍👦 ñ \u00a0 é e\u0301', '<b>no</b> & "comillas" \\ \u2028', ' con espacios ', '42["x"]', '__proto__']) {
      const sent = await during([juan, maria], () => say(juan, chat, content));
      assert.equal(sent.content, content);
      hears(maria, ['message_received', sent]);
    }
    const stored = await answered(200, rest.get(`/api/messages/${chat.id}`));
    assert.equal(stored.length, 5);
  });

  test('messages that arrive while a client changes its transport are neither lost nor reordered', { skip: TRANSPORT !== 'default' }, async (t) => {
    const world = new World(t);
    const [juan] = await world.online('Juan');
    const maria = await world.user('María');
    const chat = await world.private(juan, maria);
    const client = world.client({ auth: { userId: maria.id } });
    const { socket } = world.clients.at(-1);
    socket.once('connect', () => socket.emit('join_room', { conversationId: chat.id, userId: maria.id }));
    const joined = juan.done('join_room', { conversationId: chat.id, userId: juan.userId });
    await joined;
    await juan.next('user_joined', ({ userId }) => userId === maria.id);
    await Promise.all(Array.from({ length: 60 }, (_, i) => say(juan, chat, `n${i}`)));
    const arriving = await client;
    await settle([arriving]);
    assert.deepEqual(arriving.heard('message_received').map(([, { seq }]) => seq), Array.from({ length: 60 }, (_, i) => i + 1));
  });
});
