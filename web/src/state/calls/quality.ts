import type { Counters } from './link';

export type Quality = 'good' | 'fair' | 'poor';

/** Beyond these people hear it: ITU-T G.114 asks for at most 150 ms one way, Opus covers a loss of some percent. */
const FAIR = { loss: 0.02, rttMs: 300 };
const POOR = { loss: 0.08, rttMs: 600 };

/** What was lost between two looks, of what should have come, and the time there and back now. */
export function qualityOf(before: Counters, now: Counters): Quality {
  const lost = Math.max(0, now.lost - before.lost);
  const received = Math.max(0, now.received - before.received);
  const loss = lost + received === 0 ? 0 : lost / (lost + received);
  const rttMs = now.rttMs ?? 0;
  if (loss > POOR.loss || rttMs > POOR.rttMs) return 'poor';
  return loss > FAIR.loss || rttMs > FAIR.rttMs ? 'fair' : 'good';
}
