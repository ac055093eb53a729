// A JSON-RPC 2.0 server on the Node `ws` package: methods of which some take longer, so that replies come out of order, and
// notifications in between. Prints its port.
'use strict';
const { WebSocketServer } = require('ws');

const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

const methods = {
  sum: (terms) => terms.reduce((a, b) => a + b, 0),
  time: () => Date.now(),
  // Every other answer overtakes the one before it.
  async lookup({ key }) {
    await sleep(key % 2 === 0 ? 20 : 2);
    return { key, name: `name of ${key}` };
  },
};

async function answer(text) {
  let request;
  try {
    request = JSON.parse(text);
  } catch {
    return { id: null, error: { code: -32700, message: 'Parse error' } };
  }
  const { id = null, method, params } = request ?? {};
  if (typeof method !== 'string') return { id, error: { code: -32600, message: 'Invalid Request' } };
  if (!Object.hasOwn(methods, method)) return { id, error: { code: -32601, message: 'Method not found' } };
  try {
    return { id, result: await methods[method](params) };
  } catch (error) {
    return { id, error: { code: -32602, message: `Invalid params: ${error.message}` } };
  }
}

const server = new WebSocketServer({ host: '127.0.0.1', port: 0 }, () => console.log(server.address().port));

server.on('connection', (socket) => {
  const send = (message) => socket.send(JSON.stringify({ jsonrpc: '2.0', ...message }));
  let count = 0;
  const clock = setInterval(() => send({ method: 'clock', params: { count: (count += 1) } }), 500);
  socket.on('close', () => clearInterval(clock));
  socket.on('error', () => {}); // the peer's matter
  socket.on('message', async (data) => send(await answer(data)));
});
