// Every test that needs no socket: run by Node and by a browser, on each build.

import {
  KEY,
  concat,
  cut,
  equal,
  frame,
  framesOf,
  fromBase64,
  fromHex,
  ok,
  random,
  thrown,
  toBase64,
  utf8,
} from "./check.js";
import { ROLES, VECTORS } from "./vectors.js";

/**
 * @typedef {import("wscodec/instantiate").Wscodec} Wscodec
 * @typedef {InstanceType<Wscodec["Connection"]>} Connection
 * @typedef {import("wscodec").Event} Event
 * @typedef {{ events: Event[], error?: import("wscodec").WscodecError, output: Uint8Array }} Outcome
 */

/** Feeds pieces, each from memory that is overwritten afterwards. @param {Connection} connection @param {Uint8Array[]} pieces @returns {Outcome} */
function feed(connection, pieces) {
  /** @type {Event[]} */
  const events = [];
  try {
    for (const piece of pieces) {
      const memory = piece.slice();
      const iterator = connection.receive(memory);
      memory.fill(0xee);
      // One by one: what comes before an error counts.
      for (const event of iterator) events.push(event);
    }
  } catch (error) {
    const known = /** @type {import("wscodec").WscodecError} */ (error);
    if (known.number === undefined) throw error;
    return { events, error: known, output: connection.output() };
  }
  return { events, output: connection.output() };
}

/** @param {Event} event */
function bytesOf(event) {
  if (event.type === "close") return utf8(event.reason);
  return typeof event.data === "string" ? utf8(event.data) : event.data;
}

/** @param {Event[]} events */
function plain(events) {
  return events.map((event) =>
    event.type === "close" ? ["close", event.code, event.reason] : [event.type, bytesOf(event)],
  );
}

/** @param {Uint8Array} output */
const repliesOf = (output) => framesOf(output).map(({ b0, payload }) => [b0, payload]);

/** @param {Uint8Array} wire */
const bytewise = (wire) => Array.from(wire, (byte) => Uint8Array.of(byte));

/**
 * The tests by name. `native` is what the native codec makes of stored inputs (examples/vectors.rs).
 * @param {Wscodec} wscodec @param {{ hasDeflate: boolean, native: string[] }} given
 * @returns {[string, () => void | Promise<void>][]}
 */
export function suite(wscodec, { hasDeflate, native }) {
  const { Connection, ServerHandshake, ClientHandshake, Offer, Offered, PreparedMessage, FrameRelay } = wscodec;

  /** @param {import("./vectors.js").Vector} vector @param {Uint8Array[]} pieces @param {import("wscodec").ConnectionOptions} [options] */
  function judge(vector, pieces, options = {}) {
    const connection = new Connection(vector.role, { ...options, ...(vector.limits ? { limits: vector.limits } : {}) });
    const { events, error, output } = feed(connection, pieces);
    const what = `${vector.role}, ${vector.name}`;
    equal(plain(events), vector.events, what);
    equal(error && [error.name, error.closeCode], vector.error, what);
    if (vector.error) {
      equal(error?.kind, "protocol", what);
      const [b0, payload] = repliesOf(output).at(-1) ?? [];
      equal([b0, payload instanceof Uint8Array && payload.slice(0, 2)], [0x88, Uint8Array.of(vector.error[1] >> 8, vector.error[1] & 255)], what);
      equal(thrown(() => connection.receive(fromHex("8100")).next()).number, error?.number, `${what}, for good`);
    } else {
      equal(repliesOf(output), vector.replies ?? [], what);
    }
    ok(framesOf(output).every((frame) => frame.isMasked === (vector.role === "client")), `${what}: masked by role`);
    connection.free();
  }

  /** Joins two connections until neither has anything to say. @param {Connection} a @param {Connection} b @returns {[Event[], Event[]]} */
  function exchange(a, b) {
    /** @type {[Event[], Event[]]} */
    const seen = [[], []];
    while (a.hasOutput || b.hasOutput) {
      seen[1].push(...b.receive(a.output()));
      seen[0].push(...a.receive(b.output()));
    }
    return seen;
  }

  /** @type {[string, () => void | Promise<void>][]} */
  const tests = [
    ["every vector, whole", () => VECTORS.forEach((vector) => judge(vector, [vector.wire]))],
    [
      "every vector, byte by byte",
      () => VECTORS.filter(({ wire }) => wire.length < 70_000).forEach((vector) => judge(vector, bytewise(vector.wire))),
    ],
    [
      "every short vector, at every split in two",
      () => {
        for (const vector of VECTORS.filter(({ wire }) => wire.length <= 200)) {
          for (let at = 0; at <= vector.wire.length; at++) {
            judge(vector, [vector.wire.slice(0, at), vector.wire.slice(at)]);
          }
        }
      },
    ],
    ["every vector, with text as bytes", () => VECTORS.forEach((vector) => judge(vector, [vector.wire], { text: "bytes" }))],
    [
      "random frames in random pieces give the same events, lent or copied",
      () => {
        const next = random(20261129);
        for (let round = 0; round < 1500; round++) {
          const role = ROLES[next(2)] ?? "server";
          const frames = Array.from({ length: 1 + next(7) }, () => {
            const b0 = [0x81, 0x82, 0x01, 0x02, 0x00, 0x80, 0x89, 0x8a, 0x88, next(256)][next(10)] ?? 0;
            const length = [next(10), next(130), next(1000)][next(3)] ?? 0;
            const payload = Uint8Array.from({ length }, () => (next(20) === 0 ? next(256) : 97 + next(26)));
            return frame(role, b0, payload);
          });
          const wire = concat(...frames);
          const options = /** @type {const} */ ({ limits: { frameSizeMax: 800, messageSizeMax: 1200, fragmentsMax: 6 } });
          const whole = feed(new Connection(role, options), [wire]);
          const split = feed(new Connection(role, options), cut(wire, next));
          equal(split.events, whole.events, `round ${round}`);
          equal(split.error?.message, whole.error?.message, `round ${round}`);
          if (role === "server" && whole.events.length < 32) equal(split.output, whole.output, `round ${round}`);
          const lending = new Connection(role, { ...options, borrow: true, text: "bytes" });
          /** @type {unknown[]} */
          const lent = [];
          try {
            for (const piece of cut(wire, next)) {
              for (const event of lending.receive(piece)) {
                lent.push(...plain([event.type === "close" ? event : { ...event, data: bytesOf(event).slice() }]));
              }
            }
          } catch (error) {
            equal(/** @type {Error} */ (error).message, whole.error?.message, `round ${round}, lent`);
          }
          equal(lent, plain(whole.events), `round ${round}, lent`);
        }
      },
    ],
    [
      "random bytes never trap",
      () => {
        const next = random(7);
        for (let round = 0; round < 1500; round++) {
          const wire = Uint8Array.from({ length: next(300) }, () => next(256));
          const role = ROLES[next(2)] ?? "server";
          const whole = feed(new Connection(role), [wire]);
          const split = feed(new Connection(role), cut(wire, next));
          equal([split.events, split.error?.message], [whole.events, whole.error?.message], `round ${round}`);
        }
      },
    ],
    [
      "stored inputs mean what they mean to the native codec, in random pieces",
      () => {
        const next = random(3);
        let judged = 0;
        for (const line of native) {
          const row = JSON.parse(line);
          const wire = fromBase64(row.wire);
          if (row.subject === "connection") {
            judged++;
            const limits = row.limited ? { frameSizeMax: 300, messageSizeMax: 400, fragmentsMax: 6 } : {};
            /** @type {import("wscodec").ConnectionOptions} */
            const options = { limits, delivery: row.streamed ? "streamed" : "whole" };
            for (const pieces of row.streamed ? [[wire]] : [[wire], cut(wire, next)]) {
              const connection = new Connection(row.role, options);
              const { events, error, output } = feed(connection, pieces);
              const rows = events.map((event) => {
                if (event.type === "close") return ["close", event.code, toBase64(utf8(event.reason))];
                const data = toBase64(bytesOf(event));
                return "final" in event ? [event.type, data, event.final] : [event.type, data];
              });
              equal(rows, row.events, line);
              equal(error ? [error.number, error.name, error.closeCode, error.message] : null, row.error, line);
              if (row.output !== null && pieces.length === 1) equal(toBase64(output), row.output, line);
              connection.free();
            }
          } else {
            judged++;
            const handshake = new ServerHandshake();
            /** @type {unknown[]} */
            let outcome = ["incomplete"];
            try {
              const request = handshake.receive(wire);
              if (request?.type === "http") outcome = ["http", request.method, request.target];
              if (request?.type === "websocket") {
                const { target, path, host, subprotocols } = request;
                outcome = ["websocket", target, path, host, subprotocols];
                handshake.accept();
              }
            } catch (error) {
              const known = /** @type {import("wscodec").WscodecError} */ (error);
              outcome = ["error", known.number, known.name, known.status, known.message];
              handshake.reject();
            }
            equal(outcome, row.outcome, line);
            equal(toBase64(handshake.output()), row.output, line);
            if (outcome[0] !== "error" && outcome[0] !== "incomplete") equal(toBase64(handshake.rest), row.rest, line);
            handshake.free();
          }
        }
        ok(native.length === 0 || judged > 800, `only ${judged} stored inputs`);
      },
    ],
    [
      "messages of every kind and length arrive, from both sides",
      () => {
        for (const role of ROLES) {
          const sender = new Connection(role);
          const receiver = new Connection(role === "server" ? "client" : "server");
          for (const length of [0, 1, 5, 24, 25, 125, 126, 300, 65535, 65536, 70_000, 300_000, 2 << 20]) {
            const bytes = Uint8Array.from({ length }, (_, i) => i * 31);
            const text = "aé日🎉".repeat(length / 5).slice(0, length);
            sender.send(bytes);
            sender.send(text);
            sender.sendText(utf8(text));
            sender.sendUncompressed(bytes);
            sender.sendUncompressed(text);
            const [, seen] = exchange(sender, receiver);
            const written = text.replace(/\p{Surrogate}/gu, "\ufffd");
            equal(
              seen.map((event) => (event.type === "text" || event.type === "binary" ? event.data : event)),
              [bytes, written, written, bytes, written],
              `${role}, ${length}`,
            );
          }
          sender.free();
          receiver.free();
        }
      },
    ],
    [
      "text keeps byte order marks, and lone surrogates become replacement characters",
      () => {
        const [server, client] = [new Connection("server"), new Connection("client")];
        for (const text of ["\ufeffa", "\ufeff" + "a".repeat(100), "\ud800", "a".repeat(30) + "\udfff", "€".repeat(25)]) {
          client.send(text);
          const [event] = [...server.receive(client.output())];
          equal(event?.type === "text" && event.data, text.replace(/\p{Surrogate}/gu, "\ufffd"), JSON.stringify(text));
        }
      },
    ],
    [
      "a server's large payload is passed on, and not copied",
      () => {
        const [server, client] = [new Connection("server"), new Connection("client")];
        const large = new Uint8Array(100_000).fill(7);
        server.send("before");
        server.send(large);
        server.send("after");
        const outputs = server.outputs();
        ok(outputs.includes(large), "the same object");
        equal([...client.receive(concat(...outputs))].map(bytesOf), [utf8("before"), large, utf8("after")]);
      },
    ],
    [
      "what is lent may be sent back, also when memory grows",
      () => {
        for (const role of ROLES) {
          const peer = new Connection(role === "server" ? "client" : "server");
          const lending = new Connection(role, { borrow: true, text: "bytes" });
          const payloads = [10, 1000, 70_000, 3 << 20, 20].map((length, i) => new Uint8Array(length).fill(i + 1));
          payloads.forEach((payload) => peer.send(payload));
          for (const event of lending.receive(peer.output())) lending.send(bytesOf(event));
          equal([...peer.receive(lending.output())].map(bytesOf), payloads, role);
        }
      },
    ],
    [
      "many connections share the module's memory, in any order",
      () => {
        const next = random(11);
        const pairs = Array.from({ length: 20 }, () => ({
          server: new Connection("server"),
          client: new Connection("client"),
          /** @type {Uint8Array[]} */ wire: [],
          /** @type {string[]} */ sent: [],
          /** @type {unknown[]} */ seen: [],
        }));
        for (let round = 0; round < 3000; round++) {
          const pair = pairs[next(pairs.length)];
          if (!pair) continue;
          if (next(3) > 0) {
            const text = `${round} `.repeat(1 + next(60));
            pair.client.send(text);
            pair.sent.push(text);
            if (next(2) === 0) pair.wire.push(...cut(pair.client.output(), next));
          } else {
            const piece = pair.wire.shift();
            if (!piece) continue;
            for (const event of pair.server.receive(piece)) {
              pair.seen.push(bytesOf(event));
              // Leaves the rest for later, while others use the memory.
              if (next(4) === 0) break;
            }
          }
        }
        for (const { server, client, wire, sent, seen } of pairs) {
          for (const piece of [...wire, client.output()]) {
            for (const event of server.receive(piece)) seen.push(bytesOf(event));
          }
          equal(seen, sent.map(utf8));
        }
      },
    ],
    [
      "connections joined within each other's loops lose nothing",
      () => {
        const [server, client] = [new Connection("server"), new Connection("client")];
        for (let i = 0; i < 50; i++) client.send(`message ${i}`);
        /** @type {unknown[]} */
        const answers = [];
        for (const event of server.receive(client.output())) {
          server.send(`you said: ${event.type === "text" ? event.data : ""}`);
          for (const answer of client.receive(server.output())) {
            answers.push(answer.type === "text" && answer.data);
          }
        }
        equal(answers, Array.from({ length: 50 }, (_, i) => `you said: message ${i}`));
      },
    ],
    [
      "an input larger than what is loaded at a time",
      () => {
        const server = new Connection("server");
        const payload = Uint8Array.from({ length: 11 << 20 }, (_, i) => i ^ (i >> 9));
        const wire = concat(frame("server", 0x81, "before"), frame("server", 0x82, payload), frame("server", 0x89, "after"));
        equal([...server.receive(wire)].map((event) => [event.type, bytesOf(event).length]), [["text", 6], ["binary", payload.length], ["ping", 5]]);
        const again = new Connection("server");
        const [, event] = [...again.receive(wire)];
        equal(event && bytesOf(event), payload);
        equal(again.buffered, 0);
      },
    ],
    [
      "fragments, and Pings between them",
      () => {
        const [client, server] = [new Connection("client"), new Connection("server")];
        client.sendFragment("one ", false);
        equal(thrown(() => client.send("no"), "message_open").kind, "send");
        equal(thrown(() => client.sendFragment(utf8("no"), true), "no_message_open").number, 205);
        client.ping("p");
        client.sendFragment("and ", false);
        client.pong(utf8("q"));
        client.sendFragment("two", true);
        const [answers, seen] = exchange(client, server);
        equal(plain(seen), [["ping", utf8("p")], ["pong", utf8("q")], ["text", utf8("one and two")]]);
        equal(plain(answers), [["pong", utf8("p")]]);
      },
    ],
    [
      "pieces of messages, streamed",
      () => {
        const server = new Connection("server", { delivery: "streamed" });
        const text = "é".repeat(100);
        /** @type {string[]} */
        const pieces = [];
        let isFinal = false;
        for (const piece of cut(frame("server", 0x81, text), random(5))) {
          for (const event of server.receive(piece)) {
            ok(event.type === "text" && typeof event.data === "string" && !isFinal, "a piece of text");
            pieces.push(event.data);
            isFinal = event.final;
          }
        }
        equal([pieces.join(""), isFinal, pieces.length > 2], [text, true, true]);
      },
    ],
    [
      "closing, from either side",
      () => {
        for (const role of ROLES) {
          const [near, far] = [new Connection(role), new Connection(role === "server" ? "client" : "server")];
          equal([near.readyState, near.isClean, near.role], ["open", false, role]);
          near.close(4001, "done");
          equal(near.readyState, "closing");
          equal(thrown(() => near.send("late"), "not_open").number, 201);
          const [answers, seen] = exchange(near, far);
          equal([plain(seen), plain(answers)], [[["close", 4001, "done"]], [["close", 4001, ""]]]);
          equal([near.readyState, near.isClean, far.readyState, far.isClean], ["closed", true, "closed", true]);
          near.receiveEof();
        }
        const alone = new Connection("client");
        equal(thrown(() => alone.close(1005), "close_code_argument").kind, "misuse");
        equal(thrown(() => alone.close(1000, "a".repeat(124)), "reason_too_long").kind, "send");
        equal(thrown(() => alone.receiveEof(), "unexpected_eof").number, 150);
        equal(alone.readyState, "closed");
        const empty = new Connection("server");
        empty.close();
        equal(repliesOf(empty.output()), [[0x88, new Uint8Array(0)]]);
      },
    ],
    [
      "what may not be sent is refused, and nothing is written",
      () => {
        const server = new Connection("server");
        equal(thrown(() => server.ping(new Uint8Array(126)), "send_control_too_long").number, 202);
        equal(thrown(() => server.sendText(fromHex("c3")), "utf8_argument").number, 502);
        equal(thrown(() => new Connection(/** @type {"server"} */ ("peer"))).name, "argument");
        equal(thrown(() => new Connection("server", { limits: { frameSizeMax: -1 } })).name, "argument");
        equal(thrown(() => server.send(/** @type {any} */ (5))).name, "argument");
        equal(server.hasOutput, false);
        server.send("yes");
        equal(repliesOf(server.output()), [[0x81, utf8("yes")]]);
      },
    ],
    [
      "bytes in any form",
      () => {
        const server = new Connection("server");
        const bytes = Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8);
        for (const form of [bytes, bytes.buffer, new DataView(bytes.buffer), new Uint16Array(bytes.buffer), new Uint8ClampedArray(bytes)]) {
          server.send(form);
        }
        equal(repliesOf(server.output()), Array.from({ length: 5 }, () => [0x82, bytes]));
        server.send(bytes.subarray(2, 5));
        equal(repliesOf(server.output()), [[0x82, Uint8Array.of(3, 4, 5)]]);
      },
    ],
    [
      "a client's keys are fresh",
      () => {
        const client = new Connection("client");
        const keys = new Set();
        for (let i = 0; i < 1000; i++) {
          client.send("same");
          const output = client.output();
          keys.add(output.subarray(2, 6).join());
        }
        ok(keys.size > 995, `${keys.size} keys in 1,000 frames`);
      },
    ],
    [
      "a prepared message goes to many, and its frame is shared",
      () => {
        const message = new PreparedMessage("hello, everyone");
        const servers = Array.from({ length: 5 }, () => new Connection("server"));
        const frames = servers.map((server) => {
          server.sendPrepared(message);
          const [frame, ...more] = server.outputs();
          equal(more, []);
          return frame;
        });
        ok(frames.every((frame) => frame !== undefined && frame === frames[0]), "one object for all");
        const client = new Connection("client");
        client.sendPrepared(message);
        client.sendPrepared(message);
        const masked = framesOf(client.output());
        equal(masked.map(({ isMasked, payload }) => [isMasked, payload]), [[true, utf8("hello, everyone")], [true, utf8("hello, everyone")]]);
        const [busy] = servers;
        busy?.sendFragment("open", false);
        equal(thrown(() => busy?.sendPrepared(message), "message_open").number, 204);
        message.free();
        equal(thrown(() => new Connection("server").sendPrepared(message), "freed").number, 501);
        const binary = new PreparedMessage(Uint8Array.of(1));
        servers[1]?.sendPrepared(binary);
        equal(servers[1]?.output(), fromHex("820101"));
      },
    ],
    [
      "what has been freed says so",
      () => {
        const connection = new Connection("server");
        connection.send("last");
        connection.free();
        connection.free();
        equal(connection.output(), concat(fromHex("8104"), utf8("last")));
        for (const use of [() => connection.send("no"), () => connection.close(), () => [...connection.receive(fromHex("8100"))], () => connection.buffered]) {
          equal(thrown(use, "freed").number, 501);
        }
        if (typeof Symbol.dispose === "symbol") {
          const other = new Connection("client");
          other[Symbol.dispose]();
          equal(thrown(() => other.ping(), "freed").kind, "misuse");
        }
      },
    ],
    [
      "memory is used again",
      () => {
        const large = new Uint8Array(1 << 20);
        const grown = () => {
          const [server, client] = [new Connection("server"), new Connection("client")];
          client.send(large);
          for (const piece of cut(client.output(), random(9))) for (const _ of server.receive(piece));
          server.free();
          client.free();
        };
        for (let i = 0; i < 100; i++) grown();
        // Numbers of freed connections are given again.
        const connections = Array.from({ length: 1000 }, () => new Connection("server"));
        connections.forEach((connection) => connection.free());
      },
    ],
    [
      "a handshake from beginning to end, however it is cut",
      () => {
        const next = random(13);
        for (let round = 0; round < 50; round++) {
          const client = new ClientHandshake({
            host: "example.com:8080",
            target: "/chat?room=1",
            origin: "http://example.com",
            subprotocols: ["v2", "v1"],
            headers: { Authorization: "Bearer 1234", Cookie: ["a=1", "b=2"] },
          });
          const server = new ServerHandshake();
          // Frames may come with the request, from a client that does not wait.
          const wire = concat(client.output(), frame("server", 0x81, "early"));
          /** @type {ReturnType<typeof server.receive>} */
          let request = null;
          for (const piece of cut(wire, next)) request = server.receive(piece);
          ok(request?.type === "websocket", "a request");
          equal([request.target, request.path, request.query, request.host, request.origin], ["/chat?room=1", "/chat", "room=1", "example.com:8080", "http://example.com"]);
          equal([request.subprotocols, request.extensions], [["v2", "v1"], []]);
          equal(request.headers.filter(([name]) => name === "Cookie" || name === "Authorization"), [["Authorization", "Bearer 1234"], ["Cookie", "a=1"], ["Cookie", "b=2"]]);
          server.accept({ subprotocol: "v1", headers: [["Server", "test"]] });
          const answer = concat(server.output(), frame("client", 0x81, "welcome"));
          /** @type {ReturnType<typeof client.receive>} */
          let response = null;
          for (const piece of cut(answer, next)) response = client.receive(piece);
          ok(response, "a response");
          equal([response.status, response.subprotocol, response.headers.at(-1)], [101, "v1", ["Server", "test"]]);
          equal(plain([...server.connection().receive()]), [["text", utf8("early")]]);
          equal(plain([...client.connection().receive()]), [["text", utf8("welcome")]]);
        }
      },
    ],
    [
      "handshakes that fail",
      () => {
        const head = "GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n";
        const server = new ServerHandshake();
        const error = thrown(() => server.receive(utf8(`${head}\r\n`)), "key");
        equal([error.number, error.kind, error.status, error.closeCode], [337, "handshake", 400, undefined]);
        server.reject();
        ok(new TextDecoder().decode(server.output()).startsWith("HTTP/1.1 400 Bad Request\r\nConnection: close\r\n"), "a 400");
        equal(thrown(() => server.connection()).kind, "misuse");

        const health = new ServerHandshake();
        const request = health.receive(utf8("GET /health HTTP/1.1\r\nHost: a\r\n\r\nbody"));
        equal(request?.type === "http" && [request.method, request.target, request.version, request.headers], ["GET", "/health", "1.1", [["Host", "a"]]]);
        equal(health.rest, utf8("body"));
        health.reject(200, { body: "fine\n", headers: { "X-A": "b" } });
        const answer = new TextDecoder().decode(health.output());
        ok(answer.startsWith("HTTP/1.1 200 OK\r\n") && answer.includes("X-A: b\r\n") && answer.endsWith("\r\n\r\nfine\n"), answer);

        const limited = new ServerHandshake({ limits: { headSizeMax: 50 } });
        equal(thrown(() => limited.receive(utf8(`${head}\r\n`)), "head_too_large").status, 431);
        equal(thrown(() => new ServerHandshake().receiveEof(), "unexpected_eof").number, 301);

        const client = new ClientHandshake({ host: "a" });
        const refusal = thrown(() => client.receive(utf8("HTTP/1.1 503 Busy\r\nRetry-After: 9\r\n\r\nlater")), "refused");
        equal([refusal.number, refusal.status], [360, 503]);
        equal([client.response?.status, client.response?.reason, client.response?.headers], [503, "Busy", [["Retry-After", "9"]]]);
        const wrong = new ClientHandshake({ host: "a" });
        const accept = "HTTP/1.1 101 x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";
        equal(thrown(() => wrong.receive(utf8(accept)), "accept_mismatch").number, 366);
        equal(thrown(() => new ClientHandshake({ host: "a", target: "/\r\nX: 1" }), "target_argument").number, 402);
        equal(thrown(() => new ClientHandshake({ host: "a", headers: { Host: "b" } }), "header_reserved").number, 404);
      },
    ],
    [
      "handshakes as values, over HTTP/1.1 and by extended CONNECT",
      () => {
        for (const connect of [false, true]) {
          const offered = new Offered({ host: "example.com", target: "/", subprotocols: ["a", "b"], origin: "http://x" }, { connect });
          const offer = new Offer(offered.headers, { connect });
          equal([offer.origin, offer.subprotocols, offer.extensions], ["http://x", ["a", "b"], []]);
          const answer = offer.answer({ subprotocol: "b", headers: { "X-B": "1" } });
          equal([answer.status, answer.subprotocol], [connect ? 200 : 101, "b"]);
          equal(answer.headers.at(-1), ["X-B", "1"]);
          const answered = offered.check(Object.fromEntries(answer.headers.map(([name, value]) => [name.toLowerCase(), value])));
          equal(answered.subprotocol, "b");
          const [client, server] = [answered.connection(), answer.connection()];
          client.send("hello");
          equal(plain(exchange(client, server)[1]), [["text", utf8("hello")]]);
        }
        const raw = ["Host", "a", "Upgrade", "websocket", "Connection", "Upgrade", "Sec-WebSocket-Version", "13", "Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="];
        const { head } = new Offer(raw).answer();
        equal(head, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n");
        equal(thrown(() => new Offer({ host: "a" }), "upgrade").status, 426);
        equal(thrown(() => new Offer(raw).answer({ subprotocol: "x" }), "subprotocol_not_offered").kind, "misuse");
        equal(thrown(() => new Offered({ host: "a" }).check({}), "upgrade").number, 362);
        equal(wscodec.acceptKey("dGhlIHNhbXBsZSBub25jZQ=="), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
        equal(thrown(() => wscodec.acceptKey("short"), "key").number, 337);
      },
    ],
    [
      "masking, at every length and phase",
      () => {
        for (let length = 0; length < 300; length++) {
          for (let phase = 0; phase < 4; phase++) {
            const bytes = Uint8Array.from({ length }, (_, i) => i * 13);
            const expected = bytes.map((byte, i) => byte ^ (KEY[(i + phase) & 3] ?? 0));
            const memory = new Uint8Array(length + 8).fill(9);
            memory.set(bytes, 3);
            equal(wscodec.mask(memory.subarray(3, 3 + length), KEY, phase), expected, `${length}, ${phase}`);
            equal([memory[2], memory[3 + length]], [9, 9], "nothing beside it");
            const other = /** @type {const} */ ([1, 2, 3, 250]);
            const remasked = wscodec.remask(expected.slice(), KEY, other, phase);
            equal(wscodec.mask(remasked, Uint8Array.from(other), phase), bytes, `${length}, ${phase}, remasked`);
          }
        }
        const large = new Uint8Array((4 << 20) + 5);
        wscodec.mask(large, KEY);
        ok(large.every((byte, i) => byte === KEY[i & 3]), "more than is loaded at a time");
        equal(thrown(() => wscodec.mask(large, Uint8Array.of(1))).name, "argument");
      },
    ],
    [
      "validation of UTF-8",
      () => {
        for (const [text, isValid] of /** @type {const} */ ([["", true], ["00", true], ["c3a9", true], ["c3", false], ["eda080", false], ["f09f8e89", true], ["f09f8e", false], ["ff", false]])) {
          equal(wscodec.isValidUtf8(fromHex(text)), isValid, text);
        }
        const large = utf8("日".repeat(1_500_000));
        equal(wscodec.isValidUtf8(large), true);
        equal(wscodec.isValidUtf8(large.subarray(0, large.length - 1)), false);
        large[4_400_000] = 0xff;
        equal(wscodec.isValidUtf8(large), false);
        equal(wscodec.isValidUtf8(new Uint8Array(5 << 20).fill(0x80)), false);
      },
    ],
    [
      "a relay masks anew, checks headers and keeps nothing",
      () => {
        const next = random(17);
        const client = new Connection("client");
        const payloads = [0, 1, 125, 126, 70_000].map((length) => Uint8Array.from({ length }, () => next(256)));
        payloads.forEach((payload) => client.send(payload));
        client.close(1000, "bye");
        const wire = client.output();
        const relay = new FrameRelay("client");
        const passed = concat(...cut(wire, next).map((piece) => relay.pass(piece)));
        equal(passed.length, wire.length);
        const [before, after] = [framesOf(wire), framesOf(passed)];
        equal(after, before);
        ok(passed.some((byte, i) => byte !== wire[i]), "keys of its own");
        const server = new FrameRelay("server");
        const plainWire = concat(frame("client", 0x81, "as it is"), frame("client", 0xc2, "compressed"));
        equal(concat(...cut(plainWire, next).map((piece) => server.pass(piece))), plainWire);
        equal(thrown(() => new FrameRelay("client").pass(plainWire), "mask_required").closeCode, 1002);
        relay.free();
        equal(thrown(() => relay.pass(wire), "freed").number, 501);
      },
    ],
  ];

  if (!hasDeflate) {
    tests.push([
      "a build without permessage-deflate says so",
      () => {
        equal(thrown(() => new ClientHandshake({ host: "a", deflate: true }), "no_deflate").number, 504);
      },
    ]);
    return tests;
  }

  /** @param {import("wscodec").DeflateOptions | true} offer @param {import("wscodec").DeflateOptions | true} accept */
  function compressed(offer, accept) {
    const client = new ClientHandshake({ host: "a", deflate: offer });
    const server = new ServerHandshake();
    server.receive(client.output());
    server.accept({ deflate: accept });
    client.receive(server.output());
    const agreed = [client.deflate, server.deflate];
    return { client: client.connection(), server: server.connection(), agreed };
  }

  tests.push(
    [
      "permessage-deflate: offered, agreed, used",
      () => {
        /** @type {[import("wscodec").DeflateOptions | true, import("wscodec").DeflateOptions | true, [boolean, boolean, number, number]][]} */
        const rows = [
          [true, true, [true, true, 12, 12]],
          [{ serverContextTakeover: false }, true, [false, true, 12, 12]],
          [true, { clientContextTakeover: false, serverMaxWindowBits: 15, clientMaxWindowBits: 15 }, [true, false, 15, 15]],
          [{ serverMaxWindowBits: 9, clientMaxWindowBits: 10 }, { level: 9 }, [true, true, 9, 10]],
        ];
        for (const [offer, accept, wanted] of rows) {
          const { client, server, agreed } = compressed(offer, accept);
          const [serverContextTakeover, clientContextTakeover, serverMaxWindowBits, clientMaxWindowBits] = wanted;
          const expected = { serverContextTakeover, clientContextTakeover, serverMaxWindowBits, clientMaxWindowBits };
          equal(agreed, [expected, expected], JSON.stringify([offer, accept]));
          ok(client.isCompressed && server.isCompressed, "compressed");
          for (const [near, far] of /** @type {const} */ ([[client, server], [server, client]])) {
            for (let i = 0; i < 5; i++) {
              const text = `{"id":${i},"text":"a rose is a rose is a rose"},`.repeat(20);
              near.send(text);
              const wire = near.output();
              ok(wire.length < text.length / 4, `${text.length} bytes became ${wire.length}`);
              equal((wire[0] ?? 0) & 0x40, 0x40, "RSV1");
              equal(plain([...cut(wire, random(i + 1))].flatMap((piece) => [...far.receive(piece)])), [["text", utf8(text)]]);
              near.send("short");
              near.sendUncompressed(text);
              const noise = crypto.getRandomValues(new Uint8Array(3000));
              near.send(noise);
              equal([...far.receive(near.output())].map(bytesOf), [utf8("short"), utf8(text), noise]);
              near.sendFragment(text, false);
              near.ping("between");
              near.sendFragment(text, true);
              equal([...far.receive(near.output())].map(bytesOf), [utf8("between"), utf8(text + text)]);
              far.output();
            }
          }
          client.free();
          server.free();
        }
      },
    ],
    [
      "permessage-deflate: limits hold while a message inflates",
      () => {
        const { client, server } = compressed(true, true);
        client.send(new Uint8Array(1 << 20));
        const bomb = client.output();
        ok(bomb.length < 5000, `${bomb.length} bytes`);
        server.free();
        const again = new ClientHandshake({ host: "a", deflate: true });
        const handshake = new ServerHandshake();
        handshake.receive(again.output());
        handshake.accept({ deflate: true });
        const limited = handshake.connection({ limits: { messageSizeMax: 100_000 } });
        equal(thrown(() => [...limited.receive(bomb)], "message_too_big").closeCode, 1009);
        const corrupt = compressed(true, true).server;
        equal(thrown(() => [...corrupt.receive(frame("server", 0xc1, fromHex("ffffffff")))], "inflate").closeCode, 1007);
      },
    ],
    [
      "permessage-deflate: a broadcast is compressed once for those who can have it",
      () => {
        const message = new PreparedMessage("hello ".repeat(100));
        const members = [compressed(true, true), compressed(true, true), compressed({ serverMaxWindowBits: 9 }, true)];
        const plainServer = new Connection("server");
        const frames = [...members.map(({ server }) => server), plainServer].map((server) => {
          server.sendPrepared(message);
          return server.output();
        });
        ok(frames[0] === frames[1], "one object for those who have agreed on the same");
        members.forEach(({ client }, i) => {
          equal(plain([...client.receive(frames[i] ?? new Uint8Array(0))]), [["text", utf8("hello ".repeat(100))]], `member ${i}`);
        });
        equal(frames[3]?.length, 4 + 600);
        // The history goes on behind it.
        members.forEach(({ client, server }, i) => {
          server.send("hello hello hello ".repeat(20));
          equal([...client.receive(server.output())].length, 1, `member ${i}`);
        });
      },
    ],
    [
      "permessage-deflate: preferences that are out of range",
      () => {
        for (const deflate of [{ level: 10 }, { serverMaxWindowBits: 7 }, { clientMaxWindowBits: 16 }, { sizeMin: 70_000 }]) {
          equal(thrown(() => new ClientHandshake({ host: "a", deflate })).name, "argument", JSON.stringify(deflate));
        }
      },
    ],
  );
  return tests;
}
