import { useState } from 'preact/hooks';
import type { Message } from '../../protocol/types.gen';
import { mayEdit, mayRemove } from '../../state/composing';
import { useApp } from '../app';
import { texts } from '../i18n';
import { Confirm } from '../parts/Dialog';
import { IconButton } from '../parts/IconButton';
import { Menu, type MenuItem } from '../parts/Menu';
import { sentenceOf } from '../problems';

/** What can be done with a message; there while the pointer or the focus is. */
export function MessageActions({ message }: { message: Message }) {
  const { chat } = useApp();
  const [removing, setRemoving] = useState(false);
  const [problem, setProblem] = useState<string | null>(null);
  const t = texts();
  const remove = async () => {
    try {
      await chat.remove(message);
      setRemoving(false);
    } catch (error) {
      setProblem(sentenceOf(error));
    }
  };
  const items: MenuItem[] = [];
  if (message.messageType === 'text') items.push({ label: t.copy, icon: 'copy', onChoose: () => void navigator.clipboard.writeText(message.content) });
  if (mayEdit(message, chat.me.id, Date.now())) items.push({ label: t.edit, icon: 'edit', onChoose: () => chat.composing.edit(message) });
  if (mayRemove(message, chat.me.id)) items.push({ label: t.remove, icon: 'trash', danger: true, onChoose: () => setRemoving(true) });
  return (
    <div class="actions">
      <IconButton icon="reply" label={t.reply} size={18} onClick={() => chat.composing.reply(message)} />
      {items.length > 0 && <Menu label={t.more} items={items} />}
      {removing && (
        <Confirm
          title={t.removeQuestion} text={t.removeText} yes={t.remove} error={problem}
          onYes={() => void remove()} onClose={() => setRemoving(false)}
        />
      )}
    </div>
  );
}
