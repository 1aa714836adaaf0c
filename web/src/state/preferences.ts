import { computed, signal } from '@preact/signals-core';
import { Remembered, type Shelf } from './shelf';

export type Language = 'es' | 'en' | 'pt';
export type Theme = 'light' | 'dark';

export const LANGUAGES: readonly Language[] = ['es', 'en', 'pt'];

interface Chosen {
  /** Null: as the browser has it. */
  language: Language | null;
  theme: Theme | null;
  sound: boolean;
  notifications: boolean;
  /** Notifications were offered, and answered either way. */
  offered: boolean;
  muted: readonly string[];
}

/** What a page that the chat is a guest on would like, where the user has chosen nothing. */
export interface Wishes {
  language: Language | null;
  theme: Theme | null;
}

const UNCHOSEN: Chosen = { language: null, theme: null, sound: true, notifications: false, offered: false, muted: [] };

/** What the user has set on this machine. */
export class Preferences {
  readonly wishes = signal<Wishes>({ language: null, theme: null });
  readonly #chosen: Remembered<Chosen>;
  readonly language = computed(() => this.chosen.language ?? this.wishes.value.language ?? spoken(this.browserLanguages));
  /** Null: as the system has it. */
  readonly theme = computed(() => this.chosen.theme ?? this.wishes.value.theme);

  constructor(shelf: Shelf, private readonly browserLanguages: readonly string[]) {
    this.#chosen = new Remembered<Chosen>(shelf, 'chatapp.preferences', UNCHOSEN);
  }

  get chosen(): Chosen {
    return { ...UNCHOSEN, ...this.#chosen.value.value };
  }

  set(part: Partial<Chosen>): void {
    this.#chosen.set({ ...UNCHOSEN, ...this.#chosen.value.peek(), ...part });
  }

  isMuted(conversationId: string): boolean {
    return this.chosen.muted.includes(conversationId);
  }

  mute(conversationId: string, muted: boolean): void {
    const others = this.chosen.muted.filter((id) => id !== conversationId);
    this.set({ muted: muted ? [...others, conversationId] : others });
  }

  changedElsewhere(key: string | null): void {
    this.#chosen.changedElsewhere(key);
  }
}

/** The first language of the browser's that the client speaks; else English. */
export function spoken(browserLanguages: readonly string[]): Language {
  const wanted = browserLanguages.map((tag) => tag.toLowerCase().split('-')[0]);
  return LANGUAGES.find((language) => language === wanted.find((tag) => LANGUAGES.includes(tag as Language))) ?? 'en';
}
