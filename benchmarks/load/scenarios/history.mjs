// The newest 50 messages of a conversation, over connections that are kept and each ask again at once.
import net from 'node:net';
import { pool, quiet } from '../client.mjs';
import { Latencies, now, round, sleep, snapshot, spent } from '../measuring.mjs';
import { host, options, port } from '../options.mjs';
import { arrive, enter, makePrivate, people, rest, textMessage } from '../people.mjs';

const MESSAGES = 50;

export async function history() {
  const path = `/messages/${options.conversation || (await talk())}`;
  const answer = await rest('GET', path), messages = Array.isArray(answer) ? answer : answer.messages;
  const readers = Array.from({ length: options.conns }, () => new Reader(options.api + path));
  readers.forEach((reader) => reader.start());
  await sleep(2000);
  const latencies = new Latencies();
  let requests = 0;
  const before = snapshot();
  readers.forEach((reader) => { reader.answered = (ms) => { requests++; latencies.add(ms); }; });
  await sleep(options.secs * 1000);
  readers.forEach((reader) => { reader.answered = () => {}; });
  const used = spent(before, snapshot()), failed = readers.reduce((sum, reader) => sum + reader.failed, 0);
  readers.forEach((reader) => reader.stop());
  return {
    conns: options.conns, messages_returned: messages.length, failed, requests, rps: round(requests / used.wall_s), body_bytes: readers[0].bodyBytes,
    ...latencies.summary(), cpu_us_per_request: round(used.cpu_us / requests), ...used,
  };
}

/** A private conversation with so many messages. */
async function talk() {
  const ids = await people(2), conversationId = await makePrivate(...ids), clients = await arrive(ids);
  clients.forEach((client) => enter(client, conversationId));
  await quiet(200);
  for (let number = 0; number < MESSAGES; number++) await clients[0].ask('send_message', textMessage(conversationId, ...ids, number));
  await pool(clients, 2, (client) => client.close());
  return conversationId;
}

class Reader {
  constructor(path) {
    this.request = `GET ${path} HTTP/1.1\r\nHost: ${host}:${port}\r\n\r\n`;
    this.answered = () => {};
    this.failed = this.bodyBytes = 0;
    this.data = Buffer.alloc(0);
  }

  start() {
    this.socket = net.connect({ host, port, noDelay: true }, () => this.ask());
    this.socket.on('data', (data) => this.received(data));
    this.socket.on('close', () => { if (!this.stopped) this.failed++; });
    this.socket.on('error', () => {});
  }

  ask() { this.askedAt = now(); this.socket.write(this.request); }

  received(data) {
    this.data = this.data.length ? Buffer.concat([this.data, data]) : data;
    if (this.missing === undefined) {
      const headEnd = this.data.indexOf('\r\n\r\n');
      if (headEnd < 0) return;
      const head = this.data.latin1Slice(0, headEnd);
      if (!head.startsWith('HTTP/1.1 200')) this.failed++;
      this.bodyBytes = Number(/content-length: (\d+)/i.exec(head)[1]);
      this.missing = headEnd + 4 + this.bodyBytes;
    }
    if (this.data.length < this.missing) return;
    this.data = this.data.subarray(this.missing);
    this.missing = undefined;
    this.answered(now() - this.askedAt);
    if (!this.stopped) this.ask();
  }

  stop() { this.stopped = true; this.socket.destroy(); }
}
