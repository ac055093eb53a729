// 100 at once that open, close, and open again, as `loadgen connect` does by default.
import { WebSocket } from "k6/experimental/websockets";

export const options = { vus: 100, duration: `${__ENV.SECONDS}s` };

export default function () {
  const socket = new WebSocket(`ws://127.0.0.1:${__ENV.PORT}/`);
  socket.addEventListener("open", () => socket.close());
}
