import { computed, signal } from '@preact/signals-core';
import type { InboxEntry, MembersChange, Message, MessagesRead, UnreadPrivate } from '../protocol/types.gen';
import { previewOf } from './words';

/** The user's own conversations, each with what is unread: `lastSeq − lastReadSeq`, own messages counted as read. */
export class Inbox {
  readonly entries = signal<ReadonlyMap<string, InboxEntry>>(new Map());
  /** Latest activity first. */
  readonly sorted = computed(() => [...this.entries.value.values()].sort(byActivity));

  constructor(readonly me: string) {}

  get(id: string): InboxEntry | undefined {
    return this.entries.value.get(id);
  }

  replace(entries: readonly InboxEntry[]): void {
    this.entries.value = new Map(entries.map((entry) => [entry.id, entry]));
  }

  put(entry: InboxEntry): void {
    this.entries.value = new Map(this.entries.peek()).set(entry.id, entry);
  }

  change(id: string, part: Partial<InboxEntry>): void {
    const entry = this.entries.peek().get(id);
    if (entry) this.put({ ...entry, ...part });
  }

  remove(id: string): void {
    const entries = new Map(this.entries.peek());
    if (entries.delete(id)) this.entries.value = entries;
  }

  /** A new message, or one again: only what is newer than what is known changes anything. */
  messageCame(message: Message): void {
    const entry = this.entries.peek().get(message.conversationId);
    if (!entry || message.seq <= entry.lastSeq) return;
    const lastReadSeq = message.senderId === this.me ? message.seq : entry.lastReadSeq;
    this.put({
      ...entry,
      lastSeq: message.seq,
      lastMessage: previewOf(message),
      lastMessageAt: message.timestamp,
      lastReadSeq,
      unreadCount: message.seq - lastReadSeq,
    });
  }

  /** The newest message has other content now, or none. */
  messageChanged(message: Message): void {
    const entry = this.entries.peek().get(message.conversationId);
    if (entry?.lastSeq === message.seq) this.put({ ...entry, lastMessage: previewOf(message) });
  }

  messageDeleted({ conversationId, seq }: { conversationId: string; seq: number }): void {
    if (this.entries.peek().get(conversationId)?.lastSeq === seq) this.change(conversationId, { lastMessage: '' });
  }

  /** For a conversation whose messages this client does not hear themselves. */
  unread({ conversationId, messagePreview, timestamp, unreadCount }: UnreadPrivate): void {
    const entry = this.entries.peek().get(conversationId);
    if (!entry) return;
    const lastSeq = Math.max(entry.lastSeq, entry.lastReadSeq + unreadCount);
    this.put({ ...entry, lastSeq, lastMessage: messagePreview, lastMessageAt: timestamp, unreadCount });
  }

  /** Somebody's read mark; the own one, from this or another device, changes what is unread. */
  markMoved({ conversationId, userId, lastReadSeq, timestamp }: MessagesRead): void {
    const entry = this.entries.peek().get(conversationId);
    if (userId !== this.me || !entry || lastReadSeq <= entry.lastReadSeq) return;
    const lastSeq = Math.max(entry.lastSeq, lastReadSeq);
    this.put({ ...entry, lastSeq, lastReadSeq, lastReadAt: timestamp, unreadCount: lastSeq - lastReadSeq });
  }

  membersChanged(id: string, { action, userIds, newOwnerId }: MembersChange): void {
    const entry = this.entries.peek().get(id);
    if (!entry) return;
    const others = entry.participants.filter((participant) => !userIds.includes(participant));
    const participants = action === 'add' ? [...others, ...userIds] : others;
    this.put({ ...entry, participants, createdBy: newOwnerId ?? entry.createdBy });
  }
}

function byActivity(one: InboxEntry, other: InboxEntry): number {
  return activity(other).localeCompare(activity(one));
}

function activity({ lastMessageAt, createdAt }: InboxEntry): string {
  return lastMessageAt ?? createdAt;
}
