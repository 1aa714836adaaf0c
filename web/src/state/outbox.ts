import { signal } from '@preact/signals-core';
import { isPassing, Refused } from '../protocol/refused';
import type { Message, Uploaded } from '../protocol/types.gen';
import { Canceled, type Upload, type Uploader } from '../protocol/upload';
import type { Wire } from '../protocol/wire';
import type { Outgoing, OutboxStore } from './outbox_store';
import { SingleFlight } from './single_flight';

/** `sent`: the server has it, and its message is on the way here. */
export type Stage = 'waiting' | 'sending' | 'failed' | 'sent';

export interface Pending extends Outgoing {
  stage: Stage;
  /** Of an upload, 0 to 1. */
  progress: number;
}

export type NewMessage = Pick<Outgoing, 'conversationId' | 'content' | 'replyTo' | 'replyPreview' | 'file'>;

/** Runs the work unless another tab is at it, which is false. */
export type Lock = (name: string, work: () => Promise<void>) => Promise<boolean>;

export interface OutboxNeeds {
  store: OutboxStore;
  wire: Pick<Wire, 'ask'>;
  upload: Uploader;
  userId: string;
  now: () => number;
  newId: () => string;
  lock: Lock;
  /** Other tabs of the user should look into the store again. */
  tellTabs: () => void;
  onSent: (message: Message) => void | Promise<void>;
  /** An upload became a message, which the server tells by the socket. */
  onUploaded: (uploaded: Uploaded) => Promise<void>;
}

const RETRY_FIRST_MS = 2_000;
const RETRY_MAX_MS = 30_000;

/**
 * What was written and is not sent yet. Kept in a store that outlives the tab, sent in order, each once: a repetition
 * carries the same `clientMessageId`. Files have a lane of their own, so that text does not wait for them.
 */
export class Outbox {
  readonly items = signal<readonly Pending[]>([]);
  readonly #lanes = new SingleFlight();
  readonly #uploads = new Map<string, Upload>();
  #retryMs = RETRY_FIRST_MS;
  #queuedAt = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(private readonly needs: OutboxNeeds) {}

  /** Durable before it is shown: what is seen outlives the tab. */
  async add(message: NewMessage): Promise<void> {
    const { userId, now, newId, store } = this.needs;
    const item: Outgoing = { ...message, clientMessageId: newId(), userId, queuedAt: this.#after(now()), failure: null };
    await store.put(item);
    if (!this.#find(item.clientMessageId)) this.items.value = [...this.items.peek(), shown(item)];
    this.needs.tellTabs();
    void this.flush();
  }

  /** What the store holds is what there is, however it came there. */
  async load(): Promise<void> {
    const kept = await this.needs.store.all(this.needs.userId);
    const known = new Map(this.items.peek().map((item) => [item.clientMessageId, item]));
    const ids = new Set(kept.map(({ clientMessageId }) => clientMessageId));
    const sent = this.items.peek().filter(({ stage, clientMessageId }) => stage === 'sent' && !ids.has(clientMessageId));
    const items = kept.map((item) => ({ ...(known.get(item.clientMessageId) ?? shown(item)), ...item }));
    this.items.value = [...items, ...sent].sort((one, other) => one.queuedAt - other.queuedAt);
  }

  /** Send all that can be sent. */
  async flush(): Promise<void> {
    clearTimeout(this.#timer);
    await this.load();
    const lanes = new Set(this.items.peek().filter(isOpen).map(laneOf));
    await Promise.all([...lanes].map((lane) => this.#lanes.run(lane, () => this.#drain(lane))));
  }

  async retry(clientMessageId: string): Promise<void> {
    await this.#keep(clientMessageId, { failure: null }, 'waiting');
    await this.flush();
  }

  /** Never send it. An upload under way is broken off. */
  async discard(clientMessageId: string): Promise<void> {
    await this.#remove(clientMessageId);
    this.#uploads.get(clientMessageId)?.cancel();
  }

  /** Its message is here. */
  settle(clientMessageId: string | null): void {
    if (clientMessageId !== null && this.#find(clientMessageId)) void this.#remove(clientMessageId);
  }

  stop(): void {
    clearTimeout(this.#timer);
    for (const upload of this.#uploads.values()) upload.cancel();
  }

  // ------------------------------------------------------------------ one lane
  async #drain(lane: string): Promise<void> {
    for (;;) {
      const next = this.items.peek().find((item) => isOpen(item) && laneOf(item) === lane);
      if (!next || !(await this.#send(next))) return;
    }
  }

  /** False when the lane has to wait: for the connection, for a limit, for another tab. */
  async #send({ clientMessageId }: Pending): Promise<boolean> {
    let goOn = false;
    const ours = await this.needs.lock(`chatapp outbox ${clientMessageId}`, async () => {
      goOn = await this.#sendStored(clientMessageId);
    });
    if (!ours) this.#later(null); // should that tab be closed over it, it is still to be sent
    return goOn;
  }

  async #sendStored(clientMessageId: string): Promise<boolean> {
    const waiting = await this.needs.store.all(this.needs.userId);
    const item = waiting.find((each) => each.clientMessageId === clientMessageId);
    if (item) return this.#try(item);
    this.#drop(clientMessageId); // another tab has sent it
    return true;
  }

  async #try(item: Outgoing): Promise<boolean> {
    const { clientMessageId } = item;
    this.#show(clientMessageId, { stage: 'sending', progress: 0 });
    try {
      await (item.file ? this.#upload(item, item.file) : this.#say(item));
      this.#retryMs = RETRY_FIRST_MS;
      return true;
    } catch (error) {
      if (error instanceof Canceled) return true;
      if (!isPassing(error)) {
        await this.#keep(clientMessageId, { failure: error instanceof Refused ? error.code : 'unknown' }, 'failed');
        return true;
      }
      this.#show(clientMessageId, { stage: 'waiting', progress: 0 });
      this.#later(error instanceof Refused ? error.retryAfterMs : null);
      return false;
    }
  }

  async #say({ clientMessageId, conversationId, userId, content, replyTo }: Outgoing): Promise<void> {
    const answer = replyTo === null ? {} : { replyTo };
    const message = await this.needs.wire.ask('send_message', {
      conversationId, senderId: userId, content, messageType: 'text', clientMessageId, ...answer,
    });
    await this.needs.onSent(message);
    await this.#remove(clientMessageId);
  }

  async #upload(item: Outgoing, file: { bytes: Blob; name: string }): Promise<void> {
    const { clientMessageId, conversationId, userId, content, replyTo } = item;
    const upload = this.needs.upload(
      { file: file.bytes, fileName: file.name, conversationId, senderId: userId, clientMessageId, content, replyTo },
      (progress) => this.#show(clientMessageId, { progress }),
    );
    this.#uploads.set(clientMessageId, upload);
    try {
      const uploaded = await upload.done;
      this.#show(clientMessageId, { stage: 'sent', progress: 1 });
      await this.needs.store.remove(clientMessageId);
      await this.needs.onUploaded(uploaded).catch(() => undefined); // the next catching up brings it as well
      await this.#remove(clientMessageId);
    } finally {
      this.#uploads.delete(clientMessageId);
    }
  }

  #later(afterMs: number | null): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.flush(), afterMs ?? this.#retryMs);
    if (afterMs === null) this.#retryMs = Math.min(this.#retryMs * 2, RETRY_MAX_MS);
  }

  // ------------------------------------------------------------------ items
  #find(clientMessageId: string): Pending | undefined {
    return this.items.peek().find((item) => item.clientMessageId === clientMessageId);
  }

  /** Two messages of one millisecond keep their order. */
  #after(now: number): number {
    this.#queuedAt = Math.max(now, this.#queuedAt + 1);
    return this.#queuedAt;
  }

  #show(clientMessageId: string, part: Partial<Pending>): void {
    this.items.value = this.items.peek().map((item) => (item.clientMessageId === clientMessageId ? { ...item, ...part } : item));
  }

  async #keep(clientMessageId: string, part: Partial<Outgoing>, stage: Stage): Promise<void> {
    const item = this.#find(clientMessageId);
    if (!item) return;
    this.#show(clientMessageId, { ...part, stage });
    await this.needs.store.put(stored({ ...item, ...part }));
    this.needs.tellTabs();
  }

  #drop(clientMessageId: string): void {
    this.items.value = this.items.peek().filter((item) => item.clientMessageId !== clientMessageId);
  }

  async #remove(clientMessageId: string): Promise<void> {
    this.#drop(clientMessageId);
    await this.needs.store.remove(clientMessageId);
    this.needs.tellTabs();
  }
}

function shown(item: Outgoing): Pending {
  return { ...item, stage: item.failure === null ? 'waiting' : 'failed', progress: 0 };
}

/** Without what only this tab knows. */
function stored({ clientMessageId, userId, conversationId, content, replyTo, replyPreview, file, queuedAt, failure }: Pending): Outgoing {
  return { clientMessageId, userId, conversationId, content, replyTo, replyPreview, file, queuedAt, failure };
}

function isOpen({ failure, stage }: Pending): boolean {
  return failure === null && stage !== 'sent';
}

function laneOf({ conversationId, file }: Pending): string {
  return `${file ? 'file' : 'text'} ${conversationId}`;
}
