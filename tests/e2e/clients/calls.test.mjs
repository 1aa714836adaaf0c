// Calls as socket.io-client hears them: who rings, who is in, what is signalled, and what is left.
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { describe, test } from 'node:test';
import { World, answered, rest, settle, withTimeout } from './harness.mjs';
import { like, message, number, object, text, time, uuid } from './shapes.mjs';

const OFFER = { type: 'offer', sdp: 'v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\n' };
const CANDIDATE = { candidate: 'candidate:1 1 udp 1 127.0.0.1 9 typ host', sdpMid: '0', sdpMLineIndex: 0 };

const participant = (beside) => ({
  participantId: uuid, userId: text, number, polite: false, audio: true, video: true, screen: false, ...beside,
});

const call = (beside) => ({
  callId: uuid, conversationId: uuid, state: 'ringing', reason: null, media: 'video', startedBy: text, startedAt: time,
  ringsUntil: time, answeredAt: null, participantId: uuid, polite: false, participants: [], iceServers: [],
  mediaServer: null, ...beside,
});

const start = (client, chat, beside = {}) => client.done('call_start', {
  conversationId: chat.id, clientCallId: randomUUID(), media: 'video', userId: client.userId, ...beside,
});

async function pair(t) {
  const world = new World(t);
  const [juan, maria] = await world.online('Juan', 'María');
  return { world, juan, maria, chat: await world.private(juan, maria) };
}

async function talking(t) {
  const people = await pair(t);
  const { juan, maria, chat } = people;
  const { callId, participantId } = await start(juan, chat, { deviceId: 'laptop' });
  const theirs = await maria.done('call_accept', { callId, deviceId: 'phone', userId: maria.userId });
  await settle([juan, maria]);
  return { ...people, callId, ofJuan: participantId, ofMaria: theirs.participantId };
}

describe('calls', { concurrency: 3 }, () => {
  test('a call rings, is answered, and leaves a message', async (t) => {
    const { juan, maria, chat, world } = await pair(t);
    const secondDevice = await world.join(await answered(200, rest.get(`/api/users/${maria.userId}`)));
    const begun = await start(juan, chat);
    like(begun, call({ conversationId: chat.id, startedBy: juan.userId }));
    const { callId } = begun;
    const here = { callId, conversationId: chat.id };
    const caller = await answered(200, rest.get(`/api/users/${juan.userId}`));
    for (const device of [maria, secondDevice]) {
      like(await device.next('call_ringing'), {
        ...here, conversationName: '', isGroup: false, media: 'video', startedAt: begun.startedAt,
        ringsUntil: begun.ringsUntil, caller: { id: caller.id, name: caller.name, avatar: caller.avatar },
      });
    }
    const taken = await maria.done('call_accept', { callId, userId: maria.userId });
    const theirs = participant({ participantId: begun.participantId, userId: juan.userId, number: 1, polite: true });
    like(taken, call({ ...here, startedBy: juan.userId, state: 'ongoing', answeredAt: time, polite: true, participants: [theirs] }));
    const ofMaria = { ...here, participantId: taken.participantId, userId: maria.userId };
    like(await juan.next('call_accepted'), { ...ofMaria, answeredAt: taken.answeredAt });
    const mine = participant({ participantId: taken.participantId, userId: maria.userId, number: 2 });
    like(await juan.next('call_participant_joined'), { ...here, participant: mine });
    like(await secondDevice.next('call_answered_elsewhere'), { ...here, answer: 'accepted' });
    assert.deepEqual(maria.heard('call_answered_elsewhere'), []);

    await juan.done('call_hangup', { callId, userId: juan.userId });
    for (const device of [juan, maria, secondDevice]) {
      like(await device.next('call_ended'), { ...here, reason: 'hangup', durationMs: number });
    }
    const [left] = await answered(200, rest.get(`/api/messages/${chat.id}`));
    const tookPart = [juan.userId, maria.userId];
    like(left, message(caller, {
      conversationId: chat.id, recipientId: maria.userId, messageType: 'call', content: text, clientMessageId: callId,
      call: { callId, state: 'hangup', durationMs: number, media: 'video', tookPart },
    }));
    const [inbox] = (await answered(200, rest.get(`/api/conversations/user/${maria.userId}`))).conversations;
    assert.deepEqual([inbox.unreadCount, inbox.lastMessage], [0, left.content]);
  });

  test('signals go to the participant they are for, as they were given', async (t) => {
    const { juan, maria, callId, ofJuan, ofMaria } = await talking(t);
    const sent = [
      { description: OFFER }, { candidate: CANDIDATE }, { candidate: { ...CANDIDATE, usernameFragment: null } }, { candidate: null },
    ];
    let last = 0;
    for (const signal of sent) {
      const { seq } = await juan.done('call_signal', { callId, to: ofMaria, ...signal, userId: juan.userId });
      like(await maria.next('call_signal'), { callId, from: ofJuan, seq, description: null, candidate: null, ...signal });
      assert.ok(seq > last);
      last = seq;
    }
    await maria.done('call_media', { callId, audio: false, video: false, screen: true, userId: maria.userId });
    const shown = await juan.next('call_media');
    assert.deepEqual([shown.participantId, shown.audio, shown.screen], [ofMaria, false, true]);
    await juan.done('call_hangup', { callId });
  });

  test('a group goes on until the last but one leaves', async (t) => {
    const world = new World(t);
    const [juan, maria, ana] = await world.online('Juan', 'María', 'Ana');
    const group = await world.group('Ventas', juan, maria, ana);
    const { callId } = await start(juan, group, { media: 'audio' });
    like(await ana.next('call_ringing'), object);
    const taken = await maria.done('call_accept', { callId });
    const late = await start(ana, group, { media: 'audio' });
    assert.deepEqual([late.callId, late.state, late.participants.map(({ polite }) => polite)], [callId, 'ongoing', [true, true]]);
    await maria.done('call_hangup', { callId });
    for (const client of [juan, ana, maria]) {
      like(await client.next('call_participant_left'), {
        callId, conversationId: group.id, participantId: taken.participantId, userId: maria.userId, reason: 'hangup',
      });
    }
    assert.deepEqual(maria.heard('call_ended'), []);
    await ana.done('call_hangup', { callId });
    assert.equal((await maria.next('call_ended')).reason, 'hangup');
  });

  test('to decline ends a call between two', async (t) => {
    const { juan, maria, chat } = await pair(t);
    const { callId } = await start(juan, chat);
    assert.equal(await maria.done('call_decline', { callId, userId: maria.userId }), null);
    assert.equal((await juan.next('call_ended')).reason, 'declined');
    const error = await maria.refused('call_over', 'call_accept', { callId });
    assert.deepEqual(error.details, { callId, reason: 'declined' });
  });

  test('a stranger has nothing to say, and nobody who is not in it', async (t) => {
    const { world, juan, maria, chat } = await pair(t);
    const [stranger] = await world.online('Extraño');
    await stranger.refused('not_a_participant', 'call_start', { conversationId: chat.id, clientCallId: 'x', media: 'audio' });
    const { callId, participantId } = await start(juan, chat);
    const events = {
      call_accept: {}, call_decline: {}, call_hangup: {}, call_media: { audio: true, video: true },
      call_signal: { to: participantId, candidate: null },
    };
    for (const [event, beside] of Object.entries(events)) {
      await stranger.refused('not_a_participant', event, { callId, ...beside });
    }
    for (const event of ['call_hangup', 'call_media', 'call_signal']) {
      await maria.refused('not_in_call', event, { callId, ...events[event] });
    }
    await juan.refused('not_in_call', 'call_signal', { callId, to: 'nobody', candidate: null });
    await juan.refused('invalid_data', 'call_signal', { callId, to: participantId });
    await juan.refused('in_another_call', 'call_start', {
      conversationId: (await world.private(juan, stranger)).id, clientCallId: 'y', media: 'audio',
    });
    await juan.done('call_hangup', { callId });
    assert.deepEqual(stranger.heard('call_ringing', 'call_ended', 'call_signal'), []);
  });

  test('a device that comes back with its name goes on, and gets what it has missed', async (t) => {
    const { world, juan, maria, callId, ofMaria } = await talking(t);
    maria.close();
    for (const signal of [{ description: OFFER }, { candidate: CANDIDATE }]) {
      await juan.done('call_signal', { callId, to: ofMaria, ...signal });
    }
    const again = await world.join({ ...(await answered(200, rest.get(`/api/users/${maria.userId}`))) });
    const taken = await again.done('call_accept', { callId, deviceId: 'phone' });
    assert.deepEqual([taken.participantId, taken.state], [ofMaria, 'ongoing']);
    assert.deepEqual((await again.next('call_signal')).description, OFFER);
    assert.deepEqual((await again.next('call_signal')).candidate, CANDIDATE);
    await again.done('call_hangup', { callId });
  });

  test('a connection that Socket.IO recovers needs nothing', async (t) => {
    const { juan, maria, callId, ofJuan, ofMaria } = await talking(t);
    const { socket } = maria;
    const lost = new Promise((resolve) => { socket.once('disconnect', resolve); });
    maria.drop();
    await lost;
    await juan.done('call_signal', { callId, to: ofMaria, description: OFFER });
    const back = new Promise((resolve) => { socket.once('connect', resolve); });
    socket.connect();
    await withTimeout('connect', back);
    assert.equal(socket.recovered, true);
    assert.deepEqual((await maria.next('call_signal')).description, OFFER);
    await maria.done('call_signal', { callId, to: ofJuan, candidate: null });
    assert.equal((await juan.next('call_signal')).from, ofMaria);
    await maria.upgraded();
    await maria.done('call_hangup', { callId });
  });
});
