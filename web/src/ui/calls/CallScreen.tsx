import { useEffect, useMemo } from 'preact/hooks';
import type { LiveCall } from '../../state/calls/call';
import { ringBack } from '../sound';
import { Ended } from './Ended';
import type { Room } from './room';
import { Stage } from './Stage';
import { Sounds } from './streams';
import { Watch } from './watch';

/** The call there is: heard always, and seen as large as the user wants it. */
export function CallScreen({ room }: { room: Room }) {
  const call = room.calls.current.value;
  if (!call) return null;
  return call.phase.value === 'ended' ? <Ended room={room} call={call} /> : <Live room={room} call={call} />;
}

function Live({ room, call }: { room: Room; call: LiveCall }) {
  const watch = useMemo(() => new Watch(call), [call]);
  useEffect(() => () => watch.stop(), [watch]);
  const isOutgoing = call.phase.value === 'outgoing';
  useEffect(() => {
    if (!isOutgoing) return;
    const stopped = new AbortController();
    void ringBack(stopped.signal);
    return () => stopped.abort();
  }, [isOutgoing]);
  return (
    <>
      <Sounds call={call} speaker={room.devices.value.value.speaker} />
      <Stage room={room} call={call} watch={watch} />
    </>
  );
}
