import { useState } from 'preact/hooks';
import type { InboxEntry } from '../../protocol/types.gen';
import { useApp } from '../app';
import { texts } from '../i18n';
import { Avatar } from '../parts/Avatar';
import { IconButton } from '../parts/IconButton';
import { sentenceOf } from '../problems';

/**
 * Who is in the group. Its owner can take others out; a click on somebody opens the private conversation, where there
 * is room for more than one.
 */
export function Participants({ entry, onOpened }: { entry: InboxEntry; onOpened: () => void }) {
  const { chat, only } = useApp();
  const [asking, setAsking] = useState<string | null>(null);
  const [problem, setProblem] = useState<string | null>(null);
  const t = texts();
  const isOwner = entry.createdBy === chat.me.id;
  const attempt = (act: () => Promise<void>) => act().catch((error: unknown) => setProblem(sentenceOf(error)));
  const open = async (id: string) => {
    await chat.open(await chat.groups.startPrivate(id));
    onOpened();
  };
  const remove = async (id: string) => {
    await chat.groups.remove(entry.id, id);
    setAsking(null);
  };
  return (
    <section>
      <h3>{t.participants(entry.participants.length)}</h3>
      {problem && <p class="problem" role="alert">{problem}</p>}
      <ul class="list">
        {entry.participants.map((id) => {
          const name = chat.people.nameOf(id);
          const user = chat.people.get(id);
          const isMe = id === chat.me.id;
          return (
            <li class="participant" key={id}>
              <button type="button" class="item" disabled={isMe || only.value !== null} onClick={() => void attempt(() => open(id))}>
                <Avatar id={id} name={name} picture={user?.avatar ?? null} status={user?.status} size="s" />
                <span class="item-text"><span class="item-name">{isMe ? t.you : name}</span></span>
                {id === entry.createdBy && <span class="tag">{t.owner}</span>}
              </button>
              {isOwner && !isMe && (asking === id
                ? <button type="button" class="button button-danger button-small" onClick={() => void attempt(() => remove(id))}>{t.removeFromGroupQuestion(name)}</button>
                : <IconButton icon="close" size={18} label={t.removeFromGroup(name)} onClick={() => setAsking(id)} />)}
            </li>
          );
        })}
      </ul>
    </section>
  );
}
