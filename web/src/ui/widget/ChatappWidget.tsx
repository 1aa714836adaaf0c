import { computed, effect } from '@preact/signals';
import { render, type VNode } from 'preact';
import type { ServerConfig } from '../../protocol/config';
import { LANGUAGES, spoken, type Language, type Theme } from '../../state/preferences';
import { speak, texts } from '../i18n';
import { Root } from '../Root';
import { Services } from '../services';
import { BASE, configured, type Trouble } from './server';
import { styleFor } from './style';

type TokenMaker = () => string | Promise<string>;

/**
 * `<chatapp-widget>`: the chat on somebody else's page, or one conversation of it (attribute `conversation`). The page
 * says who its user is by `getToken`, which is asked again whenever a token ends, or by `token`; never by an attribute,
 * which stands in the page's source. Events: `chatapp-ready`, `chatapp-unread`, `chatapp-token-needed`,
 * `chatapp-signed-out`, `chatapp-refused`.
 */
export class ChatappWidget extends HTMLElement {
  static readonly observedAttributes = ['conversation', 'lang', 'theme'];

  /** Gives a token, or a promise of one. */
  declare getToken?: TokenMaker | null;
  readonly #place = document.createElement('div');
  #given: string | null = null;
  #services: Services | null = null;
  #ended = new AbortController();

  constructor() {
    super();
    this.#place.className = 'place';
    this.attachShadow({ mode: 'open' }).append(this.#place);
  }

  get token(): string | null {
    return this.#given;
  }

  set token(token: string | null) {
    this.#given = token;
    if (token !== null) this.#services?.host?.give(token);
  }

  setToken(token: string): void {
    this.token = token;
  }

  connectedCallback(): void {
    this.#takeOver('token');
    this.shadowRoot!.adoptedStyleSheets = styleFor(this);
    this.#ended = new AbortController();
    void this.#begin(this.#ended.signal);
  }

  disconnectedCallback(): void {
    this.#ended.abort();
    render(null, this.#place);
    this.#services?.close();
    this.#services = null;
  }

  attributeChangedCallback(): void {
    if (this.#services) this.#look(this.#services);
  }

  async #begin(signal: AbortSignal): Promise<void> {
    const isOver = () => signal.aborted;
    await speak(languageOf(this.lang) ?? spoken(navigator.languages));
    const config = await configured(isOver, (trouble) => this.#tellTrouble(trouble));
    if (!config || isOver()) return;
    const services = this.#serve(config);
    await speak(services.preferences.language.peek());
    if (isOver()) return;
    this.#tellChanges(services, signal);
    this.#show(<Root services={services} routed={false} />);
  }

  #serve(config: ServerConfig): Services {
    const services = new Services(BASE, config, { token: () => this.#nextToken() });
    this.#look(services);
    this.#services = services;
    return services;
  }

  /** What the attributes say. */
  #look({ only, preferences }: Services): void {
    only.value = this.getAttribute('conversation') || null;
    preferences.wishes.value = { language: languageOf(this.lang), theme: themeOf(this.getAttribute('theme')) };
  }

  /** A token that was only given serves once: when it is asked for again, it has ended. */
  async #nextToken(): Promise<string | null> {
    if (this.getToken) return this.getToken();
    const given = this.#given;
    this.#given = null;
    if (given === null) this.#tell('token-needed', {});
    return given;
  }

  #tellChanges(services: Services, signal: AbortSignal): void {
    let wasIn = false;
    const unread = computed(() => unreadOf(services));
    const ends = [
      effect(() => {
        const chat = services.current.value;
        if (chat) this.#tell('ready', { userId: chat.me.id });
        else if (wasIn) this.#tell('signed-out', {});
        wasIn = chat !== null;
      }),
      effect(() => {
        if (unread.value !== null) this.#tell('unread', { count: unread.value });
      }),
      effect(() => {
        const refusal = services.current.value?.refusal.value;
        if (refusal) this.#tell('refused', { code: refusal.code, message: refusal.message });
      }),
    ];
    signal.addEventListener('abort', () => ends.forEach((end) => end()));
  }

  #tellTrouble(trouble: Trouble): void {
    const t = texts();
    const sentence = trouble === 'not_allowed' ? t.chatNotAllowed(location.origin) : t.connecting;
    if (trouble === 'not_allowed') {
      console.error(`chatapp: ${BASE} does not serve pages of ${location.origin}. SOCKET_CORS_ORIGIN lists those it does.`);
      this.#tell('refused', { code: 'origin_not_allowed', message: sentence });
    }
    const theme = themeOf(this.getAttribute('theme')) ?? (matchMedia('(prefers-color-scheme: dark)').matches ? 'dark' : 'light');
    this.#show(
      <section class="chatapp" data-theme={theme}>
        <div class="sign-in"><p class="quiet" role={trouble === 'not_allowed' ? 'alert' : 'status'}>{sentence}</p></div>
      </section>,
    );
  }

  #show(what: VNode): void {
    render(what, this.#place);
  }

  #tell(name: string, detail: object): void {
    this.dispatchEvent(new CustomEvent(`chatapp-${name}`, { detail, bubbles: true, composed: true }));
  }

  /** What the page has set before the element was known to the browser hides what we have of that name. */
  #takeOver(name: 'token'): void {
    if (!Object.hasOwn(this, name)) return;
    const value = this[name];
    Reflect.deleteProperty(this, name);
    this[name] = value;
  }
}

/** In what is shown; null as long as nobody knows. */
function unreadOf({ current, only }: Services): number | null {
  const chat = current.value;
  if (!chat?.ready.value) return null;
  return only.value === null ? chat.unreadTotal.value : (chat.inbox.get(only.value)?.unreadCount ?? 0);
}

function languageOf(tag: string): Language | null {
  const bare = tag.toLowerCase().split('-')[0];
  return LANGUAGES.find((language) => language === bare) ?? null;
}

function themeOf(name: string | null): Theme | null {
  return name === 'light' || name === 'dark' ? name : null;
}
