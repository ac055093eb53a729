// Node's http2 and the framing of the `ws` package as a client of an echo server over HTTP/2 (RFC 8441): one line a check.
//
// Usage: h2_client.cjs URL [CHECK...]. All WebSockets are streams of one connection. After the checks it prints `ready` and
// expects the server to close with 1001; with CHECK, only these checks are done.
const assert = require('node:assert');
const { once } = require('node:events');
const http2 = require('node:http2');
const { onStream } = require('./h2_socket.cjs');

const url = new URL(process.argv[2].replace('ws:', 'http:'));
const session = http2.connect(url.origin);
session.on('error', () => {}); // of the streams, too
const sizes = [0, 1, 125, 126, 65535, 65536, 1 << 20];

async function open(headers = {}) {
  const stream = session.request({
    ':method': 'CONNECT',
    ':protocol': 'websocket',
    ':path': '/',
    'sec-websocket-version': '13',
    ...headers,
  });
  stream.on('error', () => {});
  const [answer] = await once(stream, 'response');
  if (answer[':status'] !== 200) throw new Error(`refused with ${answer[':status']}`);
  const socket = onStream(stream, false);
  socket.answer = answer;
  socket.received = [];
  socket.on('error', (error) => (socket.failed = error));
  socket.on('message', (data, isBinary) => socket.received.push(isBinary ? data : data.toString()));
  socket.on('close', (code, reason) => (socket.closed = [code, reason.toString()]));
  socket.setMaxListeners(0); // every wait leaves one
  return socket;
}

async function received(socket, count) {
  while (socket.received.length < count) {
    assert.ok(!socket.closed, `closed: ${socket.closed}, ${socket.failed}`);
    await new Promise((resolve) => socket.once('message', resolve).once('close', resolve));
  }
  return socket.received.splice(0, count);
}

const checks = {
  async settings() {
    assert.ok(session.remoteSettings.enableConnectProtocol);
  },
  async sizes(socket) {
    for (const size of sizes) {
      for (const message of ['a'.repeat(size), 'ä€😀' + 'b'.repeat(size), Buffer.alloc(size, 7)]) {
        socket.send(message);
        assert.deepStrictEqual(await received(socket, 1), [message], `size ${size}`);
      }
    }
  },
  async fragmented(socket) {
    socket.send('Hel', { fin: false });
    socket.ping('between');
    socket.send('lo', { fin: true });
    assert.deepStrictEqual(await received(socket, 1), ['Hello']);
  },
  async pings(socket) {
    const pong = once(socket, 'pong');
    socket.ping(Buffer.alloc(125, 1));
    assert.deepStrictEqual((await pong)[0], Buffer.alloc(125, 1));
  },
  async manyInFlight(socket) {
    const messages = Array.from({ length: 2000 }, (_, i) => `message ${i}`);
    messages.forEach((message) => socket.send(message));
    assert.deepStrictEqual(await received(socket, 2000), messages);
  },
  async manyStreams() {
    const sockets = await Promise.all(Array.from({ length: 20 }, () => open()));
    sockets.forEach((socket, i) => socket.send(`stream ${i}`));
    const echoes = await Promise.all(sockets.map((socket) => received(socket, 1)));
    assert.deepStrictEqual(echoes, sockets.map((_, i) => [`stream ${i}`]));
    const ends = sockets.map((socket) => once(socket, 'close'));
    sockets.forEach((socket) => socket.close(1000));
    await Promise.all(ends);
    assert.ok(sockets.every((socket) => socket.closed[0] === 1000));
  },
  async subprotocol() {
    const socket = await open({ 'sec-websocket-protocol': 'other, chat' });
    assert.strictEqual(socket.answer['sec-websocket-protocol'], 'chat');
    socket.close();
  },
  async foreignOriginIsRefused() {
    await assert.rejects(open({ origin: 'https://evil.example' }), /403/);
  },
  async otherProtocolIsRefused() {
    await assert.rejects(open({ ':protocol': 'connect-udp' }), /501/);
  },
  async serverCloses(socket) {
    const end = once(socket, 'close');
    console.log('ready');
    await end;
    assert.deepStrictEqual(socket.closed, [1001, 'the server shuts down']);
  },
};

async function main() {
  await once(session, 'remoteSettings');
  const socket = await open();
  const wanted = process.argv.slice(3);
  for (const [name, check] of Object.entries(checks)) {
    if (wanted.length > 0 && !wanted.includes(name)) continue;
    try {
      await check(socket);
      console.log(`ok ${name}`);
    } catch (error) {
      process.exitCode = 1;
      console.log(`FAILED ${name}: ${String(error.message).split('\n')[0]}`);
    }
  }
  socket.close();
  session.close();
}

// Longer than all checks take: a check that waits for ever is a failure too.
setTimeout(() => {
  console.log('FAILED: no end');
  process.exit(1);
}, 60_000).unref();
main();
