import type { Lock } from '../state/outbox';

/** `crypto.randomUUID` is there over https and on localhost only; this is everywhere. */
export function newId(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = (bytes[6]! & 0x0f) | 0x40;
  bytes[8] = (bytes[8]! & 0x3f) | 0x80;
  const hex = [...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join('');
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-');
}

/** One tab at a time. Without locks (plain http) two tabs may both try, and the server stores it once all the same. */
export const tabLock: Lock = async (name, work) => {
  if (!('locks' in navigator)) {
    await work();
    return true;
  }
  return navigator.locks.request(name, { ifAvailable: true }, async (lock) => {
    if (lock) await work();
    return lock !== null;
  });
};

/** Something the other tabs of this browser should look at. */
export class Tabs {
  readonly #channel: BroadcastChannel;

  constructor(name: string, onTold: () => void) {
    this.#channel = new BroadcastChannel(name);
    this.#channel.onmessage = onTold;
  }

  tell(): void {
    this.#channel.postMessage(null);
  }

  close(): void {
    this.#channel.close();
  }
}
