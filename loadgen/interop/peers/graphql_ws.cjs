// A GraphQL server on graphql-ws: `connection_init` with a token within 1 s, queries, a chat of mutations and subscriptions,
// and a subscription that sends a value every 50 ms. It closes with 4400 on a message that it does not understand, with 4401
// on an operation without a session, with 4403 on a wrong token and with 4408 on silence, and drops a client that does not
// answer a WebSocket Ping within 500 ms. Prints its port, which may be given: graphql_ws.cjs [PORT]
'use strict';
const { WebSocketServer } = require('ws');
const { buildSchema } = require('graphql');
const { useServer } = require('graphql-ws/use/ws');

const KEEP_ALIVE_MS = 500;

const schema = buildSchema(`
  type Price { symbol: String! count: Int! at: Float! }
  type Query { hello(name: String!): String! sum(of: [Int!]!): Int! }
  type Mutation { say(room: String!, text: String!): Int! }
  type Subscription { prices(symbol: String!, count: Int = 1000000): Price! said(room: String!): String! }
`);

async function* prices({ symbol, count }) {
  for (let i = 1; i <= count; i += 1) {
    await new Promise((resolve) => setTimeout(resolve, 50));
    yield { prices: { symbol, count: i, at: Date.now() } };
  }
}

// Rooms, and the listeners in each.
const rooms = new Map();

// What is said in a room, until the client has enough. No generator: one that waits can't be ended.
function said({ room }) {
  const unread = [];
  let read;
  let isOver = false;
  const hear = (text) => {
    unread.push({ said: text });
    read?.();
  };
  if (!rooms.has(room)) rooms.set(room, new Set());
  rooms.get(room).add(hear);
  return {
    [Symbol.asyncIterator]() {
      return this;
    },
    async next() {
      if (!unread.length && !isOver) await new Promise((resolve) => (read = resolve));
      return isOver ? { done: true } : { done: false, value: unread.shift() };
    },
    async return() {
      isOver = true;
      rooms.get(room).delete(hear);
      read?.();
      return { done: true };
    },
  };
}

function say({ room, text }) {
  if (!rooms.has(room)) throw new Error(`nobody has been in ${room}`);
  for (const hear of rooms.get(room)) hear(text);
  return rooms.get(room).size;
}

const roots = {
  query: { hello: ({ name }) => `Hello ${name}`, sum: ({ of }) => of.reduce((a, b) => a + b, 0) },
  mutation: { say },
  subscription: { prices, said },
};

// `graphql-ws` selects `graphql-transport-ws`, and closes with 4406 where it is not offered.
const server = new WebSocketServer({ host: '127.0.0.1', port: Number(process.argv[2] ?? 0), path: '/graphql' });
const onConnect = ({ connectionParams }) => /^t\d+$/.test(connectionParams?.token);
const use = useServer({ schema, roots, onConnect, connectionInitWaitTimeout: 1000 }, server, KEEP_ALIVE_MS);
server.on('listening', () => console.log(server.address().port));
process.on('SIGTERM', async () => {
  await use.dispose();
  process.exit();
});
