const LASTS_MS = 450;
const NOTES = [{ hertz: 660, at: 0 }, { hertz: 880, at: 0.11 }];

let context: AudioContext | undefined;

/** Two soft notes. Resolves when they are over; silent where the browser wants a click first. */
export async function ring(): Promise<void> {
  context ??= new AudioContext();
  if (context.state === 'suspended') await Promise.race([context.resume(), pause(100)]);
  if (context.state !== 'running') return;
  for (const note of NOTES) play(context, note.hertz, context.currentTime + note.at);
  await pause(LASTS_MS);
}

function play(on: AudioContext, hertz: number, at: number): void {
  const tone = new OscillatorNode(on, { frequency: hertz });
  const volume = new GainNode(on, { gain: 0 });
  volume.gain.setValueAtTime(0, at);
  volume.gain.linearRampToValueAtTime(0.12, at + 0.015);
  volume.gain.exponentialRampToValueAtTime(0.001, at + 0.25);
  tone.connect(volume).connect(on.destination);
  tone.start(at);
  tone.stop(at + 0.26);
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
