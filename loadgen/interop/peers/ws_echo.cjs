// An echo server on the Node `ws` package, which closes with 4000 when it is told `close`. Prints its port.
//
// Usage: ws_echo.cjs [OPTIONS], those of `perMessageDeflate` in JSON.
const { WebSocketServer } = require('ws');

const perMessageDeflate = JSON.parse(process.argv[2] ?? 'false');
const server = new WebSocketServer({ host: '127.0.0.1', port: 0, perMessageDeflate });
server.on('listening', () => console.log(server.address().port));
server.on('connection', (socket) => {
  socket.on('error', () => {}); // the peer's matter
  socket.on('message', (data, isBinary) => {
    if (!isBinary && data.toString() === 'close') socket.close(4000, 'as asked');
    else socket.send(data, { binary: isBinary });
  });
});
