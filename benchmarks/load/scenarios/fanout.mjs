// One sender, everybody in one room. open: at a steady rate; closed: so many in flight, as fast as it goes.
import { pool, quiet, seen } from '../client.mjs';
import { Latencies, now, round, serverUs, sleep, snapshot, spent } from '../measuring.mjs';
import { options } from '../options.mjs';
import { arrive, enter, makeGroup, markerIn, people, textMessage } from '../people.mjs';

const DELIVERIES_PER_SECOND = 20000; // where no rate is given

export const fanout = () => run({
  event: 'message_received',
  number: (data, start, end) => { const marker = markerIn(data, start, end); return marker ? marker.number : -1; },
  send: (sender, conversationId, other, number) => sender.emit('send_message', textMessage(conversationId, sender.id, other, number)),
});

// A start that is told already is not told again, so they alternate with stops; indicators carry no number: they are counted.
export const typing = () => run({
  event: 'typing_indicator',
  number: (data, start, end, client) => { client.indicators = (client.indicators ?? -1) + 1; return client.indicators; },
  send: (sender, conversationId, other, number) => sender.emit(number % 2 ? 'typing_stop' : 'typing_start',
    { conversationId, userId: sender.id, userName: 'Persona' }),
});

/** What each client got, by the number of what was sent. */
class Ledger {
  constructor(clients, total, kind) {
    this.got = clients.map(() => new Uint8Array(total));
    this.of = new Uint32Array(total); // deliveries of each
    this.sentAt = new Float64Array(total);
    this.reach = 0; // how many hear one: all, or all but the sender
    this.whole = () => {};
    this.begin(0);
    const last = new Int32Array(clients.length).fill(-1);
    clients.forEach((client, i) => {
      client.on = (name, data, start, end) => {
        const number = name === kind.event ? kind.number(data, start, end, client) : -1;
        if (number < 0 || number >= total) { this.others[name] = (this.others[name] || 0) + 1; return; }
        if (this.got[i][number]++) { this.dup++; return; }
        if (number < last[i]) this.disorder++;
        last[i] = number;
        this.delivered++;
        this.lastAt = now();
        if (number >= this.from) this.latencies.add(this.lastAt - this.sentAt[number]);
        if (++this.of[number] === this.reach) this.whole(number);
      };
    });
  }

  begin(from) {
    this.from = from;
    Object.assign(this, { delivered: 0, dup: 0, disorder: 0, others: {}, latencies: new Latencies(), lastAt: now() });
  }

  missing(sent) {
    let count = 0;
    this.got.forEach((got, i) => {
      if (i === 0 && this.reach < this.got.length) return; // the sender
      for (let number = this.from; number < this.from + sent; number++) if (!got[number]) count++;
    });
    return count;
  }
}

async function run(kind) {
  const { n } = options, closed = options.mode === 'closed', rate = options.rate || Math.max(1, Math.round(DELIVERIES_PER_SECOND / n));
  const wanted = options.m || rate * 5, warm = options.warm >= 0 ? options.warm : Math.min(100, Math.ceil(20000 / n));
  const ids = await people(n);
  const participants = options.participants === 'all' ? ids : ids.slice(0, Number(options.participants));
  const conversationId = await makeGroup(participants);
  const clients = await arrive(ids);
  clients.forEach((client) => enter(client, conversationId));
  await quiet();
  const ledger = new Ledger(clients, warm + wanted, kind);
  const fire = (number) => { ledger.sentAt[number] = now(); kind.send(clients[0], conversationId, ids[1] || ids[0], number); };

  await warmUp(ledger, fire, warm, n);
  ledger.begin(warm);
  const before = snapshot(), frames = seen.frames, bytes = seen.bytes;
  const sent = await (closed ? asFastAsItGoes : atRate)(ledger, fire, { warm, wanted, rate });
  for (const until = now() + options['max-secs'] * 1000; ledger.delivered < sent * ledger.reach && now() < until;) await sleep(1);
  const delivered = { ...snapshot(), at: ledger.lastAt }, seconds = (delivered.at - before.at) / 1000;
  await untilIdle(); // what comes after a message (unread notices, counters) is part of its price
  const used = spent(before, snapshot()), busy = spent(before, delivered);
  await pool(clients, 100, (client) => client.close());
  return {
    n, sent, rate: closed ? 'closed' : rate, reach: ledger.reach, delivered: ledger.delivered, missing: ledger.missing(sent), dup: ledger.dup,
    disorder: ledger.disorder, other_events: ledger.others, frame_bytes: Math.round((seen.bytes - bytes) / (seen.frames - frames)),
    deliveries_per_s: Math.round(ledger.delivered / seconds), ...ledger.latencies.summary(),
    cpu_us_per_delivery: round(used.cpu_us / ledger.delivered), cpu_ms_per_message: round(used.cpu_us / sent / 1000),
    ...used, server_cpu_pct: busy.server_cpu_pct, client_cpu_pct: busy.client_cpu_pct,
  };
}

/** One by one. The first shows who is reached. */
async function warmUp(ledger, fire, warm, n) {
  fire(0);
  for (let at = -1, same = 0, start = now(); ledger.of[0] < n && same < 20 && now() - start < 15000; await sleep(50)) {
    same = ledger.of[0] === at && at > 0 ? same + 1 : 0;
    at = ledger.of[0];
  }
  ledger.reach = ledger.of[0] || n;
  for (let number = 1; number < warm; number++) {
    fire(number);
    for (const start = now(); ledger.of[number] < ledger.reach && now() - start < 5000;) await sleep(1);
  }
  await quiet(300, 20000);
}

async function atRate(ledger, fire, { warm, wanted, rate }) {
  const start = now(), until = start + options['max-secs'] * 1000;
  let sent = 0;
  while (sent < wanted && now() < until) {
    const due = Math.min(wanted, Math.floor(((now() - start) / 1000) * rate) + 1);
    while (sent < due) fire(warm + sent++);
    await sleep(Math.max(0, (sent / rate) * 1000 - (now() - start)));
  }
  return sent;
}

async function asFastAsItGoes(ledger, fire, { warm, wanted }) {
  const until = now() + options['max-secs'] * 1000;
  let sent = 0;
  ledger.whole = () => { if (sent < wanted && now() < until) fire(warm + sent++); };
  for (let i = 0; i < options.window; i++) ledger.whole();
  while (sent < wanted && now() < until) await sleep(5);
  return sent;
}

async function untilIdle() {
  const until = now() + options['max-secs'] * 1000;
  for (let calm = 0, frames = -1, cpu = -1; now() < until && calm < 3;) {
    await sleep(200);
    const used = serverUs();
    calm = seen.frames === frames && used - cpu < 10000 ? calm + 1 : 0;
    frames = seen.frames;
    cpu = used;
  }
}
