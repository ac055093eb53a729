// An echo server on the Node `ws` package. Prints the port that it was given.
const { WebSocketServer } = require('ws');

const server = new WebSocketServer({ host: '127.0.0.1', port: 0, perMessageDeflate: false });
server.on('listening', () => console.log(server.address().port));
server.on('connection', (socket) => {
  socket.on('error', () => {}); // the peer's matter
  socket.on('message', (data, isBinary) => socket.send(data, { binary: isBinary }));
});
