import { signal } from '@preact/signals';
import type { CallRinging } from '../../protocol/types.gen';
import type { Wire } from '../../protocol/wire';
import type { Chat } from '../../state/chat';
import type { Room } from './room';

/** The way into calls. Their code is loaded with the first one; until then it is known who rings, and no more. */
export class CallDoor {
  readonly room = signal<Room | null>(null);
  /** The code of calls could not be loaded. */
  readonly failed = signal(false);

  constructor(private readonly chat: Chat, private readonly wire: Wire) {}

  /** Where the browser has no WebRTC there are no calls, and no buttons for them. */
  get isAbsent(): boolean {
    return !('RTCPeerConnection' in window);
  }

  async start(conversationId: string, media: 'audio' | 'video'): Promise<void> {
    await (await this.#open())?.calls.start(conversationId, media);
  }

  async answer(ringing: CallRinging, withCamera: boolean): Promise<void> {
    const room = await this.#open();
    if (!room) return; // it goes on ringing: the next click tries again
    this.chat.ringing.stop(ringing.callId);
    await room.calls.answer(ringing, withCamera);
  }

  close(): void {
    this.room.peek()?.close();
  }

  async #open(): Promise<Room | null> {
    this.failed.value = false;
    try {
      const { Room } = await import('./room');
      return (this.room.value ??= new Room(this.chat, this.wire));
    } catch {
      this.failed.value = true;
      return null;
    }
  }
}
