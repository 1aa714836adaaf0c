interface Note {
  hertz: number;
  at: number;
}

const MESSAGE = { lastsMs: 450, notes: [{ hertz: 660, at: 0 }, { hertz: 880, at: 0.11 }] };
const CALL = {
  everyMs: 2_600,
  notes: [523, 659, 784, 659, 523, 659, 784].map((hertz, index) => ({ hertz, at: index * 0.16 })),
};
/** As telephones do it in most of the world: 425 Hz, a second in five. */
const RINGBACK = { everyMs: 4_500, notes: [0, 0.2, 0.4, 0.6].map((at) => ({ hertz: 425, at })) };

let context: AudioContext | undefined;

/** Two soft notes. Resolves when they are over; silent where the browser wants a click first. */
export async function ring(): Promise<void> {
  const on = await ready();
  if (!on) return;
  play(on, on.destination, MESSAGE.notes);
  await pause(MESSAGE.lastsMs);
}

/** Somebody calls, until it is stopped. */
export function ringOn(stopped: AbortSignal): Promise<void> {
  return repeat(CALL, stopped);
}

/** It rings on the other side, until it is stopped. */
export function ringBack(stopped: AbortSignal): Promise<void> {
  return repeat(RINGBACK, stopped);
}

async function repeat({ everyMs, notes }: { everyMs: number; notes: readonly Note[] }, stopped: AbortSignal): Promise<void> {
  const isOver = () => stopped.aborted;
  while (!isOver()) {
    const on = await ready();
    if (on && !isOver()) play(on, untilStopped(on, stopped), notes);
    await pause(everyMs, stopped);
  }
}

/** What is played into it is silent at once. */
function untilStopped(on: AudioContext, stopped: AbortSignal): AudioNode {
  const volume = new GainNode(on);
  volume.connect(on.destination);
  stopped.addEventListener('abort', () => volume.disconnect(), { once: true });
  return volume;
}

async function ready(): Promise<AudioContext | null> {
  context ??= new AudioContext();
  if (context.state === 'suspended') await Promise.race([context.resume(), pause(100)]);
  return context.state === 'running' ? context : null;
}

function play(on: AudioContext, into: AudioNode, notes: readonly Note[]): void {
  for (const { hertz, at } of notes) tone(on, into, hertz, on.currentTime + at);
}

function tone(on: AudioContext, into: AudioNode, hertz: number, at: number): void {
  const tone = new OscillatorNode(on, { frequency: hertz });
  const volume = new GainNode(on, { gain: 0 });
  volume.gain.setValueAtTime(0, at);
  volume.gain.linearRampToValueAtTime(0.12, at + 0.015);
  volume.gain.exponentialRampToValueAtTime(0.001, at + 0.25);
  tone.connect(volume).connect(into);
  tone.start(at);
  tone.stop(at + 0.26);
}

function pause(ms: number, stopped?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    stopped?.addEventListener('abort', () => {
      clearTimeout(timer);
      resolve();
    }, { once: true });
  });
}
