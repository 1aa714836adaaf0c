// The document's limits: messages 10/minute/user, files 5/minute/user; connections are 12/minute/address in this run.
import assert from 'node:assert/strict';
import { randomInt } from 'node:crypto';
import { test } from 'node:test';
import { World, answered, browserFile, during, enter, form, rest, say } from './harness.mjs';
import { failure, hears, like } from './shapes.mjs';

/** Each test comes from an address of its own, which the proxy in front would name. */
const address = () => ({ 'X-Forwarded-For': `198.51.${randomInt(256)}.${randomInt(256)}` });

async function pair(t) {
  const world = new World(t);
  const extraHeaders = address();
  const [juanUser, mariaUser] = await world.users('Juan', 'María');
  const juan = await world.join(juanUser, { extraHeaders });
  const maria = await world.join(mariaUser, { extraHeaders });
  const chat = await world.private(juan, maria);
  await enter(chat, juan, maria);
  return { world, juan, maria, chat };
}

const soon = (ms) => Number.isInteger(ms) && ms > 0 && ms <= 60000;
const limited = (limit) => ({ code: 'rate_limited', message: (text) => text.length > 0, details: { limit, retryAfterMs: soon }, retryAfterMs: soon });

test('the eleventh message within a minute is refused with the time to wait; the connection stays', async (t) => {
  const { juan, maria, chat } = await pair(t);
  const original = await say(juan, chat, 'n1');
  for (let i = 2; i <= 5; i += 1) await say(juan, chat, `n${i}`);
  const reply = { conversationId: chat.id, senderId: juan.userId, content: 'r', messageType: 'text', replyTo: original.id };
  for (let i = 6; i <= 9; i += 1) await juan.done('send_reply', reply);
  await answered(201, rest.post('/api/upload', form({ file: browserFile('foto.png'), conversationId: chat.id, senderId: juan.userId })));
  const message = { conversationId: chat.id, senderId: juan.userId, content: 'n11', messageType: 'text' };
  like(await during([juan, maria], () => juan.refused('rate_limited', 'send_message', message)), limited('messages'));
  hears(juan);
  hears(maria);
  await during([juan, maria], () => juan.tell('send_message', message));
  hears(juan, ['error', { event: 'send_message', ...limited('messages') }]);
  await during([juan, maria], () => juan.refused('rate_limited', 'send_reply', reply));
  assert.deepEqual(juan.heard().map(([name]) => name), ['reply_error']);
  const upload = await rest.post('/api/upload', form({ file: browserFile('foto.png'), conversationId: chat.id, senderId: juan.userId }));
  assert.equal(upload.status, 429);
  assert.equal(juan.socket.connected, true);
  await juan.done('mark_messages_as_read', { conversationId: chat.id, userId: juan.userId });
  await juan.done('typing_start', { conversationId: chat.id, userId: juan.userId, userName: 'Juan' });
  await say(maria, chat, 'a mí no'); // the limit is each user's own
});

test('the sixth upload within a minute is refused with 429 and Retry-After', async (t) => {
  const world = new World(t);
  const [juan, maria] = await world.users('Juan', 'María');
  const chat = await world.private(juan, maria);
  const upload = (sender) => rest.post('/api/upload', form({ file: browserFile('foto.png'), conversationId: chat.id, senderId: sender.id }));
  for (let i = 0; i < 5; i += 1) await answered(201, upload(juan));
  const refused = await upload(juan);
  assert.equal(refused.status, 429);
  like(refused.data, failure(429, 'rate_limited', { limit: 'files', retryAfterMs: soon }));
  const wait = Number(refused.headers['retry-after']);
  assert.ok(Number.isInteger(wait) && wait >= 1 && wait <= 60, refused.headers['retry-after']);
  await answered(201, upload(maria));
});

test('marking as read is never counted', async (t) => {
  const { juan, chat } = await pair(t);
  for (let i = 0; i < 25; i += 1) await juan.done('mark_messages_as_read', { conversationId: chat.id, userId: juan.userId });
});

test('one connection too many is refused as rate_limited, by address', async (t) => {
  const world = new World(t);
  const extraHeaders = address();
  for (let i = 0; i < 12; i += 1) (await world.client({ extraHeaders })).close();
  const error = await world.client({ extraHeaders }).then(() => assert.fail('let in'), (refused) => refused);
  assert.equal(error.message, 'Demasiadas peticiones, espere');
  like(error.data, limited('connections'));
  await world.client({ extraHeaders: address() });
});
