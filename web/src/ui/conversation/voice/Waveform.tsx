import { useRef } from 'preact/hooks';
import { clockOf } from '../../format';
import { texts } from '../../i18n';

export const BARS = 40;

const HEIGHT = 28;
const LEAST = 1.5;

/** The loudness of a sound: its whole length in the width there is, or as much of its end as fits. */
export function Bars({ bars, end = false }: { bars: readonly number[]; end?: boolean }) {
  return (
    <svg class="bars" viewBox={`0 0 ${bars.length * 4} ${HEIGHT}`} preserveAspectRatio={end ? 'xMaxYMid slice' : 'none'} aria-hidden="true" focusable="false">
      <path d={bars.map(barPath).join('')} />
    </svg>
  );
}

function barPath(bar: number, index: number): string {
  const half = Math.max(LEAST, bar * (HEIGHT / 2 - 2));
  return `M${index * 4 + 2} ${(HEIGHT / 2 - half).toFixed(1)}v${(2 * half).toFixed(1)}`;
}

/** Where a sound is, and where it shall be: a slider for pointers and keys. */
export function Waveform({ bars, at, seconds, onSeek }: {
  bars: readonly number[];
  at: number;
  /** Null: nobody knows how long it is, and there is nowhere to go. */
  seconds: number | null;
  onSeek: (seconds: number) => void;
}) {
  const t = texts();
  const slider = useRef<HTMLDivElement>(null);
  const played = seconds ? Math.min(1, at / seconds) : 0;
  const seekTo = ({ clientX }: PointerEvent) => {
    const { left, width } = slider.current!.getBoundingClientRect();
    if (seconds !== null) onSeek(Math.min(1, Math.max(0, (clientX - left) / width)) * seconds);
  };
  const onKeyDown = (event: KeyboardEvent) => {
    const to = seconds === null ? null : target(event.key, at, seconds);
    if (to === null) return;
    event.preventDefault();
    event.stopPropagation();
    onSeek(to);
  };
  return (
    <div
      class="waveform" ref={slider} role="slider" tabIndex={0} aria-label={t.position} aria-disabled={seconds === null}
      aria-valuemin={0} aria-valuemax={Math.round(seconds ?? 0)} aria-valuenow={Math.round(at)}
      aria-valuetext={seconds === null ? clockOf(at) : t.positionOf(clockOf(at), clockOf(seconds))}
      style={{ '--played': `${played * 100}%` }}
      onKeyDown={onKeyDown}
      onPointerDown={(event) => {
        slider.current!.setPointerCapture(event.pointerId);
        seekTo(event);
      }}
      onPointerMove={(event) => event.buttons && seekTo(event)}
    >
      <Bars bars={bars} />
      <span class="waveform-played"><Bars bars={bars} /></span>
    </div>
  );
}

/** Where a key leads; null for those that lead nowhere. */
function target(key: string, at: number, seconds: number): number | null {
  const step = seconds < 30 ? 1 : 5;
  switch (key) {
    case 'ArrowRight': case 'ArrowUp': return Math.min(seconds, at + step);
    case 'ArrowLeft': case 'ArrowDown': return Math.max(0, at - step);
    case 'PageUp': return Math.min(seconds, at + seconds / 10);
    case 'PageDown': return Math.max(0, at - seconds / 10);
    case 'Home': return 0;
    case 'End': return seconds;
    default: return null;
  }
}
