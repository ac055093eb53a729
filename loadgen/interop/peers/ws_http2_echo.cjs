// An echo server over HTTP/2, which closes with 4000 when it is told `close`. Prints its port.
const { createServer } = require('./ws_http2.cjs');

const server = createServer((socket) => {
  socket.on('error', () => {}); // the peer's matter
  socket.on('message', (data, isBinary) => {
    if (!isBinary && data.toString() === 'close') socket.close(4000, 'as asked');
    else socket.send(data, { binary: isBinary });
  });
});
server.listen(0, '127.0.0.1', () => console.log(server.address().port));
