import { useComputed, useSignal } from '@preact/signals';
import { useCallback, useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks';
import { Virtualizer, type VirtualizerHandle } from 'virtua';
import type { InboxEntry } from '../../protocol/types.gen';
import { rowsOf, type Row } from '../../state/rows';
import { useApp } from '../app';
import { dayTitle } from '../format';
import { texts } from '../i18n';
import { IconButton } from '../parts/IconButton';
import { sentenceOf } from '../problems';
import { Badge } from '../sidebar/ConversationItem';
import { Empty } from '../parts/Empty';
import { MessageRow } from './MessageRow';
import { PendingRow } from './PendingRow';
import { Announcer } from './Announcer';
import { useRowKeys } from './row_keys';

/** So close to the top, older messages are asked for. */
const OLDER_WITHIN_PX = 800;
/** So close to the bottom, the newest messages are being read. */
const BOTTOM_WITHIN_PX = 60;
/** After new rows the list finds its place first. */
const SETTLED_MS = 150;
const HIGHLIGHT_MS = 1800;

/** The open conversation's messages; only what is near the visible part is in the page. */
export function MessageList({ entry }: { entry: InboxEntry }) {
  const { chat } = useApp();
  const t = texts();
  const timeline = chat.histories.of(entry.id);
  const rows = useComputed(() => rowsOf(
    timeline.messages.value,
    chat.outbox.items.value.filter(({ conversationId }) => conversationId === entry.id),
    chat.reading.line.value?.conversationId === entry.id ? chat.reading.line.value : null,
  )).value;
  const scroller = useRef<HTMLDivElement>(null);
  const content = useRef<HTMLDivElement>(null);
  const list = useRef<VirtualizerHandle>(null);
  const highlighted = useSignal<string | null>(null);
  const [problem, setProblem] = useState<string | null>(null);
  const loaded = timeline.loaded.value;
  const isShown = loaded && rows.length > 0;
  const bottom = useBottom(entry.id, rows, isShown, { scroller, content, list });
  const shift = usePrepended(rows);

  const [loading, setLoading] = useState(false);
  const loadOlder = useCallback(() => {
    setLoading(true);
    void chat.histories.loadOlder(entry.id)
      .catch(() => undefined) // tried again at the next scrolling
      .finally(() => setLoading(false));
  }, [chat, entry.id]);

  const jump = useCallback(async (messageId: string) => {
    try {
      const message = await chat.histories.find(entry.id, messageId);
      if (!message) {
        setProblem(texts().originalGone);
        return;
      }
      bottom.leave();
      highlighted.value = message.id;
      setTimeout(() => (highlighted.value = null), HIGHLIGHT_MS);
      requestAnimationFrame(() => {
        const index = rowsRef.current.findIndex((row) => row.kind === 'message' && row.message.id === messageId);
        list.current?.scrollToIndex(index, { align: 'center' });
      });
    } catch (error) {
      setProblem(sentenceOf(error));
    }
  }, [chat, entry.id]);
  // A list that begins at its top is not scrolled, and must ask all the same.
  useEffect(() => {
    const timer = setTimeout(() => {
      if (loaded && timeline.hasOlder.peek() && scroller.current!.scrollTop < OLDER_WITHIN_PX) loadOlder();
    }, SETTLED_MS);
    return () => clearTimeout(timer);
  }, [loaded, rows.length]);

  const rowsRef = useRef(rows);
  rowsRef.current = rows;
  const keys = useRowKeys(rows, list, scroller);

  const onScroll = (offset: number) => {
    bottom.scrolled();
    if (offset < OLDER_WITHIN_PX && timeline.hasOlder.peek()) loadOlder();
  };

  return (
    <div class="messages">
      <div class="messages-scroll" ref={scroller} tabIndex={0} role="group" aria-label={t.messages} onKeyDown={keys.onKeyDown}>
        {!loaded && <div class="messages-loading" role="status"><span class="spinner" /><span class="hidden">{t.connecting}</span></div>}
        {loaded && rows.length === 0 && <Empty icon="chat" title={t.sayHello} text={t.startOf} />}
        {isShown && (
          <>
            <div class="messages-space" />
            {loading && <p class="messages-older" role="status"><span>{t.loadingOlder}</span></p>}
            <div ref={content}>
              <Virtualizer ref={list} scrollRef={scroller} shift={shift} data={rows} onScroll={onScroll} bufferSize={600}>
                {(row: Row, index: number) => (
                  <RowView key={row.key} row={row} entry={entry} highlighted={highlighted.value} onJump={jump} focusable={keys.focused === index} />
                )}
              </Virtualizer>
            </div>
          </>
        )}
      </div>
      {!bottom.at && (
        <div class="to-latest">
          <Badge count={entry.unreadCount} />
          <IconButton icon="down" label={t.toLatest} onClick={bottom.go} />
        </div>
      )}
      {problem && <p class="toast" role="alert" onAnimationEnd={() => setProblem(null)}>{problem}</p>}
      <Announcer timeline={timeline} />
    </div>
  );
}

function RowView({ row, entry, highlighted, onJump, focusable }: {
  row: Row;
  entry: InboxEntry;
  highlighted: string | null;
  onJump: (messageId: string) => void;
  focusable: boolean;
}) {
  switch (row.kind) {
    case 'day': return <div class="day" role="separator"><span>{dayTitle(row.day)}</span></div>;
    case 'line': return <div class="new-line" role="separator"><span>{texts().newMessages}</span></div>;
    case 'pending': return <PendingRow pending={row.pending} begins={row.begins} />;
    case 'message': return (
      <MessageRow
        message={row.message} begins={row.begins} ends={row.ends} entry={entry}
        highlighted={highlighted === row.message.id} onJump={onJump} focusable={focusable}
      />
    );
  }
}

/** Whether rows came in above: then what is seen has to stay where it is. */
function usePrepended(rows: readonly Row[]): boolean {
  const first = rows.find((row) => row.kind === 'message')?.key;
  const before = useRef(first);
  const prepended = before.current !== undefined && first !== before.current && rows.some((row) => row.key === before.current);
  useLayoutEffect(() => void (before.current = first));
  return prepended;
}

/**
 * Stays at the newest message while the user is there, and tells the state that it is being read. How tall rows are is
 * known only when they are drawn: until the user scrolls up, the list is put to its end whenever that moves. The list
 * scrolls by itself too, when rows turn out to be taller or smaller; then its whole height is another.
 */
function useBottom(
  conversationId: string, rows: readonly Row[], isShown: boolean,
  { scroller, content, list }: {
    scroller: { current: HTMLDivElement | null };
    content: { current: HTMLDivElement | null };
    list: { current: VirtualizerHandle | null };
  },
) {
  const { chat } = useApp();
  const [at, setAt] = useState(true);
  const sticks = useRef(true);
  const leaves = useRef(false);
  const begun = useRef(false);
  const before = useRef({ scrollTop: 0, scrollHeight: 0 });
  const lastKey = rows.at(-1)?.key;

  const toEnd = () => {
    const element = scroller.current;
    if (element) element.scrollTop = element.scrollHeight;
  };
  const go = useCallback(() => {
    sticks.current = true;
    leaves.current = false;
    setAt(true);
    toEnd();
  }, []);

  useLayoutEffect(() => {
    if (!isShown) return;
    const line = rows.findIndex((row) => row.kind === 'line');
    if (!begun.current && line >= 0) {
      begun.current = true;
      sticks.current = false;
      list.current?.scrollToIndex(Math.max(0, line - 1), { align: 'start' });
      return;
    }
    begun.current = true;
    if (sticks.current || rows.at(-1)?.kind === 'pending') go();
  }, [lastKey, isShown]);

  useEffect(() => {
    if (!isShown) return;
    const resized = new ResizeObserver(() => sticks.current && toEnd());
    resized.observe(scroller.current!);
    resized.observe(content.current!);
    return () => resized.disconnect();
  }, [isShown]);

  const isOnScreen = useOnScreen(scroller);
  useEffect(() => {
    const look = () => chat.reading.look(at && isOnScreen && document.visibilityState === 'visible' && document.hasFocus() ? conversationId : null);
    look();
    const events = ['visibilitychange', 'focus', 'blur'] as const;
    for (const event of events) window.addEventListener(event, look);
    document.addEventListener('visibilitychange', look);
    return () => {
      for (const event of events) window.removeEventListener(event, look);
      document.removeEventListener('visibilitychange', look);
      chat.reading.look(null);
    };
  }, [at, isOnScreen, chat, conversationId]);

  const scrolled = () => {
    if (!scroller.current) return;
    const { scrollTop, scrollHeight, clientHeight } = scroller.current;
    const isNear = scrollHeight - scrollTop - clientHeight < BOTTOM_WITHIN_PX;
    const wentUp = scrollTop < before.current.scrollTop && scrollHeight === before.current.scrollHeight;
    if (isNear && !leaves.current) sticks.current = true;
    else if (!isNear && (wentUp || leaves.current)) sticks.current = leaves.current = false;
    before.current = { scrollTop, scrollHeight };
    setAt(isNear || sticks.current);
  };
  /** On the way to elsewhere. */
  const leave = () => {
    sticks.current = false;
    leaves.current = true;
  };
  return { at, go, scrolled, leave };
}

/** On another's page the chat may be folded away, or further down: then nobody reads it. */
function useOnScreen(element: { current: HTMLElement | null }): boolean {
  const [isOnScreen, setOnScreen] = useState(false);
  useEffect(() => {
    const observer = new IntersectionObserver((changes) => setOnScreen(changes.at(-1)!.isIntersecting));
    observer.observe(element.current!);
    return () => observer.disconnect();
  }, [element]);
  return isOnScreen;
}
