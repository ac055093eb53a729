// WebSockets over HTTP/2 (RFC 8441): Node's streams, and on them the frames of the `ws` package, which has no handshake
// for this of its own.
const http2 = require('node:http2');
const { once } = require('node:events');
const WebSocket = require('ws');

const FRAMES = { allowSynchronousEvents: true, maxPayload: 64 << 20, skipUTF8Validation: false };

function framed(stream, isServer, protocol) {
  const socket = new WebSocket(null, undefined, { autoPong: true, maxPendingAutoPongs: 1000, closeTimeout: 30_000 });
  socket._isServer = isServer; // a client masks
  socket._protocol = protocol;
  socket.setSocket(stream, Buffer.alloc(0), FRAMES);
  return socket;
}

// A server that hands each WebSocket to `serve`, and answers any other request with 404.
exports.createServer = (serve) => {
  const server = http2.createServer({ settings: { enableConnectProtocol: true } });
  server.on('stream', (stream, headers) => {
    stream.on('error', () => {}); // the peer's matter
    if (headers[':protocol'] !== 'websocket') {
      stream.respond({ ':status': 404 });
      stream.end();
      return;
    }
    stream.respond({ ':status': 200 });
    serve(framed(stream, true, ''));
  });
  return server;
};

let session;

// A WebSocket on the connection that all of this process share.
exports.connect = async (url, protocols, { origin, perMessageDeflate }) => {
  const { host, pathname } = new URL(url);
  if (!session) {
    session = http2.connect(`http://${host}`);
    const [settings] = await once(session, 'remoteSettings');
    if (!settings.enableConnectProtocol) throw new Error('no SETTINGS_ENABLE_CONNECT_PROTOCOL');
  }
  const headers = {
    ':method': 'CONNECT',
    ':protocol': 'websocket',
    ':scheme': 'http',
    ':path': pathname,
    ':authority': host,
    'sec-websocket-version': '13',
  };
  if (protocols.length > 0) headers['sec-websocket-protocol'] = protocols.join(', ');
  if (origin) headers.origin = origin;
  if (perMessageDeflate) headers['sec-websocket-extensions'] = 'permessage-deflate';
  const stream = session.request(headers, { endStream: false });
  const [response] = await once(stream, 'response');
  if (response[':status'] !== 200) throw new Error(`the server answered ${response[':status']}`);
  if (response['sec-websocket-extensions']) throw new Error('an extension was agreed on');
  return framed(stream, false, response['sec-websocket-protocol'] ?? '');
};
