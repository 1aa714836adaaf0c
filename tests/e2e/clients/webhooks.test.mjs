// Webhooks as an integrator meets them: made by an administrator, verified by the standard's library, read by a cursor.
import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { describe, test } from 'node:test';
import jwt from 'jsonwebtoken';
import { Webhook } from 'standardwebhooks';
import { World, answered, rest, withTimeout } from './harness.mjs';

const SECRET = process.env.AUTH_JWT_SECRET;

const as = (sub, roles = []) => ({
  headers: { Authorization: `Bearer ${jwt.sign({ sub, roles }, SECRET, { expiresIn: 3600 })}` },
});
const ADMIN = as('webhooks-admin', ['admin']);

/** Takes webhooks on a port of its own; `next(name)` waits for one of this event. */
async function listener(t) {
  const posts = [];
  const waiting = [];
  const server = createServer(async (request, response) => {
    const chunks = [];
    for await (const chunk of request) chunks.push(chunk);
    posts.push({ headers: request.headers, body: Buffer.concat(chunks).toString() });
    response.writeHead(204).end();
    waiting.splice(0).forEach((wake) => wake());
  });
  await new Promise((resolve) => { server.listen(0, '127.0.0.1', resolve); });
  t.after(() => server.close());
  const find = (name, matching) => posts.find(({ body }) => {
    const said = JSON.parse(body);
    return said.event === name && matching(said.data);
  });
  const until = async (what, condition) => {
    while (!condition()) await withTimeout(what, new Promise((resolve) => { waiting.push(resolve); }));
  };
  return {
    url: `http://127.0.0.1:${server.address().port}/hook`,
    until,
    of: (id) => posts.filter(({ headers }) => headers['webhook-id'] === id),
    async next(name, matching = () => true) {
      await until(name, () => find(name, matching));
      return find(name, matching);
    },
  };
}

async function made(t, url, fields = {}) {
  const hook = await answered(201, rest.post('/api/webhooks', { url, ...fields }, ADMIN));
  t.after(() => rest.delete(`/api/webhooks/${hook.id}`, ADMIN));
  return hook;
}

describe('webhooks', { concurrency: 4 }, () => {
  test('the first minute: make one, test it, verify what comes', async (t) => {
    const world = new World(t);
    const heard = await listener(t);
    const hook = await made(t, heard.url, { description: 'Intranet', eventTypes: ['user.created'] });
    assert.match(hook.secret, /^whsec_[A-Za-z0-9+/]{43}=$/);
    assert.match(hook.publicKeys[0], /^whpk_[A-Za-z0-9+/]{43}=$/);
    const tested = await answered(200, rest.post(`/api/webhooks/${hook.id}/test`, undefined, ADMIN));
    assert.deepEqual([tested.outcome, tested.status, tested.eventType], ['delivered', 204, 'webhook.test']);
    const first = await heard.next('webhook.test');
    assert.equal(new Webhook(hook.secret).verify(first.body, first.headers).data.endpointId, hook.id);
    assert.throws(() => new Webhook(hook.secret).verify(`${first.body} `, first.headers));

    const id = world.id('juan');
    await answered(201, rest.post('/api/users', { id, name: 'Juan', email: 'juan@example.com' }, as(id)));
    const told = await heard.next('user.created', (user) => user.id === id);
    assert.equal(new Webhook(hook.secret).verify(told.body, told.headers).data.name, 'Juan');
    const { deliveries } = await answered(200, rest.get(`/api/webhooks/${hook.id}/deliveries`, ADMIN));
    assert.ok(deliveries.length >= 1);
  });

  test('it is listed, shown without its secret, changed and deleted', async (t) => {
    const heard = await listener(t);
    const { secret, ...hook } = await made(t, heard.url);
    assert.ok(secret);
    const { webhooks } = await answered(200, rest.get('/api/webhooks', ADMIN));
    assert.deepEqual(webhooks.find(({ id }) => id === hook.id), hook);
    const { backlog, ...shown } = await answered(200, rest.get(`/api/webhooks/${hook.id}`, ADMIN));
    assert.deepEqual([shown.id, typeof backlog.lanes], [hook.id, 'number']);
    const changed = await answered(200, rest.patch(`/api/webhooks/${hook.id}`, { enabled: false, description: 'Otra' }, ADMIN));
    assert.deepEqual([changed.enabled, changed.disabledReason, changed.description], [false, 'by_hand', 'Otra']);
    await answered(204, rest.delete(`/api/webhooks/${hook.id}`, ADMIN));
    const gone = await answered(404, rest.get(`/api/webhooks/${hook.id}`, ADMIN));
    assert.equal(gone.code, 'webhook_not_found');
  });

  test('after a rotation both secrets verify', async (t) => {
    const heard = await listener(t);
    const hook = await made(t, heard.url);
    const rotated = await answered(200, rest.post(`/api/webhooks/${hook.id}/rotate`, undefined, ADMIN));
    assert.notEqual(rotated.secret, hook.secret);
    await answered(200, rest.post(`/api/webhooks/${hook.id}/test`, undefined, ADMIN));
    const { body, headers } = await heard.next('webhook.test');
    for (const secret of [hook.secret, rotated.secret]) new Webhook(secret).verify(body, headers);
    const signatures = headers['webhook-signature'].split(' ').map((part) => part.split(',')[0]);
    assert.deepEqual(signatures, ['v1', 'v1a', 'v1', 'v1a']);
  });

  test('the log is read by a cursor, and told again with the same ids and bodies', async (t) => {
    const world = new World(t);
    const heard = await listener(t);
    const hook = await made(t, heard.url, { eventTypes: ['user.created'] });
    const { cursor } = await newest();
    const ids = ['a', 'b', 'c'].map((name) => world.id(name));
    for (const id of ids) {
      await answered(201, rest.post('/api/users', { id, name: id, email: 'x@example.com' }, as(id)));
    }
    const { events } = await newest(cursor);
    const mine = events.filter(({ event, data }) => event === 'user.created' && ids.includes(data.id));
    assert.deepEqual(mine.map(({ data }) => data.id), ids);
    const last = ids.at(-1);
    const told = await heard.next('user.created', (user) => user.id === last);
    assert.equal(told.headers['webhook-id'], mine.at(-1).id);
    const wanted = mine.map(({ id }) => id);
    assert.deepEqual(await answered(202, rest.post(`/api/webhooks/${hook.id}/replay`, { ids: wanted }, ADMIN)), { events: 3 });
    await heard.until('the last one twice', () => heard.of(wanted[2]).length === 2);
    for (const id of wanted) {
      const bodies = heard.of(id).map(({ body }) => body);
      assert.deepEqual(bodies, [bodies[0], bodies[0]]);
    }
  });

  test('who is no administrator is refused everything', async (t) => {
    const world = new World(t);
    const user = as(world.id('juan'));
    const heard = await listener(t);
    const hook = await made(t, heard.url);
    const asked = [
      rest.get('/api/webhooks', user),
      rest.post('/api/webhooks', { url: heard.url }, user),
      rest.get(`/api/webhooks/${hook.id}`, user),
      rest.patch(`/api/webhooks/${hook.id}`, { enabled: false }, user),
      rest.delete(`/api/webhooks/${hook.id}`, user),
      rest.post(`/api/webhooks/${hook.id}/test`, undefined, user),
      rest.get(`/api/webhooks/${hook.id}/deliveries`, user),
      rest.post(`/api/webhooks/${hook.id}/replay`, { ids: ['evt_1'] }, user),
      rest.post(`/api/webhooks/${hook.id}/rotate`, undefined, user),
      rest.get('/api/events', user),
    ];
    for (const request of asked) assert.equal((await answered(403, request)).code, 'admin_only');
  });

  test('what cannot be is refused', async () => {
    for (const url of ['ftp://example.com', 'not a url', 'https://ana:secreto@example.com/', 'https://']) {
      const refused = await answered(400, rest.post('/api/webhooks', { url }, ADMIN));
      assert.deepEqual(refused.details.fields, { url: ['invalid'] });
    }
    for (const body of [{}, { ids: [] }, { ids: ['x'], from: '2025-01-27T10:00:00.000Z' }, { to: '2025-01-27T10:00:00.000Z' }]) {
      assert.equal((await answered(400, rest.post('/api/webhooks/x/replay', body, ADMIN))).code, 'invalid_data');
    }
    assert.equal((await answered(400, rest.get('/api/events?after=nonsense', ADMIN))).code, 'invalid_data');
    const types = { url: 'http://127.0.0.1/', eventTypes: ['user.exploded'] };
    assert.equal((await answered(400, rest.post('/api/webhooks', types, ADMIN))).code, 'invalid_data');
  });
});

/** All that is in the log after a cursor. */
async function newest(after) {
  const events = [];
  for (;;) {
    const page = await answered(200, rest.get('/api/events', { ...ADMIN, params: { after, limit: 500 } }));
    events.push(...page.events);
    after = page.cursor;
    if (!page.hasMore) return { events, cursor: after };
  }
}
