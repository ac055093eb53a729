// A chat on Socket.IO 4: a token to connect with, rooms that a client joins, events with acknowledgements. A client that
// has not connected to the namespace after 2 s is dropped, and one that does not answer a ping within 1 s; or within other
// times, which follow from that from one ping to the next.
// Prints its port, which may be given: socketio_chat.cjs [PORT [PING_INTERVAL_MS]]
'use strict';
const http = require('http');
const { Server } = require('socket.io');

const interval = Number(process.argv[3] ?? 2000);
const web = http.createServer();
const io = new Server(web, {
  transports: ['websocket'],
  serveClient: false,
  pingInterval: interval,
  pingTimeout: interval / 2,
  connectTimeout: interval,
});

io.use((socket, next) => {
  const known = /^t\d+$/.test(socket.handshake.auth.token);
  next(known ? undefined : new Error('unauthorized'));
});

io.on('connection', (socket) => {
  socket.emit('welcome', { you: socket.id, at: Date.now() });
  socket.on('join', (room, joined) => {
    socket.join(room);
    joined?.({ room, members: io.of('/').adapter.rooms.get(room).size });
  });
  socket.on('say', (room, message, said) => {
    if (!socket.rooms.has(room)) return said?.({ error: 'join first' });
    io.to(room).emit('said', { room, at: Date.now(), ...message });
    return said?.({ id: message.id });
  });
  // What is said meanwhile overtakes the answer.
  socket.on('look', (room, seen) => {
    setTimeout(() => seen?.({ members: io.of('/').adapter.rooms.get(room)?.size ?? 0 }), 20);
  });
});

web.listen(Number(process.argv[2] ?? 0), '127.0.0.1', () => console.log(web.address().port));
process.on('SIGTERM', () => io.close(() => process.exit()));
