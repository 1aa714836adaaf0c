import { signal, type Signal } from '@preact/signals-core';
import type { CallMediaShown, CallParticipant } from '../../protocol/types.gen';
import type { Incoming } from './route';

/** Somebody else in the call, by one device. */
export class Participant {
  readonly id: string;
  readonly userId: string;
  readonly shown: Signal<Pick<CallMediaShown, 'audio' | 'video' | 'screen'>>;

  constructor({ participantId, userId, audio, video, screen }: CallParticipant, readonly incoming: Incoming) {
    this.id = participantId;
    this.userId = userId;
    this.shown = signal({ audio, video, screen });
  }

  shows({ audio, video, screen }: Pick<CallMediaShown, 'audio' | 'video' | 'screen'>): void {
    this.shown.value = { audio, video, screen };
  }
}
