import { useState } from 'preact/hooks';
import type { Rest } from '../protocol/rest';
import { signIn, type Me } from '../state/session';
import { newId } from './browser';
import { texts } from './i18n';
import { Icon } from './parts/Icon';
import { sentenceOf } from './problems';

/** Open mode: whoever comes says who they are. */
export function SignIn({ rest, onDone }: { rest: Rest; onDone: (me: Me) => void }) {
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
  return (
    <div class="sign-in">
      <form class="sign-in-card" onSubmit={(event) => void enter(event)}>
        <span class="logo"><Icon name="chat" size={32} /></span>
        <div>
          <h1>{t.welcome}</h1>
          <p class="quiet">{t.welcomeText}</p>
        </div>
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
      </form>
    </div>
  );
}
