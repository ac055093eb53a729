// A GraphQL server on graphql-ws: `connection_init` with a token within 1 s, queries, and a subscription that sends a
// value every 50 ms. It closes with 4400 on a message that it does not understand, with 4401 on an operation without a
// session, with 4403 on a wrong token and with 4408 on silence. Prints its port.
'use strict';
const { WebSocketServer } = require('ws');
const { buildSchema } = require('graphql');
const { useServer } = require('graphql-ws/use/ws');

const schema = buildSchema(`
  type Price { symbol: String! count: Int! at: Float! }
  type Query { hello(name: String!): String! sum(of: [Int!]!): Int! }
  type Subscription { prices(symbol: String!, count: Int = 1000000): Price! }
`);

async function* prices({ symbol, count }) {
  for (let i = 1; i <= count; i += 1) {
    await new Promise((resolve) => setTimeout(resolve, 50));
    yield { prices: { symbol, count: i, at: Date.now() } };
  }
}

const roots = {
  query: { hello: ({ name }) => `Hello ${name}`, sum: ({ of }) => of.reduce((a, b) => a + b, 0) },
  subscription: { prices },
};

// `graphql-ws` selects `graphql-transport-ws`, and closes with 4406 where it is not offered.
const server = new WebSocketServer({ host: '127.0.0.1', port: 0, path: '/graphql' });
const onConnect = ({ connectionParams }) => /^t\d+$/.test(connectionParams?.token);
useServer({ schema, roots, onConnect, connectionInitWaitTimeout: 1000 }, server);
server.on('listening', () => console.log(server.address().port));
