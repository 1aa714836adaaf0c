import { useState } from 'preact/hooks';
import type { Message } from '../../protocol/types.gen';
import { useApp } from '../app';
import { texts } from '../i18n';
import { Dialog } from '../parts/Dialog';
import { Icon } from '../parts/Icon';
import { IconButton } from '../parts/IconButton';
import { useFileUrl } from '../parts/file_url';

/** The image in full, and the others of the conversation before and after it. */
export default function ImageViewer({ message, onClose }: { message: Message; onClose: () => void }) {
  const { chat } = useApp();
  const [shown, setShown] = useState(message);
  const images = (chat.histories.known(message.conversationId)?.messages.value ?? []).filter(isImage);
  const at = images.findIndex(({ id }) => id === shown.id);
  const url = useFileUrl(shown.fileUrl);
  const t = texts();
  const name = shown.fileName ?? t.image;
  const move = (step: number) => {
    const next = images[at + step];
    if (next) setShown(next);
  };
  return (
    <Dialog title={name} onClose={onClose} plain>
      <div
        class="viewer"
        onKeyDown={(event) => {
          if (event.key === 'ArrowLeft') move(-1);
          if (event.key === 'ArrowRight') move(1);
        }}
      >
        <div class="viewer-bar">
          <span class="viewer-name">{shown.sender.name} · {name}</span>
          <a class="icon-button" {...(url ? { href: url } : {})} download={name} aria-label={t.download} title={t.download}><Icon name="download" /></a>
          <IconButton icon="close" label={t.close} onClick={onClose} autofocus />
        </div>
        {url && <img src={url} alt={name} />}
        {images[at - 1] && <IconButton icon="left" label={t.previous} class="viewer-left" onClick={() => move(-1)} />}
        {images[at + 1] && <IconButton icon="right" label={t.next} class="viewer-right" onClick={() => move(1)} />}
      </div>
    </Dialog>
  );
}

function isImage({ fileType, isDeleted }: Message): boolean {
  return !isDeleted && (fileType?.startsWith('image/') ?? false);
}
