import { describe, expect, it, vi } from 'vitest';
import { FileLinks } from '../../src/protocol/file_links';

const NOW = 1_000_000;
const rest = (answer: unknown) => ({
  url: (path: string) => new URL(path, 'http://chat.example').href,
  post: vi.fn(() => Promise.resolve(answer)) as unknown as <T>(path: string, body: unknown) => Promise<T>,
});
const signed = (url: string, ms: number) => ({ url, signedUrl: `${url}?sig=x`, expiresAt: new Date(NOW + ms).toISOString() });

describe('where files are', () => {
  it('is plain in open mode', () => {
    expect(new FileLinks(rest({}), false).ready('/api/files/a')).toBe('http://chat.example/api/files/a');
  });

  it('is signed in jwt mode, all that is wanted in one request', async () => {
    const server = rest({ links: [signed('/api/files/a', 900_000), signed('/api/files/b', 900_000)] });
    const links = new FileLinks(server, true, () => NOW);
    expect(links.ready('/api/files/a')).toBeUndefined();
    const urls = await Promise.all([links.sign('/api/files/a'), links.sign('/api/files/b'), links.sign('/api/files/a')]);
    expect(urls).toEqual(['a', 'b', 'a'].map((name) => `http://chat.example/api/files/${name}?sig=x`));
    expect(server.post).toHaveBeenCalledTimes(1);
    expect(links.ready('/api/files/a')).toBe(urls[0]);
  });

  it('is asked for in as many requests as the server’s hundred needs', async () => {
    const server = rest({ links: [] });
    const links = new FileLinks(server, true);
    await Promise.all(Array.from({ length: 201 }, (_, index) => links.sign(`/api/files/${index}`)));
    expect(vi.mocked(server.post).mock.calls.map(([, body]) => (body as { urls: string[] }).urls.length)).toEqual([100, 100, 1]);
  });

  it('is asked for anew shortly before it ends', async () => {
    let now = NOW;
    const links = new FileLinks(rest({ links: [signed('/api/files/a', 900_000)] }), true, () => now);
    await links.sign('/api/files/a');
    now += 850_000;
    expect(links.ready('/api/files/a')).toBeUndefined();
  });

  it('is nowhere for a file that the server gives no link to', async () => {
    expect(await new FileLinks(rest({ links: [] }), true).sign('/api/files/a')).toBeNull();
  });

  it('is left as it is when it is somebody else’s', () => {
    expect(new FileLinks(rest({}), true).ready('https://other.example/x.png')).toBe('https://other.example/x.png');
  });
});
