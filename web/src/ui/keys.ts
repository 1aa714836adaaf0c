/** Hears keys until the function it gives is called. */
export function onKeys(where: Document | HTMLElement, pressed: (event: KeyboardEvent) => void): () => void {
  const hear = (event: Event) => pressed(event as KeyboardEvent);
  where.addEventListener('keydown', hear);
  return () => where.removeEventListener('keydown', hear);
}
