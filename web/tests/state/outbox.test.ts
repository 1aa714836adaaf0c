import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import 'fake-indexeddb/auto';
import { Refused, Unreachable } from '../../src/protocol/refused';
import type { Message, Uploaded } from '../../src/protocol/types.gen';
import { Canceled, type Uploader } from '../../src/protocol/upload';
import { Outbox, type Lock, type OutboxNeeds } from '../../src/state/outbox';
import { IndexedDbOutbox } from '../../src/state/outbox_store';
import { aMessage, FakeWire, ME, MemoryStore, NOON, settled } from '../support';

const TEXT = { conversationId: 'c1', content: 'hola', replyTo: null, replyPreview: null, file: null };
const FILE = { ...TEXT, content: '', file: { bytes: new Blob(['abc'], { type: 'text/plain' }), name: 'a.txt' } };

/** As the browser's locks are, over all tabs of a test. */
function locks(): Lock {
  const held = new Set<string>();
  return async (name, work) => {
    if (held.has(name)) return false;
    held.add(name);
    await work().finally(() => held.delete(name));
    return true;
  };
}

describe('the outbox', () => {
  let wire: FakeWire;
  let store: MemoryStore;
  let sent: Message[];
  let lock: Lock;
  let ids: number;

  beforeEach(() => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'Date'], now: NOON });
    [wire, store, sent, lock, ids] = [new FakeWire(), new MemoryStore(), [], locks(), 0];
  });
  afterEach(() => vi.useRealTimers());

  function aTab(part: Partial<OutboxNeeds> = {}): Outbox {
    const upload: Uploader = () => ({ done: Promise.reject(new Unreachable()), cancel: () => undefined });
    return new Outbox({
      store, wire, upload, userId: ME, now: Date.now, newId: () => `id${++ids}`, lock,
      tellTabs: () => undefined, onSent: (message) => void sent.push(message), onUploaded: () => Promise.resolve(), ...part,
    });
  }

  function online(): void {
    wire.answers.send_message = ({ clientMessageId, content }) =>
      aMessage(sent.length + 1, { senderId: ME, content: content ?? '', clientMessageId: clientMessageId ?? null });
  }

  const stages = (outbox: Outbox) => outbox.items.value.map(({ stage }) => stage);

  it('sends, hands over the message, and keeps nothing', async () => {
    online();
    const outbox = aTab();
    await outbox.add(TEXT);
    await settled();
    expect(sent.map(({ content }) => content)).toEqual(['hola']);
    expect(outbox.items.value).toEqual([]);
    expect(store.kept.size).toBe(0);
  });

  it('keeps what was written without a connection for another tab of another day, which sends it with its id', async () => {
    await aTab().add(TEXT);
    await settled();
    online();
    wire.asked.length = 0;
    await aTab().flush();
    expect(wire.payloads('send_message')).toMatchObject([{ clientMessageId: 'id1', content: 'hola', senderId: ME }]);
    expect(store.kept.size).toBe(0);
  });

  it('sends in the order of writing, one after the other', async () => {
    const outbox = aTab();
    for (const content of ['one', 'two', 'three']) await outbox.add({ ...TEXT, content });
    await settled();
    expect(stages(outbox)).toEqual(['waiting', 'waiting', 'waiting']);
    online();
    await outbox.flush();
    expect(sent.map(({ content }) => content)).toEqual(['one', 'two', 'three']);
  });

  it('sends once from two tabs that come online together', async () => {
    const [one, other] = [aTab(), aTab()];
    await one.add(TEXT);
    await settled();
    wire.asked.length = 0;
    online();
    await Promise.all([one.flush(), other.flush()]);
    await vi.advanceTimersByTimeAsync(60_000);
    await settled();
    expect(wire.payloads('send_message')).toHaveLength(1);
    expect([one.items.value, other.items.value]).toEqual([[], []]);
  });

  it('does not send again what another tab has sent while it waited for its turn', async () => {
    const one = aTab();
    await one.add(TEXT);
    await settled();
    online();
    let turn: () => void = () => undefined;
    const itsTurn = new Promise((resolve) => (turn = () => resolve(null)));
    const other = aTab({ lock: async (name, work) => (await itsTurn, lock(name, work)) });
    const flushed = other.flush();
    await settled();
    wire.asked.length = 0;
    await one.flush();
    turn();
    await flushed;
    expect(wire.payloads('send_message')).toHaveLength(1);
    expect(other.items.value).toEqual([]);
  });

  it('keeps the order of what was written within a millisecond, whatever order the store gives it in', async () => {
    let name = 'z';
    const outbox = aTab({ newId: () => (name = String.fromCharCode(name.charCodeAt(0) - 1)) });
    for (const content of ['one', 'two', 'three']) await outbox.add({ ...TEXT, content });
    await settled();
    const byKey = { all: async () => [...(await store.all(ME))].sort((a, b) => (a.clientMessageId < b.clientMessageId ? -1 : 1)) };
    const reopened = aTab({ store: { put: (item) => store.put(item), remove: (id) => store.remove(id), ...byKey } });
    online();
    await reopened.flush();
    expect(sent.map(({ content }) => content)).toEqual(['one', 'two', 'three']);
  });

  it('sends what another tab had begun when that tab has gone', async () => {
    wire.answers.send_message = () => new Promise(() => undefined); // that tab never hears the answer
    const gone = aTab({ lock: (_name, work) => { void work(); return Promise.resolve(true); } });
    await gone.add(TEXT);
    await settled();
    online();
    await aTab().flush();
    expect(sent).toHaveLength(1);
    expect(wire.payloads('send_message').map((payload) => (payload as { clientMessageId: string }).clientMessageId)).toEqual(['id1', 'id1']);
  });

  it('waits as long as the server says when there were too many, and goes on by itself', async () => {
    wire.answers.send_message = () => Promise.reject(new Refused('rate_limited', 'slow down', {}, 4_000));
    const outbox = aTab();
    await outbox.add(TEXT);
    await settled();
    online();
    await vi.advanceTimersByTimeAsync(3_900);
    expect(sent).toHaveLength(0);
    await vi.advanceTimersByTimeAsync(200);
    await settled();
    expect(sent).toHaveLength(1);
  });

  it('tries again later and later while nobody answers', async () => {
    const outbox = aTab();
    await outbox.add(TEXT);
    await settled();
    const tries = () => wire.payloads('send_message').length;
    expect(tries()).toBe(1);
    for (const [after, total] of [[2_000, 2], [4_000, 3], [8_000, 4]] as const) {
      await vi.advanceTimersByTimeAsync(after - 1);
      expect(tries()).toBe(total - 1);
      await vi.advanceTimersByTimeAsync(1);
      await settled();
      expect(tries()).toBe(total);
    }
  });

  it('shows why the server will not have it, goes on with the next, and tries again when asked to', async () => {
    wire.answers.send_message = ({ content }) => {
      if (content === 'bad') throw new Refused('not_a_participant', 'no', {});
      return aMessage(1, { senderId: ME, content: content ?? '' });
    };
    const outbox = aTab();
    await outbox.add({ ...TEXT, content: 'bad' });
    await outbox.add({ ...TEXT, content: 'good' });
    await settled();
    expect(outbox.items.value).toMatchObject([{ content: 'bad', stage: 'failed', failure: 'not_a_participant' }]);
    expect(sent.map(({ content }) => content)).toEqual(['good']);
    online();
    await outbox.retry('id1');
    expect(sent.map(({ content }) => content)).toEqual(['good', 'bad']);
  });

  it('keeps a failure over a reload', async () => {
    wire.answers.send_message = () => Promise.reject(new Refused('too_large', 'no', {}));
    await aTab().add(TEXT);
    await settled();
    const reopened = aTab();
    await reopened.load();
    expect(stages(reopened)).toEqual(['failed']);
  });

  it('never sends what was discarded', async () => {
    const outbox = aTab();
    await outbox.add(TEXT);
    await settled();
    await outbox.discard('id1');
    online();
    await outbox.flush();
    expect(sent).toEqual([]);
  });

  it('is done with a message when its echo comes before the acknowledgement', async () => {
    const outbox = aTab();
    await outbox.add(TEXT);
    await settled();
    outbox.settle('id1');
    await settled();
    expect(outbox.items.value).toEqual([]);
    expect(store.kept.size).toBe(0);
  });

  it('does not let text wait for a file', async () => {
    online();
    const outbox = aTab({ upload: () => ({ done: new Promise(() => undefined), cancel: () => undefined }) });
    await outbox.add(FILE);
    await outbox.add(TEXT);
    await settled();
    expect(sent).toHaveLength(1);
    expect(stages(outbox)).toEqual(['sending']);
  });

  it('shows how far an upload is, and uploads with the same id again after it broke', async () => {
    const asked: string[] = [];
    let broken = true;
    const uploaded = { conversationId: 'c1', messageId: 'm1' } as Uploaded;
    const outbox = aTab({
      upload: ({ clientMessageId }, progress) => {
        asked.push(clientMessageId);
        progress(0.5);
        const done = broken ? Promise.reject(new Unreachable()) : Promise.resolve(uploaded);
        return { done, cancel: () => undefined };
      },
    });
    const seen: number[] = [];
    outbox.items.subscribe((items) => void seen.push(items[0]?.progress ?? -1));
    await outbox.add(FILE);
    await settled();
    expect(seen).toContain(0.5);
    broken = false;
    await vi.advanceTimersByTimeAsync(2_000);
    await settled();
    expect(asked).toEqual(['id1', 'id1']);
    expect(outbox.items.value).toEqual([]);
  });

  it('breaks an upload off when it is discarded', async () => {
    let cancel: () => void = () => undefined;
    const outbox = aTab({
      upload: () => {
        const done = new Promise<Uploaded>((_, reject) => (cancel = () => reject(new Canceled())));
        return { done, cancel: () => cancel() };
      },
    });
    await outbox.add(FILE);
    await settled();
    await outbox.discard('id1');
    await vi.advanceTimersByTimeAsync(60_000);
    expect(outbox.items.value).toEqual([]);
    expect(store.kept.size).toBe(0);
  });
});

describe('the browser’s store of outgoing messages', () => {
  it('keeps an item with its bytes by user, until it is removed', async () => {
    const database = new IndexedDbOutbox('outbox-test');
    const item = { ...FILE, clientMessageId: 'x', userId: ME, queuedAt: 1, failure: null };
    await database.put(item);
    await database.put({ ...item, clientMessageId: 'y', userId: 'luis' });
    const [kept, ...others] = await new IndexedDbOutbox('outbox-test').all(ME);
    expect(others).toEqual([]);
    expect(kept).toMatchObject({ clientMessageId: 'x', file: { name: 'a.txt' } });
    await database.remove('x');
    expect(await database.all(ME)).toEqual([]);
  });
});
