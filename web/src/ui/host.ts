import { signal } from '@preact/signals';
import type { Proof } from '../protocol/proof';

/** What a host page may leave at `window.chatapp` before the client starts: a token, or who makes them. */
export interface Host {
  /** Null from who makes them: there is none yet, and it will be given when there is. */
  token?: string | (() => string | null | Promise<string | null>);
}

declare global {
  interface Window {
    chatapp?: Host;
  }
}

/** Messages between the client in a frame and the page around it. A token never stands in a URL. */
const TOKEN = 'chatapp:token';
const TOKEN_NEEDED = 'chatapp:token-needed';

/** A host that could give no token is asked again so much later. */
const ASK_AGAIN_MS = 5_000;

/**
 * The proof in jwt mode: the host page's token, from `window.chatapp` or sent by `postMessage`. Only the page around us is
 * heard, and only from our own origin: who may frame us is the server's to say.
 */
export class HostProof implements Proof {
  /** The token that is in use; null until the host gave one. */
  readonly current = signal<string | null>(null);
  readonly #closed = new AbortController();
  #fresh = true;
  #asking: Promise<void> | null = null;
  #again: ReturnType<typeof setTimeout> | undefined;

  constructor(private readonly host: Host | undefined) {
    window.addEventListener('message', (event: MessageEvent<unknown>) => this.#heard(event), { signal: this.#closed.signal });
  }

  /** Asks the host for a token when there is none that is good; once, however many wait for it. */
  async token(): Promise<string | null> {
    if (this.#fresh) await (this.#asking ??= this.#ask().finally(() => (this.#asking = null)));
    return this.current.peek();
  }

  renew(): void {
    this.#fresh = true;
  }

  give(token: string): void {
    this.#fresh = false;
    this.current.value = token;
  }

  close(): void {
    this.#closed.abort();
    clearTimeout(this.#again);
  }

  async #ask(): Promise<void> {
    const source = this.host?.token;
    if (typeof source === 'function') await this.#made(source);
    else if (source !== undefined) this.give(source);
    else if (window.parent !== window) window.parent.postMessage({ type: TOKEN_NEEDED }, location.origin);
  }

  /** A host that fails is told so where its developers look, and asked again. */
  async #made(make: () => string | null | Promise<string | null>): Promise<void> {
    try {
      const token = await make();
      if (token !== null) this.give(token);
    } catch (error) {
      console.error('chatapp: the page’s token could not be had', error);
      clearTimeout(this.#again);
      if (!this.#closed.signal.aborted) this.#again = setTimeout(() => void this.token(), ASK_AGAIN_MS);
    }
  }

  #heard({ source, origin, data }: MessageEvent<unknown>): void {
    if (source !== window.parent || origin !== location.origin) return;
    if (typeof data === 'object' && data !== null && 'type' in data && data.type === TOKEN && 'token' in data && typeof data.token === 'string') {
      this.give(data.token);
    }
  }
}
