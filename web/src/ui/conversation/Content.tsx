import { isOnlyEmoji, parse, type Part } from '../../state/markup';

/** A message's text. Every part is an element with a text: nothing of what people write becomes markup. */
export function Content({ text }: { text: string }) {
  if (isOnlyEmoji(text)) return <span class="big-emoji">{text}</span>;
  return <span class="content" dir="auto">{parse(text).map((part, index) => <PartView part={part} key={index} />)}</span>;
}

function PartView({ part }: { part: Part }) {
  switch (part.kind) {
    case 'text': return <>{part.text}</>;
    case 'code': return <code>{part.text}</code>;
    case 'block': return <pre tabIndex={0}><code>{part.text}</code></pre>;
    case 'link': return <a href={part.url} target="_blank" rel="noopener noreferrer nofollow">{part.text}</a>;
  }
}
