import { signal } from '@preact/signals';
import type { ServerConfig } from '../protocol/config';
import { FileLinks } from '../protocol/file_links';
import { NO_PROOF, type Proof } from '../protocol/proof';
import { Rest } from '../protocol/rest';
import { uploader } from '../protocol/upload';
import { SocketWire } from '../protocol/wire';
import { Chat } from '../state/chat';
import { IndexedDbOutbox } from '../state/outbox_store';
import { Preferences } from '../state/preferences';
import type { Me } from '../state/session';
import { Remembered } from '../state/shelf';
import { newId, tabLock, Tabs } from './browser';
import { CallDoor } from './calls/door';
import { HostProof, type Host } from './host';
import { notify } from './notifying';

/** What there is before anybody has signed in, and what makes a chat of it: the one place that picks the browser's parts. */
export class Services {
  readonly preferences = new Preferences(localStorage, navigator.languages);
  /** Who has signed in here; in open mode only. */
  readonly session: Remembered<Me | null>;
  /** The one conversation that a guest on another's page shows; null: all of them. */
  readonly only = signal<string | null>(null);
  /** Whose chat it is at the moment. */
  readonly current = signal<Chat | null>(null);
  readonly host: HostProof | null;
  readonly rest: Rest;
  readonly links: FileLinks;
  readonly #closed = new AbortController();

  constructor(readonly base: string, readonly config: ServerConfig, host: Host | undefined) {
    this.session = new Remembered<Me | null>(localStorage, this.#named('chatapp.session'), null);
    this.host = config.authMode === 'jwt' ? new HostProof(host) : null;
    this.rest = new Rest(base, this.proof, () => this.preferences.language.peek());
    this.links = new FileLinks(this.rest, config.authMode === 'jwt');
    window.addEventListener('storage', ({ key }) => {
      this.preferences.changedElsewhere(key);
      this.session.changedElsewhere(key);
    }, { signal: this.#closed.signal });
  }

  get proof(): Proof {
    return this.host ?? NO_PROOF;
  }

  /** Nothing is heard any more. The chat itself ends with what shows it. */
  close(): void {
    this.#closed.abort();
    this.host?.close();
  }

  /** Started; the function ends it. */
  chat(me: Me): [Chat, CallDoor, () => void] {
    const tabs = new Tabs(`chatapp outbox ${me.id}`, () => void chat.outbox.load());
    const wire = new SocketWire({ url: this.base, path: this.config.socketPath, proof: this.proof, userId: me.id });
    const chat: Chat = new Chat({
      me, wire, rest: this.rest, upload: uploader(this.rest), store: new IndexedDbOutbox(this.#named('chatapp')), shelf: localStorage,
      lock: tabLock, now: Date.now, newId, tellTabs: () => tabs.tell(),
      onNotice: (notice) => {
        const { only } = this;
        if ((only.peek() ?? notice.conversationId) === notice.conversationId) notify(notice, this.preferences, chat);
      },
    });
    const drafts = ({ key }: StorageEvent) => chat.drafts.changedElsewhere(key);
    window.addEventListener('storage', drafts);
    chat.start();
    this.current.value = chat;
    const follow = this.host?.current.subscribe((token) => token !== null && wire.renewed(token));
    const door = new CallDoor(chat, wire);
    return [chat, door, () => {
      door.close();
      follow?.();
      window.removeEventListener('storage', drafts);
      tabs.close();
      chat.stop();
      if (this.current.peek() === chat) this.current.value = null;
    }];
  }

  /** For each server its own: a page of another origin may show the chats of several. */
  #named(name: string): string {
    return this.base === location.origin ? name : `${name} ${this.base}`;
  }
}
