// An MQTT broker, aedes, over WebSocket: user `app` with the password `secret`, users `u0` … with `p0` …, and a clock on the
// topic `clock`. Topics that begin with `secret` are nobody's. A client that says nothing for 1.5 times the keep-alive that it
// announced is dropped. Prints its port, which may be given: mqtt_broker.cjs [PORT]
'use strict';
const { WebSocketServer, createWebSocketStream } = require('ws');
const { Aedes } = require('aedes');

function authenticate(client, username, password, done) {
  const said = password?.toString();
  const number = /^u(\d+)$/.exec(username)?.[1];
  const known = (username === 'app' && said === 'secret') || (number !== undefined && said === `p${number}`);
  // 4: bad user name or password, which CONNACK says.
  done(known ? null : Object.assign(new Error('Auth error'), { returnCode: 4 }), known);
}

// No subscription is SUBACK's 0x80.
const authorizeSubscribe = (client, wanted, done) => done(null, wanted.topic.startsWith('secret') ? null : wanted);

async function main() {
  const broker = await Aedes.createBroker({ authenticate, authorizeSubscribe });
  for (const event of ['clientError', 'connectionError']) broker.on(event, () => {}); // the peer's matter
  setInterval(() => broker.publish({ topic: 'clock', payload: `${Date.now()}`, qos: 0 }), 100);

  const handleProtocols = (offered) => (offered.has('mqtt') ? 'mqtt' : false);
  const port = Number(process.argv[2] ?? 0);
  const server = new WebSocketServer({ host: '127.0.0.1', port, handleProtocols });
  server.on('connection', (socket, request) => {
    const stream = createWebSocketStream(socket);
    stream.on('error', () => {}); // the peer's matter
    broker.handle(stream, request);
  });
  server.on('listening', () => console.log(server.address().port));
  process.on('SIGTERM', () => broker.close(() => process.exit()));
}

main();
