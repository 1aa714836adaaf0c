import type { Pending } from '../../state/outbox';
import { isVoiceNote } from '../../state/words';
import { useApp } from '../app';
import { sizeOf } from '../format';
import { texts } from '../i18n';
import { previewText } from '../names';
import { Icon } from '../parts/Icon';
import { sentenceOfCode } from '../problems';
import { Content } from './Content';
import { LocalPicture } from './LocalPicture';

/** A message on its way out: what it will look like, how far it is, and what can be done about it. */
export function PendingRow({ pending, begins }: { pending: Pending; begins: boolean }) {
  const { chat } = useApp();
  const t = texts();
  const failed = pending.stage === 'failed';
  return (
    <article class={`row row-own row-pending ${begins ? 'row-begins' : ''} ${failed ? 'row-failed' : ''}`} aria-label={t.you}>
      <div class="bubble-line">
        <div class="bubble">
          {pending.replyPreview !== null && <span class="quote"><span class="quote-text">{previewText(pending.replyPreview)}</span></span>}
          {pending.file && <PendingFile pending={pending} file={pending.file} />}
          {pending.content && <Content text={pending.content} />}
          <span class="meta">
            <span class="mark" title={stageText(pending)}><Icon name={failed ? 'alert' : 'clock'} size={14} /><span class="hidden">{stageText(pending)}</span></span>
          </span>
        </div>
      </div>
      {failed && (
        <p class="failure" role="alert">
          <span>{t.failed}. {sentenceOfCode(pending.failure!)}</span>
          <button type="button" class="link" onClick={() => void chat.outbox.retry(pending.clientMessageId)}>{t.retry}</button>
          <button type="button" class="link" onClick={() => void chat.outbox.discard(pending.clientMessageId)}>{t.discard}</button>
        </p>
      )}
    </article>
  );
}

function stageText({ stage }: Pending): string {
  const t = texts();
  return { waiting: t.waiting, sending: t.sending, failed: t.failed, sent: t.sent }[stage];
}

function PendingFile({ pending, file }: { pending: Pending; file: { bytes: Blob; name: string } }) {
  const { chat } = useApp();
  const t = texts();
  const name = isVoiceNote(file.name) ? t.voiceNote : file.name;
  return (
    <div class="upload">
      {file.bytes.type.startsWith('image/') ? <LocalPicture blob={file.bytes} name={file.name} /> : (
        <span class="card">
          <span class="card-icon"><Icon name={isVoiceNote(file.name) ? 'mic' : 'file'} /></span>
          <span class="card-text"><span class="card-name">{name}</span><span class="card-about">{sizeOf(file.bytes.size)}</span></span>
        </span>
      )}
      {pending.stage !== 'failed' && (
        <div class="upload-state">
          <progress value={pending.progress} max={1} aria-label={`${t.sending} ${name}`} />
          <button type="button" class="link" onClick={() => void chat.outbox.discard(pending.clientMessageId)}>{t.cancel}</button>
        </div>
      )}
    </div>
  );
}
