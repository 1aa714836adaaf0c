// Users, conversations and what they say.
import crypto from 'node:crypto';
import http from 'node:http';
import { Client, pool, quiet } from './client.mjs';
import { now } from './measuring.mjs';
import { host, options, port } from './options.mjs';

export const agent = new http.Agent({ keepAlive: true, maxSockets: 16 });

/** One REST call; the parsed answer. */
export function rest(method, path, payload) {
  return new Promise((ok, fail) => {
    const body = payload ? JSON.stringify(payload) : '';
    const headers = payload ? { 'Content-Type': 'application/json', 'Content-Length': Buffer.byteLength(body) } : {};
    const request = http.request({ host, port, agent, method, path: options.api + path, headers }, (answer) => {
      let text = '';
      answer.setEncoding('utf8');
      answer.on('data', (part) => { text += part; });
      answer.on('end', () => {
        if (answer.statusCode >= 300) fail(new Error(`${method} ${path}: ${answer.statusCode} ${text.slice(0, 200)}`));
        else ok(text ? JSON.parse(text) : null);
      });
    });
    request.on('error', fail);
    request.end(body);
  });
}

export const newId = () => crypto.randomUUID();
const profile = (id) => ({ name: `Persona ${id.slice(0, 8)}`, email: `${id.slice(0, 8)}@example.com`, roles: ['user'], filials: ['sucursal1'], avatar: null });
export const userJoin = (id) => ({ userId: id, ...profile(id) });

export const saveUser = (id) => rest('POST', '/users', { id, ...profile(id) });

export async function people(count) {
  const ids = Array.from({ length: count }, newId);
  await pool(ids, 16, saveUser);
  return ids;
}

export async function makeGroup(members) {
  return (await rest('POST', '/conversations', { type: 'group', name: `Sala ${tag}`, description: 'bench', participants: members, createdBy: members[0] })).id;
}

export async function makePrivate(a, b) {
  return (await rest('POST', '/conversations', { type: 'private', participants: [a, b], createdBy: a })).id;
}

/** A connected and joined client for each. */
export async function arrive(ids) {
  const clients = ids.map((id) => new Client(id));
  await pool(clients, options.conc, async (client) => { await client.connect(); client.emit('user_join', userJoin(client.id)); });
  await quiet();
  return clients;
}

export const enter = (client, conversationId) => client.emit('join_room', { conversationId, userId: client.id });

// A marker in the content says which run it is of, its number and when it was sent: @@tag.number.ms@@
export const tag = crypto.randomBytes(3).toString('hex');

export function textMessage(conversationId, senderId, recipientId, number) {
  const marker = `@@${tag}.${number}.${now().toFixed(3)}@@`;
  return { conversationId, senderId, recipientId, content: marker.padEnd(options.bytes, 'x'), messageType: 'text' };
}

/** The marker of a received message, or null when it is none of this run's. */
export function markerIn(data, start, end) {
  const at = data.indexOf('@@', start);
  if (at < 0 || at >= end) return null;
  const [of, number, ms, fraction] = data.latin1Slice(at + 2, Math.min(end, at + 60)).split('@@')[0].split('.');
  return of === tag ? { number: Number(number), sentAt: Number(`${ms}.${fraction}`) } : null;
}
