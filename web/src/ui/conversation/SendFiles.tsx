import { useState } from 'preact/hooks';
import { problemOf } from '../../state/file_rules';
import { useApp, type App } from '../app';
import { sizeOf } from '../format';
import { texts } from '../i18n';
import { Dialog } from '../parts/Dialog';
import { Icon } from '../parts/Icon';
import { IconButton } from '../parts/IconButton';
import { LocalPicture } from './LocalPicture';

/** Shows what was chosen, refuses what the server would refuse, takes a caption, and sends. */
export function SendFiles({ conversationId, files, onClose }: { conversationId: string; files: readonly File[]; onClose: () => void }) {
  const { chat, config } = useApp();
  const [chosen, setChosen] = useState(files);
  const [caption, setCaption] = useState('');
  const t = texts();
  const good = chosen.filter((file) => problemOf(file, config) === null);
  const send = async (event: Event) => {
    event.preventDefault();
    onClose();
    for (const [index, file] of good.entries()) {
      const content = index === 0 ? caption.trim() : '';
      await chat.outbox.add({ conversationId, content, replyTo: null, replyPreview: null, file: { bytes: file, name: file.name } });
    }
  };
  const without = (file: File) => {
    const left = chosen.filter((each) => each !== file);
    if (left.length) setChosen(left);
    else onClose();
  };
  return (
    <Dialog title={t.sendFiles(chosen.length)} onClose={onClose}>
      <form class="fields" onSubmit={(event) => void send(event)}>
        <ul class="files">
          {chosen.map((file) => <Chosen key={`${file.name} ${file.size} ${file.lastModified}`} file={file} config={config} onRemove={() => without(file)} />)}
        </ul>
        <label class="field">
          <span>{t.caption}</span>
          <textarea rows={2} value={caption} maxLength={4000} onInput={(event) => setCaption(event.currentTarget.value)} />
        </label>
        <footer class="dialog-foot">
          <button type="button" class="button" onClick={onClose}>{t.cancel}</button>
          <button type="submit" class="button button-primary" disabled={good.length === 0}>{t.send}</button>
        </footer>
      </form>
    </Dialog>
  );
}

function Chosen({ file, config, onRemove }: { file: File; config: App['config']; onRemove: () => void }) {
  const t = texts();
  const problem = problemOf(file, config);
  return (
    <li class={`chosen ${problem ? 'chosen-bad' : ''}`}>
      {file.type.startsWith('image/') && !problem ? <LocalPicture blob={file} name={file.name} /> : <span class="card-icon"><Icon name="file" /></span>}
      <span class="card-text">
        <span class="card-name">{file.name}</span>
        {problem
          ? <span class="problem" role="alert">{problem === 'too_large' ? t.tooLarge(file.name, sizeOf(config.uploadMaxBytes)) : t.typeNotAllowed(file.name)}</span>
          : <span class="card-about">{sizeOf(file.size)}</span>}
      </span>
      <IconButton icon="close" label={`${t.discard} ${file.name}`} size={18} onClick={onRemove} />
    </li>
  );
}
