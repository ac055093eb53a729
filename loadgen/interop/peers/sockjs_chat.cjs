// A chat on SockJS 0.3: JSON with an id of the client's, a login, rooms, and a Ping as heartbeat after 100 ms of silence.
// Prints its port, which may be given: sockjs_chat.cjs [PORT]
'use strict';
const http = require('http');
const sockjs = require('sockjs');

const rooms = new Map();
const members = (room) => {
  if (!rooms.has(room)) rooms.set(room, new Set());
  return rooms.get(room);
};

const chat = sockjs.createServer({ heartbeat_delay: 100, disconnect_delay: 1000, log() {} });
chat.on('connection', (peer) => {
  const send = (message) => peer.write(JSON.stringify(message));
  let user = null;
  const ops = {
    login(message) {
      const number = /^u(\d+)$/.exec(message.user)?.[1];
      if (number === undefined || message.password !== `p${number}`) throw new Error('wrong password');
      user = message.user;
      return { user };
    },
    join({ room }) {
      if (!user) throw new Error('log in first');
      members(room).add(send);
      return { members: members(room).size };
    },
    say({ room, text }) {
      if (!members(room).has(send)) throw new Error(`not in ${room}`);
      for (const hear of members(room)) hear({ op: 'said', room, text });
      return { heard: members(room).size };
    },
  };
  peer.on('data', (data) => {
    const { id, op, ...message } = JSON.parse(data);
    try {
      send({ id, ...ops[op](message) });
    } catch (error) {
      send({ id, error: error.message });
    }
  });
  peer.on('close', () => rooms.forEach((room) => room.delete(send)));
});

const open = new Set();
chat.on('connection', (peer) => {
  open.add(peer);
  peer.on('close', () => open.delete(peer));
});

const web = http.createServer();
chat.installHandlers(web, { prefix: '/chat' });
web.listen(Number(process.argv[2] ?? 0), '127.0.0.1', () => console.log(web.address().port));
process.on('SIGTERM', () => {
  for (const peer of open) peer.close(3001, 'the chat restarts');
  // The frames with those words are to leave first.
  setTimeout(() => process.exit(), 200);
});
