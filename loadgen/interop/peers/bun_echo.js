// An echo server on Bun, whose WebSocket server is uWebSockets; closes with 4000 when it is told `close`. Prints its port.
const server = Bun.serve({
  hostname: '127.0.0.1',
  port: 0,
  fetch(request, server) {
    if (server.upgrade(request)) return undefined;
    return new Response('a WebSocket, please\n', { status: 426 });
  },
  websocket: {
    maxPayloadLength: 1 << 24,
    backpressureLimit: 1 << 26,
    perMessageDeflate: false,
    message(socket, data) {
      if (data === 'close') socket.close(4000, 'as asked');
      else socket.send(data);
    },
  },
});
console.log(server.port);
