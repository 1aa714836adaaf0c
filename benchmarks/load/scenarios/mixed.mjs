// What a busy company does at once: private and group messages, typing, reading, histories, some who come and go.
// At a steady rate in all; what it costs is CPU per action.
import { Client, pool, quiet, seen } from '../client.mjs';
import { Latencies, now, round, sleep, snapshot, spent } from '../measuring.mjs';
import { options } from '../options.mjs';
import { arrive, enter, makeGroup, makePrivate, markerIn, newId, people, rest, saveUser, textMessage, userJoin } from '../people.mjs';

const GROUP = 20; // members of a group, and one who visits it
// Of 50 actions so many are of this kind; a fixed order, so that every run does the same.
const SHARES = { private: 18, group: 12, typing: 8, read: 7, history: 2, room: 2, visit: 1 };

export async function mixed() {
  const groups = Math.ceil(options.users / GROUP), rate = options.rate || 500;
  const ids = await people(groups * GROUP), visitors = Array.from({ length: groups }, newId);
  await pool(visitors, 16, saveUser);
  const pairs = new Array(ids.length / 2), rooms = new Array(groups);
  await pool(pairs, 16, async (_, p) => { pairs[p] = await makePrivate(ids[2 * p], ids[2 * p + 1]); });
  await pool(rooms, 16, async (_, g) => { rooms[g] = await makeGroup([...ids.slice(g * GROUP, (g + 1) * GROUP), visitors[g]]); });
  const clients = await arrive(ids), guests = new Map();
  clients.forEach((client, i) => { enter(client, pairs[i >> 1]); enter(client, rooms[Math.floor(i / GROUP)]); });
  await quiet();

  const latencies = new Latencies(), acks = new Latencies(), tally = Object.fromEntries(Object.keys(SHARES).map((kind) => [kind, 0]));
  const heard = new Map(); // of each message: by how many
  let measuring = false, number = 0, owed = 0, due = 0, delivered = 0, dup = 0, failed = 0, unanswered = 0;
  clients.forEach((client) => {
    const got = new Set();
    client.on = (name, data, start, end) => {
      const marker = name === 'message_received' ? markerIn(data, start, end) : null;
      if (!marker || !heard.has(marker.number)) return;
      if (got.has(marker.number)) { dup++; return; }
      got.add(marker.number);
      delivered++;
      latencies.add(now() - marker.sentAt);
    };
  });
  const say = (client, conversationId, other, reach) => {
    const at = now(), counts = measuring;
    if (counts) { heard.set(number, reach); owed += reach; due++; }
    client.emit('send_message', textMessage(conversationId, client.id, other, number++), (text) => {
      if (text.includes('"ok":false') || text.includes('"error"')) failed++;
      if (counts) { due--; acks.add(now() - at); }
    });
  };
  const actions = {
    private: (i) => say(clients[i], pairs[i >> 1], ids[i ^ 1], 2),
    group: (i) => say(clients[i], rooms[Math.floor(i / GROUP)], null, GROUP),
    typing: (i) => clients[i].emit((clients[i].isTyping = !clients[i].isTyping) ? 'typing_start' : 'typing_stop',
      { conversationId: rooms[Math.floor(i / GROUP)], userId: ids[i], userName: 'Persona' }),
    read: (i) => clients[i].emit('mark_messages_as_read', { conversationId: pairs[i >> 1], userId: ids[i] }),
    history: (i) => { unanswered++; rest('GET', `/messages/${rooms[Math.floor(i / GROUP)]}`).then(() => { unanswered--; }, () => { failed++; }); },
    room: (i) => { // a guest looks away and back
      const g = Math.floor(i / GROUP), guest = guests.get(g);
      if (!guest) return;
      guest.emit('leave_room', { conversationId: rooms[g], userId: guest.id });
      enter(guest, rooms[g]);
    },
    visit: (i) => visit(Math.floor(i / GROUP)).catch(() => { failed++; }),
  };
  const visit = async (g) => { // who is there leaves, who is not comes
    const there = guests.get(g);
    if (there === undefined) {
      const guest = new Client(visitors[g]);
      guests.set(g, null); // on its way
      await guest.connect();
      guest.emit('user_join', userJoin(guest.id));
      enter(guest, rooms[g]);
      guests.set(g, guest);
    } else if (there) { guests.delete(g); await there.leave(); }
  };
  const order = Object.entries(SHARES).flatMap(([kind, share]) => Array.from({ length: share }, (_, k) => ({ kind, at: k / share })))
    .sort((a, b) => a.at - b.at).map(({ kind }) => kind);

  const begin = now();
  let done = 0;
  const timer = setInterval(() => {
    for (const wanted = ((now() - begin) / 1000) * rate; done < wanted; done++) {
      const kind = order[done % order.length];
      tally[kind] += measuring;
      actions[kind]((done * 7) % ids.length); // 7 shares no factor with 20 and its multiples: everybody has their turn
    }
  }, 2);
  await sleep((options.warm >= 0 ? options.warm : 3) * 1000);
  measuring = true;
  const before = snapshot(), first = done, frames = seen.frames;
  await sleep(options.secs * 1000);
  const used = spent(before, snapshot()), count = done - first, framesIn = seen.frames - frames;
  clearInterval(timer);
  await quiet(300, 15000);
  await pool([...clients, ...[...guests.values()].filter(Boolean)], 100, (client) => client.close());
  return {
    users: ids.length, rate, actions: count, tally, delivered, missing: owed - delivered, dup, unacked: due, unanswered, failed, frames: framesIn,
    ...latencies.summary(), ...acks.summary('ack'), cpu_us_per_action: round(used.cpu_us / count), ...used,
  };
}
