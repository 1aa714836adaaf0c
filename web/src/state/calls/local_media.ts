import { computed, signal } from '@preact/signals-core';

export type Device = 'microphone' | 'camera' | 'screen';
export type MediaFailure = 'insecure' | 'absent' | 'denied' | 'in-use' | 'unknown';

/** The browser gave no microphone, camera or screen, and why. */
export class MediaProblem extends Error {
  override readonly name = 'MediaProblem';

  constructor(readonly device: Device, readonly failure: MediaFailure, options?: ErrorOptions) {
    super(`${device}: ${failure}`, options);
  }
}

/** A device by its id, or whichever the browser likes best. */
export type Choice = string | null;

/** Where sound and pictures come from. All reject with MediaProblem. */
export interface MediaSource {
  microphone(device: Choice): Promise<MediaStreamTrack>;
  camera(device: Choice): Promise<MediaStreamTrack>;
  /** The user picks what to show; rejects with `denied` when they rather would not. */
  screen(): Promise<MediaStreamTrack>;
}

/** What this device sends. Whoever makes one closes it: until then the lamp of the camera is on. */
export class LocalMedia {
  readonly microphone = signal<MediaStreamTrack | null>(null);
  readonly camera = signal<MediaStreamTrack | null>(null);
  readonly screen = signal<MediaStreamTrack | null>(null);
  readonly muted = signal(false);
  /** As `call_media` says it. */
  readonly shown = computed(() => ({
    audio: this.microphone.value !== null && !this.muted.value,
    video: this.camera.value !== null,
    screen: this.screen.value !== null,
  }));
  #isClosed = false;
  #microphoneChoice: Choice;
  #cameraChoice: Choice;

  constructor(private readonly source: MediaSource, chosen: { microphone: Choice; camera: Choice }) {
    this.#microphoneChoice = chosen.microphone;
    this.#cameraChoice = chosen.camera;
  }

  /** Without a microphone there is no call; without a camera it is one without a picture of one's own. */
  async open(withCamera: boolean): Promise<MediaProblem | null> {
    await this.chooseMicrophone(this.#microphoneChoice);
    if (!withCamera) return null;
    try {
      await this.showCamera();
      return null;
    } catch (error) {
      if (error instanceof MediaProblem) return error;
      throw error;
    }
  }

  mute(muted: boolean): void {
    this.muted.value = muted;
    const track = this.microphone.peek();
    if (track) track.enabled = !muted;
  }

  async showCamera(): Promise<void> {
    this.#replace(this.camera, await this.source.camera(this.#cameraChoice));
  }

  /** The camera itself is switched off, and its lamp. */
  hideCamera(): void {
    this.#replace(this.camera, null);
  }

  async shareScreen(): Promise<void> {
    const track = await this.source.screen();
    // The browser's own "stop sharing".
    track.onended = () => {
      if (this.screen.peek() === track) this.stopScreen();
    };
    this.#replace(this.screen, track);
  }

  stopScreen(): void {
    this.#replace(this.screen, null);
  }

  async chooseMicrophone(device: Choice): Promise<void> {
    const track = await this.source.microphone(device);
    this.#microphoneChoice = device;
    track.enabled = !this.muted.peek();
    this.#replace(this.microphone, track);
  }

  async chooseCamera(device: Choice): Promise<void> {
    this.#cameraChoice = device;
    if (this.camera.peek()) await this.showCamera();
  }

  close(): void {
    this.#isClosed = true;
    for (const kept of [this.microphone, this.camera, this.screen]) this.#replace(kept, null);
  }

  #replace(kept: { value: MediaStreamTrack | null; peek(): MediaStreamTrack | null }, track: MediaStreamTrack | null): void {
    kept.peek()?.stop();
    if (this.#isClosed) track?.stop(); // it came after the end
    kept.value = this.#isClosed ? null : track;
  }
}
