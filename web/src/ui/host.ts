import { signal } from '@preact/signals';
import type { Proof } from '../protocol/proof';

/** What a host page may leave at `window.chatapp` before the client starts: a token, or who makes them. */
export interface Host {
  token?: string | (() => string | Promise<string>);
}

declare global {
  interface Window {
    chatapp?: Host;
  }
}

/** Messages between the client in a frame and the page around it. A token never stands in a URL. */
const TOKEN = 'chatapp:token';
const TOKEN_NEEDED = 'chatapp:token-needed';

/**
 * The proof in jwt mode: the host page's token, from `window.chatapp` or sent by `postMessage`. Only the page around us is
 * heard, and only from our own origin: who may frame us is the server's to say.
 */
export class HostProof implements Proof {
  /** The token that is in use; null until the host gave one. */
  readonly current = signal<string | null>(null);
  #fresh = true;

  constructor(private readonly host: Host | undefined) {
    window.addEventListener('message', (event: MessageEvent<unknown>) => this.#heard(event));
  }

  /** Asks the host for a token when there is none that is good. */
  async token(): Promise<string | null> {
    if (this.#fresh) await this.#ask();
    return this.current.peek();
  }

  renew(): void {
    this.#fresh = true;
  }

  give(token: string): void {
    this.#fresh = false;
    this.current.value = token;
  }

  async #ask(): Promise<void> {
    const source = this.host?.token;
    if (typeof source === 'function') this.give(await source());
    else if (source !== undefined) this.give(source);
    else if (window.parent !== window) window.parent.postMessage({ type: TOKEN_NEEDED }, location.origin);
  }

  #heard({ source, origin, data }: MessageEvent<unknown>): void {
    if (source !== window.parent || origin !== location.origin) return;
    if (typeof data === 'object' && data !== null && 'type' in data && data.type === TOKEN && 'token' in data && typeof data.token === 'string') {
      this.give(data.token);
    }
  }
}
