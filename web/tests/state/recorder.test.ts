import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import {
  LEVEL_EVERY_MS, NoMicrophone, Recorder, voiceName, type Listener, type Microphone, type MicrophoneProblem, type Take,
} from '../../src/state/recorder';
import { Recordings } from '../../src/state/recordings';
import { NOON, settled } from '../support';

/** A microphone that a test speaks into: it hands over ten bytes each time it is asked to. */
class FakeMicrophone implements Microphone {
  readonly type = 'audio/webm';
  problem: MicrophoneProblem | null = null;
  opened = 0;
  isOn = false;
  listener: Listener | null = null;
  /** While set, the user has not answered the browser's question. */
  answer: Promise<void> = Promise.resolve();

  async open(listener: Listener): Promise<Take> {
    this.opened += 1;
    await this.answer;
    if (this.problem) throw new NoMicrophone(this.problem);
    this.listener = listener;
    this.isOn = true;
    return {
      type: this.type,
      level: () => 0.5,
      pause: () => {
        this.speak(10);
        return Promise.resolve();
      },
      resume: () => undefined,
      stop: () => {
        if (this.isOn) this.speak(10);
        this.isOn = false;
        return Promise.resolve();
      },
    };
  }

  speak(bytes: number): void {
    this.listener!.onPart(new Blob(['x'.repeat(bytes)]));
  }
}

describe('a recorder', () => {
  let microphone: FakeMicrophone;

  beforeEach(() => {
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval', 'Date'], now: NOON });
    microphone = new FakeMicrophone();
  });
  afterEach(() => vi.useRealTimers());

  function aRecorder(maxBytes = 1_000_000): Recorder {
    return new Recorder(microphone, maxBytes, Date.now);
  }

  async function recording(maxBytes?: number): Promise<Recorder> {
    const recorder = aRecorder(maxBytes);
    await recorder.start();
    return recorder;
  }

  it('asks for the microphone, then records: its time and how loud it was', async () => {
    let allow: () => void = () => undefined;
    microphone.answer = new Promise((resolve) => (allow = resolve));
    const recorder = aRecorder();
    const started = recorder.start();
    expect(recorder.phase.value.is).toBe('asking');
    vi.advanceTimersByTime(5_000);
    allow();
    await started;
    vi.advanceTimersByTime(10 * LEVEL_EVERY_MS);
    expect(recorder.phase.value.is).toBe('recording');
    expect(recorder.elapsedMs.value).toBe(10 * LEVEL_EVERY_MS);
    expect(recorder.levels.value).toHaveLength(10);
  });

  it('can be heard while it is paused, and gone on with', async () => {
    const recorder = await recording();
    vi.advanceTimersByTime(1_000);
    await recorder.pause();
    vi.advanceTimersByTime(60_000);
    expect(recorder.phase.value).toMatchObject({ is: 'paused', note: { durationMs: 1_000 } });
    expect(microphone.isOn).toBe(true);
    recorder.resume();
    vi.advanceTimersByTime(500);
    const note = await recorder.finish();
    expect(note).toMatchObject({ durationMs: 1_500, bytes: { size: 20, type: 'audio/webm' } });
  });

  it('turns the microphone off when it is finished, and finishes once', async () => {
    const recorder = await recording();
    vi.advanceTimersByTime(800);
    const [one, other] = await Promise.all([recorder.finish(), recorder.finish()]);
    expect(one).toBe(other);
    expect(await recorder.finish()).toBe(one);
    expect(microphone.isOn).toBe(false);
    vi.advanceTimersByTime(800);
    expect(recorder.elapsedMs.value).toBe(800);
  });

  it('ends before the server’s limit, with all that was said', async () => {
    const recorder = await recording(1_000);
    for (let part = 0; part < 20 && recorder.phase.value.is === 'recording'; part += 1) {
      vi.advanceTimersByTime(500);
      microphone.speak(100);
      await settled();
    }
    expect(recorder.phase.value).toMatchObject({ is: 'finished', ending: 'full' });
    const note = await recorder.finish();
    expect(note!.bytes.size).toBeLessThanOrEqual(1_000);
    expect(note!.bytes.size).toBeGreaterThan(800);
  });

  it('keeps what there is when the microphone goes away', async () => {
    const recorder = await recording();
    vi.advanceTimersByTime(1_000);
    microphone.listener!.onLost();
    await settled();
    expect(recorder.phase.value).toMatchObject({ is: 'finished', ending: 'lost', note: { durationMs: 1_000 } });
  });

  it.each(['insecure', 'unsupported', 'denied', 'absent', 'busy'] as const)('says that the microphone is %s, and can be tried again', async (problem) => {
    microphone.problem = problem;
    const recorder = await recording();
    expect(recorder.phase.value).toEqual({ is: 'failed', problem });
    expect(await recorder.finish()).toBeNull();
    microphone.problem = null;
    await recorder.start();
    expect(recorder.phase.value.is).toBe('recording');
  });

  it('turns the microphone off when it was discarded before the browser’s question was answered', async () => {
    let allow: () => void = () => undefined;
    microphone.answer = new Promise((resolve) => (allow = resolve));
    const recorder = aRecorder();
    const started = recorder.start();
    recorder.discard();
    allow();
    await started;
    expect(microphone.isOn).toBe(false);
    expect(recorder.phase.value.is).toBe('asking');
  });

  it('fails where nothing was heard at all', async () => {
    const recorder = await recording();
    microphone.isOn = false;
    expect(await recorder.finish()).toBeNull();
    expect(recorder.phase.value).toEqual({ is: 'failed', problem: 'failed' });
  });

  it('is kept for each conversation, and counts as unsent once something was recorded', async () => {
    const recordings = new Recordings();
    recordings.begin('c1', aRecorder());
    expect(recordings.hasUnsent).toBe(false);
    await settled();
    vi.advanceTimersByTime(500);
    expect(recordings.hasUnsent).toBe(true);
    expect(recordings.in('c1')).toBeDefined();
    expect(recordings.in('c2')).toBeUndefined();
    recordings.endAll();
    expect(recordings.in('c1')).toBeUndefined();
    expect(microphone.isOn).toBe(false);
  });
});

describe('a voice note’s name', () => {
  it('says when it was recorded and what it is', () => {
    const at = new Date(2026, 2, 5, 9, 7);
    expect(voiceName('audio/webm', at)).toBe('voice-2026-03-05-0907.webm');
    expect(voiceName('audio/mp4', at)).toBe('voice-2026-03-05-0907.m4a');
  });
});
