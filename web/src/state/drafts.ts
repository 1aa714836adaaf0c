import { Remembered, type Shelf } from './shelf';

type Texts = Readonly<Record<string, string>>;

/** What was begun and not sent, by conversation; kept when the tab closes, and the same in all tabs. */
export class Drafts {
  readonly #texts: Remembered<Texts>;

  constructor(shelf: Shelf, userId: string) {
    this.#texts = new Remembered<Texts>(shelf, `chatapp.drafts.${userId}`, {});
  }

  of(conversationId: string): string {
    return this.#texts.value.value[conversationId] ?? '';
  }

  set(conversationId: string, text: string): void {
    const texts = new Map(Object.entries(this.#texts.value.peek()));
    if (text.trim()) texts.set(conversationId, text);
    else texts.delete(conversationId);
    this.#texts.set(Object.fromEntries(texts));
  }

  changedElsewhere(key: string | null): void {
    this.#texts.changedElsewhere(key);
  }
}
