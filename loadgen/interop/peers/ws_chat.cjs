// A chat server as many are written with ws: JSON, rooms that one joins by a message, and what was said as a string of JSON
// within the JSON. Prints its port.
'use strict';
const { WebSocketServer } = require('ws');

const rooms = new Map();
const server = new WebSocketServer({ host: '127.0.0.1', port: 0 }, () => console.log(server.address().port));

server.on('connection', (socket) => {
  socket.on('message', (data) => {
    const message = JSON.parse(data);
    if (!rooms.has(message.room)) rooms.set(message.room, new Set());
    const room = rooms.get(message.room);
    if (message.type === 'join') {
      room.add(socket);
      socket.send(JSON.stringify({ type: 'joined', room: message.room, members: room.size }));
    } else {
      const event = JSON.stringify({ at: Date.now(), room: message.room, text: message.text });
      const said = JSON.stringify({ type: 'said', event });
      for (const member of room) member.send(said);
      socket.send(JSON.stringify({ type: 'ok', id: message.id }));
    }
  });
  socket.on('close', () => {
    for (const room of rooms.values()) room.delete(socket);
  });
});
