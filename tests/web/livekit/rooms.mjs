// Who is in which room, what they publish, and the messages between them and the server (SignalRequest, SignalResponse).
import { randomBytes } from 'node:crypto';
import {
  DisconnectReason, LeaveRequest_Action, ParticipantInfo, ParticipantInfo_State, SignalRequest,
  SignalResponse, SignalTarget, TrackInfo, TrackSource, TrackType, protoInt64,
} from '@livekit/protocol';
import { PublisherConnection, SubscriberConnection } from './media.mjs';

const SERVER_INFO = { version: '1.9.0', protocol: 16 };
const PING = { pingInterval: 5, pingTimeout: 15 };
const RETURN_MS = 5000;
const newSid = (prefix) => prefix + randomBytes(6).toString('hex');

function send(socket, name, value) {
  socket.send(new SignalResponse({ message: { case: name, value } }).toBinary());
}

class Publication {
  constructor(publisherSid, { cid, type, source, name, muted, width, height, stream }) {
    this.cid = cid;
    this.kind = type === TrackType.AUDIO ? 'audio' : 'video';
    const mimeType = { audio: 'audio/opus', video: 'video/VP8' }[this.kind];
    this.info = new TrackInfo({ sid: newSid('TR_'), type, source, name, muted, width, height, stream, mimeType });
    this.streamId = `${publisherSid}|${this.info.sid}`;
    this.receiver = undefined; // until its media is negotiated
  }

  get isReceived() {
    return this.receiver !== undefined;
  }

  onRtp(listener) {
    return this.receiver.track.onReceiveRtp.subscribe(listener);
  }

  askForKeyframe() {
    if (this.kind === 'video') this.receiver.sendRtcpPLI(this.receiver.track.ssrc);
  }
}

class Participant {
  constructor(room, socket, { identity, name, metadata }) {
    this.room = room;
    this.identity = identity;
    this.sid = newSid('PA_');
    this.about = { sid: this.sid, identity, name, metadata, joinedAt: protoInt64.parse(Math.floor(Date.now() / 1000)) };
    this.publications = new Map();
    this.publisher = new PublisherConnection();
    this.subscriber = new SubscriberConnection((offer) => this.send('offer', offer));
    this.returning = null;
    this.handled = Promise.resolve();
    this.#listenTo(socket);
  }

  #listenTo(socket) {
    this.socket = socket;
    socket.on('message', (bytes) => {
      const { case: name, value } = SignalRequest.fromBinary(bytes).message;
      this.handled = this.handled.then(() => this.#whileHere(() => this.requests[name]?.(value)));
    });
    socket.on('close', () => {
      if (this.isHere && this.socket === socket) this.#lost();
    });
  }

  get isHere() {
    return this.room.participants.get(this.identity) === this;
  }

  /** Whoever leaves meanwhile has closed the connections that the work is about. */
  async #whileHere(work) {
    try {
      if (this.isHere) await work();
    } catch (error) {
      if (this.isHere) throw error;
    }
  }

  get received() {
    return [...this.publications.values()].filter(({ isReceived }) => isReceived);
  }

  info(state = ParticipantInfo_State.ACTIVE) {
    const permission = { canSubscribe: true, canPublish: true };
    return new ParticipantInfo({ ...this.about, state, permission, tracks: this.received.map(({ info }) => info) });
  }

  send(name, value) {
    send(this.socket, name, value);
  }

  receive(publications) {
    return this.#whileHere(() => this.subscriber.receive(publications));
  }

  // -------------------------------------------------------------- what the client says
  requests = {
    offer: async ({ sdp, id }) => {
      this.send('answer', { type: 'answer', sdp: await this.publisher.answer(sdp), id });
      await this.#compare();
    },
    answer: ({ sdp }) => this.subscriber.answered(sdp),
    trickle: ({ candidateInit, target }) => {
      const { pc } = target === SignalTarget.PUBLISHER ? this.publisher : this.subscriber;
      return pc.addIceCandidate(JSON.parse(candidateInit));
    },
    addTrack: (request) => {
      const publication = new Publication(this.sid, request);
      this.publications.set(publication.info.sid, publication);
      this.send('trackPublished', { cid: request.cid, track: publication.info });
      return this.#compare();
    },
    mute: ({ sid, muted }) => {
      const publication = this.publications.get(sid);
      if (publication) publication.info.muted = muted;
      this.room.tellOthers(this);
    },
    ping: () => this.send('pong', protoInt64.parse(Date.now())),
    pingReq: ({ timestamp }) =>
      this.send('pongResp', { lastPingTimestamp: timestamp, timestamp: protoInt64.parse(Date.now()) }),
    leave: () => this.room.remove(this),
  };

  /** What is announced with what is sent: no message says that a track is unpublished, only the next offer. */
  async #compare() {
    const receivers = this.publisher.receivers();
    const changed = [...this.publications.values()].filter(({ cid, receiver }) => receivers.get(cid) !== receiver);
    for (const publication of changed) {
      if (receivers.has(publication.cid)) publication.receiver = receivers.get(publication.cid);
      else this.publications.delete(publication.info.sid);
    }
    if (changed.length) await this.room.tracksChanged(this);
  }

  // -------------------------------------------------------------- how it ends
  /** Without a goodbye: the client may come back. Its media goes on meanwhile. */
  #lost() {
    this.returning = setTimeout(() => this.room.remove(this), RETURN_MS);
  }

  resume(socket, others) {
    clearTimeout(this.returning);
    this.socket.terminate();
    this.#listenTo(socket);
    this.send('reconnect', { serverInfo: SERVER_INFO });
    this.send('update', { participants: others.map((other) => other.info()) });
    this.subscriber.offerAgain();
  }

  dismiss(reason) {
    this.send('leave', { reason, action: LeaveRequest_Action.DISCONNECT });
  }

  async close() {
    clearTimeout(this.returning);
    this.socket.close();
    await Promise.all([this.publisher.close(), this.subscriber.close()]);
  }
}

class Room {
  constructor(name) {
    this.info = { sid: newSid('RM_'), name };
    this.participants = new Map();
  }

  admit(socket, who) {
    const before = this.participants.get(who.identity);
    if (before) {
      before.dismiss(DisconnectReason.DUPLICATE_IDENTITY);
      this.remove(before);
    }
    const others = [...this.participants.values()];
    const participant = new Participant(this, socket, who);
    this.participants.set(who.identity, participant);
    participant.send('join', {
      room: this.info,
      participant: participant.info(),
      otherParticipants: others.map((other) => other.info()),
      serverInfo: SERVER_INFO,
      subscriberPrimary: true,
      enabledPublishCodecs: [{ mime: 'video/VP8' }, { mime: 'audio/opus' }],
      ...PING,
    });
    this.tellOthers(participant);
    return this.#distribute(participant);
  }

  resume(socket, { identity }, sid) {
    const participant = this.participants.get(identity);
    if (participant?.sid === sid) participant.resume(socket, this.#othersThan(participant));
    else send(socket, 'leave', { reason: DisconnectReason.STATE_MISMATCH, action: LeaveRequest_Action.RECONNECT });
  }

  tellOthers(participant, info = participant.info()) {
    for (const other of this.#othersThan(participant)) other.send('update', { participants: [info] });
  }

  tracksChanged(participant) {
    this.tellOthers(participant);
    return Promise.all(this.#othersThan(participant).map((other) => this.#distribute(other)));
  }

  remove(participant) {
    this.participants.delete(participant.identity);
    this.tellOthers(participant, participant.info(ParticipantInfo_State.DISCONNECTED));
    const rest = [...this.participants.values()];
    return Promise.all([participant.close(), ...rest.map((each) => this.#distribute(each))]);
  }

  #distribute(participant) {
    return participant.receive(this.#othersThan(participant).flatMap((other) => other.received));
  }

  #othersThan(participant) {
    return [...this.participants.values()].filter((other) => other !== participant);
  }

  describe() {
    const tracks = ({ received }) => received.map(({ kind, info: { source, muted } }) => (
      { source: TrackSource[source].toLowerCase(), kind, muted }
    ));
    return Object.fromEntries([...this.participants].map(([identity, each]) => [identity, { tracks: tracks(each) }]));
  }
}

export class Rooms {
  constructor() {
    this.rooms = new Map();
  }

  admit(socket, who) {
    return this.#room(who).admit(socket, who);
  }

  resume(socket, who, sid) {
    return this.#room(who).resume(socket, who, sid);
  }

  #room({ room: name }) {
    if (!this.rooms.has(name)) this.rooms.set(name, new Room(name));
    return this.rooms.get(name);
  }

  describe() {
    const inhabited = [...this.rooms].filter(([, room]) => room.participants.size);
    return Object.fromEntries(inhabited.map(([name, room]) => [name, room.describe()]));
  }

  /** As a server that starts anew. */
  forget() {
    const everybody = [...this.rooms.values()].flatMap(({ participants }) => [...participants.values()]);
    for (const { participants } of this.rooms.values()) participants.clear();
    return Promise.all(everybody.map((participant) => participant.close()));
  }
}
