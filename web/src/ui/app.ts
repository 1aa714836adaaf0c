import { createContext } from 'preact';
import { useContext } from 'preact/hooks';
import type { ServerConfig } from '../protocol/config';
import type { ReadonlySignal } from '@preact/signals';
import type { FileLinks } from '../protocol/file_links';
import type { Chat } from '../state/chat';
import type { Preferences } from '../state/preferences';
import type { CallDoor } from './calls/door';

/** What every screen may use. */
export interface App {
  chat: Chat;
  config: ServerConfig;
  preferences: Preferences;
  links: FileLinks;
  door: CallDoor;
  /** The one conversation that is shown; null: all of them. */
  only: ReadonlySignal<string | null>;
  /** Null where the host page decides who uses the chat. */
  signOut: (() => void) | null;
  /** The first such element of ours, wherever the chat lives: on a page of its own, or in another's shadow tree. */
  find: (selector: string) => HTMLElement | null;
  /** Where shortcuts are heard: everywhere on a page of our own, inside the chat alone on another's. */
  keys: () => Document | HTMLElement;
  /** Whether the focus may be put somewhere: on another's page it is taken from nobody. */
  mayFocus: () => boolean;
}

const Context = createContext<App | null>(null);

export const AppProvider = Context.Provider;

export function useApp(): App {
  const app = useContext(Context);
  if (!app) throw new Error('outside of an AppProvider');
  return app;
}
