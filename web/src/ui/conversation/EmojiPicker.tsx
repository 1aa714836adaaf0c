import { useEffect, useRef } from 'preact/hooks';
import { texts } from '../i18n';

const EMOJI = [...new Intl.Segmenter().segment(
  '😀😃😄😁😅😂🤣😊😇🙂😉😍🥰😘😋😜🤪🤗🤔🤨😐😏🙄😬😌😔😴🤒🤧🥳😎🤓😕😟😮😳🥺😢😭😱😤😡🤯'
  + '👍👎👌✌️🤞🤙👏🙌🙏💪👋🤝👀❤️🧡💛💚💙💜🖤💔✨🔥🎉🎂🎁⭐☀️🌙🌈☕🍕🍺🍷⚽🚗✈️🏠📅📎📷📞💻✅❌❓❗💯',
)].map(({ segment }) => segment);

const COLUMNS = 8;

/** A grid that arrows move in. */
export default function EmojiPicker({ onChoose, onClose }: { onChoose: (emoji: string) => void; onClose: () => void }) {
  const grid = useRef<HTMLDivElement>(null);
  const buttons = () => [...(grid.current?.querySelectorAll('button') ?? [])];
  useEffect(() => {
    buttons()[0]?.focus();
    const elsewhere = (event: Event) => {
      if (!event.composedPath().includes(grid.current!.parentElement!)) onClose();
    };
    document.addEventListener('pointerdown', elsewhere);
    return () => document.removeEventListener('pointerdown', elsewhere);
  }, []);
  const onKeyDown = (event: KeyboardEvent) => {
    const steps: Record<string, number> = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: COLUMNS, ArrowUp: -COLUMNS };
    const step = steps[event.key];
    if (event.key === 'Escape') onClose();
    else if (step !== undefined) buttons()[buttons().indexOf(event.target as HTMLButtonElement) + step]?.focus();
    else return;
    event.preventDefault();
    event.stopPropagation();
  };
  return (
    <div class="emoji-grid" ref={grid} role="dialog" aria-label={texts().emoji} onKeyDown={onKeyDown}>
      {EMOJI.map((emoji) => <button type="button" key={emoji} onClick={() => onChoose(emoji)}>{emoji}</button>)}
    </div>
  );
}
