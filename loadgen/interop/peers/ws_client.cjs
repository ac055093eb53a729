// The Node `ws` package as a client of an echo server: one line a check.
//
// Usage: ws_client.cjs URL [OPTIONS|http2]. After the checks it prints `ready` and expects the server to close with 1001.
// With OPTIONS, those of `perMessageDeflate` in JSON, every check is done with permessage-deflate; with `http2` over HTTP/2.
const assert = require('node:assert');
const { once } = require('node:events');
const WebSocket = require('ws');
const { connect } = require('./ws_http2.cjs');

const url = process.argv[2];
const isHttp2 = process.argv[3] === 'http2';
const perMessageDeflate = isHttp2 ? false : JSON.parse(process.argv[3] ?? 'false');
const sizes = [0, 1, 125, 126, 65535, 65536, 1 << 20];

async function open(options = {}, protocols = []) {
  const socket = isHttp2
    ? await connect(url, protocols, options)
    : new WebSocket(url, protocols, { perMessageDeflate, ...options });
  socket.setMaxListeners(0); // every wait leaves one
  socket.received = [];
  socket.on('message', (data, isBinary) => socket.received.push(isBinary ? data : data.toString()));
  socket.on('close', (code, reason) => (socket.closed = [code, reason.toString()]));
  if (!isHttp2) await once(socket, 'open');
  return socket;
}

async function received(socket, count) {
  while (socket.received.length < count) {
    assert.ok(!socket.closed, `closed: ${socket.closed}`);
    await new Promise((resolve) => socket.once('message', resolve).once('close', resolve));
  }
  return socket.received.splice(0, count);
}

const checks = {
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
    socket.send('', { fin: false });
    socket.send('lo', { fin: true });
    assert.deepStrictEqual(await received(socket, 1), ['Hello']);
    const pieces = Array.from({ length: 1000 }, (_, i) => Buffer.alloc(i % 300, i & 255));
    pieces.forEach((piece, i) => socket.send(piece, { binary: true, fin: i === 999 }));
    assert.deepStrictEqual(await received(socket, 1), [Buffer.concat(pieces)]);
  },
  async pings(socket) {
    for (const payload of [Buffer.alloc(0), Buffer.from('?'), Buffer.alloc(125, 1)]) {
      const pong = once(socket, 'pong');
      socket.ping(payload);
      assert.deepStrictEqual((await pong)[0], payload);
    }
  },
  async manyInFlight(socket) {
    const messages = Array.from({ length: 2000 }, (_, i) => `message ${i}`);
    messages.forEach((message) => socket.send(message));
    assert.deepStrictEqual(await received(socket, 2000), messages);
  },
  async closeWithCode() {
    for (const [code, reason] of [[1000, 'done'], [1001, ''], [3000, 'ä'.repeat(61)], [4999, 'x'.repeat(123)]]) {
      const socket = await open();
      const end = once(socket, 'close');
      socket.close(code, reason);
      await end;
      assert.strictEqual(socket.closed[0], code);
    }
  },
  async subprotocol() {
    const socket = await open({}, ['chat', 'other']);
    assert.strictEqual(socket.protocol, 'chat');
    socket.close();
  },
  async deflateIsDeclined() {
    const socket = await open({ perMessageDeflate: true });
    assert.strictEqual(socket.extensions, '');
    socket.send('x'.repeat(1000));
    assert.deepStrictEqual(await received(socket, 1), ['x'.repeat(1000)]);
    socket.close();
  },
  async deflateIsAgreed(socket) {
    const { params } = socket._extensions['permessage-deflate'];
    for (const side of ['server', 'client']) {
      const isWanted = perMessageDeflate[`${side}NoContextTakeover`] ?? false;
      assert.strictEqual(params[`${side}_no_context_takeover`] ?? false, isWanted);
    }
    const text = Array.from({ length: 200 }, (_, i) => `{"id": ${i}, "text": "hello, hello"}`).join();
    const before = socket._socket.bytesRead;
    for (const message of [text, text, Buffer.from(text), text.slice(0, 100), 'short', text]) {
      socket.send(message);
      assert.deepStrictEqual(await received(socket, 1), [message]);
    }
    const wire = socket._socket.bytesRead - before;
    assert.ok(wire < 2 * text.length, `${wire} bytes for four messages of ${text.length}`);
  },
  async foreignOriginIsRefused() {
    await assert.rejects(open({ origin: 'https://evil.example' }), /403/);
  },
  async serverCloses(socket) {
    const end = once(socket, 'close');
    console.log('ready');
    await end;
    assert.deepStrictEqual(socket.closed, [1001, 'the server shuts down']);
  },
};

delete checks[perMessageDeflate ? 'deflateIsDeclined' : 'deflateIsAgreed'];

async function main() {
  const socket = await open();
  for (const [name, check] of Object.entries(checks)) {
    try {
      await check(socket);
      console.log(`ok ${name}`);
    } catch (error) {
      process.exitCode = 1;
      console.log(`FAILED ${name}: ${String(error.message).split('\n')[0]}`);
    }
  }
}

// Longer than all checks take: a check that waits for ever is a failure too.
setTimeout(() => {
  console.log('FAILED: no end');
  process.exit(1);
}, 60_000).unref();
main();
