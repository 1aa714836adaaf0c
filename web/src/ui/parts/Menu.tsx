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
export function Menu({ label, icon = 'more', items }: {
  label: string;
  icon?: IconName;
  items: readonly MenuItem[];
}) {
  const [open, setOpen] = useState(false);
  const root = useRef<HTMLDivElement>(null);
  const list = useRef<HTMLDivElement>(null);
  const close = () => {
    setOpen(false);
    root.current?.querySelector('button')?.focus();
  };
  useEffect(() => {
    if (!open) return;
    show(root.current!.querySelector('button')!, list.current!);
    itemsOf(root.current)[0]?.focus();
    const elsewhere = (event: Event) => {
      if (!event.composedPath().includes(root.current!)) setOpen(false);
    };
    document.addEventListener('pointerdown', elsewhere);
    return () => document.removeEventListener('pointerdown', elsewhere);
  }, [open]);
  return (
    <div class="menu" ref={root} onKeyDown={(event) => open && moveIn(root.current, event, close)}>
      <IconButton icon={icon} label={label} aria-haspopup="menu" aria-expanded={open} onClick={() => setOpen(!open)} />
      {open && (
        <div class="menu-items" ref={list} role="menu" aria-label={label} popover="manual">
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

const GAP_PX = 4;

/** In the top layer, where no list cuts it off: below the button, or above where there is more room. */
function show(button: HTMLElement, list: HTMLElement): void {
  list.showPopover();
  const [at, size] = [button.getBoundingClientRect(), list.getBoundingClientRect()];
  const fitsBelow = at.bottom + GAP_PX + size.height < window.innerHeight;
  list.style.top = `${fitsBelow ? at.bottom + GAP_PX : Math.max(GAP_PX, at.top - GAP_PX - size.height)}px`;
  list.style.left = `${Math.max(GAP_PX, Math.min(at.right - size.width, window.innerWidth - size.width - GAP_PX))}px`;
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
