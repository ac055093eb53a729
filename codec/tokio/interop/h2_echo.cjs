// An echo server over HTTP/2 (RFC 8441): Node's http2, and the framing of the `ws` package on its streams. It closes
// with 4000 when it is told `close`. Prints its port.
//
// Usage: h2_echo.cjs [OPTIONS], those of ws' `PerMessageDeflate` in JSON, with which it compresses.
const http2 = require('node:http2');
const { onStream } = require('./h2_socket.cjs');

const server = http2.createServer({ settings: { enableConnectProtocol: true } });
server.on('stream', (stream, headers) => {
  stream.on('error', () => {}); // the peer's matter
  if (headers[':method'] !== 'CONNECT' || headers[':protocol'] !== 'websocket') {
    stream.respond({ ':status': 404 }, { endStream: true });
    return;
  }
  const [extensions, agreed] = onStream.accept(headers['sec-websocket-extensions'], process.argv[2]);
  stream.respond({ ':status': 200, ...(agreed && { 'sec-websocket-extensions': agreed }) });
  const socket = onStream(stream, true, extensions);
  socket.on('error', () => {});
  socket.on('message', (data, isBinary) => {
    if (!isBinary && data.toString() === 'close') socket.close(4000, 'as asked');
    else socket.send(data, { binary: isBinary });
  });
});
server.listen(0, '127.0.0.1', () => console.log(server.address().port));
