import type { ComponentChildren } from 'preact';
import type { Player, Track } from '../../../state/player';
import { clockOf } from '../../format';
import { texts } from '../../i18n';
import { Icon } from '../../parts/Icon';
import { Waveform } from './Waveform';

/** Play, pause, where it is, how long it is: the same for what was sent and for what was just recorded. */
export function Listening({ player, track, seconds: length, bars, onToggle = () => track && player.toggle(track), children }: {
  player: Player;
  /** Undefined as long as it is not known where the sound can be had. */
  track: Track | undefined;
  /** How long it is; null where only playing will tell. */
  seconds: number | null;
  bars: readonly number[];
  onToggle?: () => void;
  children?: ComponentChildren;
}) {
  const t = texts();
  const isCurrent = track !== undefined && player.isCurrent(track.key);
  const plays = isCurrent && player.playing.value;
  const at = isCurrent ? player.at.value : 0;
  const seconds = (isCurrent ? player.seconds.value : null) ?? length;
  return (
    <div class="listening" dir="ltr">
      <button
        type="button" class="play" aria-label={plays ? t.pause : t.play} title={plays ? t.pause : t.play} disabled={!track}
        onClick={onToggle}
      >
        <Icon name={plays ? 'pause' : 'play'} size={24} />
      </button>
      <Waveform bars={bars} at={at} seconds={seconds} onSeek={(to) => track && player.seek(track, to)} />
      <span class="listening-foot">
        <span class="listening-time">{clockOf(isCurrent && (plays || at > 0) ? at : (seconds ?? 0))}</span>
        {children}
      </span>
    </div>
  );
}
