import { signal } from '@preact/signals-core';
import type { Rest } from '../protocol/rest';
import type { User, UserDisconnected, UserStatus } from '../protocol/types.gen';
import { folded } from './words';

type Users = ReadonlyMap<string, User>;

/** Everybody that this client has heard of, and how they are. */
export class People {
  readonly known = signal<Users>(new Map());
  readonly #asked = new Set<string>();

  constructor(private readonly rest: Pick<Rest, 'users' | 'user'>) {}

  get(id: string): User | undefined {
    return this.known.value.get(id);
  }

  /** Asks for a stranger; until the answer is there, the id stands for the name. */
  nameOf(id: string): string {
    const user = this.get(id);
    if (user === undefined) void this.#meet(id);
    return user?.name ?? id;
  }

  async load(): Promise<void> {
    this.put((await this.rest.users('')).users);
  }

  /** The directory's answer: what is known here at once, and what only the server knows when it comes. */
  async search(text: string): Promise<void> {
    if (text.trim()) this.put((await this.rest.users(text.trim())).users);
  }

  put(users: readonly User[]): void {
    if (!users.length) return;
    this.known.value = new Map([...this.known.peek(), ...users.map((user) => [user.id, user] as const)]);
  }

  disconnected({ userId, lastSeen }: UserDisconnected): void {
    this.#change(userId, { status: 'offline', isOnline: false, lastSeen });
  }

  statusChanged({ userId, status, lastSeen }: UserStatus): void {
    this.#change(userId, { status, isOnline: status !== 'offline', lastSeen });
  }

  #change(id: string, part: Partial<User>): void {
    const user = this.known.peek().get(id);
    if (user) this.put([{ ...user, ...part }]);
  }

  async #meet(id: string): Promise<void> {
    if (this.#asked.has(id)) return;
    this.#asked.add(id);
    try {
      this.put([await this.rest.user(id)]);
    } catch {
      // deleted, or no connection: the id goes on standing for them
    }
  }
}

/** Online first, then by name; those whose name or e-mail has the text. */
export function directory(users: Users, search: string, without: ReadonlySet<string>): User[] {
  const wanted = folded(search.trim());
  return [...users.values()]
    .filter((user) => !without.has(user.id) && (folded(user.name).includes(wanted) || folded(user.email).includes(wanted)))
    .sort((one, other) => Number(other.isOnline) - Number(one.isOnline) || one.name.localeCompare(other.name));
}
