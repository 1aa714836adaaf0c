// Real clients of one test: they remember what they hear, and everything goes to the file that RECORD names.
//
// Nobody sleeps here. "Somebody heard it" waits for the event. "Nobody else heard it" lets every client make an
// acknowledged round trip after the action: the server's packets to one client arrive in order, so whatever was
// sent before has arrived by then.
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { appendFileSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import axios from 'axios';
import { io } from 'socket.io-client';

const { BASE_URL, RECORD, FILES, TRANSPORT = 'default', SOCKET_PATH = '/socket.io' } = process.env;
export const BASE = BASE_URL;
export const PATH = SOCKET_PATH;
export { TRANSPORT };

const TRANSPORTS = { websocket: { transports: ['websocket'] }, polling: { transports: ['polling'] }, default: {} };
const WAIT_MS = 5000;
const PRESENCE = new Set(['user_connected', 'user_disconnected', 'user_status_update']);

export function record(entry) {
  if (RECORD) appendFileSync(RECORD, `${JSON.stringify(entry)}\n`);
}

// ---------------------------------------------------------------- REST
/** An axios instance whose every answer is recorded, the refused ones too. */
export function recorded(instance) {
  const keep = (response) => {
    if (response) record(answer(response));
    return response;
  };
  instance.interceptors.response.use(keep, (error) => {
    keep(error.response);
    return Promise.reject(error);
  });
  return instance;
}

function answer({ config, status, headers, data, request }) {
  const url = new URL(request?.res?.responseUrl ?? `${config.baseURL ?? ''}${config.url}`, BASE);
  const type = headers['content-type'] ?? null;
  const isBytes = Buffer.isBuffer(data) || data instanceof ArrayBuffer;
  const body = isBytes && /json/.test(type) ? JSON.parse(Buffer.from(data)) : isBytes ? null : data;
  return { kind: 'answer', method: config.method.toUpperCase(), path: url.pathname, status, type, body };
}

/** Answers of any status, without throwing. */
export const rest = recorded(axios.create({ baseURL: BASE, timeout: 10000, validateStatus: () => true }));

/** The body, after a look at the status. */
export async function answered(status, request) {
  const response = await request;
  assert.equal(response.status, status, `${response.config.method} ${response.config.url}: ${JSON.stringify(response.data)}`);
  return response.data;
}

export function file(name) {
  return readFileSync(join(FILES, name));
}

/** One of the files that the tests were given, as a browser would hand it over. */
export function browserFile(name, { as = basename(name), type = 'application/octet-stream' } = {}) {
  return new File([file(name)], as, { type });
}

export function form(fields) {
  const data = new FormData();
  for (const [name, value] of Object.entries(fields)) data.append(name, value);
  return data;
}

// ---------------------------------------------------------------- one client
export class Client {
  constructor(world, { userId = null, ...options } = {}) {
    this.world = world;
    this.userId = userId;
    this.log = [];
    this.waiting = new Set();
    this.socket = io(BASE, {
      path: PATH, autoConnect: false, forceNew: true, reconnection: false, ...TRANSPORTS[TRANSPORT], ...options,
    });
    this.socket.onAny((name, ...args) => this.#hear(name, args));
    this.socket.io.on('open', () => this.#look('first'));
  }

  #look(when) {
    record({ kind: 'transport', when, name: this.socket.io.engine.transport.name });
  }

  #hear(name, args) {
    record({ kind: 'event', name, args });
    if (PRESENCE.has(name) && !this.world.knows(args[0]?.userId)) return; // people of other tests come and go
    this.log.push({ name, data: args[0], taken: false });
    for (const look of this.waiting) look();
  }

  /** Connected, and with the transport it is going to keep. Rejects with the server's connect_error. */
  async connect() {
    await new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error('no connection')), WAIT_MS);
      const settled = (done) => (value) => {
        clearTimeout(timer);
        this.socket.off('connect', connected).off('connect_error', failed);
        done(value);
      };
      const connected = settled(resolve);
      const failed = settled(reject);
      this.socket.on('connect', connected).on('connect_error', failed);
      this.socket.connect();
    });
    await this.upgraded();
    return this;
  }

  /** With the default transports: wait until polling has become a WebSocket. */
  async upgraded() {
    const { engine } = this.socket.io;
    if (TRANSPORT === 'default' && engine.transport.name !== 'websocket') {
      await withTimeout('upgrade', new Promise((resolve) => engine.once('upgrade', resolve)));
    }
    this.#look('kept');
    assert.equal(engine.transport.name, TRANSPORT === 'polling' ? 'polling' : 'websocket');
  }

  /** Emit and wait for the acknowledgement, as it came. */
  async ask(event, ...args) {
    record({ kind: 'sent', name: event, args });
    const ack = await this.socket.timeout(WAIT_MS).emitWithAck(event, ...args);
    record({ kind: 'ack', name: event, args, ack });
    return ack;
  }

  /** The data of a good acknowledgement. */
  async done(event, ...args) {
    const ack = await this.ask(event, ...args);
    assert.deepEqual(Object.keys(ack).sort(), ['data', 'ok'], `${event}: ${JSON.stringify(ack)}`);
    assert.equal(ack.ok, true);
    return ack.data;
  }

  /** The error of a refusal with this code. */
  async refused(code, event, ...args) {
    const ack = await this.ask(event, ...args);
    assert.deepEqual(Object.keys(ack).sort(), ['error', 'ok'], `${event}: ${JSON.stringify(ack)}`);
    assert.equal(ack.ok, false);
    assert.equal(ack.error.code, code);
    return ack.error;
  }

  /** Emit without asking for an acknowledgement. */
  tell(event, ...args) {
    record({ kind: 'sent', name: event, args });
    this.socket.emit(event, ...args);
  }

  /** The data of the next such event, which may have come already. Each is given once. */
  async next(name, matches = () => true, waitMs = WAIT_MS) {
    let look;
    const found = new Promise((resolve) => {
      look = () => {
        const entry = this.log.find((each) => !each.taken && each.name === name && matches(each.data));
        if (entry) {
          entry.taken = true;
          resolve(entry.data);
        }
      };
      this.waiting.add(look);
      look();
    });
    try {
      return await withTimeout(`${name} for ${this.userId}; heard ${JSON.stringify(this.heard())}`, found, waitMs);
    } finally {
      this.waiting.delete(look);
    }
  }

  /** Everything since `during` began: [name, data] each. */
  heard(...names) {
    return this.log.filter(({ name }) => !names.length || names.includes(name)).map(({ name, data }) => [name, data]);
  }

  forget() {
    this.log = [];
  }

  roundTrip() {
    return this.socket.connected ? this.ask('leave_room', { conversationId: 'nowhere' }) : null;
  }

  /** As when a page is closed. */
  close() {
    if (this.socket.connected) this.#look('last');
    this.socket.disconnect();
  }

  /** As when the network goes: no goodbye of Socket.IO's. */
  drop() {
    this.socket.io.engine.close();
  }
}

export async function withTimeout(what, promise, waitMs = WAIT_MS) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`waited ${waitMs} ms in vain: ${what}`)), waitMs);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** What anybody sent before has arrived: the first round makes it handled, the second brings what it caused. */
export async function settle(clients) {
  for (let round = 0; round < 2; round += 1) await Promise.all(clients.map((client) => client.roundTrip()));
}

/** Do something; afterwards `heard()` of these clients is exactly what it made them hear. */
export async function during(clients, action) {
  await settle(clients);
  for (const client of clients) client.forget();
  const result = await action();
  await settle(clients);
  return result;
}

// ---------------------------------------------------------------- the people of one test
export class World {
  constructor(t) {
    this.tag = randomUUID().slice(0, 8);
    this.clients = [];
    t.after(() => this.clients.forEach((client) => client.close()));
  }

  id(name) {
    return `${name}-${this.tag}`;
  }

  knows(userId) {
    return typeof userId === 'string' && userId.endsWith(this.tag);
  }

  /** A user in the directory. */
  async user(name, beside = {}) {
    const id = this.id(name);
    const body = { id, name, email: `${id}@example.com`, roles: ['user'], filials: [this.tag], avatar: `${name}.jpg` };
    return answered(201, rest.post('/api/users', { ...body, ...beside }));
  }

  users(...names) {
    return Promise.all(names.map((name) => this.user(name)));
  }

  /** A socket that has connected and joined nothing. */
  client(options) {
    const client = new Client(this, options);
    this.clients.push(client);
    return client.connect();
  }

  /** A socket of this user's that has joined the chat. */
  async join(user, options) {
    const client = await this.client({ userId: user.id, ...options });
    await client.done('user_join', joining(user));
    return client;
  }

  /** Several people and a socket of each, all joined. */
  async online(...names) {
    const users = await this.users(...names);
    const clients = [];
    for (const user of users) clients.push(await this.join(user));
    await settle(clients);
    return clients;
  }

  private(one, other) {
    const participants = [idOf(one), idOf(other)];
    return made(rest.post('/api/conversations', { type: 'private', participants, createdBy: participants[0] }));
  }

  group(name, creator, ...others) {
    const body = { type: 'group', name, description: `El grupo ${name}` };
    const participants = [creator, ...others].map(idOf);
    return made(rest.post('/api/conversations', { ...body, participants, createdBy: idOf(creator) }));
  }
}

const idOf = (one) => one.userId ?? one.id;
const made = (request) => answered(201, request);
export const joining = ({ id, name, email, roles, filials, avatar }) => ({ userId: id, name, email, roles, filials, avatar });

export async function enter(conversation, ...clients) {
  for (const client of clients) {
    await client.done('join_room', { conversationId: conversation.id, userId: client.userId });
  }
  await settle(clients);
}

export const say = (client, conversation, content, beside = {}) => client.done('send_message', {
  conversationId: conversation.id, senderId: client.userId, content, messageType: 'text', ...beside,
});
