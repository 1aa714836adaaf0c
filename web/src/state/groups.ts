import type { Rest } from '../protocol/rest';
import type { Conversation, InboxEntry } from '../protocol/types.gen';
import type { Wire } from '../protocol/wire';
import type { Inbox } from './inbox';

/** What the user does with conversations as a whole. Each rejects with Refused or Unreachable. */
export class Groups {
  constructor(
    private readonly wire: Pick<Wire, 'ask'>,
    private readonly rest: Rest,
    private readonly inbox: Inbox,
  ) {}

  /** The id of the one private conversation with them. */
  async startPrivate(userId: string): Promise<string> {
    const known = [...this.inbox.entries.peek().values()].find(
      ({ type, participants }) => type === 'private' && participants.includes(userId) && participants.includes(this.inbox.me),
    );
    return known?.id ?? this.#got(await this.rest.startPrivate(this.inbox.me, userId));
  }

  async create(name: string, description: string, participants: readonly string[]): Promise<string> {
    const everybody = [this.inbox.me, ...participants.filter((id) => id !== this.inbox.me)];
    const said = description.trim() ? { description: description.trim() } : {};
    return this.#got(await this.wire.ask('create_group', {
      name: name.trim(), ...said, participants: everybody, createdBy: this.inbox.me,
    }));
  }

  async rename(conversationId: string, name: string, description: string): Promise<void> {
    const group = await this.wire.ask('update_group', { conversationId, name: name.trim(), description: description.trim() || null });
    this.inbox.change(conversationId, { name: group.name, description: group.description });
  }

  async add(conversationId: string, participants: readonly string[]): Promise<void> {
    const group = await this.wire.ask('add_user_to_group', { conversationId, participants: [...participants], addedBy: this.inbox.me });
    this.inbox.change(conversationId, { participants: group.participants });
  }

  async remove(conversationId: string, userId: string): Promise<void> {
    const group = await this.rest.removeParticipant(conversationId, userId, this.inbox.me);
    this.inbox.change(conversationId, { participants: group.participants });
  }

  async leave(conversationId: string): Promise<void> {
    await this.wire.ask('leave_group', { conversationId });
    this.inbox.remove(conversationId);
  }

  #got(conversation: Conversation): string {
    if (!this.inbox.get(conversation.id)) this.inbox.put(newEntry(conversation));
    return conversation.id;
  }
}

/** A conversation that this user has just come into: all before is read. */
export function newEntry(conversation: Conversation): InboxEntry {
  return { ...conversation, unreadCount: 0, lastReadAt: null, lastReadSeq: conversation.lastSeq };
}
