// Sessions as people have them, one after the other, so many at a time: connect, join, read, write, leave. The users are the
// same in every run (--seed names them), and so are their groups (--groups, from an earlier run's answer); but each
// --fresh'th session is somebody's first.
import { Client, pool, quiet } from '../client.mjs';
import { now, snapshot, spent } from '../measuring.mjs';
import { options } from '../options.mjs';
import { enter, makeGroup, makePrivate, newId, rest, saveUser, textMessage, userJoin } from '../people.mjs';

const GROUP = 20;
const ENDINGS = ['leave', 'close', 'cut'];

export async function churn() {
  const ids = Array.from({ length: options.users }, (_, i) => `${options.seed}-${i}`), groups = await groupsOf(ids);
  const before = snapshot(), sessions = Array.from({ length: options.sessions }, (_, i) => i), present = new Set();
  let messages = 0, failed = 0;
  await pool(sessions, options.conc, async (i) => {
    try {
      const isFresh = options.fresh > 0 && i % options.fresh === 0;
      const id = isFresh ? newId() : free(ids, present, i * 7), at = ids.indexOf(id);
      present.add(id);
      const partner = ids[(i * 13) % ids.length];
      if (isFresh) await saveUser(id);
      const conversationId = isFresh ? await makePrivate(id, partner) : groups[Math.floor(at / GROUP)];
      const sent = await session(id, conversationId, partner, ENDINGS[i % ENDINGS.length], i);
      messages += sent;
      present.delete(id);
    } catch (error) { if (failed++ < 3) console.error(error.message); }
  });
  await quiet(200);
  return { groups, sessions: sessions.length, messages, failed, ...spent(before, snapshot()), seconds: (now() - before.at) / 1000 };
}

/** Somebody who is not here. */
function free(ids, present, from) {
  for (let k = 0; k < ids.length; k++) { const id = ids[(from + k) % ids.length]; if (!present.has(id)) return id; }
  throw new Error('more sessions at a time than users');
}

/** A group for each twenty of them: those that an earlier run has made, or new ones. */
async function groupsOf(ids) {
  if (options.groups) return options.groups.split(',');
  await pool(ids, 16, saveUser);
  const made = [];
  for (let i = 0; i < ids.length; i += GROUP) made.push(await makeGroup(ids.slice(i, i + GROUP)));
  return made;
}

/** How many messages were sent in it. */
async function session(id, conversationId, partner, ending, number) {
  const client = await new Client(id).connect();
  await client.ask('user_join', userJoin(id));
  await client.ask('join_room', { conversationId, userId: id });
  await rest('GET', `/messages/${conversationId}`);
  const about = { conversationId, userId: id };
  for (let k = 0; k < options.each; k++) {
    if (k % 4 === 0) await client.ask('typing_start', { ...about, userName: 'Persona' });
    await client.ask('send_message', textMessage(conversationId, id, partner, number * 1000 + k));
  }
  await client.ask('mark_messages_as_read', about);
  if (number % 2) await client.ask('leave_room', about);
  if (ending === 'cut') client.cut(); else await client[ending]();
  return options.each;
}
