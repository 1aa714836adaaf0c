import { createServer, type Server as HttpServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Server, type Socket } from 'socket.io';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { NO_PROOF, type Proof } from '../../src/protocol/proof';
import { Refused, Unreachable } from '../../src/protocol/refused';
import { SocketWire, type Connection } from '../../src/protocol/wire';

/** The library's own server: what the wire does with a connection needs one. */
let http: HttpServer;
let server: Server;
let url: string;
let wire: SocketWire | null = null;
let changes: Connection[] = [];

beforeEach(async () => {
  http = createServer();
  server = new Server(http, { connectionStateRecovery: { maxDisconnectionDuration: 60_000 } });
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve));
  url = `http://127.0.0.1:${(http.address() as AddressInfo).port}`;
  changes = [];
});

afterEach(async () => {
  wire?.close();
  wire = null;
  await server.close();
});

function connect(proof: Proof = NO_PROOF): SocketWire {
  const made = new SocketWire({ url, path: '/socket.io', proof, userId: 'ana' });
  made.onConnection((change) => changes.push(change));
  made.connect();
  wire = made;
  return made;
}

const until = (what: Connection['is'][]) => vi.waitFor(() => expect(changes.map(({ is }) => is)).toEqual(what), { timeout: 5_000 });
const arrived = () => new Promise<Socket>((resolve) => server.once('connection', resolve));
const refusal = (code: string, retryAfterMs?: number) => Object.assign(new Error(code), { data: { code, message: code, details: {}, retryAfterMs } });

describe('the connection', () => {
  it('says who is there: by name in open mode, by a token elsewhere', async () => {
    const named = arrived();
    connect();
    expect((await named).handshake.auth).toEqual({ userId: 'ana' });
    wire!.close();
    const proven = arrived();
    connect({ token: () => Promise.resolve('secret'), renew: () => undefined });
    expect((await proven).handshake.auth).toEqual({ token: 'secret' });
  });

  it('is fresh at first, and recovered where the server knows it still', async () => {
    const came = arrived();
    connect();
    const socket = await came;
    await until(['fresh']);
    const heard = vi.fn();
    wire!.on('user_left', heard);
    socket.emit('user_left', { conversationId: 'c1', userId: 'luis' }); // recovery begins where something was heard
    await vi.waitFor(() => expect(heard).toHaveBeenCalled());
    socket.conn.close();
    await until(['fresh', 'lost', 'recovered']);
  });

  it('comes back after the server has said goodbye', async () => {
    const came = arrived();
    connect();
    (await came).disconnect(true);
    await until(['fresh', 'lost', 'fresh']);
  });

  it('that is refused for a while is tried again when the server says', async () => {
    let tries = 0;
    server.use((_socket, next) => next((tries += 1) === 1 ? refusal('rate_limited', 20) : undefined));
    connect();
    await until(['lost', 'fresh']);
  });

  it('that is refused for good says why, and is not tried again', async () => {
    let tries = 0;
    server.use((_socket, next) => {
      tries += 1;
      next(refusal('user_mismatch'));
    });
    connect();
    await until(['refused']);
    expect((changes[0] as { error: Refused }).error.code).toBe('user_mismatch');
    expect(tries).toBe(1);
  });

  it('without a good token asks the host for another', async () => {
    const renew = vi.fn();
    server.use((_socket, next) => next(refusal('token_expired', 60_000)));
    connect({ token: () => Promise.resolve('old'), renew });
    await until(['lost']);
    expect(renew).toHaveBeenCalledTimes(1);
  });

  it('goes on with a newer token, and begins with one when there was none that was good', async () => {
    const came = arrived();
    let token = 'old';
    const proof = { token: vi.fn(() => Promise.resolve(token)), renew: vi.fn() };
    connect(proof);
    const socket = await came;
    await until(['fresh']);
    proof.token.mockClear();
    socket.emit('token_expiring', { expiresAt: '2026-01-01T00:00:00.000Z' });
    await vi.waitFor(() => expect(proof.token).toHaveBeenCalledTimes(1));
    expect(proof.renew).toHaveBeenCalledTimes(1);
    token = 'new';
    const told = new Promise((resolve) => socket.once('refresh_token', resolve));
    wire!.renewed(token);
    expect(await told).toEqual({ token: 'new' });
    wire!.close();
    const again = arrived();
    wire!.renewed(token);
    expect((await again).handshake.auth).toMatchObject({ token: 'new' });
  });
});

describe('what is asked', () => {
  async function connected(): Promise<[SocketWire, Socket]> {
    const came = arrived();
    const made = connect();
    const socket = await came;
    await until(['fresh']);
    return [made, socket];
  }

  it('is answered with the data, or refused with the code', async () => {
    const [made, socket] = await connected();
    socket.on('join_room', ({ conversationId }: { conversationId: string }, ack: (answer: unknown) => void) => {
      ack(conversationId === 'c1' ? { ok: true, data: { conversationId, rev: 3 } }
        : { ok: false, error: { code: 'not_a_participant', message: 'No', details: {}, retryAfterMs: 7 } });
    });
    expect(await made.ask('join_room', { conversationId: 'c1' })).toEqual({ conversationId: 'c1', rev: 3 });
    const error = await made.ask('join_room', { conversationId: 'c2' }).catch((refused: unknown) => refused);
    expect(error).toBeInstanceOf(Refused);
    expect(error).toMatchObject({ code: 'not_a_participant', retryAfterMs: 7 });
  });

  it('is unreachable without a connection, at once, and when that breaks before the answer', async () => {
    const unconnected = new SocketWire({ url, path: '/socket.io', proof: NO_PROOF, userId: 'ana' });
    await expect(unconnected.ask('join_room', { conversationId: 'c1' })).rejects.toBeInstanceOf(Unreachable);
    const [made, socket] = await connected();
    socket.on('join_room', () => socket.disconnect(true));
    await expect(made.ask('join_room', { conversationId: 'c1' })).rejects.toBeInstanceOf(Unreachable);
  });

  it('without an answer is told only while there is a connection', async () => {
    const [made, socket] = await connected();
    const heard: string[] = [];
    socket.on('typing_start', ({ conversationId }: { conversationId: string }) => heard.push(conversationId));
    made.tell('typing_start', { conversationId: 'c1' });
    await vi.waitFor(() => expect(heard).toEqual(['c1']));
    made.close();
    made.tell('typing_start', { conversationId: 'c2' });
    const again = arrived();
    made.connect();
    const next = await again;
    next.on('typing_start', ({ conversationId }: { conversationId: string }) => heard.push(conversationId));
    await until(['fresh', 'lost', 'fresh']);
    made.tell('typing_start', { conversationId: 'c3' });
    await vi.waitFor(() => expect(heard).toEqual(['c1', 'c3']));
  });

  it('is heard by those who listen for it', async () => {
    const [made, socket] = await connected();
    const heard = vi.fn();
    made.on('user_left', heard);
    socket.emit('user_left', { conversationId: 'c1', userId: 'luis' });
    await vi.waitFor(() => expect(heard.mock.calls[0]?.[0]).toEqual({ conversationId: 'c1', userId: 'luis' }));
  });
});
