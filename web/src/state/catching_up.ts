import type { Change, RoomState, Synced } from '../protocol/types.gen';
import type { Wire } from '../protocol/wire';
import type { Histories } from './histories';
import type { Inbox } from './inbox';
import type { Timeline } from './timeline';

/** How many conversations one `sync` takes. */
const SYNC_MAX = 200;

/** A timeline that has fallen behind by more is read anew when it is opened next. */
const FORGET_BEYOND = 1000;

type Asked = { conversationId: string; rev: number };

/** Brings what was missed: joins rooms, compares `rev`, asks `sync` for the rest. */
export class CatchingUp {
  constructor(
    private readonly wire: Pick<Wire, 'ask'>,
    private readonly inbox: Inbox,
    private readonly histories: Histories,
    private readonly opened: () => string | null,
  ) {}

  /** After the inbox has been read anew. Rooms first: what is said from then on is heard. */
  async joinAll(conversationIds: readonly string[]): Promise<void> {
    const rooms = await Promise.allSettled(conversationIds.map((id) => this.join(id)));
    const joined = rooms.flatMap((room) => (room.status === 'fulfilled' ? [room.value] : []));
    await this.#sync(joined.flatMap((room) => this.#missed(room)));
  }

  join(conversationId: string): Promise<RoomState> {
    return this.wire.ask('join_room', { conversationId });
  }

  /** One conversation, from what is known of it. */
  async refresh(conversationId: string): Promise<void> {
    const rev = this.histories.known(conversationId)?.rev;
    await this.#sync([{ conversationId, rev: rev ?? this.inbox.get(conversationId)?.rev ?? 0 }]);
  }

  #missed({ conversationId, rev }: RoomState): Asked[] {
    const timeline = this.#worthKeeping(conversationId, rev);
    const known = Math.min(this.inbox.get(conversationId)?.rev ?? 0, timeline?.rev ?? Infinity);
    return known < rev ? [{ conversationId, rev: known }] : [];
  }

  #worthKeeping(conversationId: string, rev: number): Timeline | null {
    const timeline = this.histories.known(conversationId);
    if (!timeline?.loaded.peek()) return null;
    if (rev - timeline.rev <= FORGET_BEYOND || this.opened() === conversationId) return timeline;
    this.histories.forget(conversationId);
    return null;
  }

  async #sync(asked: readonly Asked[]): Promise<void> {
    for (let rest = [...asked]; rest.length > 0;) {
      const { conversations } = await this.wire.ask('sync', { conversations: rest.slice(0, SYNC_MAX) });
      const unfinished = conversations.filter((synced) => this.#apply(synced));
      rest = [...unfinished.map(({ conversationId, rev }) => ({ conversationId, rev })), ...rest.slice(SYNC_MAX)];
    }
  }

  /** True when there is more to ask for. */
  #apply({ conversationId, rev, changes, hasMore, truncated, error }: Synced): boolean {
    if (error) {
      this.inbox.remove(conversationId);
      this.histories.forget(conversationId);
      return false;
    }
    const timeline = this.histories.known(conversationId);
    if (truncated) timeline?.purge(Infinity);
    for (const change of changes) this.#applyOne(conversationId, change, timeline);
    if (timeline?.loaded.peek()) timeline.rev = Math.max(timeline.rev, rev);
    this.inbox.change(conversationId, { rev });
    return hasMore;
  }

  #applyOne(conversationId: string, change: Change, timeline: Timeline | undefined): void {
    const { inbox } = this;
    switch (change.type) {
      case 'message':
        inbox.messageCame(change.message!);
        void this.histories.put(change.message!);
        break;
      case 'edit':
        inbox.messageChanged(change.message!);
        timeline?.replace(change.message!);
        break;
      case 'delete':
        inbox.messageDeleted(change.message!);
        timeline?.bury({ messageId: change.message!.id, conversationId, seq: change.message!.seq });
        break;
      case 'read':
        inbox.markMoved({ conversationId, ...change.read! });
        timeline?.mark(change.read!.userId, change.read!.lastReadSeq);
        break;
      case 'members':
        inbox.membersChanged(conversationId, change.members!);
        break;
      case 'details':
        inbox.change(conversationId, { name: change.details!.name, description: change.details!.description });
        break;
      case 'purge':
        timeline?.purge(change.throughSeq!);
        inbox.markMoved({ conversationId, userId: inbox.me, lastReadSeq: change.throughSeq!, timestamp: '' });
        break;
    }
  }
}
