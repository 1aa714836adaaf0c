import { render } from 'preact';
import { fetchConfig } from './protocol/config';
import { speak } from './ui/i18n';
import { Root } from './ui/Root';
import { Services } from './ui/services';
import './ui/styles/index.css';
import './ui/styles/page.css';

const AGAIN_MS = 2_000;

async function start(): Promise<void> {
  const base = location.origin;
  const services = new Services(base, await fetchConfig(base), window.chatapp);
  await speak(services.preferences.language.peek());
  render(<Root services={services} routed />, document.getElementById('app')!);
}

/** A server that is just starting will answer in a moment. */
function startSoon(): void {
  start().catch(() => setTimeout(startSoon, AGAIN_MS));
}

startSoon();
