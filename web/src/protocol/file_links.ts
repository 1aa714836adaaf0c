import type { Rest } from './rest';
import type { FileLinks as FileLinksAnswer } from './types.gen';

/** A signed URL is asked for anew when it has less than this to live. */
const SPARE_MS = 60_000;

/** The server signs no more in one request. */
const AT_ONCE_MAX = 100;

/** Where `<img>` and `<audio>` find a file: they send no token, so in jwt mode the URL is signed for this user. */
export class FileLinks {
  readonly #signed = new Map<string, { url: string; until: number }>();
  #waiting: Map<string, ((url: string | null) => void)[]> | null = null;

  constructor(
    private readonly rest: Pick<Rest, 'post' | 'url'>,
    private readonly signs: boolean,
    private readonly now: () => number = Date.now,
  ) {}

  /** The URL at once where none has to be signed or one is at hand; else undefined: ask `sign`. */
  ready(fileUrl: string): string | undefined {
    if (!this.signs || !isOurs(fileUrl)) return this.rest.url(fileUrl);
    const known = this.#signed.get(fileUrl);
    return known && known.until - SPARE_MS > this.now() ? known.url : undefined;
  }

  /** Null when the server gives none. All that is asked for in one turn goes in one request. */
  sign(fileUrl: string): Promise<string | null> {
    if (!this.#waiting) {
      this.#waiting = new Map();
      queueMicrotask(() => void this.#ask());
    }
    const waiting = this.#waiting;
    return new Promise((resolve) => waiting.set(fileUrl, [...(waiting.get(fileUrl) ?? []), resolve]));
  }

  async #ask(): Promise<void> {
    const waiting = this.#waiting ?? new Map<string, never>();
    this.#waiting = null;
    const urls = [...waiting.keys()];
    for (let from = 0; from < urls.length; from += AT_ONCE_MAX) await this.#request(urls.slice(from, from + AT_ONCE_MAX));
    for (const [fileUrl, resolves] of waiting) {
      for (const resolve of resolves) resolve(this.#signed.get(fileUrl)?.url ?? null);
    }
  }

  async #request(urls: readonly string[]): Promise<void> {
    const { links } = await this.rest.post<FileLinksAnswer>('/api/files/links', { urls }).catch(() => ({ links: [] }));
    for (const { url, signedUrl, expiresAt } of links) {
      if (signedUrl && expiresAt) this.#signed.set(url, { url: this.rest.url(signedUrl), until: Date.parse(expiresAt) });
    }
  }
}

function isOurs(fileUrl: string): boolean {
  return fileUrl.startsWith('/api/files/') || fileUrl.startsWith('/uploads/');
}
