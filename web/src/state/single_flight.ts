/** At most one call for a key is under way; whoever asks meanwhile waits for the same answer. */
export class SingleFlight {
  readonly #flying = new Map<string, Promise<unknown>>();

  run<T>(key: string, call: () => Promise<T>): Promise<T> {
    const flying = this.#flying.get(key) as Promise<T> | undefined;
    if (flying) return flying;
    const begun = call().finally(() => this.#flying.delete(key));
    this.#flying.set(key, begun);
    return begun;
  }
}
