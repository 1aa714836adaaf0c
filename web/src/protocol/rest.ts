import type { Proof } from './proof';
import { Refused, Unreachable } from './refused';
import type {
  Conversation, Conversations, HttpError, Message, MessageWithReplies, MessagesRead, ParticipantsAdded, ReadMarks, User, Users,
} from './types.gen';

export interface Page {
  before?: number;
  after?: number;
  limit: number;
}

/** What the client asks over REST, typed. Every method rejects with Refused or Unreachable. */
export class Rest {
  constructor(
    private readonly base: string,
    private readonly proof: Proof,
    private readonly language: () => string,
    private readonly fetch: typeof globalThis.fetch = (...request) => globalThis.fetch(...request),
  ) {}

  users(search: string, limit = 500): Promise<Users> {
    return this.get('/api/users', { q: search || undefined, limit });
  }

  user(id: string): Promise<User> {
    return this.get(`/api/users/${encodeURIComponent(id)}`);
  }

  inbox(userId: string): Promise<Conversations> {
    return this.get(`/api/conversations/user/${encodeURIComponent(userId)}`);
  }

  conversation(id: string): Promise<Conversation> {
    return this.get(`/api/conversations/${encodeURIComponent(id)}`);
  }

  readMarks(conversationId: string): Promise<ReadMarks> {
    return this.get(`/api/conversations/${encodeURIComponent(conversationId)}/read-marks`);
  }

  history(conversationId: string, page: Page): Promise<Message[]> {
    return this.get(`/api/messages/${encodeURIComponent(conversationId)}`, { ...page });
  }

  message(id: string): Promise<MessageWithReplies> {
    return this.get(`/api/messages/${encodeURIComponent(id)}/with-replies`);
  }

  startPrivate(me: string, other: string): Promise<Conversation> {
    return this.post('/api/conversations', { type: 'private', participants: [me, other], createdBy: me });
  }

  addParticipants(conversationId: string, participants: string[], addedBy: string): Promise<ParticipantsAdded> {
    return this.post(`/api/conversations/${encodeURIComponent(conversationId)}/participants`, { participants, addedBy });
  }

  removeParticipant(conversationId: string, userId: string, removedBy: string): Promise<Conversation> {
    const path = `/api/conversations/${encodeURIComponent(conversationId)}/participants/${encodeURIComponent(userId)}`;
    return this.send('DELETE', path, { removedBy });
  }

  markAsRead(conversationId: string, userId: string): Promise<MessagesRead> {
    return this.post(`/api/conversations/${encodeURIComponent(conversationId)}/mark-as-read`, { userId });
  }

  get<T>(path: string, query: Record<string, string | number | undefined> = {}): Promise<T> {
    return this.send('GET', path, query);
  }

  post<T>(path: string, body: unknown): Promise<T> {
    return this.send('POST', path, {}, body);
  }

  /** The headers that say who asks and in which language to answer. */
  async headers(): Promise<Record<string, string>> {
    const token = await this.proof.token();
    return { 'Accept-Language': this.language(), ...(token === null ? {} : { Authorization: `Bearer ${token}` }) };
  }

  url(path: string, query: Record<string, string | number | undefined> = {}): string {
    const url = new URL(path, this.base);
    for (const [name, value] of Object.entries(query)) if (value !== undefined) url.searchParams.set(name, String(value));
    return url.href;
  }

  private async send<T>(
    method: string, path: string, query: Record<string, string | number | undefined>, body?: unknown,
  ): Promise<T> {
    const headers = await this.headers();
    const said = body === undefined ? {} : { body: JSON.stringify(body) };
    if (body !== undefined) headers['Content-Type'] = 'application/json';
    const response = await this.reach(this.url(path, query), { method, headers, ...said });
    if (!response.ok) throw await this.refusal(response);
    return (await response.json()) as T;
  }

  private async reach(url: string, request: RequestInit): Promise<Response> {
    try {
      return await this.fetch(url, request);
    } catch (error) {
      throw new Unreachable('no answer', { cause: error });
    }
  }

  private async refusal(response: Response): Promise<Error> {
    if (response.status === 401) this.proof.renew();
    try {
      return Refused.fromHttp((await response.json()) as HttpError);
    } catch (error) {
      return new Unreachable(`status ${response.status}`, { cause: error }); // a proxy's page, say
    }
  }
}
