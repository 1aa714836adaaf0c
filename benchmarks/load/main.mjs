// A load generator for servers of the chat's API: node main.mjs <scenario> --url … --pids … (options.mjs has them all).
// One JSON line on standard output. Exit status 3: something else ran on the machine, and the figures say so ("noisy").
import { agent } from './people.mjs';
import { seen } from './client.mjs';
import { isNoisy, untilCalm } from './measuring.mjs';
import { options, scenario } from './options.mjs';
import { churn } from './scenarios/churn.mjs';
import { fanout, typing } from './scenarios/fanout.mjs';
import { history } from './scenarios/history.mjs';
import { mixed } from './scenarios/mixed.mjs';
import { pairs } from './scenarios/pairs.mjs';
import { storm } from './scenarios/storm.mjs';

const scenarios = { fanout, typing, pairs, storm, history, mixed, churn };
if (!(scenario in scenarios)) {
  console.error(`scenarios: ${Object.keys(scenarios).join(' ')}`);
  process.exit(2);
}
await untilCalm(options.calm);
const found = await scenarios[scenario]();
const noisy = isNoisy(found) || undefined;
console.log(JSON.stringify({ scenario, label: options.label, noisy, ...found, socket_errors: seen.errors, socket_closed: seen.closed }));
agent.destroy();
process.exit(noisy ? 3 : 0);
