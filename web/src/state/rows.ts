import type { Message } from '../protocol/types.gen';
import type { Pending } from './outbox';
import type { Line } from './reading';

/** Messages of one sender this close together are shown as one group. */
const GROUP_WITHIN_MS = 5 * 60_000;

export type Row =
  | { kind: 'day'; key: string; day: string }
  | { kind: 'line'; key: string }
  | { kind: 'message'; key: string; message: Message; begins: boolean; ends: boolean }
  | { kind: 'pending'; key: string; pending: Pending; begins: boolean };

/**
 * What a conversation's list shows, from top to bottom: days, the "new messages" line, messages in groups, and what is
 * on its way out. Keys are stable: a pending message and what becomes of it have the same.
 */
export function rowsOf(messages: readonly Message[], pending: readonly Pending[], line: Line | null): Row[] {
  const rows: Row[] = [];
  let previous: Message | null = null;
  for (const message of messages) {
    const breaks = rowsBefore(message, previous, line);
    const begins = breaks.length > 0 || !isGrouped(previous, message);
    if (begins) endGroup(rows);
    rows.push(...breaks, { kind: 'message', key: keyOf(message), message, begins, ends: false });
    previous = message;
  }
  endGroup(rows);
  return [...rows, ...pendingRows(messages, pending)];
}

/** The local day of a time, as `2025-01-27`. */
export function dayOf(timestamp: string | number): string {
  const at = new Date(timestamp);
  return `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())}`;
}

function two(number: number): string {
  return String(number).padStart(2, '0');
}

function rowsBefore(message: Message, previous: Message | null, line: Line | null): Row[] {
  const rows: Row[] = [];
  const day = dayOf(message.timestamp);
  if (!previous || dayOf(previous.timestamp) !== day) rows.push({ kind: 'day', key: `day ${day}`, day });
  const isFirstNew = line && message.seq > line.afterSeq && (previous?.seq ?? 0) <= line.afterSeq;
  if (isFirstNew) rows.push({ kind: 'line', key: 'line' });
  return rows;
}

function isGrouped(previous: Message | null, message: Message): boolean {
  if (previous?.senderId !== message.senderId) return false;
  return Date.parse(message.timestamp) - Date.parse(previous.timestamp) < GROUP_WITHIN_MS;
}

function endGroup(rows: Row[]): void {
  const last = rows.at(-1);
  if (last?.kind === 'message') last.ends = true;
}

function keyOf({ id, clientMessageId, senderId }: Message): string {
  return clientMessageId === null ? id : `${senderId} ${clientMessageId}`;
}

function pendingRows(messages: readonly Message[], pending: readonly Pending[]): Row[] {
  if (pending.length === 0) return [];
  const here = new Set(messages.slice(-500).map(({ clientMessageId }) => clientMessageId));
  return pending
    .filter(({ clientMessageId }) => !here.has(clientMessageId))
    .map((each, index) => ({ kind: 'pending', key: `${each.userId} ${each.clientMessageId}`, pending: each, begins: index === 0 }));
}
