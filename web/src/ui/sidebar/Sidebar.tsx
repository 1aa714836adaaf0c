import { useEffect, useRef, useState } from 'preact/hooks';
import { folded } from '../../state/words';
import { useApp } from '../app';
import { texts } from '../i18n';
import { titleOf } from '../names';
import { Empty } from '../parts/Empty';
import { Icon } from '../parts/Icon';
import { IconButton } from '../parts/IconButton';
import { ConversationItem } from './ConversationItem';
import { Me } from './Me';
import { NewGroup } from './NewGroup';
import { NotificationOffer } from './NotificationOffer';
import { Directory } from './Directory';

type Tab = 'chats' | 'people';

/** The left side: who uses the chat, their conversations, everybody else. */
export function Sidebar() {
  const { chat } = useApp();
  const [tab, setTab] = useState<Tab>('chats');
  const [search, setSearch] = useState('');
  const [creating, setCreating] = useState(false);
  const t = texts();
  useEffect(() => setSearch(''), [tab]);
  return (
    <aside class="sidebar" aria-label={t.chats}>
      <Me onNewGroup={() => setCreating(true)} />
      <div class="sidebar-tools">
        <Search value={search} onInput={setSearch} label={tab === 'chats' ? t.searchChats : t.searchPeople} />
        <IconButton icon="plus" label={t.newGroup} class="soft" onClick={() => setCreating(true)} />
      </div>
      <Tabs chosen={tab} onChoose={setTab} />
      <div class="sidebar-list" role="tabpanel" id="sidebar-panel" aria-labelledby={`tab-${tab}`} tabIndex={-1}>
        {tab === 'chats'
          ? <Conversations search={search} onFindPeople={() => setTab('people')} />
          : <Directory search={search} onChosen={() => setTab('chats')} />}
      </div>
      <NotificationOffer />
      {creating && <NewGroup onClose={() => setCreating(false)} onCreated={(id) => void chat.open(id)} />}
    </aside>
  );
}

function Tabs({ chosen, onChoose }: { chosen: Tab; onChoose: (tab: Tab) => void }) {
  const { find } = useApp();
  const t = texts();
  const tabs: readonly [Tab, string][] = [['chats', t.chats], ['people', t.people]];
  const move = (event: KeyboardEvent) => {
    if (event.key !== 'ArrowLeft' && event.key !== 'ArrowRight') return;
    const next = chosen === 'chats' ? 'people' : 'chats';
    onChoose(next);
    find(`#tab-${next}`)?.focus();
  };
  return (
    <div class="tabs" role="tablist" aria-label={t.chats} onKeyDown={move}>
      {tabs.map(([tab, label]) => (
        <button
          type="button" role="tab" key={tab} id={`tab-${tab}`} class="tab" aria-selected={tab === chosen}
          aria-controls="sidebar-panel" tabIndex={tab === chosen ? 0 : -1} onClick={() => onChoose(tab)}
        >
          {label}
        </button>
      ))}
    </div>
  );
}

export function Search({ value, onInput, label }: { value: string; onInput: (text: string) => void; label: string }) {
  const field = useRef<HTMLInputElement>(null);
  return (
    <div class="search">
      <Icon name="search" size={18} />
      <input
        ref={field} type="search" value={value} placeholder={label} aria-label={label} data-shortcut="search" enterkeyhint="search"
        onInput={(event) => onInput(event.currentTarget.value)}
        onKeyDown={(event) => {
          if (event.key === 'Escape' && value) {
            event.stopPropagation();
            onInput('');
          }
        }}
      />
    </div>
  );
}

function Conversations({ search, onFindPeople }: { search: string; onFindPeople: () => void }) {
  const { chat } = useApp();
  const t = texts();
  const wanted = folded(search.trim());
  const entries = chat.inbox.sorted.value.filter((entry) => !wanted || folded(titleOf(entry, chat)).includes(wanted));
  if (!chat.ready.value) return <Skeletons />;
  if (entries.length === 0 && wanted) return <Empty icon="search" title={t.nothingFound} text={t.nothingFoundText} />;
  if (entries.length === 0) return (
    <Empty icon="chat" title={t.noChats} text={t.noChatsText}>
      <button type="button" class="button button-primary" onClick={onFindPeople}>{t.findPeople}</button>
    </Empty>
  );
  return <ul class="list">{entries.map((entry) => <ConversationItem entry={entry} key={entry.id} />)}</ul>;
}

function Skeletons() {
  return (
    <div class="skeletons" role="status" aria-label={texts().connecting}>
      {[0, 1, 2, 3, 4].map((each) => <div class="skeleton" key={each}><span /><div><span /><span /></div></div>)}
    </div>
  );
}
