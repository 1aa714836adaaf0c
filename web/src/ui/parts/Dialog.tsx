import type { ComponentChildren } from 'preact';
import { useEffect, useId, useRef } from 'preact/hooks';
import { texts } from '../i18n';
import { IconButton } from './IconButton';

/**
 * A modal dialog: the browser's own holds the focus inside and gives it back to where it was. It is there as long as it
 * is rendered; `onClose` is asked when the user wants it gone.
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
  const dialog = useRef<HTMLDialogElement>(null);
  const heading = useId();
  useEffect(() => {
    const { activeElement: before } = dialog.current!.getRootNode() as Document | ShadowRoot;
    dialog.current!.showModal();
    return () => {
      if (before instanceof HTMLElement && before.isConnected) before.focus();
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
