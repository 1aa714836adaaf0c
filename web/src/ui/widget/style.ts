import ours from '../styles/index.css?inline';
import host from '../styles/widget.css?inline';

/**
 * Our styles for a shadow tree. As a constructed sheet they need nothing from the page's content policy. `rem` would be
 * the page's own, which may be anything; here it is what the element's font size makes it.
 */
export function styleFor(element: HTMLElement): CSSStyleSheet[] {
  const frame = new CSSStyleSheet();
  frame.replaceSync(host);
  element.shadowRoot!.adoptedStyleSheets = [frame];
  const rem = parseFloat(getComputedStyle(element).fontSize);
  const sheet = new CSSStyleSheet();
  sheet.replaceSync(ours.replace(/(\d*\.?\d+)rem\b/g, (_whole, size: string) => `${Number(size) * rem}px`));
  return [frame, sheet];
}
