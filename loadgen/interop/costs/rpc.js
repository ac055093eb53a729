// The scenario of rpc.toml for k6: each user keeps one connection, and sends the next request once it has the reply with the
// id of the last. COUNT connections for SECONDS.
import { WebSocket } from 'k6/experimental/websockets';
import { Counter } from 'k6/metrics';

const replies = new Counter('replies');
export const options = { vus: Number(__ENV.COUNT), iterations: Number(__ENV.COUNT), summaryTrendStats: ['p(50)'] };

export default function () {
  const socket = new WebSocket(__ENV.URL);
  let id = 0;
  const ask = () => {
    id += 1;
    socket.send(`{"jsonrpc":"2.0","id":${id},"method":"eth_blockNumber","params":[]}`);
  };
  socket.addEventListener('open', () => {
    setTimeout(() => socket.close(), Number(__ENV.SECONDS) * 1000);
    ask();
  });
  socket.addEventListener('message', (event) => {
    if (JSON.parse(event.data).id !== id) return;
    replies.add(1);
    ask();
  });
}
