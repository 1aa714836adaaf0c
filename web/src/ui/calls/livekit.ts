import {
  AudioPresets, ConnectionError, ConnectionErrorReason, Room, RoomEvent, setLogLevel, Track, VideoQuality,
  type RemoteParticipant, type RemoteTrack, type RemoteTrackPublication,
} from 'livekit-client';
import type { Counters, Kind } from '../../state/calls/link';
import { MediaServerProblem, type JoinRoom, type RoomEvents, type RoomLink } from '../../state/calls/room_link';
import { countersOf, type Report } from './counters';

/** With more pictures than this, smaller ones are asked for: they are shown smaller too. */
const LARGE_PICTURES = 4;
const MEDIUM_PICTURES = 9;

const SOURCES: Record<Kind, Track.Source> = {
  audio: Track.Source.Microphone, camera: Track.Source.Camera, screen: Track.Source.ScreenShare,
};
const OF_THE_SCREEN: readonly Track.Source[] = [Track.Source.ScreenShare, Track.Source.ScreenShareAudio];

setLogLevel('silent'); // what goes wrong is said in the call

export const join: JoinRoom = async ({ url, token }, events) => {
  const room = new Room({
    dynacast: true,
    // The tracks are the call's, and so is the moment in which it is left.
    stopLocalTrackOnUnpublish: false,
    disconnectOnPageLeave: false,
    publishDefaults: { audioPreset: AudioPresets.speech },
  });
  const link = new LiveKitRoom(room, events);
  try {
    await room.connect(url, token);
  } catch (error) {
    const refused = error instanceof ConnectionError && error.reason === ConnectionErrorReason.NotAllowed;
    throw new MediaServerProblem(refused ? 'media-server-refused' : 'media-server-unreachable', { cause: error });
  }
  link.joined();
  return link;
};

/** A room of LiveKit's, by its own client. */
class LiveKitRoom implements RoomLink {
  readonly #streams = new Map<string, Streams>();
  /** To publish takes a while; what changes meanwhile comes after it. */
  #sending: Promise<void> = Promise.resolve();

  constructor(private readonly room: Room, private readonly events: RoomEvents) {
    room.on(RoomEvent.TrackSubscribed, (track, { source }, { identity }) => this.#came(track, source, identity));
    room.on(RoomEvent.TrackUnsubscribed, (track, _publication, { identity }) => this.#went(track, identity));
    room.on(RoomEvent.ParticipantDisconnected, ({ identity }) => this.#left(identity));
  }

  joined(): void {
    const { room, events } = this;
    room.on(RoomEvent.Reconnecting, () => events.stateChanged('lost'));
    room.on(RoomEvent.Reconnected, () => events.stateChanged('connected'));
    room.on(RoomEvent.Disconnected, () => events.stateChanged('closed'));
  }

  send(kind: Kind, track: MediaStreamTrack | null): Promise<void> {
    const sent = this.#sending.then(() => this.#send(kind, track));
    this.#sending = sent.catch(() => undefined);
    return sent;
  }

  async stats(participantId: string): Promise<Counters> {
    const publications = [...(this.room.remoteParticipants.get(participantId)?.trackPublications.values() ?? [])];
    const reports = await Promise.all(publications.map(async ({ track }) => (await track?.getRTCStatsReport())?.values()));
    return countersOf(reports.flatMap((report) => [...((report ?? []) as Iterable<Report>)]));
  }

  close(): void {
    void this.room.disconnect(false);
  }

  async #send(kind: Kind, track: MediaStreamTrack | null): Promise<void> {
    const { localParticipant } = this.room;
    const published = localParticipant.getTrackPublication(SOURCES[kind])?.track;
    if (published && track) await published.replaceTrack(track, { userProvidedTrack: true });
    else if (published) await localParticipant.unpublishTrack(published, false);
    else if (track) await localParticipant.publishTrack(track, { source: SOURCES[kind] });
  }

  #came(track: RemoteTrack, source: Track.Source, identity: string): void {
    const streams = this.#streams.get(identity) ?? new Streams();
    this.#streams.set(identity, streams);
    streams.add(track.mediaStreamTrack, source);
    this.#tell(identity, streams);
  }

  #went(track: RemoteTrack, identity: string): void {
    const streams = this.#streams.get(identity);
    if (!streams) return;
    streams.remove(track.mediaStreamTrack);
    this.#tell(identity, streams);
  }

  #left(identity: string): void {
    if (this.#streams.delete(identity)) this.events.streams(identity, []);
  }

  #tell(identity: string, streams: Streams): void {
    this.#size();
    this.events.streams(identity, streams.all());
  }

  #size(): void {
    const cameras = [...this.room.remoteParticipants.values()].map(cameraOf).filter((each) => each !== undefined);
    const quality = cameras.length <= LARGE_PICTURES ? VideoQuality.HIGH
      : cameras.length <= MEDIUM_PICTURES ? VideoQuality.MEDIUM : VideoQuality.LOW;
    for (const camera of cameras) if (camera.videoQuality !== quality) camera.setVideoQuality(quality);
  }
}

function cameraOf(participant: RemoteParticipant): RemoteTrackPublication | undefined {
  return participant.getTrackPublication(Track.Source.Camera);
}

/** Of one participant: sound and camera are kept in step in one stream, the screen is one of its own. */
class Streams {
  readonly #main = new MediaStream();
  readonly #screen = new MediaStream();

  add(track: MediaStreamTrack, source: Track.Source): void {
    (OF_THE_SCREEN.includes(source) ? this.#screen : this.#main).addTrack(track);
  }

  remove(track: MediaStreamTrack): void {
    this.#main.removeTrack(track);
    this.#screen.removeTrack(track);
  }

  all(): MediaStream[] {
    return [this.#main, this.#screen].filter((stream) => stream.getTracks().length > 0);
  }
}
