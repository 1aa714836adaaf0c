import type { ComponentChildren } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import type { Rest } from '../protocol/rest';
import type { User } from '../protocol/types.gen';
import { signIn, type Me } from '../state/session';
import { newId } from './browser';
import { texts } from './i18n';
import { hueOf, initialsOf } from './parts/Avatar';
import { Icon } from './parts/Icon';
import { sentenceOf } from './problems';

/** Open mode: whoever comes says who they are. */
export function SignIn({ rest, demo, onDone }: { rest: Rest; demo: boolean; onDone: (me: Me) => void }) {
  const [name, setName] = useState('');
  const [email, setEmail] = useState('');
  const [problem, setProblem] = useState<string | null>(null);
  const t = texts();
  const enter = async (event: Event) => {
    event.preventDefault();
    try {
      onDone(await signIn(rest, name, email, newId));
    } catch (error) {
      setProblem(sentenceOf(error));
    }
  };
  const fields = (
    <>
      <label class="field">
        <span>{t.yourName}</span>
        <input type="text" name="name" autocomplete="name" required maxLength={200} value={name} onInput={(event) => setName(event.currentTarget.value)} />
      </label>
      <label class="field">
        <span>{t.yourEmail}</span>
        <input type="email" name="email" autocomplete="email" required maxLength={320} value={email} onInput={(event) => setEmail(event.currentTarget.value)} />
      </label>
      {problem && <p class="problem" role="alert">{problem}</p>}
      <button type="submit" class="button button-primary">{t.enter}</button>
    </>
  );
  return (
    <div class="sign-in">
      <form class="sign-in-card" onSubmit={(event) => void enter(event)}>
        <span class="logo"><Icon name="chat" size={32} /></span>
        <div>
          <h1>{t.welcome}</h1>
          <p class="quiet">{demo ? t.demoText : t.welcomeText}</p>
        </div>
        {demo ? <DemoPeople rest={rest} onDone={onDone}>{fields}</DemoPeople> : fields}
      </form>
    </div>
  );
}

/** Those who are in a demo's directory: a click, and one of them is signed in. Below, somebody new. */
function DemoPeople({ rest, onDone, children }: { rest: Rest; onDone: (me: Me) => void; children: ComponentChildren }) {
  const [people, setPeople] = useState<readonly User[]>([]);
  useEffect(() => {
    rest.users('').then(({ users }) => setPeople([...users].sort((one, other) => one.name.localeCompare(other.name))), () => undefined);
  }, [rest]);
  return (
    <>
      <ul class="list demo-people">
        {people.map(({ id, name, email, roles, filials }) => (
          <li key={id}>
            <button type="button" class="item" onClick={() => onDone({ id, name, email })}>
              <span class={`avatar avatar-s hue-${hueOf(id)}`} aria-hidden="true">{initialsOf(name)}</span>
              <span class="item-text">
                <span class="item-name">{name}</span>
                <span class="item-preview">{[...roles, ...filials].join(' · ')}</span>
              </span>
            </button>
          </li>
        ))}
      </ul>
      <details class="somebody-new">
        <summary>{texts().somebodyNew}</summary>
        <div class="fields">{children}</div>
      </details>
    </>
  );
}
