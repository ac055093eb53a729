// A server that pushes a message at once for each that it gets, and echoes after 50 ms. Prints its port.
'use strict';
const { WebSocketServer } = require('ws');

const server = new WebSocketServer({ host: '127.0.0.1', port: 0 }, () => console.log(server.address().port));
server.on('connection', (socket) => {
  let count = 0;
  socket.on('error', () => {}); // the peer's matter
  socket.on('message', (data, isBinary) => {
    socket.send(JSON.stringify({ type: 'event', count: (count += 1) }));
    setTimeout(() => socket.send(data, { binary: isBinary }), 50);
  });
});
