import type { LiveCall } from '../../state/calls/call';
import type { Participant } from '../../state/calls/participant';
import type { Quality } from '../../state/calls/quality';
import { viewsOf } from '../../state/calls/views';
import { useApp } from '../app';
import { Avatar } from '../parts/Avatar';
import { Icon } from '../parts/Icon';
import { OwnPicture, Picture } from './streams';
import { ME, type Watch } from './watch';
import { words } from './words';

/** Everybody: one other fills the stage, several share it; a screen that is shown comes first. */
export function Tiles({ call, watch }: { call: LiveCall; watch: Watch }) {
  const others = [...call.others.value.values()];
  const screens = others.filter((other) => screenOf(other) !== null);
  const own = <OwnTile call={call} watch={watch} floating={others.length < 2 && screens.length === 0} key={ME} />;
  return (
    <div class="tiles" data-count={others.length < 2 ? 1 : others.length + 1} data-featured={screens.length > 0}>
      {screens.map((other) => <ScreenTile participant={other} key={`${other.id} screen`} />)}
      {others.map((other) => <Tile participant={other} watch={watch} key={other.id} />)}
      {own}
    </div>
  );
}

function screenOf({ incoming, shown }: Participant): MediaStream | null {
  return viewsOf(incoming.streams.value, shown.value).screen;
}

function ScreenTile({ participant }: { participant: Participant }) {
  const { chat } = useApp();
  const label = words().screenOf(chat.people.nameOf(participant.userId));
  return (
    <figure class="tile-of tile-screen">
      <Picture stream={screenOf(participant)!} label={label} whole />
      <figcaption class="tile-name">{label}</figcaption>
    </figure>
  );
}

function Tile({ participant, watch }: { participant: Participant; watch: Watch }) {
  const { chat } = useApp();
  const t = words();
  const { userId, incoming, shown } = participant;
  const name = chat.people.nameOf(userId);
  const { audio, video } = shown.value;
  const { main } = viewsOf(incoming.streams.value, shown.value);
  const speaks = audio && watch.speaker.current.value === participant.id;
  const state = incoming.state.value;
  return (
    <figure class={`tile-of ${speaks ? 'tile-speaks' : ''}`} data-state={state}>
      {video && main ? <Picture stream={main} label={t.pictureOf(name)} />
        : <Avatar id={userId} name={name} picture={chat.people.get(userId)?.avatar ?? null} size="l" />}
      {state !== 'connected' && <span class="tile-state">{state === 'lost' ? t.isLost : t.isConnecting}</span>}
      <figcaption class="tile-name">
        {!audio && <><Icon name="micOff" size={16} /><span class="hidden">{t.isMuted(name)}</span></>}
        <span>{name}</span>
        <QualityMark quality={watch.quality.value.get(participant.id)} />
      </figcaption>
    </figure>
  );
}

/** Only what is worth a look. */
function QualityMark({ quality }: { quality: Quality | undefined }) {
  if (!quality || quality === 'good') return null;
  const label = words().quality[quality];
  return <span class={`tile-quality tile-quality-${quality}`} title={label}><Icon name="signal" size={16} /><span>{label}</span></span>;
}

function OwnTile({ call, watch, floating }: { call: LiveCall; watch: Watch; floating: boolean }) {
  const { chat } = useApp();
  const t = words();
  const { camera, muted } = call.media;
  const track = camera.value;
  if (floating && !track) return null;
  return (
    <figure class={`tile-of ${floating ? 'tile-floating' : ''} ${watch.speaker.current.value === ME ? 'tile-speaks' : ''}`}>
      {track ? <OwnPicture track={track} label={t.pictureOf(t.you)} />
        : <Avatar id={chat.me.id} name={chat.me.name} picture={chat.people.get(chat.me.id)?.avatar ?? null} size="l" />}
      <figcaption class="tile-name">{muted.value && <Icon name="micOff" size={16} />}<span>{t.you}</span></figcaption>
    </figure>
  );
}
