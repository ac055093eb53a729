// An echo server on nothing but sockets, as a stack with an event loop of its own would have it.
//
//     node examples/server.js [PORT]

import net from "node:net";
import { pathToFileURL } from "node:url";
import * as deflate from "wscodec/deflate";

/** How long a client may take for its request, and for its answer to a Close. */
const DEADLINE_MS = 10_000;
/** Above this many bytes that the socket has not taken, nothing is read. */
const QUEUED_LENGTH_MAX = 1 << 20;

/**
 * @param {Pick<import("wscodec/instantiate").Wscodec, "ServerHandshake">} wscodec
 * @param {{ deflate?: boolean, subprotocols?: string[], limits?: import("wscodec").Limits }} [options]
 */
export function serve(wscodec, options = {}) {
  /** @type {Set<net.Socket>} */
  const sockets = new Set();
  const server = net.createServer({ noDelay: true, allowHalfOpen: true }, (socket) => {
    sockets.add(socket);
    const handshake = new wscodec.ServerHandshake();
    /** @type {ReturnType<typeof handshake.connection> | undefined} */
    let connection;

    /** @param {Uint8Array} chunk */
    function opening(chunk) {
      const request = handshake.receive(chunk);
      if (request === null) return;
      if (request.type === "http") {
        handshake.reject(request.target === "/health" ? 200 : 404, { body: request.target === "/health" ? "fine\n" : "" });
      } else if (request.path === "/forbidden") {
        handshake.reject(404);
      } else {
        const subprotocol = request.subprotocols.find((name) => options.subprotocols?.includes(name));
        handshake.accept({ subprotocol, deflate: options.deflate ?? false });
        socket.write(handshake.output());
        const { limits = {} } = options;
        // Views of what was received are sent back before the next call: nothing is copied for them.
        connection = handshake.connection({ borrow: true, text: "bytes", limits });
        socket.setTimeout(0);
        open(new Uint8Array(0));
        return;
      }
      socket.end(handshake.output());
    }

    /** @param {Uint8Array} chunk */
    function open(chunk) {
      if (connection === undefined) return;
      for (const event of connection.receive(chunk)) {
        if (connection.readyState !== "open") continue;
        if (event.type === "text") connection.sendText(event.data);
        else if (event.type === "binary") connection.send(event.data);
      }
      flush();
    }

    function flush() {
      if (connection === undefined) return;
      socket.cork();
      for (const bytes of connection.outputs()) socket.write(bytes);
      socket.uncork();
      if (connection.readyState === "closed") socket.end();
      else if (socket.writableLength > QUEUED_LENGTH_MAX) socket.pause();
    }

    socket.setTimeout(DEADLINE_MS, () => socket.destroy());
    socket.on("drain", () => socket.resume());
    socket.on("data", (chunk) => {
      try {
        if (connection === undefined) opening(chunk);
        else open(chunk);
      } catch (error) {
        if (!(error instanceof deflate.WscodecError)) throw error;
        if (connection === undefined) {
          handshake.reject();
          socket.end(handshake.output());
        } else {
          flush(); // the Close that says why
        }
      }
    });
    socket.on("end", () => socket.end());
    socket.on("error", () => {}); // the peer is gone; `close` follows
    socket.on("close", () => {
      sockets.delete(socket);
      handshake.free();
      connection?.free();
    });
  });
  return Object.assign(server, { closeAll: () => sockets.forEach((socket) => socket.destroy()) });
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) {
  const server = serve(deflate, { deflate: true });
  server.listen(Number(process.argv[2] ?? 0), "127.0.0.1", () => {
    const { port } = /** @type {net.AddressInfo} */ (server.address());
    console.log(`listening on ws://127.0.0.1:${port}`);
  });
}
