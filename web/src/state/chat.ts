import { batch, computed, signal } from '@preact/signals-core';
import { isPassing, Refused } from '../protocol/refused';
import type { Rest } from '../protocol/rest';
import type { Message, UnreadPrivate, User } from '../protocol/types.gen';
import type { Uploader } from '../protocol/upload';
import type { Connection, Wire } from '../protocol/wire';
import { CatchingUp } from './catching_up';
import { Composing } from './composing';
import { Drafts } from './drafts';
import { Groups, newEntry } from './groups';
import { Histories } from './histories';
import { Inbox } from './inbox';
import { Outbox, type Lock } from './outbox';
import type { OutboxStore } from './outbox_store';
import { People } from './people';
import { Reading } from './reading';
import { Recordings } from './recordings';
import { Ringing } from './ringing';
import type { Me } from './session';
import type { Shelf } from './shelf';
import { SingleFlight } from './single_flight';
import { Typing } from './typing';
import { previewOf } from './words';

/** Conversations that are heard live; the server tells what is unread in the others. */
const ROOMS_MAX = 100;

const BEGIN_AGAIN_MS = 3_000;

export type Status = 'connecting' | 'online' | 'offline' | 'refused';

/** Something that the user may want to be told of. */
export interface Notice {
  messageId: string;
  conversationId: string;
  senderId: string;
  senderName: string;
  preview: string;
}

export interface ChatNeeds {
  me: Me;
  wire: Wire;
  rest: Rest;
  upload: Uploader;
  store: OutboxStore;
  shelf: Shelf;
  lock: Lock;
  now: () => number;
  newId: () => string;
  tellTabs: () => void;
  onNotice: (notice: Notice) => void;
}

/** One user's chat: the parts of the state, and which event goes to which of them. */
export class Chat {
  readonly me: Me;
  readonly status = signal<Status>('connecting');
  readonly refusal = signal<Refused | null>(null);
  /** The list of conversations has been read once. */
  readonly ready = signal(false);
  readonly opened = signal<string | null>(null);
  /** What was open before, where nothing is: the user's place in the list. */
  readonly lastOpened = signal<string | null>(null);

  readonly inbox: Inbox;
  readonly people: People;
  readonly histories: Histories;
  readonly outbox: Outbox;
  readonly typing: Typing;
  readonly reading: Reading;
  readonly groups: Groups;
  readonly ringing: Ringing;
  readonly drafts: Drafts;
  readonly composing = new Composing();
  readonly recordings = new Recordings();
  readonly unreadTotal = computed(() => this.inbox.sorted.value.reduce((sum, entry) => sum + entry.unreadCount, 0));

  readonly #catchingUp: CatchingUp;
  readonly #flights = new SingleFlight();
  #retry: ReturnType<typeof setTimeout> | undefined;

  constructor(private readonly needs: ChatNeeds) {
    const { me, wire, rest, upload, store, shelf, lock, now, newId, tellTabs } = needs;
    this.me = me;
    this.inbox = new Inbox(me.id);
    this.people = new People(rest);
    this.histories = new Histories(rest);
    this.typing = new Typing(wire, now);
    this.reading = new Reading(wire, this.inbox);
    this.ringing = new Ringing(wire);
    this.groups = new Groups(wire, rest, this.inbox);
    this.drafts = new Drafts(shelf, me.id);
    this.outbox = new Outbox({
      store, wire, upload, userId: me.id, now, newId, lock, tellTabs,
      onSent: (message) => this.#messageCame(message),
      onUploaded: ({ conversationId }) => this.#catchingUp.refresh(conversationId!),
    });
    this.#catchingUp = new CatchingUp(wire, this.inbox, this.histories, () => this.opened.peek());
    this.#listen();
  }

  start(): void {
    this.needs.wire.connect();
    void this.outbox.load();
  }

  /** Nothing is open any more, and no microphone. */
  stop(): void {
    clearTimeout(this.#retry);
    this.opened.value = null;
    this.recordings.endAll();
    this.ringing.stopAll();
    this.outbox.stop();
    this.needs.wire.close();
  }

  /** Null closes what is open. Rejects with Refused; without a connection it is read when there is one. */
  async open(conversationId: string | null): Promise<void> {
    if (conversationId === this.opened.peek()) return;
    batch(() => {
      this.opened.value = conversationId;
      if (conversationId === null) return;
      this.lastOpened.value = conversationId;
      this.reading.opened(conversationId);
    });
    this.typing.stop();
    this.composing.reset();
    await this.#readOpened();
  }

  async edit(message: Message, newContent: string): Promise<void> {
    this.#messageEdited(await this.needs.wire.ask('edit_message', { messageId: message.id, newContent }));
  }

  async remove(message: Message): Promise<void> {
    const gone = await this.needs.wire.ask('delete_message', { messageId: message.id });
    this.histories.known(gone.conversationId)?.bury(gone);
    this.inbox.messageDeleted(gone);
  }

  async setStatus(status: User['status']): Promise<void> {
    this.people.statusChanged(await this.needs.wire.ask('user_status', { userId: this.me.id, status }));
  }

  // ------------------------------------------------------------------ connection
  #connectionChanged(change: Connection): void {
    clearTimeout(this.#retry);
    if (change.is === 'lost') this.status.value = this.ready.peek() ? 'offline' : 'connecting';
    else if (change.is === 'refused') batch(() => {
      this.status.value = 'refused';
      this.refusal.value = change.error;
    });
    else if (change.is === 'recovered') this.#resumed();
    else void this.#begin();
  }

  /** A session that knows nothing: say who this is, and catch up. */
  async #begin(): Promise<void> {
    clearTimeout(this.#retry);
    const { id: userId, name, email } = this.me;
    try {
      this.people.put([await this.needs.wire.ask('user_join', { userId, name, email })]);
      await this.#readInbox();
      this.#resumed();
      await this.#catchingUp.joinAll(this.inbox.sorted.peek().slice(0, ROOMS_MAX).map(({ id }) => id));
      await this.#readOpenedFirst();
      await this.people.load();
    } catch (error) {
      this.#beginFailed(error);
    }
  }

  /** What an address names may be nobody's, or closed to this user: then the rest goes on without it. */
  async #readOpenedFirst(): Promise<void> {
    try {
      await this.#readOpened();
    } catch (error) {
      if (!(error instanceof Refused) || isPassing(error)) throw error;
      void this.open(null);
    }
  }

  /** Gone again: the next connection begins anew. An engine that is down: so does this one, a little later. */
  #beginFailed(error: unknown): void {
    if (error instanceof Refused && !isPassing(error)) this.#connectionChanged({ is: 'refused', error });
    else this.#retry = setTimeout(() => void this.#begin(), BEGIN_AGAIN_MS);
  }

  #resumed(): void {
    this.status.value = 'online';
    this.refusal.value = null;
    this.reading.resume();
    void this.outbox.flush();
  }

  #readInbox(): Promise<void> {
    return this.#flights.run('inbox', async () => {
      const { conversations } = await this.needs.rest.inbox(this.me.id);
      this.inbox.replace(conversations);
      this.ready.value = true;
    });
  }

  #readOpened(): Promise<void> {
    const conversationId = this.opened.peek();
    if (conversationId === null || this.status.peek() !== 'online') return Promise.resolve();
    return this.#flights.run(`open ${conversationId}`, async () => {
      const room = await this.#catchingUp.join(conversationId);
      const timeline = this.histories.of(conversationId);
      if (timeline.loaded.peek()) {
        if (timeline.rev < room.rev) await this.#catchingUp.refresh(conversationId);
        return;
      }
      await this.histories.load(conversationId, room.rev, room.unreadCount);
      await this.#catchingUp.refresh(conversationId); // what was changed while the page was read
      await this.histories.loadMarks(conversationId);
    });
  }

  // ------------------------------------------------------------------ events
  #listen(): void {
    const { wire } = this.needs;
    wire.onConnection((change) => this.#connectionChanged(change));
    wire.on('message_received', (message) => void this.#messageCame(message));
    wire.on('reply_received', (message) => void this.#messageCame(message));
    wire.on('message_edited', (message) => this.#messageEdited(message));
    wire.on('message_deleted', (gone) => {
      this.histories.known(gone.conversationId)?.bury(gone);
      this.inbox.messageDeleted(gone);
    });
    wire.on('unread_message_private', (notice) => void this.#unread(notice));
    wire.on('unread_message_group', (notice) => void this.#unread(notice));
    wire.on('messages_marked_as_read', (read) => this.inbox.markMoved(read));
    wire.on('read_receipt', ({ conversationId, userId, lastReadSeq }) => {
      this.histories.known(conversationId)?.mark(userId, lastReadSeq);
    });
    wire.on('typing_indicator', (typing) => this.typing.heard(typing));
    wire.on('user_connected', ({ user }) => this.people.put([user]));
    wire.on('user_disconnected', (gone) => this.people.disconnected(gone));
    wire.on('user_status_update', (status) => this.people.statusChanged(status));
    this.#listenToGroups();
  }

  #listenToGroups(): void {
    const { wire } = this.needs;
    wire.on('group_created', (group) => {
      if (!this.inbox.get(group.id)) this.inbox.put(newEntry(group));
      this.#hear(group.id);
    });
    wire.on('user_added_to_group', ({ conversationId }) => void this.#known(conversationId));
    wire.on('group_participants_updated', ({ conversationId, participants }) => this.inbox.change(conversationId, { participants }));
    wire.on('group_updated', ({ conversationId, conversationName: name, description }) => {
      this.inbox.change(conversationId, { name, description });
    });
    wire.on('user_left_group', ({ conversationId, newOwnerId }) => {
      if (newOwnerId !== null) this.inbox.change(conversationId, { createdBy: newOwnerId });
    });
    wire.on('user_removed_from_group', ({ conversationId }) => this.#gone(conversationId));
    wire.on('group_left', ({ conversationId }) => this.#gone(conversationId));
    wire.on('group_deleted', ({ conversationId }) => this.#gone(conversationId));
  }

  async #messageCame(message: Message): Promise<void> {
    const isNew = message.seq > (this.inbox.get(message.conversationId)?.lastSeq ?? 0);
    batch(() => {
      if (isNew && message.conversationId === this.opened.peek()) this.reading.messageCame(message);
      this.inbox.messageCame(message);
      this.typing.ended(message.conversationId, message.senderId);
      void this.histories.put(message);
      this.outbox.settle(message.clientMessageId);
    });
    if (isNew && message.senderId !== this.me.id) this.#notice(message);
    if (!this.inbox.get(message.conversationId)) await this.#known(message.conversationId);
  }

  #messageEdited(message: Message): void {
    this.histories.known(message.conversationId)?.replace(message);
    this.inbox.messageChanged(message);
  }

  #notice({ id: messageId, conversationId, senderId, sender, ...rest }: Message): void {
    if (this.reading.looksAt(conversationId)) return;
    this.needs.onNotice({ messageId, conversationId, senderId, senderName: sender.name, preview: previewOf(rest) });
  }

  /** Of a conversation that is not heard live yet. */
  async #unread(notice: UnreadPrivate): Promise<void> {
    if (!this.ready.peek()) return; // the list that is being read says it all
    const known = this.inbox.get(notice.conversationId);
    const isNews = !known || notice.timestamp > (known.lastMessageAt ?? '');
    this.inbox.unread(notice);
    if (isNews) {
      const { messageId, conversationId, senderId, senderName, messagePreview: preview } = notice;
      this.needs.onNotice({ messageId, conversationId, senderId, senderName, preview });
    }
    await this.#known(notice.conversationId);
  }

  /** A conversation that somebody else has begun, or this user on another device. */
  async #known(conversationId: string): Promise<void> {
    try {
      if (!this.inbox.get(conversationId)) await this.#readInbox();
      await this.#catchingUp.joinAll([conversationId]); // what was said while the list was read, too
    } catch {
      // the next connection reads them all
    }
  }

  #hear(conversationId: string): void {
    this.#catchingUp.joinAll([conversationId]).catch(() => undefined);
  }

  #gone(conversationId: string): void {
    if (this.opened.peek() === conversationId) void this.open(null);
    this.inbox.remove(conversationId);
    this.histories.forget(conversationId);
  }
}
