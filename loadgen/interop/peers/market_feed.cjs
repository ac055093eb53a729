// A feed of prices as exchanges have them: the first message has to be a login, within 2 s; then requests with an id of the
// client's, whose replies come out of order, a heartbeat each second, and ticks of the symbols that were subscribed to. Who
// logs in with a password has to answer each heartbeat before the next but one. An order is told to all who subscribed to its
// symbol, and may be cancelled by the id that it got. It closes with 4401 without a login, with 4400 on what is no request
// and with 4408 on heartbeats that are not answered. Prints its port, which may be given: market_feed.cjs [PORT]
'use strict';
const { WebSocketServer } = require('ws');

const SYMBOLS = ['ABC', 'DEF', 'GHI'];
const HEARTBEAT_MS = 1000;

const sessions = new Set();
let orders = 0;

const requests = {
  subscribe({ symbols }, session) {
    const unknown = symbols.find((symbol) => !SYMBOLS.includes(symbol));
    if (unknown) throw new Error(`no such symbol: ${unknown}`);
    for (const symbol of symbols) session.symbols.add(symbol);
    return { symbols: [...session.symbols] };
  },
  unsubscribe({ symbols }, session) {
    for (const symbol of symbols) session.symbols.delete(symbol);
    return { symbols: [...session.symbols] };
  },
  order({ symbol, quantity, tag }, session) {
    const order = `o-${(orders += 1)}`;
    session.orders.add(order);
    for (const other of sessions) {
      if (tag && other.symbols.has(symbol)) other.send({ type: 'trade', symbol, quantity, tag });
    }
    return { order, state: 'accepted' };
  },
  cancel({ order }, session) {
    if (!session.orders.delete(order)) throw new Error(`no such order: ${order}`);
    return { order, state: 'cancelled' };
  },
};

function open(socket) {
  const send = (message) => socket.send(JSON.stringify({ at: Date.now(), ...message }));
  const session = { symbols: new Set(), orders: new Set(), isIn: false, count: 0, unanswered: 0, mustAnswer: false, send };
  sessions.add(session);
  const late = setTimeout(() => socket.close(4401, 'login timed out'), 2000);
  const heartbeat = setInterval(() => {
    if (!session.isIn) return;
    if (session.mustAnswer && session.unanswered > 1) socket.close(4408, 'heartbeats not answered');
    session.unanswered += 1;
    send({ type: 'heartbeat' });
  }, HEARTBEAT_MS);
  const ticks = setInterval(() => {
    for (const symbol of session.symbols) {
      session.count += 1;
      send({ type: 'tick', symbol, sequence: session.count, price: 100 + (session.count % 7) });
    }
  }, 20);

  function login({ id, key, user, password }) {
    const number = /^u(\d+)$/.exec(user)?.[1];
    session.mustAnswer = number !== undefined && password === `p${number}`;
    if (user && !session.mustAnswer) return send({ type: 'reply', id, ok: false, error: `wrong password for ${user}` });
    if (!user && !/^k\d+$/.test(key)) return socket.close(4401, 'unknown key');
    clearTimeout(late);
    session.isIn = true;
    return send({ type: 'reply', id, ok: true });
  }

  function take(message) {
    if (message?.op === 'login') return login(message);
    if (!session.isIn) return socket.close(4401, 'login first');
    if (message?.op === 'heartbeat') return (session.unanswered = 0);
    if (!Object.hasOwn(requests, message?.op ?? '')) return socket.close(4400, 'unknown op');
    let result;
    try {
      result = { ok: true, ...requests[message.op](message, session) };
    } catch (error) {
      result = { ok: false, error: error.message };
    }
    // Every other reply overtakes the one before it.
    const reply = () => send({ type: 'reply', id: message.id, ...result });
    return setTimeout(reply, message.id % 2 === 0 ? 20 : 2);
  }

  socket.on('message', (data) => {
    let message;
    try {
      message = JSON.parse(data);
    } catch {
      return socket.close(4400, 'not JSON');
    }
    return take(message);
  });
  socket.on('error', () => {}); // the peer's matter
  socket.on('close', () => {
    sessions.delete(session);
    clearTimeout(late);
    clearInterval(heartbeat);
    clearInterval(ticks);
  });
}

const server = new WebSocketServer({ host: '127.0.0.1', port: Number(process.argv[2] ?? 0) }, () => {
  console.log(server.address().port);
});
server.on('connection', open);
process.on('SIGTERM', () => {
  for (const socket of server.clients) socket.close(1012, 'the market restarts');
  server.close(() => process.exit());
});
