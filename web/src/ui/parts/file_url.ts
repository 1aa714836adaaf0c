import { useEffect, useState } from 'preact/hooks';
import { useApp } from '../app';

/** Where the file can be had by an element that sends no token; undefined until that is known. */
export function useFileUrl(fileUrl: string | null): string | undefined {
  const { links } = useApp();
  const [signed, setSigned] = useState<{ of: string; url: string } | null>(null);
  const ready = fileUrl === null ? undefined : links.ready(fileUrl);
  useEffect(() => {
    if (fileUrl === null || ready !== undefined) return;
    let wanted = true;
    void links.sign(fileUrl).then((url) => {
      if (wanted && url !== null) setSigned({ of: fileUrl, url });
    });
    return () => void (wanted = false);
  }, [fileUrl, ready, links]);
  return ready ?? (signed !== null && signed.of === fileUrl ? signed.url : undefined);
}
