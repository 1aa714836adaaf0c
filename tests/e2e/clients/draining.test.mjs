// A rolling restart as the stock client sees it: told beforehand, closed, and back by itself on the new worker.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { TRANSPORT, World, answered, enter, joining, rest, say, withTimeout } from './harness.mjs';
import { like } from './shapes.mjs';

const RESTART_MS = 20000;
/** Without Redis and keep-alive a polling client's next request may meet the new worker, which does not know it. */
const REASONS = { polling: ['transport close', 'transport error'], websocket: ['transport close'], default: ['transport close'] };

test('SIGHUP: each socket is told, works until it is closed, and comes back to the new worker', async (t) => {
  const world = new World(t);
  const users = await world.users('Juan', 'María');
  const [juan, maria] = await Promise.all(users.map((user) => world.join(user, { reconnection: true })));
  const chat = await world.private(juan, maria);
  await enter(chat, juan, maria);
  const before = await say(juan, chat, 'antes');
  like(await maria.next('message_received'), before);

  const clients = [juan, maria];
  const seen = clients.map((client) => ({
    ended: new Promise((resolve) => { client.socket.once('disconnect', (reason) => resolve({ reason, at: Date.now() })); }),
    back: new Promise((resolve) => { client.socket.once('connect', resolve); }),
    id: client.socket.id,
  }));
  const began = Date.now();
  process.kill(Number(process.env.SERVER_PID), 'SIGHUP');
  for (const [index, client] of clients.entries()) {
    const { reconnectInMs, ...beside } = await client.next('server_draining', undefined, RESTART_MS);
    assert.deepEqual(beside, {});
    assert.ok(Number.isInteger(reconnectInMs) && reconnectInMs >= 0 && reconnectInMs <= 1500, `${reconnectInMs}`);
    seen[index].toldMs = reconnectInMs;
  }
  for (const [index, client] of clients.entries()) {
    const { ended, back, id, toldMs } = seen[index];
    const { reason, at } = await withTimeout('the end', ended, RESTART_MS);
    assert.ok(REASONS[TRANSPORT].includes(reason), reason);
    if (reason === 'transport close') assert.ok(at - began >= toldMs, `closed after ${at - began} ms, told ${toldMs}`);
    await withTimeout('coming back', back, RESTART_MS);
    assert.notEqual(client.socket.id, id);
    await client.upgraded();
    await client.done('user_join', joining(users[index]));
  }
  await enter(chat, juan, maria);
  const after = await say(juan, chat, 'después');
  like(await maria.next('message_received', ({ id }) => id === after.id), after);
  const all = await answered(200, rest.get(`/api/messages/${chat.id}`));
  assert.deepEqual(all.map(({ content }) => content), ['antes', 'después']);
});
