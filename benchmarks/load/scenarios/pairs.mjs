// Private conversations. closed: each sends its next message when the last one has arrived; open: at a rate in all.
import { pool, quiet, seen } from '../client.mjs';
import { Latencies, now, round, sleep, snapshot, spent } from '../measuring.mjs';
import { options } from '../options.mjs';
import { arrive, enter, makePrivate, markerIn, people, textMessage } from '../people.mjs';

export async function pairs() {
  const count = options.pairs, closed = options.mode === 'closed';
  const ids = await people(2 * count), conversations = new Array(count);
  await pool(conversations, 16, async (_, p) => { conversations[p] = await makePrivate(ids[2 * p], ids[2 * p + 1]); });
  const clients = await arrive(ids);
  clients.forEach((client, i) => enter(client, conversations[i >> 1]));
  await quiet();

  const latencies = new Latencies(), acks = new Latencies(), next = new Int32Array(count), from = new Int32Array(count);
  const last = new Int32Array(2 * count).fill(-1), others = {};
  let measuring = false, stopped = false, sent = 0, delivered = 0, acked = 0, dup = 0, disorder = 0;
  const fire = (p) => {
    const number = next[p]++, at = now();
    if (measuring) sent++;
    const acknowledged = () => { if (measuring && number >= from[p]) { acked++; acks.add(now() - at); } };
    clients[2 * p].emit('send_message', textMessage(conversations[p], ids[2 * p], ids[2 * p + 1], number), options.ack ? acknowledged : null);
  };
  clients.forEach((client, i) => {
    const p = i >> 1;
    client.on = (name, data, start, end) => {
      const marker = name === 'message_received' ? markerIn(data, start, end) : null;
      if (!marker) { others[name] = (others[name] || 0) + 1; return; }
      if (marker.number === last[i]) dup++; else if (marker.number < last[i]) disorder++;
      last[i] = Math.max(last[i], marker.number);
      if (i % 2 === 0) return; // the sender's own copy
      if (measuring && marker.number >= from[p]) { delivered++; latencies.add(now() - marker.sentAt); }
      if (closed && !stopped) fire(p);
    };
  });

  let timer;
  if (closed) for (let p = 0; p < count; p++) fire(p);
  else {
    const start = now();
    let fired = 0;
    timer = setInterval(() => { for (const due = ((now() - start) / 1000) * options.rate; fired < due; fired++) fire(fired % count); }, 2);
  }
  await sleep((options.warm >= 0 ? options.warm : 3) * 1000);
  for (let p = 0; p < count; p++) from[p] = next[p];
  measuring = true;
  const before = snapshot();
  await sleep(options.secs * 1000);
  const used = spent(before, snapshot()), inTime = delivered, sentInTime = sent;
  stopped = true;
  clearInterval(timer);
  for (const end = now(); delivered < sent && now() - end < 15000;) await sleep(5); // a slow engine answers in bursts, with silence between
  await quiet(300, 15000);
  const missing = sent - delivered, unacked = options.ack ? sent - acked : 0; // of all that was sent, the last ones too
  await pool(clients, 100, (client) => client.close());
  return {
    pairs: count, rate: closed ? 'closed' : options.rate, sent: sentInTime, delivered: inTime, missing, unacked, dup, disorder, other_events: others,
    msgs_per_s: Math.round(inTime / used.wall_s), ...latencies.summary(), ...(options.ack ? acks.summary('ack') : {}), cpu_us_per_message: round(used.cpu_us / inTime), ...used,
  };
}
