import { useEffect } from 'preact/hooks';
import { useApp, type App } from './app';
import { CallLayer } from './calls/CallLayer';
import { onKeys } from './keys';
import { ConversationView } from './conversation/ConversationView';
import { texts } from './i18n';
import { Empty } from './parts/Empty';
import { Sidebar } from './sidebar/Sidebar';

/** The chat: all of it, or the one conversation that the page around has asked for. */
export function Main() {
  const { door, only: { value: only } } = useApp();
  const covered = door.room.value?.covers.value ?? false;
  return (
    <>
      <CallLayer />
      <ConnectionBanner />
      {only === null ? <All covered={covered} /> : <Only id={only} covered={covered} key={only} />}
    </>
  );
}

/** The list on the left, what is open on the right; on a narrow screen one of them at a time. */
function All({ covered }: { covered: boolean }) {
  const app = useApp();
  const { chat } = app;
  const t = texts();
  const opened = chat.opened.value;
  const entry = opened === null ? undefined : chat.inbox.get(opened);
  useEffect(() => searchShortcut(app), [app]);
  return (
    <div class="main" data-open={entry !== undefined} inert={covered}>
      <Sidebar />
      {entry
        ? <ConversationView entry={entry} key={entry.id} />
        : <div class="welcome"><Empty icon="chat" title={t.selectChat} text={t.selectChatText} /></div>}
    </div>
  );
}

/** It is opened as soon as the user is in it, which somebody may yet add them to. */
function Only({ id, covered }: { id: string; covered: boolean }) {
  const { chat } = useApp();
  const t = texts();
  const entry = chat.inbox.get(id);
  const isThere = entry !== undefined;
  useEffect(() => {
    if (isThere) void chat.open(id).catch(() => undefined); // read when there is a connection again
    return () => void chat.open(null);
  }, [chat, id, isThere]);
  return (
    <div class="main main-only" inert={covered}>
      {entry ? <ConversationView entry={entry} />
        : chat.ready.value ? <div class="welcome"><Empty icon="chat" title={t.notHere} text={t.notHereText} /></div>
          : <div class="welcome" role="status"><span class="spinner" /><span class="hidden">{t.connecting}</span></div>}
    </div>
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
