import { memo } from 'preact/compat';
import { useState } from 'preact/hooks';
import type { InboxEntry, Message } from '../../protocol/types.gen';
import { isOnlyEmoji } from '../../state/markup';
import { captionOf } from '../../state/words';
import { useApp } from '../app';
import { CallCard } from '../calls/CallCard';
import { timeOf } from '../format';
import { texts } from '../i18n';
import { previewText } from '../names';
import { Avatar, hueOf } from '../parts/Avatar';
import { Ticks } from '../parts/Icon';
import { Attachment } from './Attachment';
import { Content } from './Content';
import { MessageActions } from './MessageActions';

interface Props {
  message: Message;
  begins: boolean;
  ends: boolean;
  entry: InboxEntry;
  highlighted: boolean;
  focusable: boolean;
  onJump: (messageId: string) => void;
}

export const MessageRow = memo(function MessageRow({ message, begins, ends, entry, highlighted, focusable, onJump }: Props) {
  const { chat } = useApp();
  const [hovered, setHovered] = useState(false);
  const [focused, setFocused] = useState(false);
  const own = message.senderId === chat.me.id;
  const inGroup = entry.type === 'group' && !own;
  const classes = ['row', own ? 'row-own' : 'row-other', begins && 'row-begins', ends && 'row-ends', highlighted && 'row-highlighted'];
  return (
    <article
      class={classes.filter(Boolean).join(' ')} tabIndex={focusable ? 0 : -1} aria-label={labelOf(message, own)}
      {...(focusable ? { 'data-row-focus': '' } : {})}
      onPointerEnter={({ pointerType }: PointerEvent) => pointerType === 'mouse' && setHovered(true)}
      onPointerLeave={({ pointerType }: PointerEvent) => pointerType === 'mouse' && setHovered(false)}
      onFocusIn={() => setFocused(true)}
      onFocusOut={(event: FocusEvent) => {
        if (!(event.relatedTarget instanceof Node && (event.currentTarget as Element).contains(event.relatedTarget))) setFocused(false);
      }}
    >
      {inGroup && <span class="row-avatar">{ends && <Avatar id={message.senderId} name={message.sender.name} picture={message.sender.avatar} size="s" />}</span>}
      <div class="bubble-line">
        <div class={bubbleClass(message)}>
          {inGroup && begins && <span class={`sender hue-text-${hueOf(message.senderId)}`}>{message.sender.name}</span>}
          {message.replyTo && !message.isDeleted && <Quote message={message} onJump={onJump} />}
          <Body message={message} />
          <Meta message={message} own={own} entry={entry} />
        </div>
        {(hovered || focused) && !message.isDeleted && <MessageActions message={message} />}
      </div>
    </article>
  );
});

function bubbleClass({ isDeleted, messageType, content, replyTo }: Message): string {
  if (isDeleted) return 'bubble bubble-removed';
  return messageType === 'text' && replyTo === null && isOnlyEmoji(content) ? 'bubble bubble-emoji' : 'bubble';
}

function labelOf(message: Message, own: boolean): string {
  return `${own ? texts().you : message.sender.name}, ${timeOf(message.timestamp)}`;
}

function Body({ message }: { message: Message }) {
  if (message.isDeleted) return <span class="content">{texts().removed}</span>;
  if (message.messageType === 'text') return <Content text={message.content} />;
  if (message.call) return <CallCard message={message} call={message.call} />;
  const caption = captionOf(message);
  return (
    <>
      <Attachment message={message} />
      {caption && <Content text={caption} />}
    </>
  );
}

function Quote({ message, onJump }: { message: Message; onJump: (messageId: string) => void }) {
  const { chat } = useApp();
  const original = chat.histories.known(message.conversationId)?.byId(message.replyTo!);
  const name = original && (original.senderId === chat.me.id ? texts().you : original.sender.name);
  return (
    <button type="button" class="quote" onClick={() => onJump(message.replyTo!)}>
      {name && <span class="quote-name">{name}</span>}
      <span class="quote-text">{previewText(message.replyPreview) || texts().removed}</span>
    </button>
  );
}

function Meta({ message, own, entry }: { message: Message; own: boolean; entry: InboxEntry }) {
  const t = texts();
  return (
    <span class="meta">
      {message.isEdited && !message.isDeleted && <span>{t.edited}</span>}
      <time dateTime={message.timestamp}>{timeOf(message.timestamp)}</time>
      {own && !message.isDeleted && <ReadMark message={message} entry={entry} />}
    </span>
  );
}

/** Two ticks when everybody else in the conversation has read it. */
function ReadMark({ message, entry }: { message: Message; entry: InboxEntry }) {
  const { chat } = useApp();
  const t = texts();
  const marks = chat.histories.known(message.conversationId)?.marks.value;
  const others = entry.participants.filter((id) => id !== chat.me.id);
  const readers = others.filter((id) => (marks?.get(id) ?? 0) >= message.seq).length;
  const all = others.length > 0 && readers === others.length;
  const label = all ? t.read : readers > 0 ? t.readBy(readers, others.length) : t.sent;
  return <span class={all ? 'mark mark-read' : 'mark'} title={label}><Ticks read={all} /><span class="hidden">{label}</span></span>;
}
