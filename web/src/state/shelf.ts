import { signal, type Signal } from '@preact/signals-core';

/** What of `localStorage` is used. */
export type Shelf = Pick<Storage, 'getItem' | 'setItem' | 'removeItem'>;

/**
 * A value that is remembered on this machine and is the same in all tabs. `changedElsewhere` is for the window's
 * `storage` event. What cannot be read counts as absent.
 */
export class Remembered<T> {
  readonly value: Signal<T>;

  constructor(private readonly shelf: Shelf, readonly key: string, private readonly absent: T) {
    this.value = signal(this.#read());
  }

  set(value: T): void {
    this.value.value = value;
    try {
      if (value === this.absent) this.shelf.removeItem(this.key);
      else this.shelf.setItem(this.key, JSON.stringify(value));
    } catch {
      // a full or forbidden shelf: it holds for this tab alone
    }
  }

  changedElsewhere(key: string | null): void {
    if (key === null || key === this.key) this.value.value = this.#read();
  }

  #read(): T {
    try {
      const text = this.shelf.getItem(this.key);
      return text === null ? this.absent : (JSON.parse(text) as T);
    } catch {
      return this.absent;
    }
  }
}
