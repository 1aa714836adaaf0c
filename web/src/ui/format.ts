import { dayOf } from '../state/rows';
import { locale, texts } from './i18n';

export function timeOf(timestamp: string | number): string {
  return new Intl.DateTimeFormat(locale(), { hour: '2-digit', minute: '2-digit' }).format(new Date(timestamp));
}

/** Of a conversation in the list: the time of today, yesterday, the weekday, or the date. */
export function whenOf(timestamp: string): string {
  const age = daysAgo(dayOf(timestamp));
  if (age <= 0) return timeOf(timestamp);
  if (age === 1) return texts().yesterday;
  return format(timestamp, age < 7 ? { weekday: 'short' } : { day: 'numeric', month: 'short', ...(age > 300 && { year: 'numeric' }) });
}

/** "today at 10:05" and the like. */
export function seenOf(timestamp: string): string {
  return daysAgo(dayOf(timestamp)) <= 0 ? timeOf(timestamp) : `${whenOf(timestamp)}, ${timeOf(timestamp)}`;
}

export function dayTitle(day: string): string {
  const age = daysAgo(day);
  if (age === 0) return texts().today;
  if (age === 1) return texts().yesterday;
  return format(`${day}T12:00`, { weekday: 'long', day: 'numeric', month: 'long', ...(age > 300 && { year: 'numeric' }) });
}

export function sizeOf(bytes: number): string {
  const units = ['B', 'kB', 'MB', 'GB'];
  const power = Math.min(units.length - 1, Math.floor(Math.log10(Math.max(bytes, 1)) / 3));
  const number = new Intl.NumberFormat(locale(), { maximumFractionDigits: power && bytes / 1000 ** power < 10 ? 1 : 0 });
  return `${number.format(bytes / 1000 ** power)} ${units[power]!}`;
}

/** A length of time as `1:05`, or `1:02:45`. */
export function clockOf(seconds: number): string {
  const whole = Math.floor(seconds);
  const parts = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  const [first, ...rest] = parts[0] ? parts : parts.slice(1);
  return [first, ...rest.map((part) => String(part).padStart(2, '0'))].join(':');
}

function format(timestamp: string, options: Intl.DateTimeFormatOptions): string {
  return new Intl.DateTimeFormat(locale(), options).format(new Date(timestamp));
}

function daysAgo(day: string): number {
  return Math.round((Date.parse(`${dayOf(Date.now())}T12:00`) - Date.parse(`${day}T12:00`)) / 86_400_000);
}
