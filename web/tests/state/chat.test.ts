import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Refused } from '../../src/protocol/refused';
import type { Rest } from '../../src/protocol/rest';
import type { Change, InboxEntry, Message, RoomState, Synced } from '../../src/protocol/types.gen';
import { Chat, type Notice } from '../../src/state/chat';
import { aMessage, anEntry, aUser, FakeWire, ME, MemoryShelf, MemoryStore, messages, NOON, settled } from '../support';

const NO_CHANGE = { message: null, read: null, members: null, details: null, throughSeq: null };

/** A server of one conversation, as much of it as these tests ask for. */
class Server {
  history = messages(1, 3);
  entry = anEntry({ lastSeq: 3, rev: 3, lastReadSeq: 3 });
  changes: Change[] = [];
  asked: string[] = [];
  readMarks = [{ userId: 'marta', lastReadSeq: 2, lastReadAt: null }];

  readonly rest = {
    users: () => Promise.resolve({ users: [aUser('luis')] }),
    inbox: () => Promise.resolve({ conversations: this.inbox() }),
    history: (_id: string, { before, after, limit }: { before?: number; after?: number; limit: number }) => {
      this.asked.push(after === undefined ? `before ${before ?? 'end'}` : `after ${after}`);
      const found = this.history.filter(({ seq }) => seq < (before ?? Infinity) && seq > (after ?? 0));
      return Promise.resolve(after === undefined ? found.slice(-limit) : found.slice(0, limit));
    },
    readMarks: (conversationId: string) => Promise.resolve({ conversationId, readMarks: this.readMarks }),
    message: (id: string) => Promise.resolve({ ...this.history.find((each) => each.id === id)!, replies: [], repliesCount: 0 }),
  } as unknown as Rest;

  inbox = (): InboxEntry[] => [this.entry];

  answer(wire: FakeWire): void {
    wire.answers.user_join = () => aUser(ME);
    wire.answers.join_room = ({ conversationId }) => this.#room(conversationId);
    wire.answers.sync = ({ conversations }) => ({ conversations: conversations.map((each) => this.#synced(each)) });
  }

  say(message: Message): void {
    this.history.push(message);
    this.entry = { ...this.entry, lastSeq: message.seq, rev: this.entry.rev + 1, lastMessageAt: message.timestamp };
    this.changes.push({ ...NO_CHANGE, rev: this.entry.rev, type: 'message', message });
  }

  #room(conversationId: string): RoomState {
    const { lastSeq, rev, lastReadSeq, unreadCount } = this.entry;
    return { conversationId, lastSeq, rev, lastReadSeq, unreadCount };
  }

  #synced({ conversationId, rev }: { conversationId: string; rev: number }): Synced {
    const changes = this.changes.filter((change) => change.rev > rev);
    return { conversationId, rev: this.entry.rev, changes, hasMore: false, truncated: false, error: null };
  }
}

describe('the chat', () => {
  let wire: FakeWire;
  let server: Server;
  let notices: Notice[];
  let chat: Chat;

  beforeEach(() => {
    vi.useFakeTimers({ now: NOON });
    [wire, server, notices] = [new FakeWire(), new Server(), []];
    server.answer(wire);
    chat = new Chat({
      me: { id: ME, name: 'Ana', email: 'ana@example.com' }, wire, rest: server.rest, store: new MemoryStore(), shelf: new MemoryShelf(),
      upload: () => ({ done: new Promise(() => undefined), cancel: () => undefined }), now: Date.now, newId: () => 'id1',
      lock: async (_name, work) => (await work(), true), tellTabs: () => undefined, onNotice: (notice) => void notices.push(notice),
    });
    chat.start();
  });
  afterEach(() => {
    chat.stop();
    vi.useRealTimers();
  });

  async function connect(): Promise<void> {
    wire.becomes({ is: 'fresh' });
    await settled();
  }

  async function opened(): Promise<void> {
    await connect();
    await chat.open('c1');
  }

  const seqs = () => chat.histories.of('c1').messages.value.map(({ seq }) => seq);

  it('says who it is, reads the list, enters the rooms, and is online', async () => {
    await connect();
    expect(chat.status.value).toBe('online');
    expect(wire.payloads('user_join')).toEqual([{ userId: ME, name: 'Ana', email: 'ana@example.com' }]);
    expect(wire.payloads('join_room')).toEqual([{ conversationId: 'c1' }]);
    expect(chat.inbox.get('c1')?.lastSeq).toBe(3);
  });

  it('reads a conversation when it is opened', async () => {
    await opened();
    expect(seqs()).toEqual([1, 2, 3]);
  });

  it('reads what was opened before there was a connection', async () => {
    void chat.open('c1');
    await connect();
    expect(seqs()).toEqual([1, 2, 3]);
  });

  it('takes live messages as they come', async () => {
    await opened();
    wire.hear('message_received', aMessage(4));
    wire.hear('reply_received', aMessage(5, { replyTo: 'm1', isReply: true }));
    expect(seqs()).toEqual([1, 2, 3, 4, 5]);
    expect(chat.inbox.get('c1')?.unreadCount).toBe(2);
  });

  it('asks for what is missing before a live message, and takes all in order', async () => {
    await opened();
    for (const seq of [4, 5, 6]) server.say(aMessage(seq));
    server.asked.length = 0;
    wire.hear('message_received', aMessage(6));
    await settled();
    expect(seqs()).toEqual([1, 2, 3, 4, 5, 6]);
    expect(server.asked).toEqual(['after 3']);
  });

  it('catches up after an absence by what changed, each once', async () => {
    await opened();
    wire.becomes({ is: 'lost' });
    expect(chat.status.value).toBe('offline');
    server.say(aMessage(4));
    server.say(aMessage(5));
    server.history[0] = aMessage(1, { content: 'corrected', isEdited: true });
    server.entry = { ...server.entry, rev: 6 };
    server.changes.push({ ...NO_CHANGE, rev: 6, type: 'edit', message: server.history[0] });
    await connect();
    expect(seqs()).toEqual([1, 2, 3, 4, 5]);
    expect(chat.histories.of('c1').at(1)?.content).toBe('corrected');
    wire.asked.length = 0;
    wire.becomes({ is: 'lost' });
    await connect();
    expect(wire.payloads('sync')).toEqual([]);
  });

  it('catches up with what is said between reading the list and entering the room', async () => {
    server.inbox = () => {
      const before = server.entry;
      server.say(aMessage(4));
      return [before];
    };
    await connect();
    expect(chat.inbox.get('c1')).toMatchObject({ lastSeq: 4, unreadCount: 1 });
  });

  it('asks for nothing after a connection that was taken up again', async () => {
    await opened();
    wire.becomes({ is: 'lost' });
    wire.asked.length = 0;
    wire.becomes({ is: 'recovered' });
    await settled();
    expect(chat.status.value).toBe('online');
    expect(wire.asked).toEqual([]);
  });

  it('drops a conversation that is none of its own any more', async () => {
    await opened();
    wire.answers.sync = ({ conversations }) => ({
      conversations: conversations.map(({ conversationId, rev }) => ({
        conversationId, rev, changes: [], hasMore: false, truncated: false, error: { code: 'not_a_participant', message: '', details: {} },
      })),
    });
    server.entry = { ...server.entry, rev: 9 };
    server.inbox = () => [anEntry({ rev: 3 })];
    wire.becomes({ is: 'lost' });
    await connect();
    expect(chat.inbox.get('c1')).toBeUndefined();
  });

  it('forgets what was purged while it was away and reads on with what is left', async () => {
    await opened();
    wire.becomes({ is: 'lost' });
    server.entry = { ...server.entry, lastSeq: 9, rev: 12 };
    wire.answers.sync = () => ({
      conversations: [{
        conversationId: 'c1', rev: 12, hasMore: false, truncated: true, error: null,
        changes: [{ ...NO_CHANGE, rev: 12, type: 'message', message: aMessage(9) }],
      }],
    });
    await connect();
    expect(seqs()).toEqual([9]);
  });

  it('learns of a conversation that somebody else has begun', async () => {
    await connect();
    server.inbox = () => [server.entry, anEntry({ id: 'c2', type: 'private', participants: [ME, 'marta'], unreadCount: 1, lastSeq: 1 })];
    wire.hear('unread_message_private', {
      conversationId: 'c2', messageId: 'x1', senderId: 'marta', senderName: 'Marta', senderAvatar: null,
      messagePreview: 'hola', timestamp: '2026-03-10T13:00:00.000Z', unreadCount: 1,
    });
    await settled();
    expect(chat.inbox.get('c2')?.unreadCount).toBe(1);
    expect(notices).toMatchObject([{ conversationId: 'c2', preview: 'hola' }]);
    expect(wire.payloads('join_room')).toContainEqual({ conversationId: 'c2' });
  });

  it('counts what is said in such a conversation before it is heard live', async () => {
    await connect();
    const c2 = anEntry({ id: 'c2', type: 'private', participants: [ME, 'marta'], unreadCount: 1, lastSeq: 1, rev: 1 });
    server.inbox = () => {
      const before = [server.entry, c2];
      server.entry = { ...server.entry, rev: 2 };
      server.changes = [{ ...NO_CHANGE, rev: 2, type: 'message', message: aMessage(2, { conversationId: 'c2', senderId: 'marta' }) }];
      return before;
    };
    wire.hear('unread_message_private', {
      conversationId: 'c2', messageId: 'x1', senderId: 'marta', senderName: 'Marta', senderAvatar: null,
      messagePreview: 'hola', timestamp: '2026-03-10T13:00:00.000Z', unreadCount: 1,
    });
    await settled();
    expect(chat.inbox.get('c2')).toMatchObject({ lastSeq: 2, unreadCount: 2 });
  });

  it('tells of a message that the user does not see, once, and never of their own', async () => {
    await opened();
    wire.hear('message_received', aMessage(4));
    wire.hear('message_received', aMessage(4));
    wire.hear('message_received', aMessage(5, { senderId: ME }));
    chat.reading.look('c1');
    wire.hear('message_received', aMessage(6));
    expect(notices.map(({ messageId }) => messageId)).toEqual(['m4']);
  });

  it('moves the read mark while the user looks, a moment later and once for several messages', async () => {
    wire.answers.mark_messages_as_read = ({ conversationId }) => ({ conversationId, userId: ME, timestamp: '', lastReadSeq: 5 });
    await opened();
    wire.hear('message_received', aMessage(4));
    await vi.advanceTimersByTimeAsync(1_000);
    expect(wire.payloads('mark_messages_as_read')).toEqual([]);
    chat.reading.look('c1');
    await vi.advanceTimersByTimeAsync(200);
    wire.hear('message_received', aMessage(5));
    await vi.advanceTimersByTimeAsync(200);
    expect(wire.payloads('mark_messages_as_read')).toEqual([]);
    await vi.advanceTimersByTimeAsync(1_000);
    expect(wire.payloads('mark_messages_as_read')).toEqual([{ conversationId: 'c1' }]);
    expect(chat.inbox.get('c1')?.unreadCount).toBe(0);
  });

  it('shows where the new messages begin, and no longer once the user answers', async () => {
    server.entry = { ...server.entry, lastReadSeq: 1, unreadCount: 2 };
    await opened();
    expect(chat.reading.line.value).toEqual({ conversationId: 'c1', afterSeq: 1 });
    wire.hear('message_received', aMessage(4, { senderId: ME }));
    expect(chat.reading.line.value).toBeNull();
  });

  it('follows the read mark of another device', async () => {
    await opened();
    wire.hear('message_received', aMessage(4));
    wire.hear('messages_marked_as_read', { conversationId: 'c1', userId: ME, timestamp: '', lastReadSeq: 4 });
    expect(chat.unreadTotal.value).toBe(0);
  });

  it('knows up to where others have read', async () => {
    await opened();
    expect(chat.histories.of('c1').marks.value.get('marta')).toBe(2);
    wire.hear('read_receipt', { conversationId: 'c1', userId: 'marta', timestamp: '', lastReadSeq: 3 });
    expect(chat.histories.of('c1').marks.value.get('marta')).toBe(3);
  });

  it('closes a group that the user was taken out of', async () => {
    await opened();
    wire.hear('user_removed_from_group', {
      conversationId: 'c1', conversationName: '', userId: ME, userName: '', removedBy: 'luis', removedByName: '', timestamp: '',
    });
    expect([chat.opened.value, chat.inbox.get('c1')]).toEqual([null, undefined]);
  });

  it('reads upwards until a quoted message is there', async () => {
    server.history = messages(1, 700);
    server.entry = { ...server.entry, lastSeq: 700, lastReadSeq: 700 };
    await opened();
    expect(chat.histories.of('c1').firstSeq).toBe(651);
    expect((await chat.histories.find('c1', 'm120'))?.seq).toBe(120);
    expect(chat.histories.of('c1').messages.value).toHaveLength(700 - chat.histories.of('c1').firstSeq + 1);
  });

  it('shows what a server that refuses it said, and tries again only when asked to', async () => {
    wire.answers.user_join = () => Promise.reject(new Refused('identity_mismatch', 'somebody else', {}));
    await connect();
    expect([chat.status.value, chat.refusal.value?.code]).toEqual(['refused', 'identity_mismatch']);
  });

  it('goes on without a conversation that it may not read', async () => {
    const { join_room: join } = wire.answers;
    wire.answers.join_room = (asked) => asked.conversationId === 'of-others'
      ? Promise.reject(new Refused('not_a_participant', 'not yours', {})) : join!(asked);
    void chat.open('of-others');
    await connect();
    expect([chat.status.value, chat.opened.value]).toEqual(['online', null]);
  });

  it('begins again by itself when an engine was down', async () => {
    wire.answers.user_join = () => Promise.reject(new Refused('store_unavailable', 'later', {}));
    await connect();
    server.answer(wire);
    await vi.advanceTimersByTimeAsync(3_000);
    await settled();
    expect(chat.status.value).toBe('online');
  });
});
