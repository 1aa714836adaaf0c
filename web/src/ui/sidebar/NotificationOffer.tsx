import { useApp } from '../app';
import { texts } from '../i18n';
import { askToNotify, notifyPermission } from '../notifying';

/** Asked once, when the user has opened a conversation: then they know what it is about. */
export function NotificationOffer() {
  const { chat, preferences } = useApp();
  const t = texts();
  if (notifyPermission() !== 'default' || preferences.chosen.offered || chat.opened.value === null) return null;
  return (
    <aside class="offer" aria-label={t.notifications}>
      <p>{t.notificationsOffer}</p>
      <button type="button" class="button button-small button-primary" onClick={() => void askToNotify(preferences)}>{t.turnOn}</button>
      <button type="button" class="button button-small" onClick={() => preferences.set({ offered: true })}>{t.notNow}</button>
    </aside>
  );
}
