// An MQTT broker, aedes, over WebSocket: user `app` with the password `secret`, and a clock on the topic `clock`.
// Prints its port.
'use strict';
const { WebSocketServer, createWebSocketStream } = require('ws');
const { Aedes } = require('aedes');

function authenticate(client, username, password, done) {
  const known = username === 'app' && password?.toString() === 'secret';
  // 4: bad user name or password, which CONNACK says.
  done(known ? null : Object.assign(new Error('Auth error'), { returnCode: 4 }), known);
}

async function main() {
  const broker = await Aedes.createBroker({ authenticate });
  for (const event of ['clientError', 'connectionError']) broker.on(event, () => {}); // the peer's matter
  setInterval(() => broker.publish({ topic: 'clock', payload: `${Date.now()}`, qos: 0 }), 100);

  const handleProtocols = (offered) => (offered.has('mqtt') ? 'mqtt' : false);
  const server = new WebSocketServer({ host: '127.0.0.1', port: 0, handleProtocols });
  server.on('connection', (socket, request) => {
    const stream = createWebSocketStream(socket);
    stream.on('error', () => {}); // the peer's matter
    broker.handle(stream, request);
  });
  server.on('listening', () => console.log(server.address().port));
}

main();
