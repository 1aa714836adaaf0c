// REST: users, conversations, history and its pages, admin listings, errors, CORS.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { World, answered, browserFile, during, enter, file, form, rest, say } from './harness.mjs';
import { conversation, failure, fileUrl, hears, like, matching, object, text, time, user, uuid } from './shapes.mjs';

const links = (response) => Object.fromEntries(
  [...(response.headers.link ?? '').matchAll(/<([^>]+)>; rel="(\w+)"/g)].map(([, url, relation]) => [relation, url]),
);

async function pages(first, items) {
  const found = [];
  let url = first;
  while (url) {
    const response = await rest.get(url);
    assert.equal(response.status, 200);
    found.push(items(response.data));
    url = links(response).next;
    assert.ok(found.length < 100);
  }
  return found;
}

// ---------------------------------------------------------------- users
test('POST /api/users creates with 201, and updates the same id with 200', async (t) => {
  const world = new World(t);
  const id = world.id('juan');
  const body = { id, name: 'Juan Pérez', email: 'juan@example.com', roles: ['user', 'admin'], filials: ['norte'], avatar: null };
  const made = await answered(201, rest.post('/api/users', body));
  like(made, user(body));
  const again = await answered(200, rest.post('/api/users', { ...body, name: 'Juan P.' }));
  like(again, user({ ...made, name: 'Juan P.', updatedAt: time, lastSeen: time }));
  const kept = await answered(200, rest.post('/api/users', { id, name: 'Juan P.', email: 'juan@example.com' }));
  assert.deepEqual([kept.roles, kept.filials], [body.roles, body.filials]);
});

test('POST /api/users without id makes a UUID', async () => {
  const made = await answered(201, rest.post('/api/users', { name: 'Sin Id', email: 'sin@example.com' }));
  like(made, user({ id: uuid, name: 'Sin Id', email: 'sin@example.com', roles: [], filials: [] }));
});

test('POST /api/users names every wrong field', async () => {
  const body = await answered(400, rest.post('/api/users', { name: '', email: 'nada', roles: 'admin', nickname: 'x' }));
  like(body, failure(400, 'invalid_data', {
    fields: { name: Array.isArray, email: Array.isArray, roles: Array.isArray, nickname: Array.isArray },
  }));
  like(await answered(400, rest.post('/api/users', {})), failure(400, 'invalid_data', { fields: { name: Array.isArray, email: Array.isArray } }));
});

test('GET /api/users lists the online first, then by name, with q, filial and pages', async (t) => {
  const world = new World(t);
  for (const name of ['Óscar', 'ana', 'Zoe', 'Beatriz']) await world.user(name);
  const zoe = await answered(200, rest.get(`/api/users/${world.id('Zoe')}`));
  await world.join(zoe);
  const names = ({ users }) => users.map(({ name }) => name);
  const query = `/api/users?filial=${world.tag}`;
  const all = await answered(200, rest.get(query));
  assert.deepEqual(names(all), ['Zoe', 'ana', 'Beatriz', 'Óscar']);
  like(all.users[0], user({ ...zoe, status: 'online', isOnline: true, lastSeen: time, updatedAt: time }));
  assert.deepEqual(await pages(`${query}&limit=2`, names), [['Zoe', 'ana'], ['Beatriz', 'Óscar']]);
  assert.deepEqual(names(await answered(200, rest.get(`${query}&q=oscar`))), ['Óscar']);
  assert.deepEqual(names(await answered(200, rest.get(`${query}&q=nobody`))), []);
  for (const wrong of ['limit=0', 'limit=1001', 'limit=x', 'cursor=x']) {
    const [field] = wrong.split('=');
    like(await answered(400, rest.get(`${query}&${wrong}`)), failure(400, 'invalid_data', { fields: { [field]: Array.isArray } }));
  }
});

test('GET and DELETE /api/users/:id', async (t) => {
  const world = new World(t);
  const [juan, maria] = await world.online('Juan', 'María');
  const group = await world.group('Ventas', juan, maria);
  const sent = await say(maria, group, 'me voy');
  like(await answered(200, rest.get(`/api/users/${maria.userId}`)), user({
    id: maria.userId, name: 'María', email: `${maria.userId}@example.com`, roles: ['user'], filials: [world.tag], avatar: 'María.jpg',
    status: 'online', isOnline: true,
  }));
  const closed = new Promise((resolve) => { maria.socket.on('disconnect', resolve); });
  like(await answered(200, rest.delete(`/api/users/${maria.userId}`)), { message: 'Usuario eliminado correctamente' });
  await closed;
  like(await answered(404, rest.get(`/api/users/${maria.userId}`)), failure(404, 'user_not_found', { userId: maria.userId }));
  like(await answered(404, rest.delete(`/api/users/${maria.userId}`)), failure(404, 'user_not_found', { userId: maria.userId }));
  assert.deepEqual((await answered(200, rest.get(`/api/conversations/${group.id}`))).participants, [juan.userId]);
  assert.deepEqual((await answered(200, rest.get(`/api/messages/${group.id}`))).map(({ id }) => id), [sent.id]);
});

test('an avatar is set, served, shown in messages and removed', async (t) => {
  const world = new World(t);
  const [juan, maria] = await world.online('Juan', 'María');
  const chat = await world.private(juan, maria);
  const url = `/api/users/${juan.userId}/avatar`;
  const post = (body) => rest.post(url, body);
  const shown = await answered(200, post(form({ avatar: browserFile('foto.png', { type: 'image/png' }) })));
  like(shown, user({
    id: juan.userId, name: 'Juan', email: `${juan.userId}@example.com`, roles: ['user'], filials: [world.tag], avatar: fileUrl,
    status: 'online', isOnline: true,
  }));
  const served = await rest.get(shown.avatar, { responseType: 'arraybuffer' });
  assert.equal(served.headers['content-type'], 'image/png');
  assert.deepEqual(Buffer.from(served.data), file('foto.png'));
  assert.equal((await say(juan, chat, 'hola')).sender.avatar, shown.avatar);
  like(await answered(415, post(form({ avatar: browserFile('informe.pdf') }))), failure(415, 'file_type_not_allowed'));
  like(await answered(413, post(form({ avatar: browserFile('grande.txt') }))), failure(413, 'too_large'));
  like(await answered(400, post(form({ file: browserFile('foto.png') }))), failure(400, 'invalid_data', { fields: { avatar: Array.isArray } }));
  like(await answered(404, rest.post('/api/users/nobody/avatar', form({ avatar: browserFile('foto.png') }))), failure(404, 'user_not_found'));
  assert.equal((await answered(200, rest.get(`/api/users/${juan.userId}`))).avatar, shown.avatar);
  assert.equal((await answered(200, rest.delete(url))).avatar, null);
  await answered(404, rest.get(shown.avatar));
  assert.equal((await answered(200, rest.delete(url))).avatar, null);
  like(await answered(404, rest.delete('/api/users/nobody/avatar')), failure(404, 'user_not_found', { userId: 'nobody' }));
});

// ---------------------------------------------------------------- conversations
test('twenty concurrent requests for a pair, in either order, yield one conversation', async (t) => {
  const world = new World(t);
  const [a, b] = (await world.users('a', 'b')).map(({ id }) => id);
  const responses = await Promise.all(Array.from({ length: 20 }, (_, i) => rest.post('/api/conversations', {
    type: 'private', participants: i % 2 ? [a, b] : [b, a], createdBy: i % 3 ? a : b,
  })));
  assert.equal(new Set(responses.map(({ data }) => data.id)).size, 1);
  assert.deepEqual(responses.map(({ status }) => status).sort(), [...Array(19).fill(200), 201]);
  like(responses[0].data, conversation({ participants: (ids) => ids.includes(a) && ids.includes(b) && ids.length === 2, createdBy: text }));
  assert.equal((await answered(200, rest.get(`/api/conversations/user/${a}`))).conversations.length, 1);
});

test('POST /api/conversations refuses what is no conversation', async (t) => {
  const world = new World(t);
  const [a, b, c] = (await world.users('a', 'b', 'c')).map(({ id }) => id);
  const post = (body) => rest.post('/api/conversations', body);
  const wrong = async (body, ...fields) => like(await answered(400, post(body)), failure(400, 'invalid_data', {
    fields: Object.fromEntries(fields.map((name) => [name, () => true])),
  }));
  await wrong({ type: 'private', participants: [a, b, c], createdBy: a }, 'participants');
  await wrong({ type: 'private', participants: [a, a], createdBy: a }, 'participants');
  await wrong({ type: 'group', participants: [a, b], createdBy: a }, 'name');
  await wrong({ type: 'group', name: '  ', participants: [a, b], createdBy: a }, 'name');
  await wrong({ type: 'channel', participants: [a, b], createdBy: a }, 'type');
  await wrong({}, 'type', 'participants', 'createdBy');
  like(await answered(400, post({ type: 'private', participants: [a, 'nobody'], createdBy: a })), failure(400, 'unknown_users', { userIds: ['nobody'] }));
  like(await answered(400, post({ type: 'group', name: 'G', participants: ['x1', a, 'x2'], createdBy: a })), failure(400, 'unknown_users', { userIds: ['x1', 'x2'] }));
});

test('a group made over REST has its creator as participant even if not listed', async (t) => {
  const world = new World(t);
  const [a, b] = (await world.users('a', 'b')).map(({ id }) => id);
  const made = await answered(201, rest.post('/api/conversations', { type: 'group', name: 'Ventas', description: 'd', participants: [b], createdBy: a }));
  like(made, conversation({ type: 'group', name: 'Ventas', description: 'd', participants: [a, b], createdBy: a }));
  like(await answered(200, rest.get(`/api/conversations/${made.id}`)), made);
  like(await answered(404, rest.get('/api/conversations/nowhere')), failure(404, 'conversation_not_found', { conversationId: 'nowhere' }));
});

test("an unknown user's conversations are 404", async () => {
  like(await answered(404, rest.get('/api/conversations/user/nobody')), failure(404, 'user_not_found', { userId: 'nobody' }));
});

test('GET /api/conversations lists all of them page by page', async (t) => {
  const world = new World(t);
  const [a, b] = await world.users('a', 'b');
  const mine = [await world.private(a, b), await world.group('G1', a, b), await world.group('G2', a, b)];
  const listed = (await pages('/api/conversations?limit=500', ({ conversations }) => conversations)).flat();
  for (const one of mine) like(listed.find(({ id }) => id === one.id), one);
  assert.equal(new Set(listed.map(({ id }) => id)).size, listed.length);
  const short = await rest.get('/api/conversations?limit=2');
  assert.equal(short.data.conversations.length, 2);
  assert.match(links(short).next, /limit=2&cursor=/);
  for (const wrong of ['limit=0', 'limit=501', 'cursor=']) {
    like(await answered(400, rest.get(`/api/conversations?${wrong}`)), failure(400, 'invalid_data', { fields: object }));
  }
});

// ---------------------------------------------------------------- history
test('POST /api/messages sends as send_message does, once for each clientMessageId', async (t) => {
  const world = new World(t);
  const [juan, maria] = await world.online('Juan', 'María');
  const chat = await world.private(juan, maria);
  await enter(chat, maria);
  const body = { conversationId: chat.id, senderId: juan.userId, content: 'hola', clientMessageId: 'uno' };
  const sent = await answered(201, rest.post('/api/messages', body));
  assert.deepEqual([sent.seq, sent.senderId, sent.content, sent.clientMessageId], [1, juan.userId, 'hola', 'uno']);
  like(await maria.next('message_received'), sent);
  assert.deepEqual(await answered(201, rest.post('/api/messages', body)), sent);
  const changed = await answered(422, rest.post('/api/messages', { ...body, content: 'otra cosa' }));
  assert.equal(changed.code, 'idempotency_key_reused');
  const stranger = await world.user('Ana');
  const refused = await answered(403, rest.post('/api/messages', { ...body, senderId: stranger.id }));
  assert.equal(refused.code, 'not_a_participant');
});

test('history pages lead back and forth by their Link headers, without gap or repetition', async (t) => {
  const world = new World(t);
  const [juan, maria] = await world.online('Juan', 'María');
  const chat = await world.private(juan, maria);
  const url = `/api/messages/${chat.id}`;
  assert.deepEqual(await answered(200, rest.get(url)), []);
  const sent = await Promise.all(Array.from({ length: 12 }, (_, i) => say(juan, chat, `n${i + 1}`)));
  const seqs = ({ data }) => data.map(({ seq }) => seq);
  const whole = await rest.get(url);
  assert.deepEqual(whole.data, sent);
  assert.equal(whole.headers.link, undefined);
  const newest = await rest.get(`${url}?limit=5`);
  assert.deepEqual(seqs(newest), [8, 9, 10, 11, 12]);
  assert.deepEqual(Object.keys(links(newest)), ['prev']);
  const middle = await rest.get(links(newest).prev);
  assert.deepEqual(seqs(middle), [3, 4, 5, 6, 7]);
  assert.deepEqual(Object.keys(links(middle)).sort(), ['next', 'prev']);
  const oldest = await rest.get(links(middle).prev);
  assert.deepEqual(seqs(oldest), [1, 2]);
  assert.deepEqual(Object.keys(links(oldest)), ['next']);
  assert.deepEqual(seqs(await rest.get(links(oldest).next)), [3, 4, 5, 6, 7]);
  const last = await rest.get(`${url}?after=9&limit=5`);
  assert.deepEqual(seqs(last), [10, 11, 12]);
  assert.deepEqual(Object.keys(links(last)), ['prev']);
  assert.deepEqual(seqs(await rest.get(`${url}?before=3`)), [1, 2]);
  for (const wrong of ['limit=0', 'limit=501', 'before=x', 'after=-1', 'before=3&after=1']) {
    like(await answered(400, rest.get(`${url}?${wrong}`)), failure(400, 'invalid_data', { fields: object }));
  }
  like(await answered(404, rest.get('/api/messages/nowhere')), failure(404, 'conversation_not_found', { conversationId: 'nowhere' }));
});

test('GET /api/messages lists all messages page by page', async (t) => {
  const world = new World(t);
  const [juan, maria] = await world.online('Juan', 'María');
  const chat = await world.private(juan, maria);
  const sent = [await say(juan, chat, 'uno'), await say(maria, chat, 'dos')];
  const listed = (await pages('/api/messages?limit=500', (body) => body)).flat();
  assert.deepEqual(listed.filter(({ conversationId }) => conversationId === chat.id), sent);
  const short = await rest.get('/api/messages?limit=1');
  assert.equal(short.data.length, 1);
  assert.match(links(short).next, /cursor=/);
  for (const wrong of ['limit=0', 'limit=501', 'cursor=']) {
    like(await answered(400, rest.get(`/api/messages?${wrong}`)), failure(400, 'invalid_data', { fields: object }));
  }
});

test('DELETE /api/messages removes every message for good, and numbering goes on', async (t) => {
  const world = new World(t);
  const [juan, maria] = await world.online('Juan', 'María');
  const chat = await world.private(juan, maria);
  for (let i = 0; i < 3; i += 1) await say(juan, chat, `n${i}`);
  const count = (await pages('/api/messages?limit=500', (body) => body.length)).reduce((sum, each) => sum + each, 0);
  assert.deepEqual(await answered(200, rest.delete('/api/messages')), {
    message: 'Todos los mensajes han sido eliminados correctamente', deletedCount: count,
  });
  assert.deepEqual(await answered(200, rest.get('/api/messages')), []);
  assert.deepEqual(await answered(200, rest.get(`/api/messages/${chat.id}`)), []);
  assert.equal((await answered(200, rest.delete('/api/messages'))).deletedCount, 0);
  assert.equal((await say(juan, chat, 'sigue')).seq, 4);
});

test('DELETE /api/messages/batch/:batchSize removes all, so many at a time', async (t) => {
  const world = new World(t);
  const [juan, maria] = await world.online('Juan', 'María');
  const chat = await world.private(juan, maria);
  await answered(200, rest.delete('/api/messages'));
  for (let i = 0; i < 5; i += 1) await say(juan, chat, `n${i}`);
  for (const wrong of ['0', '26', 'x', '-1', '1.5']) {
    like(await answered(400, rest.delete(`/api/messages/batch/${wrong}`)), failure(400, 'invalid_data', { fields: { batchSize: Array.isArray } }));
  }
  assert.deepEqual(await answered(200, rest.delete('/api/messages/batch/2')), {
    message: 'Mensajes eliminados en lotes de 2', deletedCount: 5, batchSize: 2,
  });
  assert.deepEqual(await answered(200, rest.delete('/api/messages/batch/25')), {
    message: 'Mensajes eliminados en lotes de 25', deletedCount: 0, batchSize: 25,
  });
  assert.deepEqual(await answered(200, rest.get(`/api/messages/${chat.id}`)), []);
});

// ---------------------------------------------------------------- errors
test('errors speak Spanish, or English to whoever prefers it; the code is the same', async () => {
  const get = (language) => rest.get('/api/users/nobody', { headers: language ? { 'Accept-Language': language } : {} });
  const said = async (language) => {
    const body = await answered(404, get(language));
    like(body, failure(404, 'user_not_found', { userId: 'nobody' }));
    return body.message;
  };
  assert.equal(await said(), 'Usuario no encontrado');
  assert.equal(await said('es-MX,es;q=0.9,en;q=0.5'), 'Usuario no encontrado');
  assert.equal(await said('en-US,en;q=0.9,es;q=0.5'), 'User not found');
  assert.equal(await said('fr'), 'Usuario no encontrado');
});

test('every error has the ruled body, whatever went wrong', async () => {
  like(await answered(404, rest.get('/api/nothing')), failure(404, 'not_found', {}));
  like(await answered(405, rest.put('/api/users', {})), failure(405, 'method_not_allowed', {}));
  const json = { headers: { 'Content-Type': 'application/json' } };
  like(await answered(400, rest.post('/api/users', Buffer.from('{"name": '), json)), failure(400, 'malformed_payload', {}));
  like(await answered(415, rest.post('/api/users', 'name=Juan', { headers: { 'Content-Type': 'application/x-www-form-urlencoded' } })), failure(415, 'unsupported_media_type', {}));
  like(await answered(413, rest.post('/api/users', Buffer.from(`{"name": "${'x'.repeat(1100000)}"}`), json)), failure(413, 'too_large'));
});

test('an error names its request, by the id the client gave', async () => {
  const response = await rest.get('/api/users/nobody', { headers: { 'X-Request-Id': 'mi-peticion-1' } });
  assert.equal(response.data.requestId, 'mi-peticion-1');
  assert.equal(response.headers['x-request-id'], 'mi-peticion-1');
  const other = await rest.get('/api/users/nobody');
  like(other.headers['x-request-id'], matching(/^[\w-]{8,}$/));
  assert.equal(other.headers['x-request-id'], other.data.requestId);
});

// ---------------------------------------------------------------- browsers
test('a browser of any origin may ask, and read what it needs of the answer', async () => {
  const Origin = 'https://app.example.com';
  const answer = await rest.get('/api/users?limit=1', { headers: { Origin } });
  assert.ok(['*', Origin].includes(answer.headers['access-control-allow-origin']));
  const exposed = answer.headers['access-control-expose-headers'].toLowerCase();
  for (const header of ['link', 'retry-after', 'x-request-id']) assert.ok(exposed.includes(header), exposed);
  const refused = await rest.get('/api/users/nobody', { headers: { Origin } });
  assert.ok(['*', Origin].includes(refused.headers['access-control-allow-origin']));
  for (const [path, method, headers] of [['/api/users', 'POST', 'content-type'], ['/api/messages/x', 'DELETE', 'authorization']]) {
    const preflight = await rest.request({
      method: 'OPTIONS', url: path, headers: { Origin, 'Access-Control-Request-Method': method, 'Access-Control-Request-Headers': headers },
    });
    assert.equal(preflight.status, 200);
    assert.ok(['*', Origin].includes(preflight.headers['access-control-allow-origin']));
    assert.ok(preflight.headers['access-control-allow-methods'].includes(method));
    assert.ok(preflight.headers['access-control-allow-headers'].toLowerCase().includes(headers));
  }
  const polling = await rest.get('/socket.io/?EIO=4&transport=polling', { headers: { Origin } });
  assert.equal(polling.status, 200);
  assert.ok(['*', Origin].includes(polling.headers['access-control-allow-origin']));
});

test('health, readiness and the descriptions answer', async () => {
  assert.deepEqual(await answered(200, rest.get('/healthz')), { status: 'ok' });
  like(await answered(200, rest.get('/readyz')), { status: 'ok', checks: (checks) => Object.values(checks).every((said) => said === 'ok') });
  assert.equal((await answered(200, rest.get('/api/openapi.json'))).openapi, '3.1.0');
  assert.equal((await answered(200, rest.get('/api/asyncapi.json'))).asyncapi, '3.0.0');
});

test('a conversation deleted over REST is gone from the list of a private pair too', async (t) => {
  const world = new World(t);
  const [juan, maria] = await world.online('Juan', 'María');
  const chat = await world.private(juan, maria);
  like(await during([juan, maria], () => answered(200, rest.delete(`/api/conversations/${chat.id}`))), { message: text, deletedMessagesCount: 0 });
  hears(juan);
  assert.deepEqual((await answered(200, rest.get(`/api/conversations/user/${maria.userId}`))).conversations, []);
  const next = await world.private(juan, maria);
  assert.notEqual(next.id, chat.id);
});
