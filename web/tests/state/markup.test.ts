import { describe, expect, it } from 'vitest';
import { isOnlyEmoji, parse } from '../../src/state/markup';

const short = (content: string) => parse(content).map(({ kind, text }) => `${kind}:${text}`);

describe('a message’s text', () => {
  it.each([
    ['plain text', ['text:plain text']],
    ['see https://example.com/a?b=1#c now', ['text:see ', 'link:https://example.com/a?b=1#c', 'text: now']],
    ['(https://example.com/docs).', ['text:(', 'link:https://example.com/docs', 'text:).']],
    ['https://es.wikipedia.org/wiki/Chat_(red)', ['link:https://es.wikipedia.org/wiki/Chat_(red)']],
    ['use `rm -rf` not', ['text:use ', 'code:rm -rf', 'text: not']],
    ['a\n```js\nlet x = 1;\n```\nb', ['text:a', 'block:let x = 1;', 'text:b']],
    ['```\nhttps://example.com `x`\n```', ['block:https://example.com `x`']],
    ['`https://example.com`', ['code:https://example.com']],
    ['javascript:alert(1)', ['text:javascript:alert(1)']],
    ['data:text/html,<script>', ['text:data:text/html,<script>']],
    ['https://', ['text:https://']],
    ['http://a.b"onclick="x', ['link:http://a.b', 'text:"onclick="x']],
  ])('%j', (content, parts) => expect(short(content)).toEqual(parts));

  it('is whole again when its parts are put together', () => {
    const content = 'x `code` https://example.com, (http://a.b/c) y `open';
    const whole = parse(content).map((part) => (part.kind === 'code' ? `\`${part.text}\`` : part.text)).join('');
    expect(whole).toBe(content);
  });

  it('is read in time that grows with its length alone', () => {
    const began = process.cpuUsage(); // not the clock's time: others may be at work on the machine
    for (const hostile of ['`'.repeat(16_000), '```'.repeat(5_000), `https://a${'.'.repeat(16_000)}`, `https://a${')'.repeat(8_000)}`, '('.repeat(16_000)]) parse(hostile);
    const { user, system } = process.cpuUsage(began);
    expect((user + system) / 1_000).toBeLessThan(1_000);
  });

  it.each([['🎉', true], ['👍🏽', true], ['👩‍💻 ❤️', true], ['🇪🇸', true], ['🎉🎉🎉🎉', false], ['ok 👍', false], ['12', false], ['', false]])(
    'of %j is emoji alone: %s', (content, only) => expect(isOnlyEmoji(content)).toBe(only),
  );
});
