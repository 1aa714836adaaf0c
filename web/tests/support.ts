import type { ClientEvents, InboxEntry, Message, ServerEvents, User } from '../src/protocol/types.gen';
import { Unreachable } from '../src/protocol/refused';
import type { ClientEvent, Connection, Data, Payload, ServerEvent, Wire } from '../src/protocol/wire';
import type { Outgoing, OutboxStore } from '../src/state/outbox_store';

export const ME = 'ana';
export const NOON = Date.parse('2026-03-10T12:00:00.000Z');

export function aMessage(seq: number, part: Partial<Message> = {}): Message {
  const senderId = part.senderId ?? 'luis';
  const timestamp = part.timestamp ?? new Date(NOON + seq * 1000).toISOString();
  return {
    id: `m${seq}`, conversationId: 'c1', seq, senderId, recipientId: null, content: `message ${seq}`, messageType: 'text',
    fileUrl: null, fileName: null, fileSize: null, fileType: null, thumbnailUrl: null, replyTo: null, replyPreview: null,
    isReply: false, isEdited: false, editedAt: null, isDeleted: false, timestamp, createdAt: timestamp,
    sender: { id: senderId, name: senderId, avatar: null }, clientMessageId: null, call: null, ...part,
  };
}

export function messages(from: number, to: number): Message[] {
  return Array.from({ length: to - from + 1 }, (_, index) => aMessage(from + index));
}

export function anEntry(part: Partial<InboxEntry> = {}): InboxEntry {
  const at = new Date(NOON).toISOString();
  return {
    id: 'c1', type: 'group', name: 'Group', description: null, participants: [ME, 'luis', 'marta'], createdBy: 'luis',
    createdAt: at, updatedAt: at, lastMessage: null, lastMessageAt: null, lastSeq: 0, rev: 1, unreadCount: 0,
    lastReadAt: null, lastReadSeq: 0, ...part,
  };
}

export function aUser(id: string, part: Partial<User> = {}): User {
  const at = new Date(NOON).toISOString();
  return {
    id, name: id, email: `${id}@example.com`, roles: [], filials: [], status: 'offline', lastSeen: at, avatar: null,
    createdAt: at, updatedAt: at, isActive: true, isOnline: false, ...part,
  };
}

type Answers = { [E in ClientEvent]?: (payload: Payload<E>) => Data<E> | Promise<Data<E>> };

/** A connection that a test answers for. What nobody answers is unreachable, as without a connection. */
export class FakeWire implements Wire {
  readonly asked: [event: ClientEvent, payload: unknown][] = [];
  readonly told: [event: ClientEvent, payload: unknown][] = [];
  answers: Answers = {};
  readonly #handlers = new Map<string, ((data: never) => void)[]>();
  readonly #connections: ((change: Connection) => void)[] = [];

  connect(): void {
    // a test says when it is connected
  }

  close(): void {
    this.answers = {};
  }

  async ask<E extends ClientEvent>(event: E, payload: Payload<E>): Promise<Data<E>> {
    this.asked.push([event, payload]);
    const answer = this.answers[event] as ((payload: Payload<E>) => Data<E> | Promise<Data<E>>) | undefined;
    if (!answer) throw new Unreachable('not connected');
    return answer(payload);
  }

  tell<E extends ClientEvent>(event: E, payload: ClientEvents[E]['payload']): void {
    this.told.push([event, payload]);
  }

  on<E extends ServerEvent>(event: E, handler: (data: ServerEvents[E]) => void): void {
    this.#handlers.set(event, [...(this.#handlers.get(event) ?? []), handler]);
  }

  onConnection(handler: (change: Connection) => void): void {
    this.#connections.push(handler);
  }

  hear<E extends ServerEvent>(event: E, data: ServerEvents[E]): void {
    for (const handler of this.#handlers.get(event) ?? []) handler(data as never);
  }

  becomes(change: Connection): void {
    for (const handler of this.#connections) handler(change);
  }

  payloads(event: ClientEvent): unknown[] {
    return this.asked.filter(([name]) => name === event).map(([, payload]) => payload);
  }
}

/** What the browser's database does, shared by the tabs of a test. */
export class MemoryStore implements OutboxStore {
  readonly kept = new Map<string, Outgoing>();

  all(userId: string): Promise<Outgoing[]> {
    return Promise.resolve([...this.kept.values()].filter((item) => item.userId === userId));
  }

  put(item: Outgoing): Promise<void> {
    this.kept.set(item.clientMessageId, item);
    return Promise.resolve();
  }

  remove(clientMessageId: string): Promise<void> {
    this.kept.delete(clientMessageId);
    return Promise.resolve();
  }
}

export class MemoryShelf {
  readonly #kept = new Map<string, string>();

  getItem(key: string): string | null {
    return this.#kept.get(key) ?? null;
  }

  setItem(key: string, value: string): void {
    this.#kept.set(key, value);
  }

  removeItem(key: string): void {
    this.#kept.delete(key);
  }
}

/** Let everything that waits for nothing but its turn have it. */
export async function settled(): Promise<void> {
  for (let turn = 0; turn < 60; turn += 1) await Promise.resolve();
}
