// @vitest-environment happy-dom
import { afterEach, describe, expect, it, vi } from 'vitest';
import { HostProof } from '../../src/ui/host';

/** A message as the browser gives it: who sent it cannot be forged, only chosen here. */
function message(data: unknown, part: { source?: unknown; origin?: string } = {}): void {
  const event = new Event('message');
  window.dispatchEvent(Object.assign(event, { data, source: 'source' in part ? part.source : window.parent, origin: part.origin ?? location.origin }));
}

describe('the host page’s token', () => {
  afterEach(() => vi.unstubAllGlobals());

  it('is taken from what the page left, as a text or from who makes them', async () => {
    expect(await new HostProof({ token: 'a.b.c' }).token()).toBe('a.b.c');
    expect(await new HostProof({ token: () => Promise.resolve('made') }).token()).toBe('made');
  });

  it('is asked for again only when the server did not believe the last one', async () => {
    let made = 0;
    const proof = new HostProof({ token: () => `token ${++made}` });
    await proof.token();
    expect(await proof.token()).toBe('token 1');
    proof.renew();
    expect(await proof.token()).toBe('token 2');
  });

  it('is asked for once, however many wait for it', async () => {
    const make = vi.fn(() => Promise.resolve('one'));
    const proof = new HostProof({ token: make });
    expect(await Promise.all([proof.token(), proof.token()])).toEqual(['one', 'one']);
    expect(make).toHaveBeenCalledTimes(1);
  });

  it('may not be there yet: then it is given later', async () => {
    const proof = new HostProof({ token: () => null });
    expect(await proof.token()).toBeNull();
    proof.give('later');
    expect(await proof.token()).toBe('later');
  });

  it('is asked for again a little later where the page failed', async () => {
    vi.useFakeTimers();
    vi.spyOn(console, 'error').mockImplementation(() => undefined);
    const make = vi.fn(() => Promise.resolve('at last')).mockRejectedValueOnce(new Error('backend down'));
    const proof = new HostProof({ token: make });
    expect(await proof.token()).toBeNull();
    await vi.advanceTimersByTimeAsync(5_000);
    expect(proof.current.value).toBe('at last');
    proof.renew();
    make.mockRejectedValueOnce(new Error('down again'));
    await proof.token();
    proof.close();
    await vi.advanceTimersByTimeAsync(60_000);
    expect(make).toHaveBeenCalledTimes(3);
    vi.useRealTimers();
  });

  it('is asked for from the page around the frame, of our own origin alone', async () => {
    const parent = { postMessage: vi.fn() };
    vi.stubGlobal('parent', parent);
    expect(await new HostProof(undefined).token()).toBeNull();
    expect(parent.postMessage).toHaveBeenCalledWith({ type: 'chatapp:token-needed' }, location.origin);
  });

  it('may be sent at any time by the page around', async () => {
    const proof = new HostProof(undefined);
    message({ type: 'chatapp:token', token: 'sent' });
    expect(await proof.token()).toBe('sent');
  });

  it.each([
    ['another origin', { type: 'chatapp:token', token: 'x' }, { origin: 'https://evil.example' }],
    ['another window', { type: 'chatapp:token', token: 'x' }, { source: {} }],
    ['a message of another kind', { type: 'other', token: 'x' }, {}],
    ['something that is no token', { type: 'chatapp:token', token: 7 }, {}],
    ['nothing', null, {}],
  ])('is not taken from %s', (_whom, data, part) => {
    const proof = new HostProof(undefined);
    message(data, part);
    expect(proof.current.value).toBeNull();
  });
});
