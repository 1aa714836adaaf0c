// The two connections that each participant has with the server, as LiveKit's protocol wants them: on one the client
// offers what it publishes, on the other the server offers what the others publish. RTP passes as it is.
import { MediaStream, RTCPeerConnection, useAbsSendTime, useOPUS, useSdesMid, useVP8 } from 'werift';

const HERE = { iceServers: [], iceUseIpv4: false, iceUseIpv6: false, iceAdditionalHostAddresses: ['127.0.0.1'] };
const CODECS = {
  codecs: { audio: [useOPUS()], video: [useVP8()] },
  headerExtensions: { audio: [useSdesMid(), useAbsSendTime()], video: [useSdesMid(), useAbsSendTime()] },
};
const LOOPBACK = { udp4: '127.0.0.1' };

function connection() {
  return new RTCPeerConnection({ ...HERE, ...CODECS, iceInterfaceAddresses: LOOPBACK, bundlePolicy: 'max-bundle' });
}

/** An inactive section is no rejected one (RFC 8843 wants those out of the bundle); werift gives both port 0. */
function localSdp({ localDescription }) {
  return localDescription.sdp.replace(/^m=(audio|video) 0 /gm, 'm=$1 9 ');
}

/** Where the answer knows nothing of it, a browser sends the first of its pictures only. */
function withoutSimulcast(sdp) {
  return sdp.replace(/^a=(simulcast|rid):.*\r\n/gm, '').replace(/^a=extmap:.*(rtp-stream-id|repaired-rtp-stream-id)\r\n/gm, '');
}

export class PublisherConnection {
  constructor() {
    this.pc = connection();
    // Or werift gives the section of a track that has ended to the next one, although the client still has both.
    this.pc.onRemoteTransceiverAdded.subscribe((transceiver) => {
      transceiver.usedForSender = true;
    });
  }

  /** Of the description, the candidates among it. */
  async answer(sdp) {
    await this.pc.setRemoteDescription({ type: 'offer', sdp: withoutSimulcast(sdp) });
    await this.pc.setLocalDescription(await this.pc.createAnswer());
    return localSdp(this.pc);
  }

  /** What the client sends since its last offer: receivers by the id of the track in the browser. */
  receivers() {
    const sending = this.pc.getTransceivers().filter(({ currentDirection }) => currentDirection === 'recvonly');
    return new Map(sending.map(({ receiver }) => [receiver.remoteTrackId, receiver]));
  }

  close() {
    return this.pc.close();
  }
}

export class SubscriberConnection {
  /** `send` takes each offer to the client; its answer comes back to `answered`. */
  constructor(send) {
    this.pc = connection();
    this.send = send;
    this.wanted = new Set();
    this.forwarded = new Map();
    this.offers = 0;
    this.isNegotiating = false;
    this.unanswered = null;
    // Where nobody publishes yet, these are what there is to agree about: the client waits for the connection.
    for (const label of ['_reliable', '_lossy']) this.pc.createDataChannel(label);
    this.pc.connectionStateChange.subscribe((state) => {
      if (state === 'connected') this.#askForKeyframes();
    });
  }

  /** All publications that the client gets from now on. */
  async receive(publications) {
    this.wanted = new Set(publications);
    await this.#negotiate();
  }

  async answered(sdp) {
    await this.pc.setRemoteDescription({ type: 'answer', sdp });
    this.unanswered = null;
    this.isNegotiating = false;
    this.#askForKeyframes();
    await this.#negotiate();
  }

  /** One offer at a time: what is wanted meanwhile comes with the next one. */
  async #negotiate() {
    if (this.isNegotiating || !this.#isStale) return;
    this.isNegotiating = true;
    for (const publication of this.wanted) if (!this.forwarded.has(publication)) this.#forward(publication);
    for (const publication of this.forwarded.keys()) if (!this.wanted.has(publication)) this.#stop(publication);
    await this.pc.setLocalDescription(await this.pc.createOffer());
    this.offers += 1;
    this.unanswered = { type: 'offer', sdp: localSdp(this.pc), id: this.offers };
    this.send(this.unanswered);
  }

  /** To a client that may have missed it. */
  offerAgain() {
    if (this.unanswered) this.send(this.unanswered);
  }

  get #isStale() {
    const { wanted, forwarded } = this;
    return this.offers === 0 || wanted.size !== forwarded.size || [...wanted].some((each) => !forwarded.has(each));
  }

  #forward(publication) {
    const streams = [new MediaStream({ id: publication.streamId })];
    const { sender } = this.pc.addTransceiver(publication.kind, { direction: 'sendonly', streams });
    sender.onPictureLossIndication.subscribe(() => publication.askForKeyframe());
    const { unSubscribe } = publication.onRtp((packet) => {
      const copy = packet.clone();
      copy.header.extensions = []; // their numbers were agreed upon with the publisher
      sender.sendRtp(copy);
    });
    this.forwarded.set(publication, { sender, unSubscribe });
  }

  #stop(publication) {
    const { sender, unSubscribe } = this.forwarded.get(publication);
    unSubscribe();
    this.forwarded.delete(publication);
    this.pc.removeTrack(sender);
  }

  #askForKeyframes() {
    for (const publication of this.forwarded.keys()) publication.askForKeyframe();
  }

  close() {
    for (const { unSubscribe } of this.forwarded.values()) unSubscribe();
    return this.pc.close();
  }
}
