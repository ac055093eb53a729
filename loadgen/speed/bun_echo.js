// An echo server on uWebSockets, which Bun's server is made of.
const server = Bun.serve({
  port: 0,
  hostname: "127.0.0.1",
  fetch(request, server) {
    if (!server.upgrade(request)) return new Response("not a WebSocket request", { status: 426 });
  },
  websocket: {
    message(socket, message) { socket.send(message); },
    perMessageDeflate: false,
    maxPayloadLength: 64 << 20,
    idleTimeout: 0,
  },
});
console.log(server.port);
