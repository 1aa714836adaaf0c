import { io, type Socket } from 'socket.io-client';
import type { Proof } from './proof';
import { isPassing, Refused, Unreachable } from './refused';
import type { ClientEvents, Failure, ServerEvents } from './types.gen';

export type ClientEvent = keyof ClientEvents;
export type ServerEvent = keyof ServerEvents;
export type Payload<E extends ClientEvent> = ClientEvents[E]['payload'];
export type Data<E extends ClientEvent> = ClientEvents[E]['data'];

/** `fresh`: a new session that knows nothing; `recovered`: as if nothing had happened; `refused` carries the error. */
export type Connection = { is: 'fresh' } | { is: 'recovered' } | { is: 'lost' } | { is: 'refused'; error: Refused };

/** The live connection, as the state knows it. */
export interface Wire {
  connect(): void;
  close(): void;
  /** Rejects with Refused or Unreachable. Nothing is kept for a later connection: that is the outbox's affair. */
  ask<E extends ClientEvent>(event: E, payload: Payload<E>): Promise<Data<E>>;
  /** For what may be lost, like typing. */
  tell<E extends ClientEvent>(event: E, payload: Payload<E>): void;
  on<E extends ServerEvent>(event: E, handler: (data: ServerEvents[E]) => void): void;
  onConnection(handler: (change: Connection) => void): void;
}

type Ack = { ok: true; data: unknown } | { ok: false; error: Failure };

const ANSWER_WITHIN_MS = 10_000;
/** After a refusal that may pass and does not say when, such as a token that has expired. */
const ASK_AGAIN_MS = 5_000;

export interface WireOptions {
  url: string;
  path: string;
  proof: Proof;
  userId: string;
}

export class SocketWire implements Wire {
  readonly #socket: Socket;
  readonly #handlers: ((change: Connection) => void)[] = [];
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor({ url, path, proof, userId }: WireOptions) {
    this.#socket = io(url, {
      path,
      autoConnect: false,
      transports: ['websocket', 'polling'],
      reconnectionDelayMax: 10_000,
      auth: (give) => void proof.token().then((token) => give(token === null ? { userId } : { token })),
    });
    this.#socket.on('connect', () => this.#tell({ is: this.#socket.recovered ? 'recovered' : 'fresh' }));
    this.#socket.on('disconnect', (reason) => {
      this.#tell({ is: 'lost' });
      // The library comes back by itself, but not after a goodbye of the server's.
      if (reason === 'io server disconnect') this.#socket.connect();
    });
    // A newer token comes back by `renewed`. Without one the server ends the connection, and the next begins with it.
    this.on('token_expiring', () => {
      proof.renew();
      void proof.token();
    });
    this.on('token_expired', () => proof.renew());
    this.#socket.on('connect_error', (error) => this.#refused(error, proof));
  }

  connect(): void {
    this.#socket.connect();
  }

  close(): void {
    clearTimeout(this.#timer);
    this.#socket.disconnect();
  }

  async ask<E extends ClientEvent>(event: E, payload: Payload<E>): Promise<Data<E>> {
    if (!this.#socket.connected) throw new Unreachable('not connected');
    const ack = await this.#answer(event, payload);
    if (!ack.ok) throw Refused.fromAck(ack.error);
    return ack.data as Data<E>;
  }

  tell<E extends ClientEvent>(event: E, payload: Payload<E>): void {
    if (this.#socket.connected) this.#socket.emit(event, payload);
  }

  on<E extends ServerEvent>(event: E, handler: (data: ServerEvents[E]) => void): void {
    (this.#socket as { on(event: string, handler: (data: never) => void): void }).on(event, handler);
  }

  /** There is another token: the connection goes on with it, or begins. */
  renewed(token: string): void {
    if (this.#socket.connected) this.#socket.emit('refresh_token', { token } satisfies Payload<'refresh_token'>);
    else this.connect();
  }

  onConnection(handler: (change: Connection) => void): void {
    this.#handlers.push(handler);
  }

  async #answer(event: string, payload: unknown): Promise<Ack> {
    try {
      return (await this.#socket.timeout(ANSWER_WITHIN_MS).emitWithAck(event, payload)) as Ack;
    } catch (error) {
      throw new Unreachable('no answer', { cause: error });
    }
  }

  #connectLater(afterMs: number): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#socket.connect(), afterMs);
  }

  #tell(change: Connection): void {
    for (const handler of this.#handlers) handler(change);
  }

  /** Refused by our server (which says why in `data`), or nobody there. After a refusal the library waits for us. */
  #refused(error: Error & { data?: Failure }, proof: Proof): void {
    const refusal = error.data?.code ? Refused.fromAck(error.data) : null;
    if (refusal?.code.startsWith('token_')) proof.renew();
    if (refusal === null || isPassing(refusal)) this.#tell({ is: 'lost' });
    else this.#tell({ is: 'refused', error: refusal });
    if (refusal !== null && isPassing(refusal)) this.#connectLater(refusal.retryAfterMs ?? ASK_AGAIN_MS);
  }
}
