// What the command line says: `node main.mjs <scenario> --name value …`. Every option and its default stands here.
const DEFAULTS = {
  url: 'http://127.0.0.1:3000', path: '/socket.io', api: '/api',
  pids: '', // the server's processes, separated by commas; their descendants count too
  aux: '', // others whose CPU is reported by name: redis:12,dynamodb:34
  label: 'server', calm: 0, 'max-others': 20,
  n: 100, m: 0, rate: 0, bytes: 100, mode: 'open', window: 4, participants: 'all', // fanout, typing
  pairs: 200, ack: 0, secs: 10, warm: -1, 'max-secs': 30, // pairs, mixed, history
  k: 1000, conc: 50, join: 1, wait: 2, // storm
  conns: 16, conversation: '', // history
  users: 200, sessions: 300, each: 10, fresh: 10, seed: 'churn', groups: '', // churn
};

export const scenario = process.argv[2];
export const options = { ...DEFAULTS };
for (let i = 3; i < process.argv.length; i += 2) {
  const name = process.argv[i].replace(/^--/, '');
  if (!process.argv[i].startsWith('--') || !(name in DEFAULTS)) throw new Error(`unknown option ${process.argv[i]}`);
  const value = process.argv[i + 1];
  options[name] = typeof DEFAULTS[name] === 'number' ? Number(value) : value;
}

const url = new URL(options.url);
export const host = url.hostname, port = Number(url.port || 80);
if (!['127.0.0.1', 'localhost', '::1'].includes(host)) throw new Error('loopback only');
