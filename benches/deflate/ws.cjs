// Node ws beside the crates: the same work through its `PerMessageDeflate`, and memory of idle connections.
//
//   NODE_PATH=... taskset -c 1 node ws.cjs times      CSV as deflate-benches prints it
//   NODE_PATH=... node --expose-gc ws.cjs memory      CSV as its `memory` does; from the resident set of a process
//
// Its zlib works in threads of its own and each call waits for one, which is what a user of ws gets; their processor time
// counts.
const assert = require('node:assert');
const { fork } = require('node:child_process');
const { once } = require('node:events');
const path = require('node:path');
const WebSocket = require('ws');
// Not exported, so by its path.
const PerMessageDeflate = require(path.join(path.dirname(require.resolve('ws')), 'lib', 'permessage-deflate.js'));

const words = ['hello', 'there', 'how', 'are', 'you', 'today', 'meeting', 'noon', 'thanks', 'ship', 'it', 'later', 'maybe', 'review', 'the', 'change'];

// As `chat` in src/lib.rs, to the byte.
function chat(number, len) {
  const mask = (1n << 64n) - 1n;
  let state = ((BigInt(number) * 0x9e3779b97f4a7c15n) & mask) + 1n;
  const random = (n) => {
    state ^= (state << 13n) & mask;
    state ^= state >> 7n;
    state ^= (state << 17n) & mask;
    return Number((state >> 11n) % BigInt(n));
  };
  let text = '[';
  while (text.length < len - 1) {
    if (text.length > 1) text += ',';
    text += `{"type":"message","room":"general","id":${1000000 + random(1000000)},"user":"user${random(500)}","text":"`;
    for (let i = 12 + random(12); i > 0; i--) text += words[random(16)] + ' ';
    text += '"}';
  }
  return text.slice(0, len - 1) + ']';
}

const options = { threshold: 0, zlibDeflateOptions: { level: 6 } };

function pair(isOff) {
  const server = new PerMessageDeflate({ ...options, serverNoContextTakeover: isOff, clientNoContextTakeover: isOff }, true);
  const client = new PerMessageDeflate({ ...options, serverNoContextTakeover: isOff, clientNoContextTakeover: isOff }, false);
  const params = isOff ? { server_no_context_takeover: [true], client_no_context_takeover: [true] } : {};
  server.params = server.acceptAsServer([params]);
  client.params = client.acceptAsClient([server.params]);
  return [server, client];
}

const call = (extension, way, data) =>
  new Promise((resolve, reject) => extension[way](data, true, (error, out) => (error ? reject(error) : resolve(out))));

// Of all threads together.
function cpuNs(begin) {
  const { user, system } = process.cpuUsage(begin);
  return (user + system) * 1000;
}

async function times() {
  for (let round = 0; round < 11; round++) {
    for (const isOff of [false, true]) {
      for (const [size, count] of [[512, 500], [65536, 60]]) {
        const messages = Array.from({ length: count }, (_, i) => Buffer.from(chat(i, size)));
        const [server, client] = pair(isOff);
        const mode = isOff ? 'no context takeover' : 'context takeover';
        const line = (work, ns, wire) =>
          console.log(`${round},${work},${mode},${size},"ws (Node)",${Math.round(ns / count)},${Math.round(wire / count)}`);
        let wire = 0;
        const wires = [];
        let begin = process.cpuUsage();
        for (const message of messages) wires.push(await call(server, 'compress', message));
        let took = cpuNs(begin);
        for (const bytes of wires) wire += bytes.length + (bytes.length > 125 ? 4 : 2);
        line('deflate', took, wire);
        const came = [];
        begin = process.cpuUsage();
        for (const bytes of wires) came.push(await call(client, 'decompress', bytes));
        took = cpuNs(begin);
        line('inflate', took, wire);
        came.forEach((message, i) => assert.ok(message.equals(messages[i])));
        server.cleanup();
        client.cleanup();
      }
    }
  }
}

// The server's process: echoes, and says what it takes when asked.
function serve() {
  const server = new WebSocket.Server({ host: '127.0.0.1', port: 0, perMessageDeflate: JSON.parse(process.argv[3]) });
  server.on('listening', () => process.send(server.address().port));
  server.on('connection', (socket) => socket.on('message', (data, isBinary) => socket.send(data, { binary: isBinary })));
  process.on('message', () => {
    for (let i = 0; i < 4; i++) gc();
    setTimeout(() => (gc(), process.send(process.memoryUsage().rss)), 500);
  });
}

async function memory() {
  const connections = 200;
  for (const [mode, perMessageDeflate] of [
    ['no compression', false],
    ['no context takeover', { ...options, serverNoContextTakeover: true, clientNoContextTakeover: true }],
    ['context takeover', options],
  ]) {
    for (const len of [512, 5000]) {
      const child = fork(__filename, ['serve', JSON.stringify(perMessageDeflate)], { execArgv: ['--expose-gc'] });
      const [port] = await once(child, 'message');
      const open = async () => {
        const socket = new WebSocket(`ws://127.0.0.1:${port}/`, { perMessageDeflate });
        await once(socket, 'open');
        for (let i = 0; i < 10; i++) {
          const text = chat(i, len);
          socket.send(text);
          assert.strictEqual((await once(socket, 'message'))[0].toString(), text);
        }
      };
      const resident = async () => (child.send('memory'), (await once(child, 'message'))[0]);
      for (let i = 0; i < 50; i++) await open();
      const before = await resident();
      for (let i = 0; i < connections; i++) await open();
      const after = await resident();
      console.log(`ws (Node),${mode},${len},${Math.round((after - before) / connections)}`);
      child.kill();
    }
  }
  process.exit(0);
}

({ times, serve, memory })[process.argv[2]]();
