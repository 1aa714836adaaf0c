import type { Message } from '../../../protocol/types.gen';
import { isVoiceNote } from '../../../state/words';
import { useApp } from '../../app';
import { language, texts } from '../../i18n';
import { useFileUrl } from '../../parts/file_url';
import { useHeard } from './decoding';
import { Listening } from './Listening';
import { playerOf } from './player';
import { BARS } from './Waveform';

const UNKNOWN_BARS = Array.from({ length: BARS }, () => 0);

/** A sound in a message. */
export default function Sound({ message }: { message: Message }) {
  const { chat, links } = useApp();
  const player = playerOf(chat);
  const t = texts();
  const fileUrl = message.fileUrl ?? '';
  const url = useFileUrl(message.fileUrl);
  const heard = useHeard(message.id, url, message.fileSize);
  const seconds = heard?.seconds ?? null;
  const trackAt = (where: string) => ({ key: message.id, url: where, seconds });
  const toggle = async () => {
    const signed = links.ready(fileUrl) ?? (await links.sign(fileUrl)); // the URL may have expired since it was shown
    if (signed !== null) player.toggle(trackAt(signed));
  };
  const named = isVoiceNote(message.fileName) ? null : message.fileName;
  return (
    <div class="sound" role="group" aria-label={named ?? t.voiceNote}>
      {named && <span class="sound-name">{named}</span>}
      <Listening
        player={player} track={url === undefined ? undefined : trackAt(url)} seconds={seconds}
        bars={heard?.bars ?? UNKNOWN_BARS} onToggle={() => void toggle()}
      >
        <Speed speed={player.speed.value} onChange={() => player.changeSpeed()} />
      </Listening>
      {player.isCurrent(message.id) && player.failed.value && (
        <p class="sound-failed" role="alert">{t.cannotPlay} <a {...(url ? { href: url } : {})} target="_blank" rel="noopener noreferrer">{t.download}</a></p>
      )}
    </div>
  );
}

function Speed({ speed, onChange }: { speed: number; onChange: () => void }) {
  const shown = `${new Intl.NumberFormat(language()).format(speed)}×`;
  const label = texts().speed(shown);
  return <button type="button" class="speed" aria-label={label} title={label} onClick={onChange}>{shown}</button>;
}
