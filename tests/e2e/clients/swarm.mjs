// Many stock clients at once, for test_workers.py. Each line on stdin is an order, each line on stdout its outcome:
//   emit           every client emits EVENT {…PAYLOAD, FIELD: …} EMITS times; counts the right acknowledgements, which an echo
//                  server ({sent, pid}) gives only when the worker that the session id names has answered
//   join           on the chat: every client joins as one of PEOPLE and enters that person's room
//   talk           every client sends EMITS messages to its room, one after the other; counts what everybody has heard
//   reopen         every client's engine is closed under it; waits until all are connected again
//   killed <pid>   waits until all clients of this worker have lost it and are connected again
//   stop
import http from 'node:http';
import { createInterface } from 'node:readline';
import { io } from 'socket.io-client';

const { BASE_URL, MODES, COUNT, EMITS, KEEP_ALIVE, EVENT, PAYLOAD, FIELD, PEOPLE } = process.env;
const people = JSON.parse(PEOPLE ?? '[]'); // [{ userId, conversationId }], shared out among the clients
const TRANSPORTS = { default: {}, polling: { transports: ['polling'] }, websocket: { transports: ['websocket'] } };
const WAIT_MS = 20000;
const agent = new http.Agent({ keepAlive: KEEP_ALIVE === 'on' }); // all clients share its connections

const say = (outcome) => process.stdout.write(`${JSON.stringify(outcome)}\n`);
const kept = (mode) => (mode === 'polling' ? 'polling' : 'websocket');

class One {
  constructor(mode, number) {
    this.number = number;
    this.kept = kept(mode);
    this.errors = [];
    this.losses = 0;
    this.pid = null;
    this.me = people[number % people.length];
    this.seqs = [];
    this.socket = io(BASE_URL, { forceNew: true, agent, reconnectionDelay: 100, reconnectionDelayMax: 500, ...TRANSPORTS[mode] });
    this.socket.on('disconnect', () => { this.losses += 1; });
    this.socket.on('message_received', ({ seq, conversationId }) => this.seqs.push(conversationId === this.me.conversationId ? seq : -1));
    this.socket.on('connect_error', (error) => this.errors.push(`${mode}: ${error.message} ${error.description ?? ''}`));
  }

  async settled() {
    const until = Date.now() + WAIT_MS;
    while (!this.socket.connected || this.socket.io.engine.transport.name !== this.kept) {
      if (Date.now() > until) throw new Error(`client ${this.number} is not on ${this.kept}: ${this.errors}`);
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  }

  async ask(event, data) {
    const { ok, error } = await this.socket.timeout(WAIT_MS).emitWithAck(event, data);
    if (!ok) throw new Error(`${event}: ${JSON.stringify(error)}`);
  }

  async join() {
    const { userId, conversationId } = this.me;
    await this.ask('user_join', { userId, name: userId, email: `${userId}@example.com` });
    await this.ask('join_room', { userId, conversationId });
    this.seqs = [];
  }

  async talk() {
    const { userId: senderId, conversationId } = this.me;
    for (let index = 0; index < Number(EMITS); index += 1) {
      await this.ask('send_message', { conversationId, senderId, content: `${this.number}/${index}`, messageType: 'text' });
    }
  }

  /** Whether what it has heard in its room since it joined is this many messages, each once, in the order of `seq`. */
  heardAll(count) {
    return this.seqs.length === count && this.seqs.every((seq, index) => seq === this.seqs[0] + index);
  }

  /** How many of its emits were answered as they should be. */
  async emit() {
    const values = Array.from({ length: Number(EMITS) }, (_, index) => `${this.number}/${index}`);
    const acks = await Promise.all(
      values.map((value) => this.socket.timeout(WAIT_MS).emitWithAck(EVENT, { ...JSON.parse(PAYLOAD), [FIELD]: value })),
    );
    this.pid = parseInt(this.socket.io.engine.id.split('.')[0], 16);
    return acks.filter(({ ok, data }, index) => ok && (!data?.pid || (data.pid === this.pid && data.sent[FIELD] === values[index]))).length;
  }
}

const clients = MODES.split(',').flatMap((mode) => Array.from({ length: Number(COUNT) }, (_, number) => new One(mode, number)));
const sum = (numbers) => numbers.reduce((one, other) => one + other, 0);

const orders = {
  async emit() {
    await Promise.all(clients.map((one) => one.settled()));
    const acks = sum(await Promise.all(clients.map((one) => one.emit())));
    const workers = {};
    for (const { pid } of clients) workers[pid] = (workers[pid] ?? 0) + 1;
    say({ clients: clients.length, acks, workers, losses: sum(clients.map((one) => one.losses)), errors: clients.flatMap((one) => one.errors) });
  },
  async join() {
    await Promise.all(clients.map((one) => one.settled()));
    await Promise.all(clients.map((one) => one.join()));
    say({ clients: clients.length });
  },
  async talk() {
    await Promise.all(clients.map((one) => one.talk()));
    const due = new Map();
    for (const { me } of clients) due.set(me.conversationId, (due.get(me.conversationId) ?? 0) + Number(EMITS));
    const whole = () => clients.filter((one) => one.heardAll(due.get(one.me.conversationId))).length;
    const until = Date.now() + WAIT_MS;
    while (whole() < clients.length && Date.now() < until) await new Promise((resolve) => setTimeout(resolve, 50));
    say({ sent: clients.length * Number(EMITS), whole: whole(), heard: sum(clients.map((one) => one.seqs.length)), losses: sum(clients.map((one) => one.losses)) });
  },
  async reopen() {
    const before = clients.map(({ socket }) => socket.io.engine.id); // not the socket's, which may be recovered
    for (const { socket } of clients) socket.io.engine.close();
    await Promise.all(clients.map((one) => one.settled()));
    say({ again: clients.filter(({ socket }, index) => socket.io.engine.id !== before[index]).length });
  },
  async killed(pid) {
    const [its, others] = [clients.filter((one) => one.pid === pid), clients.filter((one) => one.pid !== pid)];
    const until = Date.now() + WAIT_MS;
    while (!its.every((one) => one.losses && one.socket.connected) && Date.now() < until) {
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    await Promise.all(its.map((one) => one.settled()));
    say({ its: its.length, lost: its.filter((one) => one.losses).length, others: others.length, noticed: others.filter((one) => one.losses).length });
  },
  async stop() {
    for (const { socket } of clients) socket.disconnect();
    const until = Date.now() + WAIT_MS;
    while (Object.keys(agent.sockets).length && Date.now() < until) { // goodbyes of polling clients are requests
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    process.exit(0);
  },
};

for await (const line of createInterface({ input: process.stdin })) {
  const [order, pid] = line.split(' ');
  try {
    await orders[order](Number(pid));
  } catch (error) {
    say({ failed: String(error?.stack ?? error) });
  }
}
process.exit(0);
