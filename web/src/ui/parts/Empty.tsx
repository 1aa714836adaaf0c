import type { ComponentChildren } from 'preact';
import { Icon, type IconName } from './Icon';

/** What stands where there is nothing yet: what this place is for, and the next step. */
export function Empty({ icon, title, text, children }: { icon: IconName; title: string; text: string; children?: ComponentChildren }) {
  return (
    <div class="empty">
      <span class="empty-icon"><Icon name={icon} size={30} /></span>
      <p class="empty-title">{title}</p>
      <p class="quiet">{text}</p>
      {children}
    </div>
  );
}
