import type { Rest } from '../protocol/rest';
import type { Message } from '../protocol/types.gen';
import { SingleFlight } from './single_flight';
import { Timeline } from './timeline';

export const FIRST_PAGE = 50;
export const OLDER_PAGE = 100;
/** The server gives no more at once. */
const LARGEST_PAGE = 500;

/** The timelines of the conversations that were opened, and how their messages get here. */
export class Histories {
  readonly #timelines = new Map<string, Timeline>();
  readonly #flights = new SingleFlight();

  constructor(private readonly rest: Pick<Rest, 'history' | 'message' | 'readMarks'>) {}

  of(conversationId: string): Timeline {
    const known = this.#timelines.get(conversationId);
    if (known) return known;
    const timeline = new Timeline();
    this.#timelines.set(conversationId, timeline);
    return timeline;
  }

  known(conversationId: string): Timeline | undefined {
    return this.#timelines.get(conversationId);
  }

  forget(conversationId: string): void {
    this.#timelines.delete(conversationId);
  }

  /** The newest messages, the unread ones among them. `rev` is the conversation's from before this is asked. */
  load(conversationId: string, rev: number, unreadCount: number): Promise<void> {
    return this.#flights.run(`load ${conversationId}`, async () => {
      const limit = Math.min(LARGEST_PAGE, Math.max(FIRST_PAGE, unreadCount + FIRST_PAGE / 2));
      const page = await this.rest.history(conversationId, { limit });
      this.of(conversationId).start(page, { rev, limit });
    });
  }

  /** How far everybody has read. */
  async loadMarks(conversationId: string): Promise<void> {
    const { readMarks } = await this.rest.readMarks(conversationId);
    for (const { userId, lastReadSeq } of readMarks) this.of(conversationId).mark(userId, lastReadSeq);
  }

  /** One page more, upwards. */
  loadOlder(conversationId: string, limit = OLDER_PAGE): Promise<void> {
    return this.#flights.run(`older ${conversationId}`, async () => {
      const timeline = this.of(conversationId);
      if (!timeline.loaded.peek() || !timeline.hasOlder.peek()) return;
      timeline.prepend(await this.rest.history(conversationId, { before: timeline.firstSeq, limit }), limit);
    });
  }

  /** Reads upwards until the message is there. Undefined when it is gone. */
  async find(conversationId: string, messageId: string): Promise<Message | undefined> {
    const timeline = this.of(conversationId);
    const here = timeline.byId(messageId);
    if (here) return here;
    const { seq } = await this.rest.message(messageId);
    while (timeline.hasOlder.peek() && timeline.firstSeq > seq) await this.loadOlder(conversationId, LARGEST_PAGE);
    return timeline.byId(messageId);
  }

  /** A message that was told live. What is missing before it is asked for first. */
  async put(message: Message): Promise<void> {
    const { conversationId } = message;
    const timeline = this.#timelines.get(conversationId);
    if (timeline && !timeline.put(message)) await this.#fillGap(conversationId, timeline);
  }

  #fillGap(conversationId: string, timeline: Timeline): Promise<void> {
    return this.#flights.run(`gap ${conversationId}`, async () => {
      for (let more = true; more;) {
        const page = await this.rest.history(conversationId, { after: timeline.lastSeq, limit: LARGEST_PAGE });
        page.forEach((message) => timeline.put(message));
        more = page.length === LARGEST_PAGE;
      }
    });
  }
}
