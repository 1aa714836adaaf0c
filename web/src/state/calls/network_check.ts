import type { IceServer } from '../../protocol/types.gen';

/** Why a call may not connect, as far as the network tells. */
export type NetworkProblem = 'udp-blocked' | 'turn-unreachable' | 'turn-refused';

/** What one gathering of candidates has shown. */
export interface Gathered {
  types: ReadonlySet<string>;
  /** By server, also of one that gave candidates in the end; codes are the server's own, such as 401 for wrong credentials. */
  errors: readonly { url: string; code: number }[];
}

/** Not an answer of the server's, but that there was none. */
export const UNREACHABLE = 701;

/** Null where nothing speaks against it. */
export function networkProblem(servers: readonly IceServer[], { types, errors }: Gathered): NetworkProblem | null {
  const urls = servers.flatMap(({ urls }) => urls);
  const turn = urls.filter((url) => /^turns?:/.test(url));
  if (types.has('relay')) return null;
  if (errors.some(({ url, code }) => /^turns?:/.test(url) && code !== UNREACHABLE)) return 'turn-refused';
  const noUdp = !types.has('srflx') && errors.some(({ url }) => url.startsWith('stun:'));
  if (noUdp && turn.every((url) => !isTcp(url))) return 'udp-blocked';
  return turn.length > 0 ? 'turn-unreachable' : null;
}

function isTcp(url: string): boolean {
  return url.startsWith('turns:') || url.includes('transport=tcp');
}
