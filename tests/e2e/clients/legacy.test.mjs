// LEGACY_FRONT_END=on with SOCKET_PATH=/ws: what the system's first front end expects, and everything else as ever.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { PATH, World, answered, during, enter, rest, say } from './harness.mjs';
import { hears, inboxEntry, like, time, user } from './shapes.mjs';

test('GET /api/users answers a bare array', async (t) => {
  const world = new World(t);
  const juan = await world.user('Juan');
  await world.join(juan);
  await world.user('Ana');
  const users = await answered(200, rest.get(`/api/users?filial=${world.tag}`));
  like(users.map(({ name }) => name), ['Juan', 'Ana']);
  like(users[0], user({ ...juan, status: 'online', isOnline: true, lastSeen: time, updatedAt: time }));
  const page = await rest.get(`/api/users?filial=${world.tag}&limit=1`);
  assert.equal(page.data.length, 1);
  assert.match(page.headers.link, /rel="next"/);
});

test('GET /api/conversations/user/:userId answers a bare array', async (t) => {
  const world = new World(t);
  const [juan, maria] = await world.users('Juan', 'María');
  const chat = await world.private(juan, maria);
  like(await answered(200, rest.get(`/api/conversations/user/${juan.id}`)), [inboxEntry(chat)]);
  await answered(404, rest.get('/api/conversations/user/nobody'));
});

test('sockets live at SOCKET_PATH and nowhere else', async (t) => {
  assert.equal(PATH, '/ws');
  const world = new World(t);
  const [juan, maria] = await world.online('Juan', 'María');
  const chat = await world.private(juan, maria);
  await enter(chat, maria);
  const sent = await during([juan, maria], () => say(juan, chat, 'hola'));
  hears(maria, ['message_received', sent]);
  const refused = await world.client({ path: '/socket.io', timeout: 1000 }).then(() => null, (error) => error);
  assert.ok(refused instanceof Error);
  await answered(404, rest.get('/socket.io/?EIO=4&transport=polling'));
});

test('the life of its group page: older bodies, read marks, leaving', async (t) => {
  const world = new World(t);
  const [juan, maria, ana] = await world.online('Juan', 'María', 'Ana');
  const group = await juan.done('create_group', { name: 'G', participants: [maria.userId], createdBy: juan.userId });
  const added = await answered(201, rest.post(`/api/conversations/${group.id}/participants`, { userId: ana.userId, addedBy: juan.userId }));
  assert.deepEqual([added.success, added.conversationId, added.userId], [true, group.id, ana.userId]);
  await say(juan, group, 'hola');
  for (let second = 0; second < 3; second += 1) await ana.done('mark_messages_as_read', { conversationId: group.id, userId: ana.userId });
  assert.equal((await answered(200, rest.get(`/api/conversations/user/${ana.userId}`)))[0].unreadCount, 0);
  await ana.done('leave_group', { conversationId: group.id, userId: ana.userId });
  assert.deepEqual(await answered(200, rest.get(`/api/conversations/user/${ana.userId}`)), []);
});
