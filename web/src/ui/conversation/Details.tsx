import { useState } from 'preact/hooks';
import type { InboxEntry } from '../../protocol/types.gen';
import { useApp } from '../app';
import { seenOf } from '../format';
import { texts } from '../i18n';
import { companionOf, titleOf } from '../names';
import { Avatar } from '../parts/Avatar';
import { Confirm, Dialog, useFocusBack } from '../parts/Dialog';
import { Icon } from '../parts/Icon';
import { sentenceOf } from '../problems';
import { GroupFields } from '../sidebar/NewGroup';
import { PeoplePicker } from '../sidebar/PeoplePicker';
import { Participants } from './Participants';

type Step = 'overview' | 'rename' | 'add' | 'leave';

/** Who this is, or who is in the group and what can be done about it. */
export function Details({ entry, onClose }: { entry: InboxEntry; onClose: () => void }) {
  const [step, setStep] = useState<Step>('overview');
  useFocusBack();
  const back = () => setStep('overview');
  switch (step) {
    case 'overview': return <Overview entry={entry} onStep={setStep} onClose={onClose} />;
    case 'rename': return <Rename entry={entry} onClose={back} />;
    case 'add': return <AddPeople entry={entry} onClose={back} />;
    case 'leave': return <Leave entry={entry} onClose={back} />;
  }
}

function Overview({ entry, onStep, onClose }: { entry: InboxEntry; onStep: (step: Step) => void; onClose: () => void }) {
  const { chat } = useApp();
  const t = texts();
  const title = titleOf(entry, chat);
  const companion = companionOf(entry, chat);
  const isGroup = entry.type === 'group';
  return (
    <Dialog title={t.details} onClose={onClose}>
      <div class="profile">
        <Avatar id={companion?.id ?? entry.id} name={title} picture={companion?.avatar ?? null} status={companion?.status} group={isGroup} size="l" />
        <p class="profile-name">{title}</p>
        {isGroup && <p class="quiet">{entry.description || t.participants(entry.participants.length)}</p>}
        {companion && <p class="quiet">{companion.email}</p>}
        {companion && <p class="quiet">{companion.status === 'offline' ? t.lastSeen(seenOf(companion.lastSeen)) : t.status[companion.status]}</p>}
      </div>
      {isGroup && (
        <>
          <div class="profile-actions">
            <Action icon="plus" label={t.addPeople} onClick={() => onStep('add')} />
            <Action icon="edit" label={t.rename} onClick={() => onStep('rename')} />
            <Action icon="leave" label={t.leaveGroup} onClick={() => onStep('leave')} />
          </div>
          <Participants entry={entry} onOpened={onClose} />
        </>
      )}
    </Dialog>
  );
}

function Action({ icon, label, onClick }: { icon: 'plus' | 'edit' | 'leave'; label: string; onClick: () => void }) {
  return <button type="button" class={`tile ${icon === 'leave' ? 'danger' : ''}`} onClick={onClick}><Icon name={icon} /><span>{label}</span></button>;
}

/** Does it, closes when done, and says what went wrong when not. */
function useStep(act: () => Promise<void>, onDone: () => void): { run: () => void; problem: string | null } {
  const [problem, setProblem] = useState<string | null>(null);
  const run = () => {
    act().then(onDone, (error: unknown) => setProblem(sentenceOf(error)));
  };
  return { run, problem };
}

function Rename({ entry, onClose }: { entry: InboxEntry; onClose: () => void }) {
  const { chat } = useApp();
  const [name, setName] = useState(entry.name ?? '');
  const [description, setDescription] = useState(entry.description ?? '');
  const { run, problem } = useStep(() => chat.groups.rename(entry.id, name, description), onClose);
  const t = texts();
  return (
    <Dialog title={t.rename} onClose={onClose}>
      <form class="fields" onSubmit={(event) => { event.preventDefault(); run(); }}>
        <GroupFields name={name} onName={setName} description={description} onDescription={setDescription} />
        <Foot problem={problem} yes={t.save} disabled={!name.trim()} onClose={onClose} />
      </form>
    </Dialog>
  );
}

function AddPeople({ entry, onClose }: { entry: InboxEntry; onClose: () => void }) {
  const { chat } = useApp();
  const [chosen, setChosen] = useState<readonly string[]>([]);
  const { run, problem } = useStep(() => chat.groups.add(entry.id, chosen), onClose);
  const t = texts();
  return (
    <Dialog title={t.addPeople} onClose={onClose}>
      <form class="fields" onSubmit={(event) => { event.preventDefault(); run(); }}>
        <PeoplePicker chosen={chosen} onChange={setChosen} without={new Set(entry.participants)} />
        <Foot problem={problem} yes={t.add} disabled={chosen.length === 0} onClose={onClose} />
      </form>
    </Dialog>
  );
}

function Foot({ problem, yes, disabled, onClose }: { problem: string | null; yes: string; disabled: boolean; onClose: () => void }) {
  return (
    <>
      {problem && <p class="problem" role="alert">{problem}</p>}
      <footer class="dialog-foot">
        <button type="button" class="button" onClick={onClose}>{texts().cancel}</button>
        <button type="submit" class="button button-primary" disabled={disabled}>{yes}</button>
      </footer>
    </>
  );
}

function Leave({ entry, onClose }: { entry: InboxEntry; onClose: () => void }) {
  const { chat } = useApp();
  const { run, problem } = useStep(() => chat.groups.leave(entry.id).then(() => chat.open(null)), onClose);
  const t = texts();
  return <Confirm title={t.leaveQuestion} text={t.leaveText} yes={t.leaveGroup} onYes={run} onClose={onClose} error={problem} />;
}
