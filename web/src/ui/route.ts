import { useSignalEffect } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import type { Chat } from '../state/chat';
import { language, texts } from './i18n';

const PREFIX = '#/c/';

/**
 * What is open stands in the address, so that the browser's back button closes it, and the title counts what is unread.
 * Only on a page of our own.
 */
export function useRoute(chat: Chat, routed: boolean): void {
  useEffect(() => {
    if (!routed) return;
    const follow = () => void chat.open(fromAddress()).catch(() => undefined);
    follow();
    window.addEventListener('popstate', follow);
    return () => window.removeEventListener('popstate', follow);
  }, [chat, routed]);
  useSignalEffect(() => {
    const opened = chat.opened.value;
    if (routed && opened !== fromAddress()) write(opened);
  });
  useSignalEffect(() => {
    const count = chat.unreadTotal.value;
    if (!routed) return;
    document.documentElement.lang = language();
    document.title = `${count ? `(${count}) ` : ''}${texts().chats}`;
  });
}

function fromAddress(): string | null {
  return location.hash.startsWith(PREFIX) ? decodeURIComponent(location.hash.slice(PREFIX.length)) : null;
}

function write(opened: string | null): void {
  const { pathname, search } = location;
  if (opened !== null) history.pushState({ chatapp: true }, '', PREFIX + encodeURIComponent(opened));
  else history.replaceState(null, '', pathname + search);
}
