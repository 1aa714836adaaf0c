import { useState } from 'preact/hooks';
import type { User } from '../../protocol/types.gen';
import { useApp } from '../app';
import { texts } from '../i18n';
import { Avatar } from '../parts/Avatar';
import { Menu, type MenuItem } from '../parts/Menu';
import { SettingsDialog } from './SettingsDialog';

const SHOWN: readonly User['status'][] = ['online', 'away', 'busy'];

export function Me({ onNewGroup }: { onNewGroup: () => void }) {
  const { chat, signOut } = useApp();
  const [settings, setSettings] = useState(false);
  const t = texts();
  const user = chat.people.get(chat.me.id);
  const status = chat.status.value === 'online' ? (user?.status ?? 'online') : 'offline';
  const items: MenuItem[] = [
    ...SHOWN.map((each) => ({
      label: t.status[each], icon: 'person' as const, checked: status === each, onChoose: () => void chat.setStatus(each),
    })),
    { label: t.newGroup, icon: 'group', onChoose: onNewGroup },
    { label: t.settings, icon: 'settings', onChoose: () => setSettings(true) },
    ...(signOut ? [{ label: t.signOut, icon: 'signOut' as const, onChoose: signOut }] : []),
  ];
  return (
    <header class="me">
      <Avatar id={chat.me.id} name={chat.me.name} picture={user?.avatar ?? null} status={status} />
      <div class="me-text">
        <h1 class="me-name">{chat.me.name}</h1>
        <span class="me-status">{t.status[status]}</span>
      </div>
      <Menu label={t.menu} items={items} />
      {settings && <SettingsDialog onClose={() => setSettings(false)} />}
    </header>
  );
}
