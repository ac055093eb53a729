// A JSON-RPC 2.0 server on the Node `ws` package: methods of which some take longer, so that replies come out of order,
// notifications in between, and topics for those who are logged in. It drops a client that does not answer a WebSocket Ping
// within 500 ms. Prints its port, which may be given: jsonrpc.cjs [PORT]
'use strict';
const { WebSocketServer } = require('ws');

const PING_MS = 500;

const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

function refuse(code, message) {
  throw Object.assign(new Error(message), { code });
}

const methods = {
  sum: (terms) => terms.reduce((a, b) => a + b, 0),
  time: () => Date.now(),
  // Every other answer overtakes the one before it.
  async lookup({ key }) {
    await sleep(key % 2 === 0 ? 20 : 2);
    return { key, name: `name of ${key}` };
  },
  login({ user, password }, session) {
    const number = /^u(\d+)$/.exec(user)?.[1];
    if (number === undefined || password !== `p${number}`) refuse(-32001, `wrong password for ${user}`);
    session.user = user;
    return { user };
  },
  subscribe({ topic }, session) {
    if (!session.user) refuse(-32002, 'log in first');
    session.topics.add(topic);
    return [...session.topics];
  },
  publish({ topic, text }, session) {
    if (!session.topics.has(topic)) refuse(-32003, `not subscribed to ${topic}`);
    const heard = [...sessions].filter((other) => other.topics.has(topic));
    for (const other of heard) other.send({ method: 'said', params: { topic, text } });
    return heard.length;
  },
};

const sessions = new Set();

async function answer(text, session) {
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
    return { id, result: await methods[method](params, session) };
  } catch ({ code = -32602, message }) {
    return { id, error: { code, message: code === -32602 ? `Invalid params: ${message}` : message } };
  }
}

const server = new WebSocketServer({ host: '127.0.0.1', port: Number(process.argv[2] ?? 0) }, () => {
  console.log(server.address().port);
});

server.on('connection', (socket) => {
  const send = (message) => socket.send(JSON.stringify({ jsonrpc: '2.0', ...message }));
  const session = { topics: new Set(), send };
  sessions.add(session);
  let count = 0;
  const clock = setInterval(() => send({ method: 'clock', params: { count: (count += 1) } }), 500);
  let isAlive = true;
  socket.on('pong', () => (isAlive = true));
  const pings = setInterval(() => {
    if (!isAlive) return socket.terminate();
    isAlive = false;
    return socket.ping();
  }, PING_MS);
  socket.on('close', () => {
    sessions.delete(session);
    clearInterval(clock);
    clearInterval(pings);
  });
  socket.on('error', () => {}); // the peer's matter
  socket.on('message', async (data) => send(await answer(data, session)));
});

process.on('SIGTERM', () => {
  for (const socket of server.clients) socket.close(1012, 'restarting');
  server.close(() => process.exit());
});
