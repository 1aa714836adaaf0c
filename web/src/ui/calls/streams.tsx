import { useEffect, useMemo, useRef } from 'preact/hooks';
import type { LiveCall } from '../../state/calls/call';
import type { Choice } from '../../state/calls/local_media';

/** What a stream shows. Its sound, if any, comes from `Sounds`. */
export function Picture({ stream, label, mirrored = false, whole = false }: {
  stream: MediaStream;
  label: string;
  mirrored?: boolean;
  /** Nothing is cut off: for screens. */
  whole?: boolean;
}) {
  const video = useRef<HTMLVideoElement>(null);
  useEffect(() => void (video.current!.srcObject = stream), [stream]);
  const classes = ['call-picture', mirrored && 'call-picture-mirrored', whole && 'call-picture-whole'];
  return <video ref={video} class={classes.filter(Boolean).join(' ')} autoplay playsInline muted aria-label={label} />;
}

/** A camera of our own, as a mirror shows it. */
export function OwnPicture({ track, label }: { track: MediaStreamTrack; label: string }) {
  const stream = useMemo(() => new MediaStream([track]), [track]);
  return <Picture stream={stream} label={label} mirrored />;
}

/** Everybody's sound, whatever is shown of the call. */
export function Sounds({ call, speaker }: { call: LiveCall; speaker: Choice }) {
  const streams = [...call.others.value.values()].flatMap(({ incoming }) => incoming.streams.value);
  return <>{streams.filter((stream) => stream.getAudioTracks().length > 0).map((stream) => <Sound stream={stream} speaker={speaker} key={stream.id} />)}</>;
}

function Sound({ stream, speaker }: { stream: MediaStream; speaker: Choice }) {
  const audio = useRef<HTMLAudioElement>(null);
  useEffect(() => void (audio.current!.srcObject = stream), [stream]);
  useEffect(() => {
    // A speaker that was unplugged: the browser's own takes over.
    if ('setSinkId' in audio.current!) audio.current.setSinkId(speaker ?? '').catch(() => undefined);
  }, [speaker]);
  return <audio ref={audio} autoplay />;
}
