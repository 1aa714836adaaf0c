import type { CallParticipant } from '../../protocol/types.gen';

export interface Views<Stream> {
  /** Sound and camera. */
  main: Stream | null;
  screen: Stream | null;
}

type Tracks = Pick<MediaStream, 'getAudioTracks' | 'getVideoTracks'>;

/**
 * Which of a participant's streams is which. Nothing on the wire names them: the one with a sound is the main one, and
 * where a screen is shown it is the last stream with a picture that is not needed for the camera.
 */
export function viewsOf<Stream extends Tracks>(
  streams: readonly Stream[], { video, screen }: Pick<CallParticipant, 'video' | 'screen'>,
): Views<Stream> {
  const withSound = streams.find((stream) => stream.getAudioTracks().length > 0);
  const main = withSound ?? (screen && !video ? undefined : streams[0]) ?? null;
  const others = streams.filter((stream) => stream !== main && stream.getVideoTracks().length > 0);
  return { main, screen: screen ? (others.at(-1) ?? null) : null };
}
