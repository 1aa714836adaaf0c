import { useState } from 'preact/hooks';
import { useApp } from '../app';
import { texts } from '../i18n';
import { Dialog } from '../parts/Dialog';
import { sentenceOf } from '../problems';
import { PeoplePicker } from './PeoplePicker';

export function NewGroup({ onClose, onCreated }: { onClose: () => void; onCreated: (id: string) => void }) {
  const { chat } = useApp();
  const [name, setName] = useState('');
  const [description, setDescription] = useState('');
  const [chosen, setChosen] = useState<readonly string[]>([]);
  const [problem, setProblem] = useState<string | null>(null);
  const t = texts();
  const create = async (event: Event) => {
    event.preventDefault();
    try {
      const id = await chat.groups.create(name, description, chosen);
      onClose();
      onCreated(id);
    } catch (error) {
      setProblem(sentenceOf(error));
    }
  };
  return (
    <Dialog title={t.newGroup} onClose={onClose}>
      <form class="fields" onSubmit={(event) => void create(event)}>
        <GroupFields name={name} onName={setName} description={description} onDescription={setDescription} />
        <PeoplePicker chosen={chosen} onChange={setChosen} without={new Set([chat.me.id])} />
        {problem && <p class="problem" role="alert">{problem}</p>}
        <footer class="dialog-foot">
          <button type="button" class="button" onClick={onClose}>{t.cancel}</button>
          <button type="submit" class="button button-primary" disabled={!name.trim()}>{t.create}</button>
        </footer>
      </form>
    </Dialog>
  );
}

export function GroupFields({ name, onName, description, onDescription }: {
  name: string;
  onName: (name: string) => void;
  description: string;
  onDescription: (description: string) => void;
}) {
  const t = texts();
  return (
    <>
      <label class="field">
        <span>{t.groupName}</span>
        <input type="text" value={name} maxLength={200} required autocomplete="off" onInput={(event) => onName(event.currentTarget.value)} />
      </label>
      <label class="field">
        <span>{t.description}</span>
        <textarea value={description} maxLength={2000} rows={2} onInput={(event) => onDescription(event.currentTarget.value)} />
      </label>
    </>
  );
}
