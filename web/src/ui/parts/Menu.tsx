import { useEffect, useRef, useState } from 'preact/hooks';
import { Icon, type IconName } from './Icon';
import { IconButton } from './IconButton';

export interface MenuItem {
  label: string;
  icon: IconName;
  danger?: boolean;
  checked?: boolean;
  onChoose: () => void;
}

/** A button with a menu: arrows move, Escape and a click elsewhere close, the focus returns to the button. */
export function Menu({ label, icon = 'more', items, class: className = '', up = false }: {
  label: string;
  icon?: IconName;
  items: readonly MenuItem[];
  class?: string;
  up?: boolean;
}) {
  const [open, setOpen] = useState(false);
  const root = useRef<HTMLDivElement>(null);
  const close = () => {
    setOpen(false);
    root.current?.querySelector('button')?.focus();
  };
  useEffect(() => {
    if (!open) return;
    itemsOf(root.current)[0]?.focus();
    const elsewhere = (event: Event) => {
      if (!event.composedPath().includes(root.current!)) setOpen(false);
    };
    document.addEventListener('pointerdown', elsewhere);
    return () => document.removeEventListener('pointerdown', elsewhere);
  }, [open]);
  return (
    <div class={`menu ${className}`} ref={root} onKeyDown={(event) => open && moveIn(root.current, event, close)}>
      <IconButton icon={icon} label={label} aria-haspopup="menu" aria-expanded={open} onClick={() => setOpen(!open)} />
      {open && (
        <div class={`menu-items ${up ? 'menu-up' : ''}`} role="menu" aria-label={label}>
          {items.map((item) => (
            <button
              type="button"
              class={`menu-item ${item.danger ? 'danger' : ''}`}
              role={item.checked === undefined ? 'menuitem' : 'menuitemradio'}
              aria-checked={item.checked}
              tabIndex={-1}
              key={item.label}
              onClick={() => {
                close();
                item.onChoose();
              }}
            >
              <Icon name={item.icon} size={18} />
              {item.label}
              {item.checked && <Icon name="check" size={16} />}
            </button>
          ))}
        </div>
      )}
    </div>
  );
}

function itemsOf(root: HTMLElement | null): HTMLElement[] {
  return [...(root?.querySelectorAll<HTMLElement>('.menu-item') ?? [])];
}

function moveIn(root: HTMLElement | null, event: KeyboardEvent, close: () => void): void {
  const items = itemsOf(root);
  const at = items.indexOf(event.target as HTMLElement);
  const to: Record<string, number> = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: -1 };
  if (event.key === 'Escape' || event.key === 'Tab') {
    event.stopPropagation();
    if (event.key === 'Escape') event.preventDefault();
    close();
  } else if (event.key in to) {
    event.preventDefault();
    items.at(to[event.key]! % items.length)?.focus();
  }
}
