import type { JSX } from 'preact';
import { Icon, type IconName } from './Icon';

type Props = Omit<JSX.IntrinsicElements['button'], 'aria-label' | 'icon'> & { icon: IconName; label: string; size?: number };

export function IconButton({ icon, label, size, class: className, ...rest }: Props) {
  return (
    <button type="button" class={`icon-button ${typeof className === 'string' ? className : ''}`} aria-label={label} title={label} {...rest}>
      <Icon name={icon} {...(size === undefined ? {} : { size })} />
    </button>
  );
}
