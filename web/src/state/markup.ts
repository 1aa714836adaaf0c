/** A message's text in parts. Nothing of it is ever markup of the page: each part becomes an element with a text. */
export type Part =
  | { kind: 'text'; text: string }
  | { kind: 'link'; text: string; url: string }
  | { kind: 'code'; text: string }
  | { kind: 'block'; text: string };

const BLOCK = /```(?:[\w+#-]*\n)?([\s\S]+?)\n?```/g;
const INLINE = /`([^`\n]+)`|(https?:\/\/[^\s<>"'`]+)/g;
/** What follows a URL in a sentence rather than belonging to it. */
const TRAILING = /[.,;:!?'"»”…]+$/;

export function parse(content: string): Part[] {
  const parts: Part[] = [];
  let from = 0;
  for (const found of content.matchAll(BLOCK)) {
    parts.push(...inline(content.slice(from, found.index).replace(/\n$/, '')), { kind: 'block', text: found[1]! });
    from = found.index + found[0].length;
    if (content[from] === '\n') from += 1;
  }
  return [...parts, ...inline(content.slice(from))];
}

function inline(text: string): Part[] {
  const parts: Part[] = [];
  let from = 0;
  for (const found of text.matchAll(INLINE)) {
    const part = found[1] === undefined ? link(found[2]!) : ({ kind: 'code', text: found[1] } as const);
    if (!part) continue;
    if (found.index > from) parts.push({ kind: 'text', text: text.slice(from, found.index) });
    parts.push(part);
    from = found.index + (part.kind === 'link' ? part.text.length : found[0].length);
  }
  if (from < text.length) parts.push({ kind: 'text', text: text.slice(from) });
  return parts;
}

/** Null for what only looks like a URL. */
function link(found: string): Part | null {
  let text = found.replace(TRAILING, '');
  while (text.endsWith(')') && count(text, ')') > count(text, '(')) text = text.slice(0, -1).replace(TRAILING, '');
  return URL.canParse(text) ? { kind: 'link', text, url: text } : null;
}

function count(text: string, char: string): number {
  return text.split(char).length - 1;
}

const ONLY_EMOJI = /^(?:\p{Extended_Pictographic}(?:\p{Emoji_Modifier}|\uFE0F|\u200D\p{Extended_Pictographic})*\s*|\p{Regional_Indicator}{2}\s*){1,3}$/u;

/** One to three emoji and nothing else are shown large. */
export function isOnlyEmoji(content: string): boolean {
  return content.length <= 48 && ONLY_EMOJI.test(content.trim());
}
