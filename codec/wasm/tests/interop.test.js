// With npm's `ws`, in both directions, over sockets.

import assert from "node:assert/strict";
import { once } from "node:events";
import http from "node:http";
import net from "node:net";
import { describe, it } from "node:test";
import WebSocket, { WebSocketServer } from "ws";
import * as deflate from "wscodec/deflate";

import { builds } from "./builds.js";
import { serve } from "../examples/server.js";

const SIZES = [0, 1, 125, 126, 65535, 65536, 1 << 20];

/** @param {number} size */
const bytesOf = (size) => Buffer.from(Uint8Array.from({ length: size }, (_, i) => i * 7 + (i >> 9)));
/** @param {number} size */
const textOf = (size) => "aé日🎉 ".repeat(size / 5 + 1).slice(0, size).replace(/\p{Surrogate}/gu, "?");

/** @param {net.Server | http.Server} server @returns {Promise<number>} */
async function listening(server) {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return /** @type {net.AddressInfo} */ (server.address()).port;
}

for (const { name, hasDeflate, wscodec } of builds) {
  for (const perMessageDeflate of hasDeflate ? [false, true] : [false]) {
    const how = `${name}${perMessageDeflate ? ", compressed" : ""}`;

    describe(`ws as the client: ${how}`, () => {
      it("gets its messages back, closes, and is refused", async () => {
        const server = serve(wscodec, { deflate: perMessageDeflate, subprotocols: ["echo"] });
        const port = await listening(server);
        const socket = new WebSocket(`ws://127.0.0.1:${port}/chat`, ["other", "echo"], { perMessageDeflate });
        await once(socket, "open");
        assert.equal(socket.protocol, "echo");
        assert.equal(socket.extensions.includes("permessage-deflate"), perMessageDeflate);
        for (const size of SIZES) {
          for (const message of [bytesOf(size), textOf(size)]) {
            socket.send(message);
            const [data, isBinary] = await once(socket, "message");
            assert.equal(isBinary, typeof message !== "string");
            assert.ok(Buffer.from(message).equals(data), `${size}`);
          }
        }
        // In fragments, with a Ping between.
        const pong = once(socket, "pong");
        socket.send("one ", { fin: false });
        socket.ping("p");
        socket.send("and two", { fin: true });
        const [data] = await once(socket, "message");
        assert.equal(String(data), "one and two");
        assert.equal(String((await pong)[0]), "p");
        socket.close(4001, "done");
        const [code, reason] = await once(socket, "close");
        assert.deepEqual([code, String(reason)], [4001, ""]);

        const refused = new WebSocket(`ws://127.0.0.1:${port}/forbidden`);
        const [error] = await once(refused, "error");
        assert.match(error.message, /404/);
        const health = await fetch(`http://127.0.0.1:${port}/health`);
        assert.deepEqual([health.status, await health.text()], [200, "fine\n"]);
        server.close();
        server.closeAll();
      });

      it("hears why the connection fails", async () => {
        const server = serve(wscodec, { limits: { messageSizeMax: 1000 } });
        const port = await listening(server);
        const socket = new WebSocket(`ws://127.0.0.1:${port}/`);
        await once(socket, "open");
        socket.send("a".repeat(1001));
        const [code, reason] = await once(socket, "close");
        assert.deepEqual([code, String(reason)], [1009, "message_too_big"]);
        server.close();
        server.closeAll();
      });
    });

    describe(`ws as the server: ${how}`, () => {
      it("takes and gives messages", async () => {
        const server = new WebSocketServer({
          port: 0,
          host: "127.0.0.1",
          perMessageDeflate: perMessageDeflate && { threshold: 0 },
          handleProtocols: () => "echo",
        });
        await once(server, "listening");
        server.on("connection", (peer) => {
          peer.on("message", (data, isBinary) => {
            if (String(data) === "close") peer.close(4002, "as you wish");
            else peer.send(data, { binary: isBinary });
          });
        });
        const { port } = /** @type {net.AddressInfo} */ (server.address());
        const socket = net.connect(port, "127.0.0.1");
        const handshake = new wscodec.ClientHandshake({
          host: `127.0.0.1:${port}`,
          target: "/",
          subprotocols: ["echo"],
          deflate: perMessageDeflate,
        });
        socket.write(handshake.output());
        /** @type {import("wscodec").Response | null} */
        let response = null;
        while (response === null) response = handshake.receive((await once(socket, "data"))[0]);
        assert.equal(response.subprotocol, "echo");
        assert.equal(handshake.deflate !== null, perMessageDeflate);
        const connection = handshake.connection();

        /** @type {import("wscodec").Event[]} */
        const events = [];
        socket.on("data", (chunk) => {
          events.push(...connection.receive(chunk));
          socket.write(connection.output());
          socket.emit("events");
        });
        /** @returns {Promise<import("wscodec").Event>} */
        const next = async () => {
          for (;;) {
            const event = events.shift();
            if (event) return event;
            await once(socket, "events");
          }
        };
        for (const size of SIZES) {
          for (const message of [bytesOf(size), textOf(size)]) {
            connection.send(message);
            for (const bytes of connection.outputs()) socket.write(bytes);
            const event = await next();
            assert.equal(event.type, typeof message === "string" ? "text" : "binary");
            assert.ok("data" in event && Buffer.from(event.data).equals(Buffer.from(message)), `${size}`);
          }
        }
        connection.sendFragment("one ", false);
        connection.ping("p");
        connection.sendFragment("and two", true);
        socket.write(connection.output());
        assert.equal((await next()).type, "pong");
        assert.deepEqual(await next(), { type: "text", data: "one and two", final: true });
        connection.send("close");
        socket.write(connection.output());
        assert.deepEqual(await next(), { type: "close", code: 4002, reason: "as you wish" });
        assert.equal(connection.readyState, "closed");
        await once(socket, "close");
        connection.free();
        server.close();
      });
    });
  }
}

describe("an HTTP server and its `upgrade`", () => {
  it("is answered by values", async () => {
    const server = http.createServer((_, response) => response.end("plain"));
    server.on("upgrade", (request, socket, head) => {
      const answer = new deflate.Offer(request.rawHeaders).answer({ deflate: true });
      socket.write(answer.head);
      const connection = answer.connection();
      /** @param {Uint8Array} chunk */
      const take = (chunk) => {
        for (const event of connection.receive(chunk)) {
          if (event.type === "text") connection.send(`you said: ${event.data}`);
        }
        socket.write(connection.output());
        if (connection.readyState === "closed") socket.end();
      };
      take(head);
      socket.on("data", take);
    });
    const port = await listening(server);
    const socket = new WebSocket(`ws://127.0.0.1:${port}/`);
    await once(socket, "open");
    socket.send("hello ".repeat(50));
    assert.equal(String((await once(socket, "message"))[0]), `you said: ${"hello ".repeat(50)}`);
    socket.close();
    await once(socket, "close");

    // And the other way round: Node's HTTP client.
    const offered = new deflate.Offered({ host: `127.0.0.1:${port}`, deflate: true });
    const request = http.get({ host: "127.0.0.1", port, headers: offered.headers.flat() });
    const [response, stream, head] = await once(request, "upgrade");
    const answered = offered.check(response.rawHeaders);
    assert.ok(answered.deflate);
    const connection = answered.connection();
    connection.send("again");
    stream.write(connection.output());
    const [chunk] = head.length > 0 ? [head] : await once(stream, "data");
    assert.deepEqual([...connection.receive(chunk)], [{ type: "text", data: "you said: again", final: true }]);
    stream.destroy();
    server.close();
    server.closeAllConnections();
  });
});
