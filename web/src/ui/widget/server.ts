import { fetchConfig, type ServerConfig } from '../../protocol/config';

/** Where this script comes from is where the chat is. */
export const BASE = new URL(import.meta.url).origin;

const AGAIN_MS = 2_000;

export type Trouble = 'unreachable' | 'not_allowed';

/** Asks until there is an answer. Null when this page's origin is not on the server's list, or nobody waits any more. */
export async function configured(isOver: () => boolean, onTrouble: (trouble: Trouble) => void): Promise<ServerConfig | null> {
  while (!isOver()) {
    try {
      return await fetchConfig(BASE);
    } catch (error) {
      const trouble = error instanceof TypeError && (await givesCode()) ? 'not_allowed' : 'unreachable';
      if (!isOver()) onTrouble(trouble);
      if (trouble === 'not_allowed') return null;
    }
    await new Promise((resolve) => setTimeout(resolve, AGAIN_MS));
  }
  return null;
}

/**
 * A browser does not tell a page whether it was refused or nobody answered. But the code is for every page, and what the
 * server says of itself is not: whoever gets the one and not the other is refused.
 */
async function givesCode(): Promise<boolean> {
  const answer = await fetch(import.meta.url, { method: 'HEAD', cache: 'no-store' }).catch(() => null);
  return answer?.ok ?? false;
}
