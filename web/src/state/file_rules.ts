import type { ServerConfig } from '../protocol/config';

/** Why a file cannot be sent; the server's own limits, so that nobody waits for an upload in vain. */
export type FileProblem = 'too_large' | 'file_type_not_allowed';

/** Null for what may be sent. A file without a type is the server's to judge: it looks at the content. */
export function problemOf(file: Pick<File, 'size' | 'type'>, config: Pick<ServerConfig, 'uploadMaxBytes' | 'allowedTypes'>): FileProblem | null {
  if (file.size > config.uploadMaxBytes) return 'too_large';
  const type = file.type.split(';')[0]!.toLowerCase();
  return type === '' || config.allowedTypes.some((allowed) => matches(type, allowed)) ? null : 'file_type_not_allowed';
}

function matches(type: string, allowed: string): boolean {
  return allowed.endsWith('/*') ? type.startsWith(allowed.slice(0, -1)) : type === allowed;
}
