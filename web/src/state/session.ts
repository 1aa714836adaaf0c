import { claimsOf } from '../protocol/proof';
import type { Rest } from '../protocol/rest';
import { Refused } from '../protocol/refused';

/** Who uses the client. */
export interface Me {
  id: string;
  name: string;
  email: string;
}

/** In open mode: whoever has this e-mail, or somebody new. */
export async function signIn(rest: Pick<Rest, 'users'>, name: string, email: string, newId: () => string): Promise<Me> {
  const wanted = email.trim().toLowerCase();
  const { users } = await rest.users(wanted);
  const known = users.find((user) => user.email.toLowerCase() === wanted);
  return { id: known?.id ?? newId(), name: name.trim(), email: email.trim() };
}

/** In jwt mode: whom the token names, completed from the directory where it says nothing of name and e-mail. */
export async function whoIs(token: string, rest: Pick<Rest, 'user'>): Promise<Me | null> {
  const claims = claimsOf(token);
  if (!claims) return null;
  const known = claims.name && claims.email ? null : await rest.user(claims.sub).catch(unknownIsNull);
  const name = claims.name ?? known?.name ?? claims.sub;
  return { id: claims.sub, name, email: claims.email ?? known?.email ?? `${claims.sub}@users.invalid` };
}

function unknownIsNull(error: unknown): null {
  if (error instanceof Refused && error.code === 'user_not_found') return null;
  throw error;
}
