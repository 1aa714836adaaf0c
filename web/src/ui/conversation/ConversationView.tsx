import { useEffect, useState } from 'preact/hooks';
import type { InboxEntry } from '../../protocol/types.gen';
import { useApp, type App } from '../app';
import { texts } from '../i18n';
import { onKeys } from '../keys';
import { Composer } from './Composer';
import { ConversationHeader } from './ConversationHeader';
import { Details } from './Details';
import { useFileDrop } from './dropping';
import { MessageList } from './MessageList';
import { SendFiles } from './SendFiles';

/** The open conversation. Rendered with its id as key: each has its own. */
export function ConversationView({ entry }: { entry: InboxEntry }) {
  const app = useApp();
  const [details, setDetails] = useState(false);
  const [files, setFiles] = useState<readonly File[]>([]);
  const drop = useFileDrop(setFiles);
  useEffect(() => focusHeading(app), []);
  useEffect(() => closeOnEscape(app), [app]);
  return (
    <section class="conversation" aria-label={texts().messages} {...drop.handlers}>
      <ConversationHeader entry={entry} onDetails={() => setDetails(true)} />
      <MessageList entry={entry} />
      <Composer entry={entry} onFiles={setFiles} />
      {drop.over && <div class="drop-zone" aria-hidden="true"><span>{texts().dropHere}</span></div>}
      {files.length > 0 && <SendFiles conversationId={entry.id} files={files} onClose={() => setFiles([])} />}
      {details && <Details entry={entry} onClose={() => setDetails(false)} />}
    </section>
  );
}

/** Unless the input has taken the focus, as it does where there is a keyboard. The list gets it back in the end. */
function focusHeading({ find, mayFocus }: App): () => void {
  if (mayFocus() && !find('textarea:focus')) find('.conversation-title')?.focus({ preventScroll: true });
  return () => queueMicrotask(() => mayFocus() && find('.sidebar .item[data-last]')?.focus());
}

/** An open dialog, or a call in full size. */
const COVERS = 'dialog[open], .call-stage:not([data-small])';

/** What is open inside the conversation stops the key before it gets here. The only one is never closed. */
function closeOnEscape({ chat, find, keys, only }: App): () => void {
  return onKeys(keys(), (event) => {
    if (event.key === 'Escape' && !event.defaultPrevented && only.peek() === null && !find(COVERS)) void chat.open(null);
  });
}
