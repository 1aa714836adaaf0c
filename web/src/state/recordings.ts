import { signal } from '@preact/signals-core';
import type { Recorder } from './recorder';

/**
 * The voice notes in the making, one for each conversation at most. They outlive a look at another conversation, not the
 * tab: browsers hand over what was recorded to nobody else.
 */
export class Recordings {
  readonly #recorders = signal<ReadonlyMap<string, Recorder>>(new Map());

  in(conversationId: string): Recorder | undefined {
    return this.#recorders.value.get(conversationId);
  }

  /** Whether something would be lost if all ended now. */
  get hasUnsent(): boolean {
    return [...this.#recorders.peek().values()].some(({ elapsedMs }) => elapsedMs.peek() > 0);
  }

  begin(conversationId: string, recorder: Recorder): void {
    this.#recorders.value = new Map(this.#recorders.peek()).set(conversationId, recorder);
    void recorder.start();
  }

  /** Sent, or not wanted. */
  end(conversationId: string): void {
    const recorders = new Map(this.#recorders.peek());
    recorders.get(conversationId)?.discard();
    recorders.delete(conversationId);
    this.#recorders.value = recorders;
  }

  endAll(): void {
    for (const conversationId of this.#recorders.peek().keys()) this.end(conversationId);
  }
}
