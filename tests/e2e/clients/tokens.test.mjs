// AUTH_MODE=jwt, as the stock client and axios see it: only a token says who somebody is.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import jwt from 'jsonwebtoken';
import { World, answered, rest, withTimeout } from './harness.mjs';

const SECRET = process.env.AUTH_JWT_SECRET;

const tokenFor = (sub, claims = {}, expiresIn = 3600) => jwt.sign({ sub, ...claims }, SECRET, { expiresIn });
const secondsAgo = (seconds) => Math.floor(Date.now() / 1000) - seconds;
const expiredFor = (sub) => tokenFor(sub, { iat: secondsAgo(60) }, 30);
const bearer = (token) => ({ headers: { Authorization: `Bearer ${token}` } });
const profile = (userId) => ({ userId, name: userId, email: `${userId}@example.com` });

/** A connection of this user's that has joined. */
async function come(world, name, { token, ...options } = {}) {
  const userId = world.id(name);
  const client = await world.client({ userId, auth: { token: token ?? tokenFor(userId) }, ...options });
  await client.done('user_join', profile(userId));
  return client;
}

async function refusal(world, auth) {
  try {
    await world.client({ auth });
  } catch (error) {
    return error.data;
  }
  throw new Error(`connected with ${JSON.stringify(auth)}`);
}

const ended = (client) => new Promise((resolve) => { client.socket.once('disconnect', resolve); });

describe('tokens', { concurrency: 4 }, () => {
  test('without a good token nobody connects, and connect_error says why', async (t) => {
    const world = new World(t);
    const id = world.id('Juan');
    const other = jwt.sign({ sub: id }, SECRET.split('').reverse().join(''), { expiresIn: 60 });
    for (const [auth, code] of [
      [undefined, 'token_missing'],
      [{ userId: id }, 'token_missing'],
      [{ token: 'x' }, 'token_invalid'],
      [{ token: other }, 'token_invalid'],
      [{ token: expiredFor(id) }, 'token_expired'],
      [{ token: tokenFor(id), userId: world.id('María') }, 'identity_mismatch'],
    ]) {
      const { code: said, message } = await refusal(world, auth);
      assert.equal(said, code, JSON.stringify(auth));
      assert.equal(typeof message, 'string');
    }
  });

  test('the connection is the token\'s user, and nobody else', async (t) => {
    const world = new World(t);
    const [juan, maria] = [await come(world, 'Juan'), await come(world, 'María')];
    await juan.refused('identity_mismatch', 'user_join', profile(maria.userId));
    const body = { type: 'private', participants: [juan.userId, maria.userId], createdBy: juan.userId };
    const chat = await answered(201, rest.post('/api/conversations', body, bearer(tokenFor(juan.userId))));
    const words = { conversationId: chat.id, content: 'hola', messageType: 'text' };
    await juan.refused('identity_mismatch', 'send_message', { ...words, senderId: maria.userId });
    const sent = await juan.done('send_message', words);
    assert.equal(sent.senderId, juan.userId);
    const path = `/api/messages/${chat.id}`;
    assert.deepEqual(await answered(200, rest.get(path, bearer(tokenFor(maria.userId)))), [sent]);
    const refused = await answered(403, rest.get(path, bearer(tokenFor(world.id('Ana')))));
    assert.equal(refused.code, 'not_a_participant');
    assert.equal((await answered(401, rest.get(path))).code, 'token_missing');
  });

  test('roles and filials are the token\'s to say', async (t) => {
    const world = new World(t);
    const userId = world.id('Juan');
    const client = await world.client({ userId, auth: { token: tokenFor(userId, { roles: ['ventas'], filials: ['lima'] }) } });
    const joined = await client.done('user_join', { ...profile(userId), roles: ['admin'], filials: ['cusco'] });
    assert.deepEqual([joined.roles, joined.filials], [['ventas'], ['lima']]);
  });

  test('token_expiring comes ahead, and refresh_token goes on with the same connection', async (t) => {
    const world = new World(t);
    const userId = world.id('Juan');
    const juan = await come(world, 'Juan', { token: tokenFor(userId, {}, 4) });
    const { inMs, ...beside } = await juan.next('token_expiring');
    assert.deepEqual(beside, {});
    assert.ok(inMs > 0 && inMs <= 4000, `${inMs}`);
    await juan.refused('token_invalid', 'refresh_token', { token: 'x' });
    await juan.refused('identity_mismatch', 'refresh_token', { token: tokenFor(world.id('María')) });
    const { id } = juan.socket;
    const { expiresAt } = await juan.done('refresh_token', { token: tokenFor(userId, {}, 64) });
    assert.ok(Date.parse(expiresAt) > Date.now() + 50_000, expiresAt);
    const { inMs: later } = await juan.next('token_expiring', undefined, 10_000); // 60 s ahead: the first is long over by then
    assert.ok(later > 55_000 && later < 61_000, `${later}`); // a timer may be some milliseconds early
    assert.ok(juan.socket.connected);
    assert.equal(juan.socket.id, id);
  });

  test('who does not refresh hears token_expired, and is out', async (t) => {
    const world = new World(t);
    const userId = world.id('Juan');
    const juan = await come(world, 'Juan', { token: tokenFor(userId, {}, 3), reconnection: true });
    const gone = ended(juan);
    assert.deepEqual(await juan.next('token_expired', undefined, 10_000), { code: 'token_expired' });
    assert.equal(await withTimeout('the end', gone), 'io server disconnect');
    assert.equal(juan.socket.active, false, 'the client does not come back by itself');
    assert.equal((await refusal(world, { token: expiredFor(userId) })).code, 'token_expired');
  });

  test('a revoked token is worth nothing any more, on open connections neither', async (t) => {
    const world = new World(t);
    const userId = world.id('Juan');
    const old = tokenFor(userId, { iat: secondsAgo(10) });
    const [juan, maria] = [await come(world, 'Juan', { token: old }), await come(world, 'María')];
    const admin = bearer(tokenFor(world.id('Jefa'), { roles: ['admin'] }));
    const before = new Date(Date.now() - 5000).toISOString();
    assert.equal((await answered(403, rest.post('/api/tokens/revoke', { before }, bearer(old)))).code, 'admin_only');
    const gone = ended(juan);
    const began = Date.now();
    await answered(200, rest.post('/api/tokens/revoke', { userId, before }, admin));
    assert.deepEqual(await juan.next('token_expired'), { code: 'token_revoked' });
    assert.equal(await withTimeout('the end', gone), 'io server disconnect');
    assert.ok(Date.now() - began < 2000, 'within 2 s');
    assert.equal((await refusal(world, { token: old })).code, 'token_revoked');
    assert.equal((await answered(401, rest.get(`/api/users/${userId}`, bearer(old)))).code, 'token_revoked');
    await maria.refused('token_revoked', 'refresh_token', { token: old });
    assert.ok(maria.socket.connected);
    await come(world, 'Juan'); // with a newer one
  });
});
