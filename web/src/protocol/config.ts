/** What the server tells its client of itself: `/client/config.json`. */
export interface ServerConfig {
  authMode: 'open' | 'jwt';
  /** The server shows itself: whoever comes may be any of its people. */
  demo: boolean;
  socketPath: string;
  uploadMaxBytes: number;
  allowedTypes: string[];
}

export async function fetchConfig(base: string): Promise<ServerConfig> {
  const response = await fetch(new URL('/client/config.json', base));
  if (!response.ok) throw new Error(`config.json: ${response.status}`);
  return (await response.json()) as ServerConfig;
}
