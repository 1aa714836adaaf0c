import { useState } from 'preact/hooks';
import type { VirtualizerHandle } from 'virtua';
import type { Row } from '../../state/rows';

/** Arrows move through the messages, Home and End to the ends; the focused one is the only one that Tab reaches. */
export function useRowKeys(rows: readonly Row[], list: { current: VirtualizerHandle | null }, scroller: { current: HTMLElement | null }) {
  const [focused, setFocused] = useState(-1);
  const focus = (index: number) => {
    setFocused(index);
    list.current?.scrollToIndex(index, { align: 'nearest' });
    requestAnimationFrame(() => scroller.current?.querySelector<HTMLElement>('[data-row-focus]')?.focus({ preventScroll: true }));
  };
  const onKeyDown = (event: KeyboardEvent) => {
    const target = event.target as HTMLElement;
    if (target !== scroller.current && !target.matches('[data-row-focus]')) return;
    const next = nextRow(rows, focused, event.key);
    if (next === null) return;
    event.preventDefault();
    focus(next);
  };
  return { focused, onKeyDown };
}

function nextRow(rows: readonly Row[], from: number, key: string): number | null {
  const isMessage = (index: number) => rows[index]?.kind === 'message';
  const search = (index: number, step: 1 | -1) => {
    let at = index;
    while (at >= 0 && at < rows.length && !isMessage(at)) at += step;
    return isMessage(at) ? at : null;
  };
  switch (key) {
    case 'ArrowUp': return search(from < 0 ? rows.length - 1 : from - 1, -1);
    case 'ArrowDown': return search(from + 1, 1);
    case 'Home': return search(0, 1);
    case 'End': return search(rows.length - 1, -1);
    default: return null;
  }
}
