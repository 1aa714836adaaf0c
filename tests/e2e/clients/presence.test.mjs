// Who is here: joining, leaving, several devices, the grace period, statuses, and who hears of it.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { World, answered, during, enter, joining, rest, say, settle, withTimeout } from './harness.mjs';
import { hears, like, time, user } from './shapes.mjs';

const connected = (one) => ['user_connected', {
  user: user({ ...one, status: 'online', isOnline: true, lastSeen: time, updatedAt: time, createdAt: one.createdAt }),
  userId: one.id, name: one.name, email: one.email, status: 'online',
}];
const disconnected = (id) => ['user_disconnected', { userId: id, lastSeen: time }];
const offline = (id) => ['user_status_update', { userId: id, status: 'offline', lastSeen: time }];

describe('presence', { concurrency: 4 }, () => { // each test has people and conversations of its own
  test('user_join is acknowledged with the user, online', async (t) => {
    const world = new World(t);
    const juan = await world.user('Juan');
    const client = await world.client({ userId: juan.id });
    like(await client.done('user_join', joining(juan)), user({ ...juan, status: 'online', isOnline: true, updatedAt: time, lastSeen: time }));
    like(await answered(200, rest.get(`/api/users/${juan.id}`)), user({ ...juan, status: 'online', isOnline: true, updatedAt: time, lastSeen: time }));
  });

  test("a user's first socket is told to all others who have joined, the second to nobody", async (t) => {
    const world = new World(t);
    const [maria] = await world.online('María');
    const juan = await world.user('Juan');
    const stranger = await world.client({ userId: 'stranger' }); // connected, never joined
    const first = await world.client({ userId: juan.id });
    const second = await world.client({ userId: juan.id });
    await during([maria, stranger, first, second], () => first.done('user_join', joining(juan)));
    hears(maria, connected(juan));
    hears(first);
    hears(stranger);
    await during([maria, stranger, first, second], () => second.done('user_join', joining(juan)));
    hears(maria);
    hears(first);
    hears(second);
  });

  test('joining twice on one socket is told once', async (t) => {
    const world = new World(t);
    const [maria, juan] = await world.online('María', 'Juan');
    await during([maria, juan], async () => juan.done('user_join', joining(await answered(200, rest.get(`/api/users/${juan.userId}`)))));
    hears(maria);
    hears(juan);
  });

  test('a user is offline when the last socket has been gone for the grace period', async (t) => {
    const world = new World(t);
    const [maria, first] = await world.online('María', 'Juan');
    const second = await world.join({ ...first, id: first.userId, name: 'Juan', email: `${first.userId}@example.com` });
    const id = first.userId;
    await during([maria, second], () => first.close());
    hears(maria);
    assert.equal((await answered(200, rest.get(`/api/users/${id}`))).isOnline, true);
    maria.forget();
    second.close();
    const gone = await maria.next('user_disconnected', ({ userId }) => userId === id);
    await settle([maria]);
    hears(maria, disconnected(id), offline(id));
    const after = await answered(200, rest.get(`/api/users/${id}`));
    assert.deepEqual([after.status, after.isOnline, after.lastSeen], ['offline', false, gone.lastSeen]);
  });

  test('a user whose network goes is offline after the grace period too', async (t) => {
    const world = new World(t);
    const [maria, juan] = await world.online('María', 'Juan');
    maria.forget();
    juan.drop();
    await maria.next('user_status_update', ({ userId }) => userId === juan.userId);
    hears(maria, disconnected(juan.userId), offline(juan.userId));
  });

  test('reconnecting within the grace period is told to nobody', async (t) => {
    const world = new World(t);
    const [maria, marker] = await world.online('María', 'Marca');
    const juan = await world.user('Juan');
    const first = await world.join(juan);
    const waiting = await world.client({ userId: juan.id }); // connected, so that coming back takes no time
    await settle([maria]);
    maria.forget();
    first.close();
    await waiting.done('user_join', joining(juan));
    marker.close(); // went after Juan, with the same grace: when this is told, Juan's would have been
    await maria.next('user_status_update', ({ userId }) => userId === marker.userId);
    await settle([maria, waiting]);
    hears(maria, disconnected(marker.userId), offline(marker.userId));
    hears(waiting, disconnected(marker.userId), offline(marker.userId));
  });

  test('a stock client that loses its network comes back by itself, to its room, and nobody is told', async (t) => {
    const world = new World(t);
    const [maria, marker] = await world.online('María', 'Marca');
    const juan = await world.user('Juan');
    const chat = await world.private(maria, juan);
    const client = await world.client({ userId: juan.id, reconnection: true, reconnectionDelay: 10, randomizationFactor: 0 });
    const arrive = async () => {
      await client.done('user_join', joining(juan));
      await client.done('join_room', { conversationId: chat.id, userId: juan.id });
    };
    await arrive();
    await settle([maria]);
    maria.forget();
    const before = client.socket.id;
    const back = new Promise((resolve) => { client.socket.once('connect', resolve); });
    client.drop();
    await withTimeout('reconnect', back);
    await arrive();
    await client.upgraded();
    assert.deepEqual([client.socket.id, client.socket.recovered], [before, true]); // and did not mind joining again
    marker.close(); // as above
    await maria.next('user_status_update', ({ userId }) => userId === marker.userId);
    await settle([maria]);
    hears(maria, disconnected(marker.userId), offline(marker.userId));
    const sent = await say(maria, chat, 'de vuelta');
    assert.deepEqual(await client.next('message_received'), sent);
  });

  test('user_leave takes the user offline while the connection stays, and it can join again', async (t) => {
    const world = new World(t);
    const [maria] = await world.online('María');
    const juan = await world.user('Juan');
    const client = await world.join(juan);
    await settle([maria, client]);
    maria.forget();
    client.forget();
    assert.equal(await client.done('user_leave', { userId: juan.id }), null);
    await maria.next('user_status_update');
    hears(maria, disconnected(juan.id), offline(juan.id));
    hears(client);
    await client.refused('not_identified', 'user_status', { userId: juan.id, status: 'online' });
    assert.equal(client.socket.connected, true);
    maria.forget();
    await client.done('user_join', joining(juan));
    await settle([maria]);
    hears(maria, connected({ ...juan, lastSeen: time }));
  });

  test('user_status is told to all who have joined, the own sockets included', async (t) => {
    const world = new World(t);
    const [maria, juan] = await world.online('María', 'Juan');
    const userId = juan.userId;
    for (const [status, isOnline] of [['away', true], ['busy', true], ['offline', false], ['online', true]]) {
      const told = { userId, status, lastSeen: time };
      const ack = await during([maria, juan], () => juan.done('user_status', { userId, status }));
      like(ack, told);
      hears(maria, ['user_status_update', told]);
      hears(juan, ['user_status_update', told]);
      const shown = await answered(200, rest.get(`/api/users/${userId}`));
      assert.deepEqual([shown.status, shown.isOnline], [status, isOnline]);
    }
    const refusal = await juan.refused('invalid_data', 'user_status', { userId, status: 'asleep' });
    assert.deepEqual(Object.keys(refusal.details.fields), ['status']);
  });

  test('user_join without roles, filials and avatar keeps those the user has', async (t) => {
    const world = new World(t);
    const juan = await world.user('Juan', { roles: ['admin', 'user'], filials: ['norte'], avatar: 'a.png' });
    const client = await world.client({ userId: juan.id });
    const joined = await client.done('user_join', { userId: juan.id, name: 'Juan P.', email: juan.email });
    like(joined, user({ ...juan, name: 'Juan P.', status: 'online', isOnline: true, updatedAt: time, lastSeen: time }));
  });

  test('user_join creates a user whom nobody knew', async (t) => {
    const world = new World(t);
    const id = world.id('nueva');
    const client = await world.client({ userId: id });
    await client.done('user_join', { userId: id, name: 'Nueva', email: 'nueva@example.com', roles: [], filials: [] });
    like(await answered(200, rest.get(`/api/users/${id}`)), user({
      id, name: 'Nueva', email: 'nueva@example.com', roles: [], filials: [], status: 'online', isOnline: true,
    }));
  });

  test('user_join without a valid name and email is refused, field by field', async (t) => {
    const world = new World(t);
    const client = await world.client({});
    const refusal = await client.refused('invalid_data', 'user_join', { userId: world.id('x'), name: '', email: 'nada', roles: [], filials: [] });
    assert.deepEqual(Object.keys(refusal.details.fields).sort(), ['email', 'name']);
  });

  test("POST /api/users at login does not change the server's own presence", async (t) => {
    const world = new World(t);
    const juan = await world.user('Juan');
    const login = { id: juan.id, name: 'Juan', email: juan.email, status: 'online', isActive: true, lastSeen: '2024-01-01T00:00:00.000Z' };
    const before = await answered(200, rest.post('/api/users', login));
    assert.deepEqual([before.status, before.isOnline], ['offline', false]);
    assert.notEqual(before.lastSeen, login.lastSeen);
    await world.join(juan);
    const after = await answered(200, rest.post('/api/users', { ...login, status: 'offline', isActive: false }));
    assert.deepEqual([after.status, after.isOnline, after.roles, after.avatar], ['online', true, ['user'], juan.avatar]);
  });

  test('a connection with auth {userId} speaks for that user before user_join', async (t) => {
    const world = new World(t);
    const [juan, maria] = await world.users('Juan', 'María');
    const chat = await world.private(juan, maria);
    const client = await world.client({ userId: juan.id, auth: { userId: juan.id } });
    await client.done('join_room', { conversationId: chat.id, userId: juan.id });
    const sent = await client.done('send_message', { conversationId: chat.id, content: 'Hola', messageType: 'text' });
    assert.equal(sent.senderId, juan.id);
    assert.deepEqual(await client.next('message_received'), sent);
  });

  test('before anybody has joined, every event but user_join is refused as not_identified', async (t) => {
    const world = new World(t);
    const client = await world.client({});
    const conversationId = 'c';
    for (const [event, body] of [
      ['join_room', { conversationId }], ['send_message', { conversationId, content: 'x', messageType: 'text' }],
      ['typing_start', { conversationId }], ['mark_messages_as_read', { conversationId }],
      ['create_group', { name: 'G', participants: ['a'] }], ['leave_group', { conversationId }],
      ['edit_message', { messageId: 'm', newContent: 'x' }], ['delete_message', { messageId: 'm' }],
      ['add_user_to_group', { conversationId, participants: ['a'] }], ['user_leave', {}],
    ]) await client.refused('not_identified', event, body);
  });

  test('unread messages wait for the next user_join: one notice per conversation, the latest and the count', async (t) => {
    const world = new World(t);
    const [maria, ana] = await world.online('María', 'Ana');
    const juan = await world.user('Juan');
    const chat = await world.private(maria, juan);
    const group = await world.group('Ventas', ana, maria, juan);
    for (const content of ['uno', 'dos', 'tres']) await say(maria, chat, content);
    await say(ana, group, 'reunión');
    const last = await say(maria, group, 'de acuerdo');
    const client = await world.join(juan);
    await settle([client]);
    const notices = client.heard().sort();
    assert.deepEqual(notices.map(([name]) => name), ['unread_message_group', 'unread_message_private']);
    const sender = { senderId: maria.userId, senderName: 'María', senderAvatar: 'María.jpg', timestamp: time };
    like(notices[0][1], {
      ...sender, conversationId: group.id, conversationName: 'Ventas', messageId: last.id, messagePreview: 'de acuerdo', unreadCount: 2,
    });
    like(notices[1][1], { ...sender, conversationId: chat.id, messageId: (id) => id !== last.id, messagePreview: 'tres', unreadCount: 3 });
    const second = await world.join(juan);
    await settle([second, client]);
    assert.equal(client.heard().length, 2, 'the first device is not told again');
    assert.equal(second.heard().length, 2);
    await client.done('mark_messages_as_read', { conversationId: chat.id, userId: juan.id });
    const third = await world.join(juan);
    await settle([third]);
    assert.deepEqual(third.heard().map(([name]) => name), ['unread_message_group']);
    await enter(chat, client);
  });
});
