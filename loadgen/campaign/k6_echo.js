// COUNT connections for SECONDS, each with a message of 64 bytes on its way, or, with EVERY_MS, one sent that often. Latencies
// are what a script can take: Date.now(), in milliseconds. IDLE=1 sends nothing.
import { WebSocket } from 'k6/experimental/websockets';
import { Counter, Trend } from 'k6/metrics';

const echoes = new Counter('echoes');
const latency = new Trend('echo_ms');
const COUNT = Number(__ENV.COUNT);
const EVERY_MS = Number(__ENV.EVERY_MS || 0);
const MESSAGE = 'a'.repeat(64);
export const options = {
  vus: COUNT,
  iterations: COUNT,
  summaryTrendStats: ['avg', 'p(50)', 'p(90)', 'p(99)', 'max', 'count'],
};

export default function () {
  const socket = new WebSocket(__ENV.URL);
  const sent = [];
  const send = () => {
    sent.push(Date.now());
    socket.send(MESSAGE);
  };
  socket.addEventListener('open', () => {
    setTimeout(() => socket.close(), Number(__ENV.SECONDS) * 1000);
    if (__ENV.IDLE) return;
    if (!EVERY_MS) return send();
    setTimeout(() => {
      const timer = setInterval(send, EVERY_MS);
      setTimeout(() => clearInterval(timer), Number(__ENV.SECONDS) * 1000 - 500);
    }, Math.random() * EVERY_MS);
  });
  socket.addEventListener('message', () => {
    echoes.add(1);
    if (EVERY_MS) return latency.add(Date.now() - sent.shift());
    send();
  });
}
