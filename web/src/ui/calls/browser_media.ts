import { MediaProblem, type Choice, type Device, type MediaFailure, type MediaSource } from '../../state/calls/local_media';

/** In a mesh of six everybody sends this five times. */
const PICTURE = { width: { ideal: 640 }, height: { ideal: 360 }, frameRate: { ideal: 24, max: 30 } };
const SOUND = { echoCancellation: true, noiseSuppression: true, autoGainControl: true };

export const browserMedia: MediaSource = {
  microphone: (choice) => openChosen('microphone', choice, (id) => ({ audio: { ...SOUND, ...id } })),
  camera: (choice) => openChosen('camera', choice, (id) => ({ video: { ...PICTURE, ...id } })),
  screen: () => open('screen', (devices) => devices.getDisplayMedia({ video: true })),
};

export function canShareScreen(): boolean {
  return 'mediaDevices' in navigator && 'getDisplayMedia' in navigator.mediaDevices;
}

/** Those that can be told apart: before anything was allowed they have no ids. */
export async function listDevices(): Promise<MediaDeviceInfo[]> {
  return (await navigator.mediaDevices.enumerateDevices()).filter(({ deviceId }) => deviceId !== '');
}

/** The chosen device may be gone: then any will do. */
async function openChosen(device: Device, choice: Choice, wanted: (id: MediaTrackConstraints) => MediaStreamConstraints): Promise<MediaStreamTrack> {
  try {
    return await open(device, (devices) => devices.getUserMedia(wanted(choice === null ? {} : { deviceId: { exact: choice } })));
  } catch (error) {
    if (choice === null || !(error instanceof MediaProblem) || error.failure !== 'absent') throw error;
    return open(device, (devices) => devices.getUserMedia(wanted({})));
  }
}

async function open(device: Device, ask: (devices: MediaDevices) => Promise<MediaStream>): Promise<MediaStreamTrack> {
  // A page that did not come over https (or from this machine) has none.
  if (!('mediaDevices' in navigator)) throw new MediaProblem(device, 'insecure');
  try {
    return (await ask(navigator.mediaDevices)).getTracks()[0]!;
  } catch (error) {
    throw new MediaProblem(device, failureOf(error), { cause: error });
  }
}

function failureOf(error: unknown): MediaFailure {
  switch (error instanceof Error ? error.name : '') {
    case 'NotAllowedError': case 'SecurityError': return 'denied';
    case 'NotFoundError': case 'OverconstrainedError': return 'absent';
    case 'NotReadableError': case 'AbortError': return 'in-use';
    default: return 'unknown';
  }
}
