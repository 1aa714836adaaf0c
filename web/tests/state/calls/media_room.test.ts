import { signal } from '@preact/signals-core';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Refused, Unreachable } from '../../../src/protocol/refused';
import type { Call } from '../../../src/protocol/types.gen';
import type { LiveCall } from '../../../src/state/calls/call';
import { Calls } from '../../../src/state/calls/calls';
import { LocalMedia } from '../../../src/state/calls/local_media';
import { Ringing } from '../../../src/state/ringing';
import { FakeWire, NOON, settled } from '../../support';
import { aCall, aParticipant, FakeMediaServer, FakeSource } from './fakes';

const SOUND = { id: 'sound' } as MediaStream;
const SCREEN = { id: 'screen' } as MediaStream;

describe('a call through a media server', () => {
  let wire: FakeWire;
  let source: FakeSource;
  let server: FakeMediaServer;
  let calls: Calls;
  const online = signal(true);

  const through = (token: string, part: Partial<Call> = {}) => aCall({ mediaServer: { url: 'wss://media.example.com', token }, iceServers: [], ...part });

  beforeEach(() => {
    vi.useFakeTimers({ now: NOON });
    [wire, source, server] = [new FakeWire(), new FakeSource(), new FakeMediaServer()];
    online.value = true;
    calls = new Calls({
      wire, online, ringing: new Ringing(wire), now: Date.now, newId: () => 'try-1', deviceId: 'tab-1',
      openMedia: () => new LocalMedia(source, { microphone: null, camera: null }),
      connect: () => {
        throw new Error('nothing goes straight from one to the other');
      },
      join: server.join,
    });
    let tokens = 1;
    wire.answers.call_start = () => through('token 1');
    wire.answers.call_accept = () => through(`token ${(tokens += 1)}`, { state: 'ongoing', participants: [aParticipant('p-luis')] });
    for (const event of ['call_media', 'call_hangup'] as const) wire.answers[event] = () => null;
  });
  afterEach(() => {
    calls.leave();
    vi.useRealTimers();
  });

  const current = (): LiveCall => calls.current.value!;
  const luis = () => current().others.value.get('p-luis')!.incoming;
  const joined = (id: string) => wire.hear('call_participant_joined', { callId: 'k1', conversationId: 'c1', participant: aParticipant(id) });

  async function connected(media: 'audio' | 'video' = 'audio'): Promise<void> {
    await calls.start('c1', media);
    joined('p-luis');
    server.rooms[0]!.events.streams('p-luis', [SOUND]);
  }

  it('enters the room with the token, and sends everything there', async () => {
    await calls.start('c1', 'video');
    await settled();
    expect(server.tokens).toEqual(['token 1']);
    const [microphone, camera] = source.opened;
    expect(server.rooms[0]!.sent).toEqual(new Map([['audio', microphone], ['camera', camera]]));
    current().media.hideCamera();
    await current().media.shareScreen();
    expect(server.rooms[0]!.sent.get('camera')).toBeNull();
    expect(server.rooms[0]!.sent.get('screen')).toBe(source.opened.at(-1));
  });

  it('is connected when somebody is heard', async () => {
    await calls.start('c1', 'audio');
    expect(current().phase.value).toBe('outgoing');
    joined('p-luis');
    expect(current().phase.value).toBe('connecting');
    server.rooms[0]!.events.streams('p-luis', [SOUND]);
    expect(current().phase.value).toBe('connected');
    expect(luis().streams.value).toEqual([SOUND]);
    expect(await luis().stats()).toEqual({ received: 7, lost: 1, rttMs: 20 });
  });

  it('keeps what comes of somebody whom the chat has not announced yet', async () => {
    await calls.start('c1', 'audio');
    server.rooms[0]!.events.streams('p-luis', [SOUND, SCREEN]);
    expect(current().others.value.size).toBe(0);
    joined('p-luis');
    expect(luis().streams.value).toEqual([SOUND, SCREEN]);
    expect(current().phase.value).toBe('connected');
  });

  it('says that it is reconnecting while the room is lost', async () => {
    await connected();
    server.rooms[0]!.events.stateChanged('lost');
    expect(current().phase.value).toBe('reconnecting');
    server.rooms[0]!.events.stateChanged('connected');
    expect(current().phase.value).toBe('connected');
    expect(server.rooms).toHaveLength(1);
  });

  it('enters again with a new token when it was put out, and sends everything anew', async () => {
    await connected();
    server.rooms[0]!.events.stateChanged('closed');
    expect(luis().state.value).toBe('lost');
    await vi.advanceTimersByTimeAsync(1_000);
    expect(server.tokens).toEqual(['token 1', 'token 2']);
    expect([...server.rooms[1]!.sent.keys()]).toEqual(['audio']);
    server.rooms[1]!.events.streams('p-luis', [SOUND]);
    expect(current().phase.value).toBe('connected');
  });

  it('says why it may not enter, and tries less and less often', async () => {
    server.refuses = 'media-server-refused';
    await calls.start('c1', 'audio');
    await settled();
    expect(current().mediaServerProblem.value).toBe('media-server-refused');
    await vi.advanceTimersByTimeAsync(60_000);
    expect(server.tokens).toHaveLength(1 + 3 + 5); // after 1, 2 and 5 s, then each 10 s
    server.refuses = null;
    await vi.advanceTimersByTimeAsync(10_000);
    expect(current().mediaServerProblem.value).toBeNull();
    expect(server.rooms).toHaveLength(1);
  });

  it('tries with the token it has when the chat cannot be asked', async () => {
    server.refuses = 'media-server-unreachable';
    await calls.start('c1', 'audio');
    wire.answers.call_accept = () => Promise.reject(new Unreachable());
    await vi.advanceTimersByTimeAsync(1_000);
    expect(server.tokens).toEqual(['token 1', 'token 1']);
  });

  it('does not wait for the next try when there is a new connection to the chat', async () => {
    server.refuses = 'media-server-unreachable';
    await calls.start('c1', 'audio');
    await vi.advanceTimersByTimeAsync(20_000);
    server.refuses = null;
    wire.becomes({ is: 'lost' });
    online.value = false;
    wire.becomes({ is: 'fresh' });
    online.value = true;
    await settled();
    expect(server.rooms).toHaveLength(1);
  });

  it('has ended when the call turns out to be over', async () => {
    await connected();
    wire.answers.call_accept = () => Promise.reject(new Refused('call_over', 'It is over.', { reason: 'hangup' }));
    server.rooms[0]!.events.stateChanged('closed');
    await vi.advanceTimersByTimeAsync(60_000);
    expect(current().ending.value?.reason).toBe('hangup');
    expect(server.rooms).toHaveLength(1);
  });

  it('leaves the room with the call, also when it comes in only afterwards', async () => {
    await connected();
    calls.hangUp();
    expect(server.rooms[0]!.isClosed).toBe(true);
    const begun = calls.start('c1', 'audio');
    await begun;
    calls.hangUp();
    await settled();
    expect(server.rooms.every((room) => room.isClosed)).toBe(true);
  });
});
