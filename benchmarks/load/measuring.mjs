// CPU and memory of processes from /proc, and latencies. Times are microseconds where a name ends in _us.
import fs from 'node:fs';
import { options } from './options.mjs';

export const now = () => performance.now();
export const sleep = (ms) => new Promise((ok) => setTimeout(ok, ms));
export const round = (x, digits = 2) => (x == null || !isFinite(x) ? null : Math.round(x * 10 ** digits) / 10 ** digits);

const TICK_US = 1e4; // utime and stime count in hundredths of a second
const split = (s) => s.split(',').filter(Boolean);
const pids = split(options.pids).map(Number);
const aux = split(options.aux).map((x) => x.split(':')).map(([name, pid]) => ({ name, pid: Number(pid) }));
const read = (path) => fs.readFileSync(path, 'latin1');
const stat = (pid) => { const s = read(`/proc/${pid}/stat`); return s.slice(s.lastIndexOf(')') + 2).split(' '); };

function withDescendants(roots) {
  const children = new Map();
  for (const entry of fs.readdirSync('/proc')) {
    if (!/^\d+$/.test(entry)) continue;
    try {
      const parent = Number(stat(entry)[1]);
      if (!children.has(parent)) children.set(parent, []);
      children.get(parent).push(Number(entry));
    } catch { /* it has ended meanwhile */ }
  }
  const all = new Set(), todo = [...roots];
  while (todo.length) {
    const pid = todo.pop();
    if (all.has(pid)) continue;
    all.add(pid);
    todo.push(...(children.get(pid) || []));
  }
  return all;
}

function usage(roots) {
  let us = 0, rss_kb = 0;
  for (const pid of withDescendants(roots)) {
    try {
      const fields = stat(pid);
      us += (Number(fields[11]) + Number(fields[12])) * TICK_US;
      rss_kb += Number((/VmRSS:\s+(\d+)/.exec(read(`/proc/${pid}/status`)) || [0, 0])[1]);
    } catch { /* it has ended meanwhile */ }
  }
  return { us, rss_kb };
}

export const serverUs = () => usage(pids).us;

export function machine() { // busy and stolen time of all CPUs
  const fields = read('/proc/stat').split('\n')[0].split(/\s+/).slice(1).map((x) => Number(x) * TICK_US);
  return { busy: fields[0] + fields[1] + fields[2] + fields[5] + fields[6], steal: fields[7] };
}

export const snapshot = () => ({
  at: now(), machine: machine(), server: usage(pids), self: usage([process.pid]), aux: aux.map((a) => usage([a.pid])),
});

/** What was used between two snapshots. others_cpu_pct: whatever else ran on this machine (100: one CPU). */
export function spent(a, b) {
  const wall = (b.at - a.at) * 1e3, cpu = b.server.us - a.server.us, own = b.self.us - a.self.us;
  const found = {
    wall_s: round(wall / 1e6), cpu_us: cpu, server_cpu_pct: round((cpu / wall) * 100), client_cpu_pct: round((own / wall) * 100),
    rss_mb_before: round(a.server.rss_kb / 1024), rss_mb_after: round(b.server.rss_kb / 1024),
  };
  let known = cpu + own;
  aux.forEach(({ name }, i) => {
    const used = b.aux[i].us - a.aux[i].us;
    known += used;
    found[`${name}_cpu_pct`] = round((used / wall) * 100);
  });
  found.others_cpu_pct = round(((b.machine.busy - a.machine.busy - known) / wall) * 100);
  found.steal_pct = round(((b.machine.steal - a.machine.steal) / wall) * 100);
  return found;
}

/** Something else ran meanwhile: contention alone raises the CPU per message by up to half. */
export const isNoisy = (found) => found.others_cpu_pct > options['max-others'] || found.steal_pct > 5;

export async function untilCalm(seconds) {
  for (const start = now(); now() - start < seconds * 1000;) {
    const before = machine(), at = now();
    await sleep(1000);
    if ((machine().busy - before.busy) / (now() - at) / 10 < 15) return;
  }
}

export class Latencies {
  constructor() { this.values = new Float64Array(1 << 16); this.count = 0; }

  add(ms) {
    if (this.count === this.values.length) {
      const larger = new Float64Array(this.count * 2);
      larger.set(this.values);
      this.values = larger;
    }
    this.values[this.count++] = ms;
  }

  summary(name = 'lat') {
    const sorted = this.values.subarray(0, this.count).slice().sort();
    const at = (share) => (sorted.length ? round(sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))], 3) : null);
    return { [`${name}_p50_ms`]: at(0.5), [`${name}_p99_ms`]: at(0.99), [`${name}_max_ms`]: at(1) };
  }
}
