import { computed, signal } from '@preact/signals';
import type { Wire } from '../../protocol/wire';
import type { LiveCall } from '../../state/calls/call';
import { Calls } from '../../state/calls/calls';
import { LocalMedia, type Choice } from '../../state/calls/local_media';
import type { Chat } from '../../state/chat';
import { Remembered } from '../../state/shelf';
import { newId } from '../browser';
import { browserMedia } from './browser_media';
import { CallScreen } from './CallScreen';
import { connect } from './webrtc';

interface Devices {
  microphone: Choice;
  camera: Choice;
  speaker: Choice;
}

/** All of calls, once there is one. */
export class Room {
  readonly Screen = CallScreen;
  readonly devices = new Remembered<Devices>(localStorage, 'chatapp.devices', { microphone: null, camera: null, speaker: null });
  /** Made small, so that one may chat meanwhile. */
  readonly minimised = signal(false);
  readonly calls: Calls;
  /** Nothing but the call can be seen. */
  readonly covers = computed(() => this.calls.current.value !== null && !this.minimised.value);
  readonly #leave = () => this.calls.leave();
  readonly #stop: () => void;

  constructor(chat: Chat, wire: Wire) {
    this.calls = new Calls({
      wire, connect, newId, now: Date.now,
      // Few calls are that large: its code is loaded with the first.
      join: async (server, events) => (await import('./livekit')).join(server, events),
      ringing: chat.ringing,
      online: computed(() => chat.status.value === 'online'),
      openMedia: () => new LocalMedia(browserMedia, this.devices.value.peek()),
      // A name for this page as long as it lives: a reload hangs up.
      deviceId: newId(),
    });
    window.addEventListener('pagehide', this.#leave);
    // Each call begins large.
    this.#stop = this.calls.current.subscribe(() => (this.minimised.value = false));
  }

  /** The same call once more: an answer that failed is an answer again, as long as there is something to answer. */
  again({ conversationId, entry, withCamera, ending }: LiveCall): Promise<void> {
    const isUnanswered = entry.by === 'accept' && ending.peek()?.error !== undefined;
    if (isUnanswered) return this.calls.answer({ callId: entry.callId, conversationId }, withCamera);
    return this.calls.start(conversationId, withCamera ? 'video' : 'audio');
  }

  close(): void {
    this.#leave();
    this.#stop();
    window.removeEventListener('pagehide', this.#leave);
  }
}
