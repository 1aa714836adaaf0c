// One stock client that loses its network and comes back, for test_recovery.py. Each line on stdin is an order
// [order, ...arguments], each line on stdout its outcome:
//   connect            {id, recovered, offered}
//   ask event payload  the acknowledgement
//   lose               the network goes, without a goodbye
//   leave              the client says goodbye itself
//   heard              [name, ...arguments] of every event since the last time, the offsets left out
//   stop
import { createInterface } from 'node:readline';
import { io } from 'socket.io-client';

const { BASE_URL, TRANSPORT } = process.env;
const TRANSPORTS = { default: {}, polling: { transports: ['polling'] }, websocket: { transports: ['websocket'] } };
const WAIT_MS = 15000;

const socket = io(BASE_URL, { autoConnect: false, reconnection: false, ...TRANSPORTS[TRANSPORT] });
let heard = [];
socket.onAny((name, ...args) => heard.push([name, ...(socket._pid ? args.slice(0, -1) : args)]));

const once = (emitter, name) => new Promise((resolve, reject) => {
  const timer = setTimeout(() => reject(new Error(`no ${name} within ${WAIT_MS} ms`)), WAIT_MS);
  emitter.once(name, (value) => {
    clearTimeout(timer);
    resolve(value);
  });
});

async function disconnected(action) {
  const gone = once(socket, 'disconnect');
  action();
  return { reason: await gone };
}

const orders = {
  async connect() {
    socket.connect();
    await once(socket, 'connect');
    const { engine } = socket.io;
    if (TRANSPORT === 'default' && engine.transport.name !== 'websocket') await once(engine, 'upgrade');
    return { id: socket.id, recovered: socket.recovered === true, offered: socket._pid !== undefined };
  },
  ask: (event, payload) => socket.timeout(WAIT_MS).emitWithAck(event, payload),
  lose: () => disconnected(() => socket.io.engine.close()),
  leave: () => disconnected(() => socket.disconnect()),
  async heard() {
    await orders.ask('leave_room', { conversationId: 'nowhere' }); // what was sent before has arrived by then
    const since = heard;
    heard = [];
    return since;
  },
};

for await (const line of createInterface({ input: process.stdin })) {
  const [order, ...args] = JSON.parse(line);
  if (order === 'stop') break;
  let outcome;
  try {
    outcome = { done: await orders[order](...args) };
  } catch (error) {
    outcome = { failed: String(error?.stack ?? error) };
  }
  process.stdout.write(`${JSON.stringify(outcome)}\n`);
}
process.exit(0);
