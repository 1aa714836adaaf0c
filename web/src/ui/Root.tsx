import { useSignal, useSignalEffect } from '@preact/signals';
import { useEffect, useMemo, useRef, useState } from 'preact/hooks';
import { whoIs, type Me } from '../state/session';
import { AppProvider } from './app';
import { speak, language, texts } from './i18n';
import { Main } from './Main';
import { sentenceOf } from './problems';
import { useRoute } from './route';
import type { Services } from './services';
import { SignIn } from './SignIn';

/** The whole client, for a page of its own or as a part of another. */
export function Root({ services, routed }: { services: Services; routed: boolean }) {
  const root = useRef<HTMLDivElement>(null);
  const theme = useTheme(services);
  useSignalEffect(() => void speak(services.preferences.language.value));
  return (
    <div class="chatapp" ref={root} data-theme={theme} lang={language()}>
      {services.host ? <Hosted services={services} routed={routed} /> : <Open services={services} routed={routed} />}
    </div>
  );
}

function Open({ services, routed }: { services: Services; routed: boolean }) {
  const me = services.session.value.value;
  if (!me) return <SignIn rest={services.rest} onDone={(someone) => services.session.set(someone)} />;
  return <Chatting me={me} services={services} routed={routed} signOut={() => services.session.set(null)} key={me.id} />;
}

/** The host page says who it is, by its token. */
function Hosted({ services, routed }: { services: Services; routed: boolean }) {
  const { host, rest } = services;
  const [me, setMe] = useState<Me | null>(null);
  const [problem, setProblem] = useState<string | null>(null);
  useEffect(() => void host!.token(), [host]);
  useSignalEffect(() => {
    const token = host!.current.value;
    if (token) whoIs(token, rest).then((user) => setMe((known) => (known?.id === user?.id ? known : user)), (error: unknown) => setProblem(sentenceOf(error)));
  });
  if (me) return <Chatting me={me} services={services} routed={routed} signOut={null} key={me.id} />;
  return <main class="sign-in"><p class="quiet" role="status">{problem ?? texts().waitingForHost}</p></main>;
}

function Chatting({ me, services, routed, signOut }: { me: Me; services: Services; routed: boolean; signOut: (() => void) | null }) {
  const [chat, stop] = useMemo(() => services.chat(me), [services, me]);
  useEffect(() => stop, [stop]);
  useRoute(chat, routed);
  const { config, preferences, links } = services;
  const app = useMemo(() => ({ chat, config, preferences, links, signOut }), [chat]);
  return <AppProvider value={app}><Main /></AppProvider>;
}

/** The chosen theme, or the system's as it changes. */
function useTheme({ preferences }: Services): 'light' | 'dark' {
  const dark = useSignal(false);
  useEffect(() => {
    const query = matchMedia('(prefers-color-scheme: dark)');
    const follow = () => (dark.value = query.matches);
    follow();
    query.addEventListener('change', follow);
    return () => query.removeEventListener('change', follow);
  }, [dark]);
  return preferences.chosen.theme ?? (dark.value ? 'dark' : 'light');
}
