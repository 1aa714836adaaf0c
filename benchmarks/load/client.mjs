// A Socket.IO 5 client over a bare TCP socket. Frames and packets are read by hand, so that what the client costs does
// not hide what the server costs.
import crypto from 'node:crypto';
import net from 'node:net';
import { now, sleep } from './measuring.mjs';
import { host, options, port } from './options.mjs';

export const seen = { frames: 0, bytes: 0, closed: 0, errors: 0 }; // by all clients together

const readBuffer = Buffer.allocUnsafe(1 << 20); // one for all: it is filled and emptied within one callback
const TEXT = 1, CLOSE = 8, PING = 9, PONG = 10;
const [OPEN, ENGINE_PING, MESSAGE] = ['0', '2', '4'].map((c) => c.charCodeAt(0));
const [CONNECTED, DISCONNECTED, EVENT, ACK, REFUSED] = ['0', '1', '2', '3', '4'].map((c) => c.charCodeAt(0));

/** `on(name, buffer, start, end, client)` is called for every event; its payload is between start and end. */
export class Client {
  constructor(id) { this.id = id; this.on = null; this.rest = null; this.upgraded = false; this.acks = new Map(); this.lastAck = 0; }

  connect(timeout = 30000) {
    return new Promise((ok, fail) => {
      const timer = setTimeout(() => this.failed(new Error('connect: too late')), timeout);
      this.connected = () => { clearTimeout(timer); ok(this); };
      this.failed = (error) => { clearTimeout(timer); seen.errors++; fail(error); };
      const onread = { buffer: readBuffer, callback: (size, buffer) => { this.received(buffer, size); return true; } };
      this.socket = net.connect({ host, port, noDelay: true, onread });
      this.socket.on('connect', () => this.socket.write(
        `GET ${options.path.replace(/\/$/, '')}/?EIO=4&transport=websocket HTTP/1.1\r\nHost: ${host}:${port}\r\nUpgrade: websocket\r\n` +
        `Connection: Upgrade\r\nSec-WebSocket-Key: ${crypto.randomBytes(16).toString('base64')}\r\nSec-WebSocket-Version: 13\r\n\r\n`));
      this.socket.on('error', (error) => this.failed(error));
      this.socket.on('close', () => {
        if (!this.leaving) { seen.closed++; this.failed(new Error('closed')); }
        this.gone?.();
      });
    });
  }

  emit(name, payload, acknowledged) {
    const number = acknowledged ? ++this.lastAck : '';
    if (acknowledged) this.acks.set(number, acknowledged);
    this.send(TEXT, Buffer.from(`42${number}${JSON.stringify([name, payload])}`));
  }

  /** The `data` of the acknowledgement, parsed. */
  ask(name, payload, timeout = 20000) {
    return new Promise((ok, fail) => {
      const timer = setTimeout(() => fail(new Error(`${name}: no acknowledgement`)), timeout);
      this.emit(name, payload, (text) => {
        clearTimeout(timer);
        const [answer] = JSON.parse(text);
        if (answer && answer.ok === false) fail(new Error(`${name}: ${text}`)); else ok(answer && answer.data);
      });
    });
  }

  /** Ends well: a close frame, and the server's answer. */
  close() {
    this.leaving = true;
    return new Promise((ok) => {
      if (!this.socket || this.socket.destroyed) return ok();
      this.gone = ok;
      this.send(CLOSE, Buffer.from([3, 232]));
      this.socket.end();
      setTimeout(() => this.socket.destroy(), 2000).unref();
    });
  }

  /** As a client that leaves for good: Socket.IO's own goodbye first. */
  leave() { this.send(TEXT, Buffer.from('41')); return this.close(); }

  /** As a network that fails. */
  cut() { this.leaving = true; this.socket.resetAndDestroy(); }

  send(opcode, payload) { // masked, as a client must
    const size = payload.length, head = size < 126 ? 6 : size < 65536 ? 8 : 14;
    const frame = Buffer.allocUnsafe(head + size);
    frame[0] = 0x80 | opcode;
    if (head === 6) frame[1] = 0x80 | size;
    else if (head === 8) { frame[1] = 0xfe; frame.writeUInt16BE(size, 2); }
    else { frame[1] = 0xff; frame.writeBigUInt64BE(BigInt(size), 2); }
    frame.writeUInt32BE((Math.random() * 4294967296) >>> 0, head - 4);
    for (let i = 0; i < size; i++) frame[head + i] = payload[i] ^ frame[head - 4 + (i & 3)];
    this.socket.write(frame);
  }

  received(buffer, size) {
    let data = buffer, at = 0, end = size;
    if (this.rest) { data = Buffer.concat([this.rest, buffer.subarray(0, size)]); end = data.length; this.rest = null; }
    if (!this.upgraded) {
      const headEnd = data.subarray(0, end).indexOf('\r\n\r\n');
      if (headEnd < 0) { this.rest = Buffer.from(data.subarray(0, end)); return; }
      const status = data.latin1Slice(0, headEnd).split('\r\n')[0];
      if (!status.startsWith('HTTP/1.1 101')) { this.failed(new Error(`refused: ${status}`)); this.cut(); return; }
      this.upgraded = true;
      at = headEnd + 4;
    }
    while (end - at >= 2) {
      let length = data[at + 1] & 127, start = at + 2;
      if (length === 126) { if (end - at < 4) break; length = data.readUInt16BE(start); start += 2; }
      else if (length === 127) { if (end - at < 10) break; length = Number(data.readBigUInt64BE(start)); start += 8; }
      if (end - start < length) break;
      const opcode = data[at] & 15;
      if (opcode === TEXT) this.packet(data, start, start + length);
      else if (opcode === PING) this.send(PONG, data.subarray(start, start + length));
      else if (opcode !== CLOSE) throw new Error(`a frame that no server here sends: ${data[at]}`);
      at = start + length;
    }
    if (at < end) this.rest = Buffer.from(data.subarray(at, end)); // a copy: the buffer is used again
  }

  packet(data, start, end) {
    seen.frames++;
    seen.bytes += end - start;
    if (data[start] === ENGINE_PING) this.send(TEXT, Buffer.from('3'));
    else if (data[start] === OPEN) this.send(TEXT, Buffer.from(`40${JSON.stringify({ userId: this.id })}`));
    else if (data[start] === MESSAGE) this.message(data[start + 1], data, start + 2, end);
  }

  message(kind, data, start, end) {
    if (kind === EVENT) {
      const name = data.indexOf(34, start) + 1, nameEnd = data.indexOf(34, name);
      this.on?.(data.latin1Slice(name, nameEnd), data, nameEnd, end, this);
    } else if (kind === ACK) {
      const array = data.indexOf(91, start), number = Number(data.latin1Slice(start, array)), waiting = this.acks.get(number);
      this.acks.delete(number);
      waiting?.(data.utf8Slice(array, end));
    } else if (kind === CONNECTED) this.connected();
    else if (kind === REFUSED) this.failed(new Error(`refused: ${data.utf8Slice(start, end)}`));
    else if (kind === DISCONNECTED) this.cut();
  }
}

/** `work(item, index)` for all items, so many at a time. */
export async function pool(items, atOnce, work) {
  let next = 0;
  const worker = async () => { while (next < items.length) { const i = next++; await work(items[i], i); } };
  await Promise.all(Array.from({ length: Math.min(atOnce, items.length) }, worker));
}

/** Until no frame has come for so long. */
export async function quiet(ms = 400, max = 60000) {
  for (let start = now(), last = -1; now() - start < max; last = seen.frames, await sleep(ms)) if (seen.frames === last) return;
}
