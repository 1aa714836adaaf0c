import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { Proof } from '../../src/protocol/proof';
import { Refused, Unreachable } from '../../src/protocol/refused';
import { Rest } from '../../src/protocol/rest';
import { Canceled, uploader, type UploadRequest } from '../../src/protocol/upload';

/** As much of the browser's as an upload uses; node has none. */
class FakeRequest {
  static last: FakeRequest | undefined;
  static made = 0;
  readonly upload: { onprogress?: (event: { loaded: number; total: number }) => void } = {};
  onload?: () => void;
  onerror?: () => void;
  readonly headers: Record<string, string> = {};
  opened: [method: string, url: string] | null = null;
  sent: FormData | null = null;
  aborted = false;
  status = 0;
  responseText = '';

  constructor() {
    FakeRequest.last = this;
    FakeRequest.made += 1;
  }

  open(method: string, url: string): void {
    this.opened = [method, url];
  }

  setRequestHeader(name: string, value: string): void {
    this.headers[name] = value;
  }

  send(body: FormData): void {
    this.sent = body;
  }

  abort(): void {
    this.aborted = true;
  }

  answer(status: number, body: unknown): void {
    this.status = status;
    this.responseText = typeof body === 'string' ? body : JSON.stringify(body);
    this.onload?.();
  }
}

const REQUEST: UploadRequest = {
  file: new Blob(['12345'], { type: 'text/plain' }), fileName: 'notes.txt', conversationId: 'c1', senderId: 'ana',
  clientMessageId: 'k1', content: '', replyTo: null,
};

let giveToken: (token: string) => void;
const slow: Proof = { token: () => new Promise((resolve) => (giveToken = resolve)), renew: () => undefined };
const quick: Proof = { token: () => Promise.resolve('secret'), renew: () => undefined };

function begin(proof: Proof = quick, part: Partial<UploadRequest> = {}) {
  const progress = vi.fn();
  const upload = uploader(new Rest('http://chat.example', proof, () => 'en'))({ ...REQUEST, ...part }, progress);
  return { upload, progress, http: FakeRequest.last! };
}

const sent = (http: FakeRequest) => vi.waitFor(() => expect(http.sent).not.toBeNull());

describe('an upload', () => {
  beforeEach(() => vi.stubGlobal('XMLHttpRequest', FakeRequest));
  afterEach(() => vi.unstubAllGlobals());

  it('sends the file under its name, and who sends it where', async () => {
    const { upload, http } = begin();
    await sent(http);
    expect(http.opened).toEqual(['POST', 'http://chat.example/api/upload']);
    expect(http.headers).toEqual({ 'Accept-Language': 'en', Authorization: 'Bearer secret' });
    const { file, ...texts } = Object.fromEntries(http.sent!);
    expect((file as File).name).toBe('notes.txt');
    expect(texts).toEqual({ conversationId: 'c1', senderId: 'ana', clientMessageId: 'k1' });
    http.answer(201, { messageId: 'm1', conversationId: 'c1' });
    expect(await upload.done).toEqual({ messageId: 'm1', conversationId: 'c1' });
  });

  it('carries a caption and what it answers, where there are such', async () => {
    const { http } = begin(quick, { content: 'Look', replyTo: 'm7' });
    await sent(http);
    expect(Object.fromEntries(http.sent!)).toMatchObject({ content: 'Look', replyTo: 'm7' });
  });

  it('says how far it is', async () => {
    const { progress, http } = begin();
    await sent(http);
    http.upload.onprogress?.({ loaded: 1, total: 4 });
    http.upload.onprogress?.({ loaded: 0, total: 0 });
    expect(progress.mock.calls).toEqual([[0.25], [0]]);
  });

  it('is refused in the server’s words', async () => {
    const { upload, http } = begin();
    await sent(http);
    http.answer(413, { statusCode: 413, code: 'too_large', message: 'Too large', details: { maxBytes: 4 } });
    const refusal = await upload.done.catch((error: unknown) => error);
    expect(refusal).toBeInstanceOf(Refused);
    expect(refusal).toMatchObject({ code: 'too_large', details: { maxBytes: 4 } });
  });

  it('is unreachable when the line breaks, and when something else answers', async () => {
    const broken = begin();
    await sent(broken.http);
    broken.http.onerror?.();
    await expect(broken.upload.done).rejects.toBeInstanceOf(Unreachable);
    const foreign = begin();
    await sent(foreign.http);
    foreign.http.answer(502, '<html>Bad gateway</html>');
    await expect(foreign.upload.done).rejects.toBeInstanceOf(Unreachable);
  });

  it('is broken off', async () => {
    const { upload, http } = begin();
    await sent(http);
    upload.cancel();
    await expect(upload.done).rejects.toBeInstanceOf(Canceled);
    expect(http.aborted).toBe(true);
  });

  it('that is canceled before its token is there sends nothing', async () => {
    const { upload, http } = begin(slow);
    upload.cancel();
    await expect(upload.done).rejects.toBeInstanceOf(Canceled);
    giveToken('late');
    await Promise.resolve();
    await Promise.resolve();
    await Promise.resolve();
    expect(http.opened).toBeNull();
  });
});
