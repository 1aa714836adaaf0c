import { signal } from '@preact/signals-core';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Refused } from '../../../src/protocol/refused';
import type { Call } from '../../../src/protocol/types.gen';
import type { LiveCall } from '../../../src/state/calls/call';
import { Calls } from '../../../src/state/calls/calls';
import { LocalMedia, MediaProblem } from '../../../src/state/calls/local_media';
import { Ringing } from '../../../src/state/ringing';
import { FakeWire, NOON, settled } from '../../support';
import { aCall, aParticipant, aRing, FakeLink, FakeSource, noRoom } from './fakes';

describe('a call', () => {
  let wire: FakeWire;
  let source: FakeSource;
  let links: FakeLink[];
  let ringing: Ringing;
  let calls: Calls;
  const online = signal(true);

  beforeEach(() => {
    vi.useFakeTimers({ now: NOON });
    [wire, source, links] = [new FakeWire(), new FakeSource(), []];
    online.value = true;
    ringing = new Ringing(wire);
    calls = new Calls({
      wire, online, ringing, now: Date.now, newId: () => 'try-1', deviceId: 'tab-1', join: noRoom,
      openMedia: () => new LocalMedia(source, { microphone: null, camera: null }),
      connect: (servers, events) => {
        links.push(new FakeLink(servers, events));
        return links.at(-1)!;
      },
    });
    wire.answers.call_start = () => aCall();
    wire.answers.call_accept = () => aCall({ state: 'ongoing', answeredAt: new Date(NOON).toISOString(), participants: [aParticipant('p-luis', { polite: true })] });
    for (const event of ['call_media', 'call_hangup', 'call_decline'] as const) wire.answers[event] = () => null;
    wire.answers.call_signal = () => ({ seq: 1 });
  });
  afterEach(() => {
    calls.leave();
    ringing.stopAll();
    vi.useRealTimers();
  });

  const current = (): LiveCall => calls.current.value!;
  const joined = (id: string) => wire.hear('call_participant_joined', { callId: 'k1', conversationId: 'c1', participant: aParticipant(id) });
  const ended = (reason: NonNullable<Call['reason']>, durationMs = 0) => wire.hear('call_ended', { callId: 'k1', conversationId: 'c1', reason, durationMs });

  async function connected(): Promise<void> {
    await calls.start('c1', 'audio');
    joined('p-luis');
    links[0]!.events.stateChanged('connected');
  }

  /** As Socket.IO does it when nothing could be recovered. */
  function reconnect(): Promise<void> {
    wire.becomes({ is: 'lost' });
    online.value = false;
    wire.becomes({ is: 'fresh' });
    online.value = true;
    return settled();
  }

  it('goes from asking to ringing to connecting to connected', async () => {
    const begun = calls.start('c1', 'audio');
    expect(current().phase.value).toBe('asking');
    await begun;
    expect(current().phase.value).toBe('outgoing');
    expect(wire.payloads('call_start')).toEqual([{ conversationId: 'c1', clientCallId: 'try-1', media: 'audio', deviceId: 'tab-1' }]);
    joined('p-luis');
    expect(current().phase.value).toBe('connecting');
    links[0]!.events.stateChanged('connected');
    expect(current().phase.value).toBe('connected');
  });

  it('sends what the microphone hears to everybody, and says so', async () => {
    await calls.start('c1', 'video');
    joined('p-luis');
    joined('p-marta');
    expect(links.map((link) => [...link.sent.keys()])).toEqual([['audio', 'camera'], ['audio', 'camera']]);
    expect(wire.payloads('call_media')).toEqual([{ callId: 'k1', audio: true, video: true, screen: false }]);
  });

  it('is as polite as the server says', async () => {
    await calls.answer(aRing(), false);
    links[0]!.events.negotiationNeeded();
    await settled();
    wire.hear('call_signal', { callId: 'k1', from: 'p-luis', seq: 1, description: { type: 'offer', sdp: 'theirs' }, candidate: null });
    await settled();
    expect(links[0]!.taken).toEqual([{ type: 'offer', sdp: 'theirs' }]);
    expect(wire.payloads('call_signal').at(-1)).toEqual({ callId: 'k1', to: 'p-luis', description: { type: 'answer', sdp: 'link answer 1' } });
  });

  it('keeps signals of somebody who has not been announced yet', async () => {
    await calls.start('c1', 'audio');
    wire.hear('call_signal', { callId: 'k1', from: 'p-luis', seq: 1, description: { type: 'offer', sdp: 'early' }, candidate: null });
    joined('p-luis');
    await settled();
    expect(links[0]!.taken).toEqual([{ type: 'offer', sdp: 'early' }]);
  });

  it('takes no signal of another call', async () => {
    await connected();
    wire.hear('call_signal', { callId: 'k2', from: 'p-luis', seq: 9, description: { type: 'offer', sdp: 'other' }, candidate: null });
    await settled();
    expect(links[0]!.taken).toEqual([]);
  });

  it.each(['hangup', 'declined', 'missed', 'busy', 'failed'] as const)('ends by %s, and lets go of everything', async (reason) => {
    await connected();
    ended(reason, 5_000);
    expect(current().ending.value).toEqual({ reason, durationMs: 5_000 });
    expect(links[0]!.isClosed).toBe(true);
    expect(source.opened.every((track) => track.stopped)).toBe(true);
    calls.dismiss();
    expect(calls.current.value).toBeNull();
  });

  it('is over at once where the answer says that they are busy', async () => {
    wire.answers.call_start = () => aCall({ state: 'ended', reason: 'busy' });
    await calls.start('c1', 'audio');
    expect(current().ending.value?.reason).toBe('busy');
  });

  it('does not begin without a microphone, and says why', async () => {
    source.refuses.set('microphone', 'denied');
    await calls.start('c1', 'audio');
    const { error } = current().ending.value!;
    expect(error).toBeInstanceOf(MediaProblem);
    expect(error).toMatchObject({ device: 'microphone', failure: 'denied' });
    expect(wire.asked).toEqual([]);
  });

  it('goes on without a camera, and says so', async () => {
    source.refuses.set('camera', 'absent');
    await calls.start('c1', 'video');
    expect(current().phase.value).toBe('outgoing');
    expect(current().cameraProblem.value?.failure).toBe('absent');
    expect(wire.payloads('call_media')).toEqual([{ callId: 'k1', audio: true, video: false, screen: false }]);
  });

  it('says what the server refuses', async () => {
    wire.answers.call_start = () => Promise.reject(new Refused('call_full', 'full', {}));
    await calls.start('c1', 'audio');
    expect(current().ending.value).toMatchObject({ reason: 'error', error: { code: 'call_full' } });
  });

  it('says how it ended when it was over before the answer', async () => {
    wire.answers.call_accept = () => Promise.reject(new Refused('call_over', 'over', { reason: 'missed' }));
    await calls.answer(aRing(), false);
    expect(current().ending.value?.reason).toBe('missed');
  });

  it('is hung up even when the answer to calling comes afterwards', async () => {
    let answer: (call: Call) => void = () => undefined;
    wire.answers.call_start = () => new Promise((give) => (answer = give));
    const begun = calls.start('c1', 'audio');
    await settled();
    calls.hangUp();
    answer(aCall());
    await begun;
    expect(wire.told).toEqual([['call_hangup', { callId: 'k1' }]]);
    expect(calls.current.value).toBeNull();
  });

  it('stops the ringing of the same conversation: both called at once', async () => {
    wire.answers.call_start = () => aCall({ state: 'ongoing', participants: [aParticipant('p-luis', { polite: true })] });
    wire.hear('call_ringing', aRing());
    await calls.start('c1', 'audio');
    expect(ringing.first.value).toBeNull();
    wire.hear('call_ringing', aRing());
    expect(ringing.first.value).toBeNull();
    expect(current().phase.value).toBe('connecting');
  });

  it('goes on when the connection to the chat is lost, and catches up with who is in it', async () => {
    await connected();
    joined('p-marta');
    wire.becomes({ is: 'lost' });
    expect(current().phase.value).toBe('connected');
    wire.answers.call_accept = () => aCall({ state: 'ongoing', participants: [aParticipant('p-luis'), aParticipant('p-eva')] });
    await reconnect();
    expect(wire.payloads('call_accept')).toEqual([{ callId: 'k1', deviceId: 'tab-1' }]);
    expect([...current().others.value.keys()]).toEqual(['p-luis', 'p-eva']);
    expect(links.map(({ isClosed }) => isClosed)).toEqual([false, true, false]);
    expect(links[0]!.restarts).toBe(0);
  });

  it('helps a connection that is lost when it can signal again', async () => {
    await connected();
    links[0]!.events.stateChanged('disconnected');
    expect(current().phase.value).toBe('reconnecting');
    await reconnect();
    await vi.advanceTimersByTimeAsync(0);
    expect(links[0]!.restarts).toBe(1);
  });

  it('tells in order what it could not tell, once it can', async () => {
    await connected();
    wire.becomes({ is: 'lost' });
    delete wire.answers.call_signal;
    links[0]!.events.negotiationNeeded();
    await settled();
    links[0]!.events.candidate(null);
    await settled();
    wire.asked.length = 0;
    wire.answers.call_signal = () => ({ seq: 2 });
    wire.answers.call_accept = () => aCall({ state: 'ongoing', participants: [aParticipant('p-luis')] });
    await reconnect();
    expect(wire.payloads('call_signal')).toEqual([
      { callId: 'k1', to: 'p-luis', description: { type: 'offer', sdp: 'link offer 1' } }, { callId: 'k1', to: 'p-luis', candidate: null },
    ]);
  });

  it('asks nothing when the connection was recovered', async () => {
    await connected();
    wire.becomes({ is: 'lost' });
    online.value = false;
    wire.becomes({ is: 'recovered' });
    online.value = true;
    await settled();
    expect(wire.payloads('call_accept')).toEqual([]);
  });

  it('has ended when it was over meanwhile', async () => {
    await connected();
    wire.answers.call_accept = () => Promise.reject(new Refused('call_over', 'over', { reason: 'failed' }));
    await reconnect();
    expect(current().ending.value?.reason).toBe('failed');
  });

  it('says that it has hung up as soon as it can', async () => {
    await connected();
    delete wire.answers.call_hangup;
    calls.hangUp();
    await settled();
    wire.answers.call_hangup = () => null;
    await reconnect();
    await reconnect();
    expect(wire.payloads('call_hangup')).toEqual([{ callId: 'k1' }, { callId: 'k1' }]);
  });

  it('ends when this device is put out of it', async () => {
    await connected();
    wire.hear('call_participant_left', { callId: 'k1', conversationId: 'c1', participantId: 'p-me', userId: 'ana', reason: 'replaced' });
    expect(current().ending.value?.reason).toBe('replaced');
  });

  it('goes on when one of several leaves', async () => {
    await connected();
    joined('p-marta');
    wire.hear('call_participant_left', { callId: 'k1', conversationId: 'c1', participantId: 'p-luis', userId: 'luis', reason: 'hangup' });
    expect([...current().others.value.keys()]).toEqual(['p-marta']);
    expect(links.map(({ isClosed }) => isClosed)).toEqual([true, false]);
  });

  it('mutes by the track, and tells the others', async () => {
    await connected();
    current().media.mute(true);
    expect(source.opened[0]!.enabled).toBe(false);
    expect(links[0]!.sent.get('audio')).toBe(source.opened[0]);
    expect(wire.payloads('call_media').at(-1)).toEqual({ callId: 'k1', audio: false, video: false, screen: false });
  });

  it('changes the microphone in mid-call, and stays muted', async () => {
    await connected();
    current().media.mute(true);
    await current().media.chooseMicrophone('usb');
    const [before, now] = source.opened;
    expect([before!.stopped, now!.device, now!.enabled]).toEqual([true, 'usb', false]);
    expect(links[0]!.sent.get('audio')).toBe(now);
  });

  it('switches the camera off for good, and shares a screen until the browser ends it', async () => {
    await calls.start('c1', 'video');
    joined('p-luis');
    current().media.hideCamera();
    expect(source.opened[1]!.stopped).toBe(true);
    expect(links[0]!.sent.get('camera')).toBeNull();
    await current().media.shareScreen();
    const screen = source.opened[2]!;
    expect(links[0]!.sent.get('screen')).toBe(screen);
    screen.onended!();
    expect(links[0]!.sent.get('screen')).toBeNull();
    expect(wire.payloads('call_media').at(-1)).toEqual({ callId: 'k1', audio: true, video: false, screen: false });
  });

  it('renews the credentials of the relay when they are old, before it restarts', async () => {
    await connected();
    const fresh = [{ urls: ['turn:127.0.0.1'], username: 'later', credential: 'x' }];
    wire.answers.call_accept = () => aCall({ state: 'ongoing', participants: [aParticipant('p-luis')], iceServers: fresh });
    await vi.advanceTimersByTimeAsync(31 * 60_000);
    links[0]!.events.stateChanged('failed');
    await vi.advanceTimersByTimeAsync(1);
    expect(links[0]!.iceServers).toEqual(fresh);
    expect(links[0]!.restarts).toBe(1);
  });

  it('is left when the page goes away', async () => {
    await connected();
    calls.leave();
    expect(wire.told).toEqual([['call_hangup', { callId: 'k1' }]]);
    expect(source.opened[0]!.stopped).toBe(true);
  });
});
