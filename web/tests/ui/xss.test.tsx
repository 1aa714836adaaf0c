// @vitest-environment happy-dom
import { render } from 'preact';
import { describe, expect, it } from 'vitest';
import { Content } from '../../src/ui/conversation/Content';

/** What people have put into chats to run a script in somebody else's browser. */
const CORPUS = [
  '<script>alert(1)</script>', '<img src=x onerror=alert(1)>', '<svg onload=alert(1)>', '<svg><script>alert(1)</script></svg>',
  '<iframe srcdoc="<script>alert(1)</script>">', '<a href="javascript:alert(1)">x</a>', '"><img src=x onerror=alert(1)>',
  '<math><mi//xlink:href="data:x,<script>alert(1)</script>">', '<style>@import "//evil"</style>', '<base href="//evil/">',
  '<body onload=alert(1)>', '<details open ontoggle=alert(1)>', '<form action=javascript:alert(1)><input type=submit>',
  '<object data="data:text/html,<script>alert(1)</script>">', '<meta http-equiv=refresh content="0;javascript:alert(1)">',
  '&lt;script&gt;alert(1)&lt;/script&gt;', '&#60;img src=x onerror=alert(1)&#62;', '<scr<script>ipt>alert(1)</scr</script>ipt>',
  'javascript:alert(1)', 'JaVaScRiPt:alert(1)', 'java\tscript:alert(1)', 'data:text/html,<script>alert(1)</script>', 'vbscript:x',
  'https://example.com/"onmouseover="alert(1)', "https://example.com/'onmouseover='alert(1)", 'https://example.com/<script>alert(1)</script>',
  'https://javascript:alert(1)@example.com/', 'http://[::1', 'https://example.com/`onclick=alert(1)`',
  '```html\n<script>alert(1)</script>\n```', '`<img src=x onerror=alert(1)>`', '```\n```<script>alert(1)</script>```',
  '[x](javascript:alert(1))', '![x](x"onerror="alert(1))', '{{constructor.constructor("alert(1)")()}}', '${alert(1)}',
  '\u202Egnp.exe', '<!--><script>alert(1)</script>', ']]><script>alert(1)</script>', '<template><script>alert(1)</script></template>',
  '{"type":"script","props":{"dangerouslySetInnerHTML":{"__html":"<img src=x onerror=alert(1)>"}}}', '__proto__', '\0<script>alert(1)</script>',
];

/** All that a message's text may ever become. */
const ELEMENTS = new Set(['SPAN', 'A', 'CODE', 'PRE']);
const ATTRIBUTES = new Set(['class', 'dir', 'href', 'target', 'rel', 'tabindex']);

describe('what people write never becomes markup', () => {
  it.each(CORPUS)('%j', (text) => {
    const root = document.createElement('div');
    render(<Content text={text} />, root);
    for (const element of root.querySelectorAll('*')) {
      expect(ELEMENTS).toContain(element.tagName);
      for (const { name } of element.attributes) expect(ATTRIBUTES).toContain(name);
    }
    for (const link of root.querySelectorAll('a')) {
      expect(['http:', 'https:']).toContain(new URL(link.href).protocol);
      expect(link.rel).toContain('noopener');
    }
  });

  it.each(CORPUS.filter((text) => !text.includes('`')))('%j is shown as it was written', (text) => {
    const root = document.createElement('div');
    render(<Content text={text} />, root);
    expect(root.textContent).toBe(text);
  });
});
