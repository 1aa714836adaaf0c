import { useState } from 'preact/hooks';
import type { User } from '../../protocol/types.gen';
import { useFileUrl } from './file_url';
import { Icon } from './Icon';

const HUES = 8;
const GROUP_ICON = { s: 16, m: 24, l: 44 };

/** The picture, or the initials on a colour that belongs to the id. Beside it stands the name: it says nothing itself. */
export function Avatar({ id, name, picture, status, group = false, size = 'm' }: {
  id: string;
  name: string;
  picture?: string | null;
  status?: User['status'] | undefined;
  group?: boolean;
  size?: 's' | 'm' | 'l';
}) {
  const [broken, setBroken] = useState(false);
  const url = useFileUrl(isUrl(picture) ? picture : null);
  return (
    <span class={`avatar avatar-${size} hue-${hueOf(id)}`} aria-hidden="true">
      {url && !broken ? <img src={url} alt="" loading="lazy" onError={() => setBroken(true)} />
        : group ? <Icon name="group" size={GROUP_ICON[size]} /> : initialsOf(name)}
      {status && status !== 'offline' && <span class={`dot dot-${status}`} />}
    </span>
  );
}

function isUrl(picture: string | null | undefined): picture is string {
  return /^(https?:|\/)/.test(picture ?? '');
}

export function initialsOf(name: string): string {
  const words = name.trim().split(/\s+/).filter(Boolean);
  return (firstOf(words[0] ?? '?') + (words.length > 1 ? firstOf(words.at(-1)!) : '')).toUpperCase();
}

function firstOf(word: string): string {
  return [...new Intl.Segmenter().segment(word)][0]!.segment;
}

export function hueOf(id: string): number {
  let hash = 0x811c9dc5; // FNV-1a: ids that differ little get colours that differ
  for (const char of id) hash = Math.imul(hash ^ char.codePointAt(0)!, 0x01000193);
  return (((hash >>> 16) ^ hash) >>> 0) % HUES;
}
