import { useEffect, useState } from 'preact/hooks';
import type { InboxEntry } from '../../protocol/types.gen';
import { useApp } from '../app';
import { texts } from '../i18n';
import { Composer } from './Composer';
import { ConversationHeader } from './ConversationHeader';
import { Details } from './Details';
import { useFileDrop } from './dropping';
import { MessageList } from './MessageList';
import { SendFiles } from './SendFiles';

/** The open conversation. Rendered with its id as key: each has its own. */
export function ConversationView({ entry }: { entry: InboxEntry }) {
  const { chat } = useApp();
  const [details, setDetails] = useState(false);
  const [files, setFiles] = useState<readonly File[]>([]);
  const drop = useFileDrop(setFiles);
  useEffect(() => closeOnEscape(() => void chat.open(null)), [chat]);
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

/** What is open inside the conversation stops the key before it gets here. */
function closeOnEscape(close: () => void): () => void {
  const pressed = (event: KeyboardEvent) => {
    if (event.key === 'Escape' && !event.defaultPrevented && !document.querySelector('dialog[open]')) close();
  };
  document.addEventListener('keydown', pressed);
  return () => document.removeEventListener('keydown', pressed);
}
