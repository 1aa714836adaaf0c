import { useEffect } from 'preact/hooks';
import { useApp, type App } from './app';
import { CallLayer } from './calls/CallLayer';
import { onKeys } from './keys';
import { ConversationView } from './conversation/ConversationView';
import { texts } from './i18n';
import { Empty } from './parts/Empty';
import { Sidebar } from './sidebar/Sidebar';

/** The chat: the list on the left, what is open on the right; on a narrow screen one of them at a time. */
export function Main() {
  const app = useApp();
  const { chat, door } = app;
  const t = texts();
  const opened = chat.opened.value;
  const entry = opened === null ? undefined : chat.inbox.get(opened);
  useEffect(() => searchShortcut(app), [app]);
  return (
    <>
      <CallLayer />
      <ConnectionBanner />
      <main class="main" data-open={entry !== undefined} inert={door.room.value?.covers.value ?? false}>
        <Sidebar />
        {entry
          ? <ConversationView entry={entry} key={entry.id} />
          : <div class="welcome"><Empty icon="chat" title={t.selectChat} text={t.selectChatText} /></div>}
      </main>
    </>
  );
}

/** Ctrl or Command and K: to the search. */
function searchShortcut({ find, keys }: App): () => void {
  const pressed = (event: KeyboardEvent) => {
    if (event.key.toLowerCase() !== 'k' || !(event.ctrlKey || event.metaKey)) return;
    event.preventDefault();
    (find('dialog[open] [data-shortcut=search]') ?? find('.sidebar [data-shortcut=search]'))?.focus();
  };
  return onKeys(keys(), pressed);
}

function ConnectionBanner() {
  const { chat } = useApp();
  const t = texts();
  const status = chat.status.value;
  return (
    <div role="status">
      {status === 'connecting' && chat.ready.value && <p class="banner">{t.connecting}</p>}
      {status === 'offline' && <p class="banner">{t.offline}</p>}
      {status === 'refused' && (
        <p class="banner banner-bad">
          {t.refused}: {chat.refusal.value?.message}
          <button type="button" class="link" onClick={() => chat.start()}>{t.tryAgain}</button>
        </p>
      )}
    </div>
  );
}
