import { useEffect, useState } from 'preact/hooks';
import { barsOf } from '../../../state/waveform';
import { BARS } from './Waveform';

export interface Heard {
  bars: readonly number[];
  seconds: number;
}

/** Decoded, a minute of speech takes about 11 MB for a moment; larger files are played without having been looked at. */
const DECODED_MAX_BYTES = 2_000_000;

/** Enough to see where somebody speaks. */
const HERTZ = 8_000;

const known = new Map<string, Heard | null>();
let last: Promise<unknown> = Promise.resolve();

/** What a file sounds like: undefined until it has been looked at, null where that cannot be done. */
export function useHeard(key: string, url: string | undefined, bytes: number | null): Heard | null | undefined {
  const [heard, setHeard] = useState(known.get(key));
  useEffect(() => {
    if (url === undefined || known.has(key)) return;
    const gone = new AbortController();
    void inTurn(key, url, bytes ?? 0, gone.signal).then(() => {
      if (!gone.signal.aborted) setHeard(known.get(key));
    });
    return () => gone.abort();
  }, [key, url, bytes]);
  return heard;
}

/** One at a time, so that a long list of them does not keep a phone busy; who has scrolled on is left out. */
function inTurn(key: string, url: string, bytes: number, signal: AbortSignal): Promise<void> {
  const looked = last.then(async () => {
    if (!signal.aborted && !known.has(key)) known.set(key, bytes > DECODED_MAX_BYTES ? null : await decoded(url).catch(() => null));
  });
  last = looked;
  return looked;
}

async function decoded(url: string): Promise<Heard> {
  const response = await fetch(url);
  if (!response.ok) throw new Error(`status ${response.status}`);
  const sound = await new OfflineAudioContext(1, 1, HERTZ).decodeAudioData(await response.arrayBuffer());
  return { bars: barsOf(sound.getChannelData(0), BARS), seconds: sound.duration };
}
