import { describe, expect, it } from 'vitest';
import { Drafts } from '../../src/state/drafts';
import { problemOf, takesSound } from '../../src/state/file_rules';
import { mayEdit, mayRemove } from '../../src/state/composing';
import { directory } from '../../src/state/people';
import { Preferences, spoken } from '../../src/state/preferences';
import { voiceName } from '../../src/state/recorder';
import { signIn, whoIs } from '../../src/state/session';
import { captionOf, isVoiceNote, previewOf } from '../../src/state/words';
import { aMessage, aUser, ME, MemoryShelf, NOON } from '../support';

describe('drafts', () => {
  it('are kept by conversation and user, and forgotten when empty', () => {
    const shelf = new MemoryShelf();
    new Drafts(shelf, ME).set('c1', 'half a thought');
    const again = new Drafts(shelf, ME);
    expect([again.of('c1'), again.of('c2'), new Drafts(shelf, 'luis').of('c1')]).toEqual(['half a thought', '', '']);
    again.set('c1', '  ');
    expect(new Drafts(shelf, ME).of('c1')).toBe('');
  });

  it('follow another tab', () => {
    const shelf = new MemoryShelf();
    const [one, other] = [new Drafts(shelf, ME), new Drafts(shelf, ME)];
    one.set('c1', 'hola');
    other.changedElsewhere('chatapp.drafts.ana');
    expect(other.of('c1')).toBe('hola');
  });

  it('hold for the tab when the shelf is full', () => {
    const full = { getItem: () => null, setItem: () => { throw new Error('full'); }, removeItem: () => undefined };
    const drafts = new Drafts(full, ME);
    drafts.set('c1', 'hola');
    expect(drafts.of('c1')).toBe('hola');
  });
});

describe('preferences', () => {
  it.each([[['pt-BR', 'en'], 'pt'], [['fr', 'es-MX'], 'es'], [['de'], 'en'], [[], 'en'], [['en-GB', 'es'], 'en']])(
    'of a browser that speaks %j: %s', (languages, language) => expect(spoken(languages)).toBe(language),
  );

  it('are remembered, and what is broken counts as not chosen', () => {
    const shelf = new MemoryShelf();
    const first = new Preferences(shelf, ['en']);
    first.set({ language: 'es' });
    first.mute('c1', true);
    const again = new Preferences(shelf, ['en']);
    expect([again.language.value, again.isMuted('c1'), again.isMuted('c2')]).toEqual(['es', true, false]);
    shelf.setItem('chatapp.preferences', '{broken');
    expect(new Preferences(shelf, ['en']).language.value).toBe('en');
  });
});

describe('a page around', () => {
  it('decides on language and theme where the user has not', () => {
    const preferences = new Preferences(new MemoryShelf(), ['en']);
    preferences.wishes.value = { language: 'pt', theme: 'dark' };
    expect([preferences.language.value, preferences.theme.value]).toEqual(['pt', 'dark']);
    preferences.set({ language: 'es', theme: 'light' });
    expect([preferences.language.value, preferences.theme.value]).toEqual(['es', 'light']);
  });
});

describe('signing in', () => {
  const users = [aUser('u1', { email: 'Ana@Example.com' }), aUser('u2', { email: 'ana@example.com.mx' })];
  const rest = { users: () => Promise.resolve({ users }) };

  it('finds whoever has the e-mail, in any case of letters', async () => {
    expect(await signIn(rest, ' Ana ', 'ana@example.COM ', () => 'new')).toEqual({ id: 'u1', name: 'Ana', email: 'ana@example.COM' });
  });

  it('makes somebody new of an unknown e-mail', async () => {
    expect((await signIn(rest, 'Eva', 'eva@example.com', () => 'new')).id).toBe('new');
  });

  it('by token takes the name from the token, and the rest from the directory', async () => {
    const token = (claims: object) => `e30.${Buffer.from(JSON.stringify(claims)).toString('base64url')}.x`;
    const directoryOf = { user: (id: string) => Promise.resolve(aUser(id, { name: 'José' })) };
    expect(await whoIs(token({ sub: 'u1', name: 'Ñandú', email: 'n@example.com' }), directoryOf)).toEqual({ id: 'u1', name: 'Ñandú', email: 'n@example.com' });
    expect(await whoIs(token({ sub: 'u1' }), directoryOf)).toMatchObject({ id: 'u1', name: 'José' });
    expect(await whoIs('nonsense', directoryOf)).toBeNull();
  });
});

describe('sounds', () => {
  it.each([[['image/png', 'audio/webm'], true], [['*/*'], true], [['audio/*'], true], [['image/png'], false], [[], false]])(
    'where %j is allowed: %s', (allowedTypes, taken) => expect(takesSound({ allowedTypes })).toBe(taken),
  );

  it('that were recorded here are told from others by their name', () => {
    expect([isVoiceNote(voiceName('audio/webm', new Date())), isVoiceNote('voice-note.webm'), isVoiceNote('audio.wav')]).toEqual([true, true, true]);
    expect([isVoiceNote('voice-of-the-people.mp3'), isVoiceNote('song.mp3'), isVoiceNote(null)]).toEqual([false, false, false]);
  });
});

describe('files', () => {
  const config = { uploadMaxBytes: 100, allowedTypes: ['image/png', 'audio/*'] };
  it.each([
    [{ size: 100, type: 'image/png' }, null], [{ size: 101, type: 'image/png' }, 'too_large'],
    [{ size: 1, type: 'text/html' }, 'file_type_not_allowed'], [{ size: 1, type: 'audio/webm;codecs=opus' }, null],
    [{ size: 1, type: '' }, null], [{ size: 1, type: 'audiox/webm' }, 'file_type_not_allowed'],
  ])('%j', (file, problem) => expect(problemOf(file, config)).toBe(problem));
});

describe('a message', () => {
  it('can be edited by its sender for 15 minutes when it is a text, and removed at any time', () => {
    const own = aMessage(0, { senderId: ME });
    const minutes = (count: number) => NOON + count * 60_000;
    expect([mayEdit(own, ME, minutes(14)), mayEdit(own, ME, minutes(15)), mayEdit(own, 'luis', minutes(1))]).toEqual([true, false, false]);
    expect(mayEdit({ ...own, messageType: 'file' }, ME, minutes(1))).toBe(false);
    expect([mayRemove(own, ME), mayRemove(own, 'luis'), mayRemove({ ...own, isDeleted: true }, ME)]).toEqual([true, false, false]);
  });

  it('with a file has a caption only when somebody wrote one', () => {
    const file = { messageType: 'file', fileUrl: '/api/files/x', fileName: 'x.pdf' } as const;
    expect(captionOf(aMessage(1, { ...file, content: JSON.stringify({ fileUrl: '/api/files/x', fileName: 'x.pdf' }) }))).toBeNull();
    expect(captionOf(aMessage(1, { ...file, content: 'Look!' }))).toBe('Look!');
    expect(captionOf(aMessage(1, { ...file, content: '{"a":1}' }))).toBe('{"a":1}');
    expect(previewOf(aMessage(1, { ...file }))).toBe('Archivo: x.pdf');
  });
});

describe('the directory', () => {
  it('has who is online first, then goes by name, and finds by name and e-mail without accents', () => {
    const users = new Map([aUser('a', { name: 'Zoe', isOnline: true }), aUser('b', { name: 'José' }), aUser('c', { name: 'Eva' })].map((user) => [user.id, user]));
    expect(directory(users, '', new Set()).map(({ name }) => name)).toEqual(['Zoe', 'Eva', 'José']);
    expect(directory(users, 'jose', new Set()).map(({ id }) => id)).toEqual(['b']);
    expect(directory(users, 'c@example', new Set()).map(({ id }) => id)).toEqual(['c']);
    expect(directory(users, '', new Set(['a', 'b'])).map(({ id }) => id)).toEqual(['c']);
  });
});
