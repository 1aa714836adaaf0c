// Many sockets connect, so many at a time, and join (or not): what one costs to make, and to keep.
import { Client, pool, quiet, seen } from '../client.mjs';
import { Latencies, now, round, sleep, snapshot, spent } from '../measuring.mjs';
import { options } from '../options.mjs';
import { newId, userJoin } from '../people.mjs';

export async function storm() {
  const warm = options.warm < 0 ? options.k : options.warm;
  if (warm) {
    const { clients } = await connectAll(warm);
    await pool(clients, 100, (client) => client.close());
    await quiet();
    await sleep(1000);
    seen.errors = seen.closed = 0;
  }
  const { clients, found } = await connectAll(options.k);
  await pool(clients, 100, (client) => client.close());
  return { ...found, warm };
}

async function connectAll(count) {
  const clients = Array.from({ length: count }, () => new Client(newId()));
  const connecting = new Latencies(), joining = new Latencies(), frames = seen.frames;
  let failed = 0;
  const before = snapshot();
  await pool(clients, options.conc, async (client) => {
    const start = now();
    try { await client.connect(); } catch (error) { if (failed++ < 3) console.error(error.message); return; }
    connecting.add(now() - start);
    if (!options.join) return;
    const connected = now();
    if (await joined(client)) joining.add(now() - connected); else failed++;
  });
  const seconds = (now() - before.at) / 1000;
  await quiet(500); // everybody has heard of everybody
  const after = snapshot(), used = spent(before, after);
  await sleep(options.wait * 1000);
  const idle = snapshot();
  return {
    clients,
    found: {
      k: count, connected: connecting.count, joined: joining.count, failed, frames: seen.frames - frames, conns_per_s: round(count / seconds),
      ...connecting.summary('connect'), ...(options.join ? joining.summary('join') : {}), cpu_us_per_conn: round(used.cpu_us / count), ...used,
      rss_mb_idle: round(idle.server.rss_kb / 1024), rss_kb_per_conn: round((idle.server.rss_kb - before.server.rss_kb) / count),
    },
  };
}

/** Joined is who has the acknowledgement, or has heard of itself, whichever comes first. */
function joined(client) {
  return new Promise((ok) => {
    const timer = setTimeout(() => done(false), 20000);
    const done = (well) => { client.on = null; clearTimeout(timer); ok(well); };
    client.on = (name, data, start, end) => {
      if (name !== 'user_connected') return;
      const at = data.indexOf(client.id, start);
      if (at >= 0 && at < end) done(true);
    };
    client.emit('user_join', userJoin(client.id), () => done(true));
  });
}
