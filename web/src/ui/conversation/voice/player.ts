import type { Chat } from '../../../state/chat';
import { Player } from '../../../state/player';

const player = new Player(new Audio());
const followed = new WeakSet<Chat>();

/** The page's one player. What is heard ends when its conversation is closed: nothing would show it any more. */
export function playerOf(chat: Chat): Player {
  if (!followed.has(chat)) {
    followed.add(chat);
    chat.opened.subscribe(() => player.stop());
  }
  return player;
}
