// 100 connections on which one message is outstanding, as `loadgen run` has it by default.
import { WebSocket } from "k6/experimental/websockets";

const SECONDS = Number(__ENV.SECONDS);
const MESSAGE = "x".repeat(64);
export const options = { vus: 100, iterations: 100, maxDuration: "60s" };

export default function () {
  const socket = new WebSocket(`ws://127.0.0.1:${__ENV.PORT}/`);
  socket.addEventListener("open", () => {
    socket.send(MESSAGE);
    setTimeout(() => socket.close(), SECONDS * 1000);
  });
  socket.addEventListener("message", () => socket.send(MESSAGE));
}
