import { useEffect, useState } from 'preact/hooks';

/** An image that is still on this machine only. */
export function LocalPicture({ blob, name }: { blob: Blob; name: string }) {
  const [url, setUrl] = useState<string | null>(null);
  useEffect(() => {
    const made = URL.createObjectURL(blob);
    setUrl(made);
    return () => URL.revokeObjectURL(made);
  }, [blob]);
  return <span class="picture">{url && <img src={url} alt={name} />}</span>;
}
