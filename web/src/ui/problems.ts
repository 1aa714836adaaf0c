import { Refused, Unreachable } from '../protocol/refused';
import { texts } from './i18n';

/** A sentence for people. The server's own, in its languages, stands in where the client has none. */
export function sentenceOf(error: unknown): string {
  const { errors } = texts();
  if (error instanceof Unreachable) return errors.unreachable!;
  if (error instanceof Refused) return errors[error.code] ?? error.message;
  return errors.unknown!;
}

export function sentenceOfCode(code: string): string {
  const { errors } = texts();
  return errors[code] ?? errors.unknown!;
}
