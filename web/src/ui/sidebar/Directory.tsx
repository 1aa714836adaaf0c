import { useEffect, useState } from 'preact/hooks';
import type { User } from '../../protocol/types.gen';
import { directory } from '../../state/people';
import { useApp } from '../app';
import { seenOf } from '../format';
import { texts } from '../i18n';
import { Avatar } from '../parts/Avatar';
import { Empty } from '../parts/Empty';
import { sentenceOf } from '../problems';

const SEARCH_AFTER_MS = 250;
/** More is found by searching. */
const SHOWN_MAX = 200;

/** Everybody, online first; choosing somebody opens the private conversation with them. */
export function Directory({ search, onChosen }: { search: string; onChosen: () => void }) {
  const { chat } = useApp();
  const [problem, setProblem] = useState<string | null>(null);
  const t = texts();
  useDirectorySearch(search);
  const users = directory(chat.people.known.value, search, new Set([chat.me.id]));
  const start = async (user: User) => {
    try {
      await chat.open(await chat.groups.startPrivate(user.id));
      onChosen();
    } catch (error) {
      setProblem(sentenceOf(error));
    }
  };
  if (users.length === 0) return <Empty icon="search" title={t.nothingFound} text={t.nothingFoundText} />;
  return (
    <>
      {problem && <p class="problem" role="alert">{problem}</p>}
      <ul class="list">
        {users.slice(0, SHOWN_MAX).map((user) => (
          <li key={user.id}>
            <button type="button" class="item" onClick={() => void start(user)}>
              <Avatar id={user.id} name={user.name} picture={user.avatar} status={user.status} />
              <Person user={user} />
            </button>
          </li>
        ))}
      </ul>
    </>
  );
}

/** The server may know people that were not loaded. */
export function useDirectorySearch(search: string): void {
  const { chat } = useApp();
  useEffect(() => {
    const timer = setTimeout(() => void chat.people.search(search).catch(() => undefined), SEARCH_AFTER_MS);
    return () => clearTimeout(timer);
  }, [search, chat]);
}

export function Person({ user }: { user: User }) {
  const t = texts();
  return (
    <span class="item-text">
      <span class="item-name">{user.name}</span>
      <span class="item-preview">{user.status === 'offline' ? t.lastSeen(seenOf(user.lastSeen)) : t.status[user.status]}</span>
    </span>
  );
}
