import { signal } from '@preact/signals';
import type { CallRinging } from '../protocol/types.gen';
import type { Chat, Notice } from '../state/chat';
import type { Preferences } from '../state/preferences';
import { tabLock } from './browser';
import { previewText } from './names';
import { texts } from './i18n';
import { ring, ringOn } from './sound';

export type Permission = NotificationPermission | 'absent';

const permission = signal<Permission>('Notification' in globalThis ? Notification.permission : 'absent');

/** Whether the browser lets us; reading it in a component makes it follow. */
export function notifyPermission(): Permission {
  return permission.value;
}

/** Only after a click of the user's: browsers want it so, and so do people. */
export async function askToNotify(preferences: Preferences): Promise<void> {
  permission.value = await Notification.requestPermission();
  preferences.set({ notifications: permission.value === 'granted', offered: true });
}

/** By one tab of several: the browser shows a tag once, and a lock lets one of them ring. */
export function notify(notice: Notice, preferences: Preferences, chat: Chat): void {
  if (preferences.isMuted(notice.conversationId)) return;
  const { sound, notifications } = preferences.chosen;
  if (sound) void tabLock('chatapp sound', ring);
  if (notifications && permission.peek() === 'granted' && !document.hasFocus()) show(notice, chat);
}

function show({ messageId, conversationId, senderName, preview }: Notice, chat: Chat): void {
  const shown = new Notification(senderName, { body: previewText(preview), tag: messageId, silent: true });
  shown.onclick = () => {
    window.focus();
    void chat.open(conversationId);
    shown.close();
  };
}

/** Until the function it gives is called: by sound, in one tab of several, and where nobody looks by a notification. */
export function ringOut({ callId, conversationId, caller, media }: CallRinging, preferences: Preferences): () => void {
  const stopped = new AbortController();
  const { sound, notifications } = preferences.chosen;
  if (sound && !preferences.isMuted(conversationId)) void tabLock('chatapp ringing', () => ringOn(stopped.signal));
  if (notifications && permission.peek() === 'granted' && !document.hasFocus()) {
    const t = texts().call;
    const shown = new Notification(caller.name, { body: media === 'video' ? t.incomingVideo : t.incomingAudio, tag: callId, silent: true });
    shown.onclick = () => window.focus();
    stopped.signal.addEventListener('abort', () => shown.close());
  }
  return () => stopped.abort();
}
