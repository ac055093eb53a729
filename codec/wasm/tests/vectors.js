// What goes in and what must come out: the examples of RFC 6455 and, group by group, what the Autobahn test suite asks.
// The expectations are written out by hand.

import { concat, frame, fromHex, utf8 } from "./check.js";

/**
 * @typedef {["text" | "binary" | "ping" | "pong", Uint8Array] | ["close", number, string]} Expected
 * @typedef {object} Vector
 * @property {string} name
 * @property {"server" | "client"} role Who receives.
 * @property {Uint8Array} wire
 * @property {Expected[]} events
 * @property {[string, number]} [error] The name, and the close code that is sent.
 * @property {import("wscodec").Limits} [limits]
 * @property {[number, Uint8Array][]} [replies] Opcodes and payloads; by default none, or the Close of the error.
 */

/** @type {("server" | "client")[]} */
export const ROLES = ["server", "client"];
const EMPTY = new Uint8Array(0);

/** @param {number} length */
const bytesOf = (length) => Uint8Array.from({ length }, (_, i) => i * 7 + (i >> 8));
/** @param {number} length */
const asciiOf = (length) => Uint8Array.from({ length }, (_, i) => 97 + (i % 26));
/** @param {number} code @param {string | Uint8Array} [reason] */
const close = (code, reason = "") =>
  concat(Uint8Array.of(code >> 8, code & 255), typeof reason === "string" ? utf8(reason) : reason);

/** @type {Vector[]} */
const rfc = [
  { name: "5.7 a single-frame unmasked text", role: "client", wire: fromHex("810548656c6c6f"), events: [["text", utf8("Hello")]] },
  { name: "5.7 a single-frame masked text", role: "server", wire: fromHex("818537fa213d7f9f4d5158"), events: [["text", utf8("Hello")]] },
  { name: "5.7 a fragmented unmasked text", role: "client", wire: fromHex("010348656c 80026c6f"), events: [["text", utf8("Hello")]] },
  {
    name: "5.7 an unmasked Ping",
    role: "client",
    wire: fromHex("890548656c6c6f"),
    events: [["ping", utf8("Hello")]],
    replies: [[0x8a, utf8("Hello")]],
  },
  { name: "5.7 a masked Pong", role: "server", wire: fromHex("8a8537fa213d7f9f4d5158"), events: [["pong", utf8("Hello")]] },
  { name: "5.7 256 bytes in a frame", role: "client", wire: concat(fromHex("827e0100"), bytesOf(256)), events: [["binary", bytesOf(256)]] },
  { name: "5.7 64 KiB in a frame", role: "client", wire: concat(fromHex("827f0000000000010000"), bytesOf(65536)), events: [["binary", bytesOf(65536)]] },
];

/** @param {"server" | "client"} role @returns {Vector[]} */
function vectorsOf(role) {
  /** @param {number} b0 @param {string | Uint8Array} payload */
  const f = (b0, payload = "") => frame(role, b0, payload);
  const wrong = role === "server" ? "client" : "server";
  /** @param {string} name @param {Uint8Array[]} wire @param {Expected[]} events @param {Partial<Vector>} [rest] @returns {Vector} */
  const row = (name, wire, events, rest = {}) => ({ name, role, wire: concat(...wire), events, ...rest });
  /** @type {Vector[]} */
  const rows = [];

  // 1: lengths where the header changes its form.
  for (const length of [0, 1, 125, 126, 127, 128, 65535, 65536, 100_000]) {
    rows.push(row(`1.1 text of ${length}`, [f(0x81, asciiOf(length))], [["text", asciiOf(length)]]));
    rows.push(row(`1.2 binary of ${length}`, [f(0x82, bytesOf(length))], [["binary", bytesOf(length)]]));
  }

  // 2: Pings and Pongs.
  for (const payload of [EMPTY, utf8("Hello, world!"), fromHex("00fffefdfcfb00ff"), bytesOf(125)]) {
    rows.push(row(`2 Ping of ${payload.length}`, [f(0x89, payload)], [["ping", payload]], { replies: [[0x8a, payload]] }));
    rows.push(row(`2 Pong of ${payload.length}`, [f(0x8a, payload)], [["pong", payload]]));
  }
  rows.push(row("2.5 Ping of 126", [f(0x89, bytesOf(126))], [], { error: ["control_too_long", 1002] }));
  rows.push(
    row("2.10 ten Pings", Array.from({ length: 10 }, (_, i) => f(0x89, `payload-${i}`)), Array.from({ length: 10 }, (_, i) => ["ping", utf8(`payload-${i}`)]), {
      replies: Array.from({ length: 10 }, (_, i) => [0x8a, utf8(`payload-${i}`)]),
    }),
  );

  // 3: reserved bits; 4: reserved opcodes.
  for (const bits of [1, 2, 3, 4, 5, 6, 7]) {
    rows.push(row(`3 RSV ${bits}`, [f(0x81, "ok"), f(0x81 | (bits << 4), "no"), f(0x89)], [["text", utf8("ok")]], { error: ["reserved_bits", 1002] }));
  }
  for (const opcode of [3, 4, 5, 6, 7, 11, 12, 13, 14, 15]) {
    rows.push(row(`4 opcode ${opcode}`, [f(0x81, "ok"), f(0x80 | opcode, "no")], [["text", utf8("ok")]], { error: ["reserved_opcode", 1002] }));
  }

  // 5: fragments.
  rows.push(
    row("5.1 a fragmented Ping", [f(0x09, "a"), f(0x80, "b")], [], { error: ["control_fragmented", 1002] }),
    row("5.3 text in two", [f(0x01, "frag"), f(0x80, "ment")], [["text", utf8("fragment")]]),
    row("5.6 a Ping between", [f(0x01, "frag"), f(0x89, "ping"), f(0x80, "ment")], [["ping", utf8("ping")], ["text", utf8("fragment")]], {
      replies: [[0x8a, utf8("ping")]],
    }),
    row("5.9 a continuation of nothing", [f(0x80, "no"), f(0x81, "never")], [], { error: ["unexpected_continuation", 1002] }),
    row("5.12 the same without FIN", [f(0x00, "no")], [], { error: ["unexpected_continuation", 1002] }),
    row("5.15 a continuation after a message", [f(0x01, "a"), f(0x80, "b"), f(0x00, "c")], [["text", utf8("ab")]], {
      error: ["unexpected_continuation", 1002],
    }),
    row("5.18 a message within a message", [f(0x01, "a"), f(0x81, "b")], [], { error: ["expected_continuation", 1002] }),
    row(
      "5.19 many fragments and Pings",
      [f(0x02, "1"), f(0x00, ""), f(0x89, "p"), f(0x00, "2"), f(0x89, "q"), f(0x80, "3")],
      [["ping", utf8("p")], ["ping", utf8("q")], ["binary", utf8("123")]],
      { replies: [[0x8a, utf8("p")], [0x8a, utf8("q")]] },
    ),
  );

  // 6: UTF-8, whole and split within characters.
  const valid = [
    "κόσμε",
    "\u0000",
    "Hello-µ@ßöäüàá-UTF-8!!",
    "\ud7ff\ue000\ufffd",
    "\u{10000}\u{10ffff}\ufffe\uffff\ufeff",
    "\ufeffa byte order mark stays",
    "日本語 🎉".repeat(20),
  ];
  for (const text of valid) {
    const bytes = utf8(text);
    rows.push(row(`6 ${JSON.stringify(text.slice(0, 12))}`, [f(0x81, bytes)], [["text", bytes]]));
    const pieces = Array.from(bytes, (byte, i) => f(i === 0 ? 0x01 : 0x00, Uint8Array.of(byte)));
    rows.push(row(`6 ${JSON.stringify(text.slice(0, 12))} in frames of a byte`, [...pieces, f(0x80)], [["text", bytes]]));
  }
  const invalid = [
    ["cebae1bdb9cf83cebcceb5eda080656469746564", "a surrogate"],
    ["cebae1bdb9cf83cebcceb5f4908080656469746564", "above 10ffff"],
    ["c080", "overlong in two"],
    ["e080af", "overlong in three"],
    ["f08080af", "overlong in four"],
    ["80", "a continuation alone"],
    ["c3", "a character that ends too early"],
    ["f7bfbfbf", "a lead above f4"],
    ["ff", "a byte that is in no character"],
  ];
  for (const [hex, what] of invalid) {
    rows.push(row(`6 ${what}`, [f(0x81, "ok"), f(0x81, fromHex(/** @type {string} */ (hex))), f(0x81, "never")], [["text", utf8("ok")]], { error: ["utf8", 1007] }));
  }
  rows.push(row("6.4 invalid in a frame before the last", [f(0x01, fromHex("cebae1bdb9f490")), f(0x00, "more")], [], { error: ["utf8", 1007] }));
  rows.push(row("6 binary may hold anything", [f(0x82, fromHex("fffe80c0"))], [["binary", fromHex("fffe80c0")]]));

  // 7: closing.
  rows.push(
    row("7.1 Close with a reason", [f(0x88, close(1000, "bye"))], [["close", 1000, "bye"]], { replies: [[0x88, close(1000)]] }),
    row("7.1 data after a Close", [f(0x88, close(1000)), f(0x81, "no"), f(0x89)], [["close", 1000, ""]], { replies: [[0x88, close(1000)]] }),
    row("7.3.1 an empty Close", [f(0x88)], [["close", 1005, ""]], { replies: [[0x88, EMPTY]] }),
    row("7.3.2 a Close of one byte", [f(0x88, "a")], [], { error: ["close_payload", 1002] }),
    row("7.3.5 a reason of 123", [f(0x88, close(1000, asciiOf(123)))], [["close", 1000, new TextDecoder().decode(asciiOf(123))]], {
      replies: [[0x88, close(1000)]],
    }),
    row("7.3.6 a reason of 124", [f(0x88, close(1000, asciiOf(124)))], [], { error: ["control_too_long", 1002] }),
    row("7.5.1 a reason that is not UTF-8", [f(0x88, close(1000, fromHex("cebae1bdb9eda080")))], [], { error: ["utf8", 1007] }),
    row("7 a Close within a message", [f(0x01, "part"), f(0x88, close(1001))], [["close", 1001, ""]], { replies: [[0x88, close(1001)]] }),
  );
  for (const code of [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3999, 4000, 4999]) {
    rows.push(row(`7.7 code ${code}`, [f(0x88, close(code))], [["close", code, ""]], { replies: [[0x88, close(code)]] }));
  }
  for (const code of [0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535]) {
    rows.push(row(`7.9 code ${code}`, [f(0x88, close(code))], [], { error: ["close_code", 1002] }));
  }

  // Masking by role, lengths in their shortest form, limits.
  const form16 = role === "server" ? fromHex("82fe000500000000") : fromHex("827e0005");
  const top = role === "server" ? fromHex("82ffffffffffffffffff00000000") : fromHex("827fffffffffffffffff");
  const above32 = role === "server" ? fromHex("82ff000000010000000500000000") : fromHex("827f0000000100000005");
  rows.push(
    row("a frame of the wrong side", [frame(wrong, 0x81, "no")], [], { error: [role === "server" ? "mask_required" : "mask_forbidden", 1002] }),
    row("5 bytes in the 16-bit form", [form16, utf8("Hello")], [], { error: ["length_not_minimal", 1002] }),
    row("a length of 2^64 - 1", [top], [], { error: ["length_msb", 1002] }),
    row("a length above 32 bits", [above32, utf8("Hello")], [], { error: ["frame_too_big", 1009] }),
    row("the same without a limit for frames", [above32, utf8("Hello")], [], { error: ["message_too_big", 1009], limits: { frameSizeMax: Infinity } }),
    row("frames at the limit and above", [f(0x82, bytesOf(10)), f(0x82, bytesOf(11))], [["binary", bytesOf(10)]], {
      error: ["frame_too_big", 1009],
      limits: { frameSizeMax: 10 },
    }),
    row("messages at the limit and above", [f(0x02, bytesOf(4)), f(0x80, bytesOf(6)), f(0x02, bytesOf(4)), f(0x80, bytesOf(7))], [["binary", concat(bytesOf(4), bytesOf(6))]], {
      error: ["message_too_big", 1009],
      limits: { messageSizeMax: 10 },
    }),
    row("fragments above the limit", [f(0x02), f(0x00), f(0x00), f(0x00)], [], { error: ["too_many_fragments", 1008], limits: { fragmentsMax: 3 } }),
  );

  // 9: a message in many frames.
  const large = bytesOf(300_000);
  const frames = [];
  for (let at = 0; at < large.length; at += 1000) {
    const last = at + 1000 >= large.length;
    frames.push(f((last ? 0x80 : 0) | (at === 0 ? 2 : 0), large.slice(at, at + 1000)));
  }
  rows.push(row("9.4 300 frames of 1,000 bytes", frames, [["binary", large]]));
  return rows;
}

/** All of them. */
export const VECTORS = [...rfc, ...ROLES.flatMap(vectorsOf)];
