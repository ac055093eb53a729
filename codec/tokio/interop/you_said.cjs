// Node's `ws` on either side of "you said". Usage: you_said.cjs server | you_said.cjs client URL TEXT...
const WebSocket = require('ws');

const [role, url, ...texts] = process.argv.slice(2);
if (role === 'server') {
  const server = new WebSocket.Server({ host: '127.0.0.1', port: 0 });
  server.on('listening', () => console.log(`127.0.0.1:${server.address().port}`));
  server.on('connection', (socket) => {
    socket.send('welcome');
    socket.on('message', (data) => {
      if (data.toString() === 'bye') socket.close(1000, 'good-bye');
      else socket.send(`you said: ${data}`);
    });
  });
} else {
  const socket = new WebSocket(url);
  socket.on('open', () => texts.forEach((text) => socket.send(text)));
  socket.on('message', (data) => console.log(data.toString()));
  socket.on('close', (code, reason) => console.log(`${code} ${reason}`));
}
