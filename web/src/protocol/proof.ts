/** How a client proves who it is: nothing in open mode, the host page's token in jwt mode. */
export interface Proof {
  /** The token to send now; null where none is needed. */
  token(): Promise<string | null>;
  /** The server did not believe the last one: ask the host for another. */
  renew(): void;
}

export const NO_PROOF: Proof = {
  token: () => Promise.resolve(null),
  renew: () => undefined,
};

export interface Claims {
  sub: string;
  name?: string;
  email?: string;
  avatar?: string;
}

/** What a token says of its owner. Only the server decides whether it is true. Null for what is no token. */
export function claimsOf(token: string): Claims | null {
  try {
    const body = token.split('.')[1]!.replaceAll('-', '+').replaceAll('_', '/');
    const bytes = Uint8Array.from(atob(body), (char) => char.charCodeAt(0));
    const claims = JSON.parse(new TextDecoder().decode(bytes)) as Partial<Claims>;
    return typeof claims.sub === 'string' ? (claims as Claims) : null;
  } catch {
    return null;
  }
}
