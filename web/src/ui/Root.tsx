import { useSignal, useSignalEffect } from '@preact/signals';
import { useEffect, useMemo, useRef, useState } from 'preact/hooks';
import { whoIs, type Me } from '../state/session';
import { AppProvider, type App } from './app';
import { speak, language, texts } from './i18n';
import { Main } from './Main';
import { sentenceOf } from './problems';
import { useRoute } from './route';
import type { Services } from './services';
import { SignIn } from './SignIn';

/** The whole client, for a page of its own or as a part of another, which has a main part of its own. */
export function Root({ services, routed }: { services: Services; routed: boolean }) {
  const root = useRef<HTMLElement>(null);
  const theme = useTheme(services);
  const mounted: Mounted = { services, routed, root };
  useSignalEffect(() => void speak(services.preferences.language.value));
  const Part = routed ? 'main' : 'section';
  return (
    <Part class="chatapp" ref={root} data-theme={theme} lang={language()}>
      {services.host ? <Hosted {...mounted} /> : <Open {...mounted} />}
    </Part>
  );
}

interface Mounted {
  services: Services;
  /** On a page of its own, whose address and title are ours. */
  routed: boolean;
  root: { current: HTMLElement | null };
}

function Open(mounted: Mounted) {
  const { services } = mounted;
  const me = services.session.value.value;
  if (!me) return <SignIn rest={services.rest} demo={services.config.demo} onDone={(someone) => services.session.set(someone)} />;
  return <Chatting {...mounted} me={me} signOut={() => services.session.set(null)} key={me.id} />;
}

/** The host page says who it is, by its token. */
function Hosted(mounted: Mounted) {
  const { host, rest } = mounted.services;
  const [me, setMe] = useState<Me | null>(null);
  const [problem, setProblem] = useState<string | null>(null);
  useEffect(() => void host!.token(), [host]);
  useSignalEffect(() => {
    const token = host!.current.value;
    if (token) whoIs(token, rest).then((user) => setMe((known) => (known?.id === user?.id ? known : user)), (error: unknown) => setProblem(sentenceOf(error)));
  });
  if (me) return <Chatting {...mounted} me={me} signOut={null} key={me.id} />;
  return <div class="sign-in"><p class="quiet" role="status">{problem ?? texts().waitingForHost}</p></div>;
}

function Chatting({ me, services, routed, root, signOut }: Mounted & { me: Me; signOut: (() => void) | null }) {
  const [chat, door, stop] = useMemo(() => services.chat(me), [services, me]);
  useEffect(() => stop, [stop]);
  useRoute(chat, routed);
  const { config, preferences, links, only } = services;
  const touched = useTouched(root);
  const app = useMemo<App>(() => ({
    chat, door, config, preferences, links, only, signOut,
    find: (selector) => root.current?.querySelector<HTMLElement>(selector) ?? null,
    keys: () => (routed ? document : root.current!),
    mayFocus: () => routed || (touched.current && isOursOrNobodys(root.current!)),
  }), [chat]);
  return <AppProvider value={app}><Main /></AppProvider>;
}

/** Whether the user has been in here. */
function useTouched(root: { current: HTMLElement | null }): { current: boolean } {
  const touched = useRef(false);
  useEffect(() => {
    const touch = () => void (touched.current = true);
    root.current!.addEventListener('focusin', touch, { once: true });
  }, [root]);
  return touched;
}

/** What has had the focus and is gone leaves it to nobody. */
function isOursOrNobodys(root: HTMLElement): boolean {
  return root.matches(':focus-within') || document.activeElement === null || document.activeElement === document.body;
}

/** The chosen theme, or the system's as it changes. */
function useTheme({ preferences }: Services): 'light' | 'dark' {
  const query = useMemo(() => matchMedia('(prefers-color-scheme: dark)'), []);
  const dark = useSignal(query.matches);
  useEffect(() => {
    const follow = () => (dark.value = query.matches);
    query.addEventListener('change', follow);
    return () => query.removeEventListener('change', follow);
  }, [query, dark]);
  return preferences.theme.value ?? (dark.value ? 'dark' : 'light');
}
