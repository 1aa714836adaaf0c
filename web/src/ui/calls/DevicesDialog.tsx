import { useEffect, useState } from 'preact/hooks';
import type { LiveCall } from '../../state/calls/call';
import { MediaProblem, type Choice } from '../../state/calls/local_media';
import { Dialog } from '../parts/Dialog';
import { browserMedia, listDevices } from './browser_media';
import type { Room } from './room';
import { OwnPicture } from './streams';
import type { Watch } from './watch';
import { mediaSentence, words } from './words';

/** Which microphone, camera and speaker; what they give is seen at once, and taken at once. */
export function DevicesDialog({ room, call, watch, onClose }: { room: Room; call: LiveCall; watch: Watch; onClose: () => void }) {
  const t = words();
  const devices = useDevices();
  const [problem, setProblem] = useState<string | null>(null);
  const chosen = room.devices.value.value;
  const choose = async (part: Partial<typeof chosen>, take: () => Promise<void>) => {
    try {
      await take();
      room.devices.set({ ...chosen, ...part });
      setProblem(null);
    } catch (error) {
      if (!(error instanceof MediaProblem)) throw error;
      setProblem(mediaSentence(error));
    }
  };
  const { media } = call;
  return (
    <Dialog title={t.devices} onClose={onClose}>
      <Preview call={call} choice={chosen.camera} />
      <div class="fields">
        <Chooser
          label={t.device.camera} devices={devices} kind="videoinput" choice={chosen.camera}
          onChoose={(camera) => void choose({ camera }, () => media.chooseCamera(camera))}
        />
        <Chooser
          label={t.device.microphone} devices={devices} kind="audioinput" choice={chosen.microphone}
          onChoose={(microphone) => void choose({ microphone }, () => media.chooseMicrophone(microphone))}
        />
        <Level watch={watch} />
        {'setSinkId' in HTMLMediaElement.prototype && (
          <Chooser
            label={t.speaker} devices={devices} kind="audiooutput" choice={chosen.speaker}
            onChoose={(speaker) => void choose({ speaker }, () => Promise.resolve())}
          />
        )}
        {problem && <p class="problem" role="alert">{problem}</p>}
      </div>
      <footer class="dialog-foot"><button type="button" class="button button-primary" onClick={onClose}>{t.done}</button></footer>
    </Dialog>
  );
}

/** As they are plugged in and out. */
function useDevices(): readonly MediaDeviceInfo[] {
  const [devices, setDevices] = useState<readonly MediaDeviceInfo[]>([]);
  useEffect(() => {
    const list = () => void listDevices().then(setDevices);
    list();
    navigator.mediaDevices.addEventListener('devicechange', list);
    return () => navigator.mediaDevices.removeEventListener('devicechange', list);
  }, []);
  return devices;
}

function Chooser({ label, devices, kind, choice, onChoose }: {
  label: string;
  devices: readonly MediaDeviceInfo[];
  kind: MediaDeviceKind;
  choice: Choice;
  onChoose: (choice: Choice) => void;
}) {
  const some = devices.filter((device) => device.kind === kind && device.deviceId !== 'default');
  return (
    <label class="field">
      <span>{label}</span>
      <select class="device" value={choice ?? ''} onChange={(event) => onChoose(event.currentTarget.value || null)}>
        <option value="">{words().standard}</option>
        {some.map(({ deviceId, label }) => <option value={deviceId} key={deviceId}>{label}</option>)}
      </select>
    </label>
  );
}

/** What the others see; or would see, of a camera that is opened for this dialog alone. */
function Preview({ call, choice }: { call: LiveCall; choice: Choice }) {
  const camera = call.media.camera.value;
  const [own, setOwn] = useState<MediaStreamTrack | null>(null);
  useEffect(() => {
    if (camera) return;
    let wanted = true;
    let opened: MediaStreamTrack | null = null;
    browserMedia.camera(choice).then((track) => {
      if (wanted) setOwn((opened = track));
      else track.stop();
    }, () => undefined); // no camera, no preview: what the list shows says it
    return () => {
      wanted = false;
      opened?.stop();
      setOwn(null);
    };
  }, [camera, choice]);
  const track = camera ?? own;
  return <div class="preview">{track && <OwnPicture track={track} label={words().preview} />}</div>;
}

function Level({ watch }: { watch: Watch }) {
  const part = watch.ownLevel.value;
  return (
    <div class="level" role="meter" aria-label={words().level} aria-valuemin={0} aria-valuemax={100} aria-valuenow={Math.round(part * 100)}>
      <span style={{ width: `${part * 100}%` }} />
    </div>
  );
}
