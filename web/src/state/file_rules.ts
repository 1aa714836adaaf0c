import type { ServerConfig } from '../protocol/config';

/** Why a file cannot be sent; the server's own limits, so that nobody waits for an upload in vain. */
export type FileProblem = 'too_large' | 'file_type_not_allowed';

/** Null for what may be sent. A file without a type is the server's to judge: it looks at the content. */
export function problemOf(file: Pick<File, 'size' | 'type'>, config: Pick<ServerConfig, 'uploadMaxBytes' | 'allowedTypes'>): FileProblem | null {
  if (file.size > config.uploadMaxBytes) return 'too_large';
  const type = file.type.split(';')[0]!.toLowerCase();
  return type === '' || isAllowed(type, config) ? null : 'file_type_not_allowed';
}

/** A type without parameters. */
export function isAllowed(type: string, { allowedTypes }: Pick<ServerConfig, 'allowedTypes'>): boolean {
  return allowedTypes.some((allowed) => matches(type, allowed));
}

function matches(type: string, allowed: string): boolean {
  if (allowed === '*/*') return true;
  return allowed.endsWith('/*') ? type.startsWith(allowed.slice(0, -1)) : type === allowed;
}

/** Whether the server takes any sound at all. */
export function takesSound({ allowedTypes }: Pick<ServerConfig, 'allowedTypes'>): boolean {
  return allowedTypes.some((type) => type === '*/*' || type.startsWith('audio/'));
}
