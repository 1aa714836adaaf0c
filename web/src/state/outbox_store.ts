import { openDB, type DBSchema, type IDBPDatabase } from 'idb';

/** A message on its way out; it lives here until the server has it. */
export interface Outgoing {
  clientMessageId: string;
  userId: string;
  conversationId: string;
  content: string;
  replyTo: string | null;
  replyPreview: string | null;
  /** For a file message: its bytes, which survive the tab too. */
  file: { bytes: Blob; name: string } | null;
  /** Milliseconds since 1970; messages go out in this order. */
  queuedAt: number;
  /** Why the server will not have it; null while it may still go. */
  failure: string | null;
}

/** Where outgoing messages wait. Durable when `put` returns. */
export interface OutboxStore {
  all(userId: string): Promise<Outgoing[]>;
  put(item: Outgoing): Promise<void>;
  remove(clientMessageId: string): Promise<void>;
}

interface Schema extends DBSchema {
  outbox: { key: string; value: Outgoing; indexes: { byUser: string } };
}

/** In a browser that keeps no databases it lasts as long as the tab. */
export class IndexedDbOutbox implements OutboxStore {
  readonly #database: Promise<IDBPDatabase<Schema> | null>;
  readonly #inThisTab = new Map<string, Outgoing>();

  constructor(name = 'chatapp') {
    this.#database = opened(name).catch(() => null);
  }

  async all(userId: string): Promise<Outgoing[]> {
    const database = await this.#database;
    if (database) return database.getAllFromIndex('outbox', 'byUser', userId);
    return [...this.#inThisTab.values()].filter((item) => item.userId === userId);
  }

  async put(item: Outgoing): Promise<void> {
    const database = await this.#database;
    if (database) await database.put('outbox', item);
    else this.#inThisTab.set(item.clientMessageId, item);
  }

  async remove(clientMessageId: string): Promise<void> {
    const database = await this.#database;
    if (database) await database.delete('outbox', clientMessageId);
    else this.#inThisTab.delete(clientMessageId);
  }
}

async function opened(name: string): Promise<IDBPDatabase<Schema>> {
  return openDB<Schema>(name, 1, {
    upgrade(database) {
      database.createObjectStore('outbox', { keyPath: 'clientMessageId' }).createIndex('byUser', 'userId');
    },
  });
}
