import type { ComponentChildren } from 'preact';
import { useEffect, useId, useRef, useState } from 'preact/hooks';
import { useApp } from '../app';
import { texts } from '../i18n';
import { IconButton } from './IconButton';

/**
 * A modal dialog: the browser's own holds the focus inside. It goes back to where it was, or, where that is gone, to what
 * it was in, as a message whose menu has deleted it. It is there as long as it is rendered; `onClose` is asked when the user wants it gone.
 */
export function Dialog({ title, onClose, children, wide = false, plain = false, ringing = false }: {
  title: string;
  onClose: () => void;
  children: ComponentChildren;
  wide?: boolean;
  /** Without a heading that is seen. */
  plain?: boolean;
  /** Somebody calls: no page-wide picture, and a click beside it changes nothing. */
  ringing?: boolean;
}) {
  const { find, mayFocus } = useApp();
  const dialog = useRef<HTMLDialogElement>(null);
  const heading = useId();
  useEffect(() => {
    const element = dialog.current!;
    const before = find(':focus');
    const around = before?.parentElement?.closest<HTMLElement>('[tabindex]');
    element.showModal();
    return () => {
      element.close(); // what is behind an open one takes no focus
      queueMicrotask(() => {
        if (!find(':focus') && mayFocus()) (before?.isConnected ? before : around)?.focus();
      });
    };
  }, []);
  return (
    <dialog
      ref={dialog}
      class={`dialog ${wide ? 'dialog-wide' : ''} ${plain && !ringing ? 'dialog-plain' : ''} ${ringing ? 'dialog-ringing' : ''}`}
      aria-labelledby={heading}
      onCancel={(event) => {
        event.preventDefault();
        onClose();
      }}
      onClick={(event) => {
        if (event.target === dialog.current && !ringing) onClose();
      }}
    >
      <div class="dialog-body">
        <header class={plain ? 'hidden' : 'dialog-head'}>
          <h2 id={heading}>{title}</h2>
          {!plain && <IconButton icon="close" label={texts().close} onClick={onClose} />}
        </header>
        {children}
      </div>
    </dialog>
  );
}

/** For what shows one dialog after another: in the end the focus goes back to where it was before the first. */
export function useFocusBack(): void {
  const { find, mayFocus } = useApp();
  const [before] = useState(() => find(':focus'));
  useEffect(() => () => queueMicrotask(() => {
    if (!find(':focus') && mayFocus()) before?.focus();
  }), []);
}

/** Asks before something that cannot be taken back. `onYes` may take its time; a failure is shown and can be tried again. */
export function Confirm({ title, text, yes, onYes, onClose, error }: {
  title: string;
  text: string;
  yes: string;
  onYes: () => void;
  onClose: () => void;
  error?: string | null;
}) {
  return (
    <Dialog title={title} onClose={onClose}>
      <p class="quiet">{text}</p>
      {error && <p class="problem" role="alert">{error}</p>}
      <footer class="dialog-foot">
        <button type="button" class="button" onClick={onClose}>{texts().cancel}</button>
        <button type="button" class="button button-danger" onClick={onYes}>{yes}</button>
      </footer>
    </Dialog>
  );
}
