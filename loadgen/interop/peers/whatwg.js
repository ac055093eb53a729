// The WebSocket that web pages have (https://websockets.spec.whatwg.org/) as a client of an echo server. It knows
// nothing of fragments and pings. Run in a browser, in Node on undici, and in Bun; each says how a line is reported.

const sizes = [0, 1, 125, 126, 65535, 65536, 1 << 20];

function check(isSo, otherwise) {
  if (!isSo) throw new Error(otherwise);
}

function open(WebSocket, url, protocols = []) {
  return new Promise((resolve, reject) => {
    const socket = new WebSocket(url, protocols);
    socket.binaryType = 'arraybuffer';
    const came = [];
    let waiting = null;
    const tell = () => waiting && waiting();
    socket.onmessage = (event) => (came.push(event.data), tell());
    socket.ended = new Promise((end) => {
      socket.onclose = (event) => {
        socket.closed = event;
        end(event);
        tell();
        reject(new Error(`closed with ${event.code}`));
      };
    });
    socket.next = async () => {
      while (came.length === 0) {
        check(!socket.closed, `closed with ${socket.closed?.code}`);
        await new Promise((resume) => (waiting = resume));
      }
      return came.shift();
    };
    socket.onopen = () => resolve(socket);
  });
}

function equal(a, b) {
  const [left, right] = [new Uint8Array(a), new Uint8Array(b)];
  return left.length === right.length && left.every((byte, i) => byte === right[i]);
}

function checksOf(WebSocket, url) {
  return {
    async text(socket) {
      for (const size of sizes) {
        for (const message of ['a'.repeat(size), 'ä€😀' + 'b'.repeat(size)]) {
          socket.send(message);
          check((await socket.next()) === message, `text of ${message.length}`);
        }
      }
    },
    async binary(socket) {
      for (const size of sizes) {
        const message = Uint8Array.from({ length: size }, (_, i) => i & 255);
        socket.send(message);
        check(equal(await socket.next(), message.buffer), `${size} bytes`);
      }
    },
    async manyInFlight(socket) {
      const messages = Array.from({ length: 2000 }, (_, i) => `message ${i}`);
      for (const message of messages) socket.send(message);
      for (const message of messages) check((await socket.next()) === message, message);
    },
    async closeWithCode() {
      for (const [code, reason] of [[1000, 'done'], [3000, 'ä'.repeat(61)], [4999, 'x'.repeat(123)]]) {
        const socket = await open(WebSocket, url);
        socket.close(code, reason);
        const end = await socket.ended;
        check(end.wasClean && end.code === code, `${end.code}, ${end.wasClean}, not ${code}`);
      }
    },
    async subprotocol() {
      const socket = await open(WebSocket, url, ['chat', 'other']);
      check(socket.protocol === 'chat', `subprotocol ${socket.protocol}`);
      socket.close();
    },
    async serverCloses(socket, report) {
      await report('ready');
      const end = await socket.ended;
      const said = `${end.code} ${end.reason} ${end.wasClean}`;
      check(said === '1001 the server shuts down true', said);
    },
  };
}

// Takes one check after the other; `more` are a place's own, taken before the last. True if all passed.
async function runChecks(WebSocket, url, report, more = {}) {
  const { serverCloses, ...checks } = checksOf(WebSocket, url);
  const socket = await open(WebSocket, url);
  let passed = true;
  for (const [name, take] of Object.entries({ ...checks, ...more, serverCloses })) {
    try {
      await take(socket, report);
      await report(`ok ${name}`);
    } catch (error) {
      passed = false;
      await report(`FAILED ${name}: ${String(error?.message ?? error).split('\n')[0]}`);
    }
  }
  return passed;
}

if (typeof module !== 'undefined') module.exports = { runChecks };
