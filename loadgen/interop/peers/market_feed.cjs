// A feed of prices as exchanges have them: the first message has to be a login, within 2 s; then requests with an id of the
// client's, whose replies come out of order, a heartbeat each second, and ticks of the symbols that were subscribed to.
// It closes with 4401 without a login and with 4400 on what is no request. Prints its port.
'use strict';
const { WebSocketServer } = require('ws');

const requests = {
  subscribe({ symbols }, session) {
    for (const symbol of symbols) session.symbols.add(symbol);
    return { symbols: [...session.symbols] };
  },
  unsubscribe({ symbols }, session) {
    for (const symbol of symbols) session.symbols.delete(symbol);
    return { symbols: [...session.symbols] };
  },
  order: ({ symbol, quantity }) => ({ order: `o-${symbol}-${quantity}`, state: 'accepted' }),
};

function open(socket) {
  const session = { symbols: new Set(), isIn: false, count: 0 };
  const send = (message) => socket.send(JSON.stringify({ at: Date.now(), ...message }));
  const late = setTimeout(() => socket.close(4401, 'login timed out'), 2000);
  const heartbeat = setInterval(() => session.isIn && send({ type: 'heartbeat' }), 1000);
  const ticks = setInterval(() => {
    for (const symbol of session.symbols) {
      session.count += 1;
      send({ type: 'tick', symbol, sequence: session.count, price: 100 + (session.count % 7) });
    }
  }, 20);

  function take(message) {
    if (message?.op === 'login') {
      if (!/^k\d+$/.test(message.key)) return socket.close(4401, 'unknown key');
      clearTimeout(late);
      session.isIn = true;
      return send({ type: 'reply', id: message.id, ok: true });
    }
    if (!session.isIn) return socket.close(4401, 'login first');
    if (!Object.hasOwn(requests, message?.op ?? '')) return socket.close(4400, 'unknown op');
    // Every other reply overtakes the one before it.
    const result = requests[message.op](message, session);
    const reply = () => send({ type: 'reply', id: message.id, ok: true, ...result });
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
    clearTimeout(late);
    clearInterval(heartbeat);
    clearInterval(ticks);
  });
}

const server = new WebSocketServer({ host: '127.0.0.1', port: 0 }, () => console.log(server.address().port));
server.on('connection', open);
