import type { Failure, HttpError } from './types.gen';

/** The server said no. `code` is stable; `message` is the server's own sentence for people. */
export class Refused extends Error {
  override readonly name = 'Refused';

  constructor(
    readonly code: string,
    message: string,
    readonly details: Record<string, unknown>,
    readonly retryAfterMs: number | null = null,
  ) {
    super(message);
  }

  static fromAck({ code, message, details, retryAfterMs }: Failure): Refused {
    return new Refused(code, message, details, retryAfterMs ?? null);
  }

  static fromHttp({ code, message, details }: HttpError): Refused {
    const wait = details.retryAfterMs;
    return new Refused(code, message, details, typeof wait === 'number' ? wait : null);
  }
}

/** Nobody answered: no connection, no answer in time, or something between that is not our server. */
export class Unreachable extends Error {
  override readonly name = 'Unreachable';
}

/** Codes of a server that cannot do it now, and may later. */
const PASSING = new Set([
  'rate_limited', 'store_unavailable', 'bus_unavailable', 'files_unavailable', 'scanner_unavailable', 'internal_error',
  'not_identified', 'token_expired', 'token_missing',
]);

/** Whether asking the same again may succeed. */
export function isPassing(error: unknown): boolean {
  return error instanceof Unreachable || (error instanceof Refused && PASSING.has(error.code));
}
