import { describe, expect, it } from 'vitest';
import { en } from '../../src/ui/i18n/en';
import { es } from '../../src/ui/i18n/es';
import { pt } from '../../src/ui/i18n/pt';

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

describe('who is typing', () => {
  it('is said in a sentence for one, for two, for several', () => {
    expect(es.typing(['Juan'])).toBe('Juan está escribiendo…');
    expect(es.typing(['Juan', 'María'])).toBe('Juan y María están escribiendo…');
    expect(es.typing(['Juan', 'María', 'Eva'])).toBe('Varias personas están escribiendo…');
  });
});
