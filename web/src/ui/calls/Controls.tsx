import { useState } from 'preact/hooks';
import type { LiveCall } from '../../state/calls/call';
import { MediaProblem } from '../../state/calls/local_media';
import { Icon, type IconName } from '../parts/Icon';
import { canShareScreen } from './browser_media';
import { DevicesDialog } from './DevicesDialog';
import type { Room } from './room';
import type { Watch } from './watch';
import { words } from './words';

/** What one does in a call. `onProblem`: the browser gave no camera or screen. */
export function Controls({ room, call, watch, onProblem }: {
  room: Room;
  call: LiveCall;
  watch: Watch;
  onProblem: (problem: MediaProblem | null) => void;
}) {
  const [choosing, setChoosing] = useState(false);
  const t = words();
  const { media } = call;
  const [muted, camera, screen] = [media.muted.value, media.camera.value, media.screen.value];
  const open = (opening: Promise<void>) => {
    onProblem(null);
    opening.catch((error: unknown) => {
      if (!(error instanceof MediaProblem)) throw error;
      // Whoever closes the browser's list of screens has no problem.
      if (!(error.device === 'screen' && error.failure === 'denied')) onProblem(error);
    });
  };
  return (
    <div class="call-controls" role="toolbar" aria-label={t.call}>
      <Control icon={muted ? 'micOff' : 'mic'} label={muted ? t.unmute : t.mute} off={muted} onClick={() => media.mute(!muted)} />
      <Control
        icon={camera ? 'video' : 'videoOff'} label={camera ? t.cameraOff : t.cameraOn} off={!camera} extra
        onClick={() => (camera ? media.hideCamera() : open(media.showCamera()))}
      />
      {canShareScreen() && (
        <Control
          icon="screen" label={screen ? t.stopSharing : t.share} on={screen !== null} extra
          onClick={() => (screen ? media.stopScreen() : open(media.shareScreen()))}
        />
      )}
      <Control icon="settings" label={t.devices} extra onClick={() => setChoosing(true)} />
      <Control icon="hangUp" label={call.phase.value === 'outgoing' ? t.cancel : t.hangUp} bad onClick={() => room.calls.hangUp()} />
      {choosing && <DevicesDialog room={room} call={call} watch={watch} onClose={() => setChoosing(false)} />}
    </div>
  );
}

function Control({ icon, label, onClick, off = false, on = false, bad = false, extra = false }: {
  icon: IconName;
  label: string;
  onClick: () => void;
  off?: boolean;
  on?: boolean;
  bad?: boolean;
  /** Not there where the call is small. */
  extra?: boolean;
}) {
  const classes = ['control', off && 'control-off', on && 'control-on', bad && 'control-bad', extra && 'control-extra'];
  return (
    <button type="button" class={classes.filter(Boolean).join(' ')} aria-label={label} title={label} onClick={onClick}>
      <Icon name={icon} size={24} />
    </button>
  );
}
