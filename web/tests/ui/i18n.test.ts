import { describe, expect, it } from 'vitest';
import { WORDS } from '../../src/ui/calls/words';
import { speak } from '../../src/ui/i18n';
import { en } from '../../src/ui/i18n/en';
import { es } from '../../src/ui/i18n/es';
import { pt } from '../../src/ui/i18n/pt';
import { previewText } from '../../src/ui/names';

const KEYS = Object.keys(en) as (keyof typeof en)[];

describe.each([['es', es], ['pt', pt]] as const)('the texts in %s', (_language, texts) => {
  it('have a sentence for everything, and for each error', () => {
    expect(Object.keys(texts).sort()).toEqual([...KEYS].sort());
    expect(Object.keys(texts.errors).sort()).toEqual(Object.keys(en.errors).sort());
  });

  it('are translated', () => {
    const same = KEYS.filter((key) => typeof en[key] === 'string' && texts[key] === en[key]);
    expect(same.filter((key) => !['chats', 'menu', 'audio', 'emoji', 'yourEmail'].includes(key))).toEqual([]);
  });
});

describe('the texts of a call', () => {
  it.each(['es', 'pt'] as const)('are translated into %s', (language) => {
    const theirs = new Map(sentencesOf(WORDS[language]));
    expect(sentencesOf(WORDS.en).filter(([key, text]) => theirs.get(key) === text)).toEqual([]);
  });
});

function sentencesOf(words: object, path = ''): [key: string, text: string][] {
  return Object.entries(words).flatMap(([key, text]: [string, unknown]) => {
    if (typeof text === 'string') return [[path + key, text]];
    return typeof text === 'object' && text !== null ? sentencesOf(text, `${path}${key}.`) : [];
  });
}

describe('what became of a call', () => {
  it('is said in the user’s language, in lists too', async () => {
    await speak('en');
    expect(previewText('Videollamada perdida')).toBe('📹 Video call · Not answered');
    expect(previewText('Llamada · 3:12')).toBe('📞 Voice call · 3:12');
    expect(previewText('Llamada sin respuesta: ocupado')).toBe('📞 Voice call · Busy');
    expect(previewText('Llamada perdida ayer')).toBe('Llamada perdida ayer');
  });
});

describe('who is typing', () => {
  it('is said in a sentence for one, for two, for several', () => {
    expect(es.typing(['Juan'])).toBe('Juan está escribiendo…');
    expect(es.typing(['Juan', 'María'])).toBe('Juan y María están escribiendo…');
    expect(es.typing(['Juan', 'María', 'Eva'])).toBe('Varias personas están escribiendo…');
  });
});
