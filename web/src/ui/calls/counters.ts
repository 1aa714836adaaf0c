import type { Counters } from '../../state/calls/link';

/** Of https://w3c.github.io/webrtc-stats, what is looked at here. */
export interface Report {
  type: string;
  packetsReceived?: number;
  packetsLost?: number;
  nominated?: boolean;
  currentRoundTripTime?: number;
}

export function countersOf(reports: Iterable<Report>): Counters {
  const counted: Counters = { received: 0, lost: 0, rttMs: null };
  for (const report of reports) {
    if (report.type === 'inbound-rtp') {
      counted.received += report.packetsReceived ?? 0;
      counted.lost += report.packetsLost ?? 0;
    } else if (report.type === 'candidate-pair' && report.nominated && report.currentRoundTripTime !== undefined) {
      counted.rttMs = report.currentRoundTripTime * 1000;
    }
  }
  return counted;
}
