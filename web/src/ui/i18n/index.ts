import { signal } from '@preact/signals';
import type { Language } from '../../state/preferences';
import { en, type Texts } from './en';

export type { Texts } from './en';

const LOADERS: Record<Language, () => Promise<Texts>> = {
  en: () => Promise.resolve(en),
  es: () => import('./es').then(({ es }) => es),
  pt: () => import('./pt').then(({ pt }) => pt),
};

const current = signal<{ language: Language; texts: Texts }>({ language: 'en', texts: en });

export async function speak(language: Language): Promise<void> {
  current.value = { language, texts: await LOADERS[language]() };
}

/** Reading them in a component makes it follow the language. */
export function texts(): Texts {
  return current.value.texts;
}

export function language(): Language {
  return current.value.language;
}

/** The language as this browser's user writes it: where times are 15:30 in British English, they are not 3:30 PM. */
export function locale(): string {
  const spoken = language();
  return navigator.languages.find((tag) => tag.toLowerCase().split('-')[0] === spoken) ?? spoken;
}
