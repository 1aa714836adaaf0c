// Stands in for a LiveKit server, which no package registry of the tests offers: a selective forwarding unit that
// speaks LiveKit's signalling protocol (16, with two peer connections) to the official client, and passes RTP on as
// it comes. It does not do simulcast, adaptive streams, selective subscription, data, active speakers, connection
// quality, renewed tokens, permissions, or the room service's API. Everything stays on 127.0.0.1.
//
//   node server.mjs --key KEY --secret SECRET [--port 0]
//
// Says {"url": "ws://…"} on stdout when it listens, and ends with SIGTERM. For tests there are
//   GET /rooms     {room: {identity: {tracks: [{source, kind, muted}]}}}
//   POST /drop     cuts all signalling connections; clients resume, and their media goes on
//   POST /forget   closes everything, as a server that starts anew; clients join again
import { createServer } from 'node:http';
import { parseArgs } from 'node:util';
import { jwtVerify } from 'jose';
import { WebSocketServer } from 'ws';
import { Rooms } from './rooms.mjs';

const { values: options } = parseArgs({
  options: { key: { type: 'string' }, secret: { type: 'string' }, port: { type: 'string', default: '0' } },
});
const secret = new TextEncoder().encode(options.secret);
const trust = { algorithms: ['HS256'], issuer: options.key, requiredClaims: ['sub', 'exp'] };

const rooms = new Rooms();
const sockets = new WebSocketServer({ noServer: true });

/** Whom the access token of a request lets into which room. */
async function bearer({ searchParams }) {
  const { payload } = await jwtVerify(searchParams.get('access_token') ?? '', secret, trust);
  const { sub: identity, name, metadata, video } = payload;
  if (!video?.roomJoin || !video.room) throw new Error('the token is for no room');
  return { room: video.room, identity, name, metadata };
}

const locate = ({ url }) => new URL(url, 'http://127.0.0.1');

// ---------------------------------------------------------------- HTTP
const routes = {
  'GET /rtc/validate': async (request) => {
    try {
      await bearer(locate(request));
    } catch (error) {
      return [401, error.message];
    }
    return [200, 'success'];
  },
  'GET /rooms': () => [200, JSON.stringify(rooms.describe())],
  'POST /drop': () => {
    for (const socket of sockets.clients) socket.terminate();
    return [204];
  },
  'POST /forget': async () => {
    await rooms.forget();
    return [204];
  },
};

const server = createServer(async (request, response) => {
  const route = routes[`${request.method} ${locate(request).pathname}`];
  const [status, body] = route ? await route(request) : [404, 'not found'];
  response.writeHead(status, { 'Access-Control-Allow-Origin': '*' }).end(body);
});

// ---------------------------------------------------------------- signalling
function refuse(socket, status) {
  socket.end(`HTTP/1.1 ${status}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`);
}

server.on('upgrade', async (request, socket, head) => {
  const location = locate(request);
  // A newer client tries /rtc/v1 first, with one peer connection for all, and comes here where there is none.
  if (location.pathname !== '/rtc') return refuse(socket, '404 Not Found');
  let who;
  try {
    who = await bearer(location);
  } catch {
    return refuse(socket, '401 Unauthorized');
  }
  const { searchParams } = location;
  return sockets.handleUpgrade(request, socket, head, (upgraded) =>
    searchParams.has('reconnect') ? rooms.resume(upgraded, who, searchParams.get('sid')) : rooms.admit(upgraded, who));
});

// ---------------------------------------------------------------- its life
process.on('SIGTERM', async () => {
  for (const socket of sockets.clients) socket.terminate();
  await rooms.forget();
  process.exit();
});

server.listen(Number(options.port), '127.0.0.1', () => {
  console.log(JSON.stringify({ url: `ws://127.0.0.1:${server.address().port}` }));
});
