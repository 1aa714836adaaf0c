import { lazy, Suspense } from 'preact/compat';
import { useState } from 'preact/hooks';
import type { Message } from '../../protocol/types.gen';
import { sizeOf } from '../format';
import { texts } from '../i18n';
import { useFileUrl } from '../parts/file_url';
import { Icon } from '../parts/Icon';

const Viewer = lazy(() => import('./ImageViewer'));

/** Should its code not be had (the connection is lost, say), the browser's own player does. */
const Sound = lazy(() => import('./voice/Sound').catch(() => ({ default: PlainSound })));

/** What a message carries: an image to look at, a sound to hear, anything else as a card to download. */
export function Attachment({ message }: { message: Message }) {
  const type = message.fileType ?? '';
  if (type.startsWith('image/')) return <Picture message={message} />;
  if (message.messageType === 'audio' || type.startsWith('audio/')) return <Suspense fallback={<div class="sound" />}><Sound message={message} /></Suspense>;
  return <Card message={message} />;
}

function Picture({ message }: { message: Message }) {
  const [open, setOpen] = useState(false);
  const [broken, setBroken] = useState(false);
  const url = useFileUrl(message.thumbnailUrl ?? message.fileUrl);
  const name = message.fileName ?? texts().image;
  if (broken) return <Card message={message} />;
  return (
    <>
      <button type="button" class="picture" aria-label={texts().openImage(name)} onClick={() => setOpen(true)}>
        {url && <img src={url} alt="" onError={() => setBroken(true)} />}
      </button>
      {open && <Suspense fallback={null}><Viewer message={message} onClose={() => setOpen(false)} /></Suspense>}
    </>
  );
}

function PlainSound({ message }: { message: Message }) {
  const url = useFileUrl(message.fileUrl);
  return <audio class="sound-plain" controls preload="metadata" src={url} aria-label={message.fileName ?? texts().audio} />;
}

function Card({ message }: { message: Message }) {
  const url = useFileUrl(message.fileUrl);
  const name = message.fileName ?? texts().file;
  return (
    <a class="card" {...(url ? { href: url } : {})} download={name} target="_blank" rel="noopener noreferrer">
      <span class="hidden">{texts().download}</span>
      <span class="card-icon"><Icon name="file" /></span>
      <span class="card-text">
        <span class="card-name">{name}</span>
        <span class="card-about">{extensionOf(name)}{message.fileSize !== null && ` · ${sizeOf(message.fileSize)}`}</span>
      </span>
      <Icon name="download" size={20} />
    </a>
  );
}

function extensionOf(name: string): string {
  const at = name.lastIndexOf('.');
  return at > 0 ? name.slice(at + 1).toUpperCase() : texts().file;
}
