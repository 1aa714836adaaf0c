import { LANGUAGES, type Language, type Theme } from '../../state/preferences';
import { useApp } from '../app';
import { texts } from '../i18n';
import { askToNotify, notifyPermission } from '../notifying';
import { Dialog } from '../parts/Dialog';

const NAMES: Record<Language, string> = { es: 'Español', en: 'English', pt: 'Português' };

export function SettingsDialog({ onClose }: { onClose: () => void }) {
  const { preferences } = useApp();
  const t = texts();
  const { language, theme, sound, notifications } = preferences.chosen;
  const permission = notifyPermission();
  return (
    <Dialog title={t.settings} onClose={onClose}>
      <div class="fields">
        <label class="field field-row">
          <span>{t.language}</span>
          <select value={language ?? ''} onChange={(event) => preferences.set({ language: (event.currentTarget.value || null) as Language | null })}>
            <option value="">{t.automatic}</option>
            {LANGUAGES.map((each) => <option value={each} key={each} lang={each}>{NAMES[each]}</option>)}
          </select>
        </label>
        <label class="field field-row">
          <span>{t.theme}</span>
          <select value={theme ?? ''} onChange={(event) => preferences.set({ theme: (event.currentTarget.value || null) as Theme | null })}>
            <option value="">{t.themes.system}</option>
            <option value="light">{t.themes.light}</option>
            <option value="dark">{t.themes.dark}</option>
          </select>
        </label>
        <Switch label={t.sound} on={sound} onChange={(on) => preferences.set({ sound: on })} />
        {permission !== 'absent' && (
          <Switch
            label={t.notifications} on={notifications && permission === 'granted'} disabled={permission === 'denied'}
            onChange={(on) => {
              if (on) void askToNotify(preferences);
              else preferences.set({ notifications: false });
            }}
          />
        )}
        {permission === 'denied' && <p class="quiet">{t.notificationsDenied}</p>}
      </div>
      <Shortcuts />
    </Dialog>
  );
}

function Switch({ label, on, onChange, disabled = false }: { label: string; on: boolean; onChange: (on: boolean) => void; disabled?: boolean }) {
  return (
    <label class="field field-row">
      <span>{label}</span>
      <input type="checkbox" role="switch" class="switch" checked={on} disabled={disabled} onChange={(event) => onChange(event.currentTarget.checked)} />
    </label>
  );
}

function Shortcuts() {
  const t = texts();
  const keys: readonly [string, string][] = [
    ['Ctrl K', t.shortcutSearch], ['Enter', t.shortcutSend], ['Shift Enter', t.shortcutNewLine], ['↑', t.shortcutEditLast],
    ['↑ ↓', t.shortcutMessages], ['Esc', t.shortcutClose],
  ];
  return (
    <section class="shortcuts">
      <h3>{t.shortcuts}</h3>
      <dl>{keys.map(([key, what]) => <div key={what}><dt>{what}</dt><dd><kbd>{key}</kbd></dd></div>)}</dl>
    </section>
  );
}
