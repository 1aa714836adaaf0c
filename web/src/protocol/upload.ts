import type { Rest } from './rest';
import { Refused, Unreachable } from './refused';
import type { HttpError, Uploaded } from './types.gen';

export interface UploadRequest {
  file: Blob;
  fileName: string;
  conversationId: string;
  senderId: string;
  clientMessageId: string;
  content: string;
  replyTo: string | null;
}

export interface Upload {
  /** Rejects with Refused, Unreachable, or Canceled. */
  done: Promise<Uploaded>;
  cancel(): void;
}

export class Canceled extends Error {
  override readonly name = 'Canceled';
}

export type Uploader = (request: UploadRequest, progress: (part: number) => void) => Upload;

/** Uploads with progress, which `fetch` does not tell. `progress` gets 0 to 1. */
export function uploader(rest: Rest): Uploader {
  return (request, progress) => {
    const http = new XMLHttpRequest();
    const canceling = new AbortController();
    const done = new Promise<Uploaded>((resolve, reject) => {
      http.upload.onprogress = ({ loaded, total }) => progress(total ? loaded / total : 0);
      http.onload = () => settle(http, resolve, reject);
      http.onerror = () => reject(new Unreachable('the upload broke'));
      canceling.signal.addEventListener('abort', () => {
        reject(new Canceled());
        http.abort();
      });
      start(http, rest, request, canceling.signal).catch(reject);
    });
    return { done, cancel: () => canceling.abort() };
  };
}

/** The token may take a while: who cancels meanwhile sends nothing. */
async function start(http: XMLHttpRequest, rest: Rest, request: UploadRequest, signal: AbortSignal): Promise<void> {
  const headers = await rest.headers();
  if (signal.aborted) return;
  http.open('POST', rest.url('/api/upload'));
  for (const [name, value] of Object.entries(headers)) http.setRequestHeader(name, value);
  http.send(form(request));
}

function form({ file, fileName, ...texts }: UploadRequest): FormData {
  const data = new FormData();
  for (const [name, value] of Object.entries(texts)) if (value) data.append(name, value);
  data.append('file', file, fileName);
  return data;
}

function settle(http: XMLHttpRequest, resolve: (uploaded: Uploaded) => void, reject: (error: Error) => void): void {
  try {
    const body = JSON.parse(http.responseText) as unknown;
    if (http.status < 300) resolve(body as Uploaded);
    else reject(Refused.fromHttp(body as HttpError));
  } catch (error) {
    reject(new Unreachable(`status ${http.status}`, { cause: error }));
  }
}
