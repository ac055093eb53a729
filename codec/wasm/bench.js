// Speed beside `ws` with `bufferutil`: decoding, encoding and masking, in rounds that alternate.
//
//     node bench.js [ROUNDS [WORK]]
//
// WORK is a part of the name of a kind of work. A row is the median of the rounds, with the lowest and the highest. Both sides are given the same bytes and checked to
// have made the same of them. `ws` works on streams: its receiver and its sender are driven directly, without a socket.

import { createRequire } from "node:module";
import { cpus } from "node:os";
import bufferutil from "bufferutil";
import * as wscodec from "wscodec";
import { Receiver, Sender } from "ws";

const require = createRequire(import.meta.url);
const ROUNDS = Number(process.argv[2] ?? 7);
const SIZES = [64, 4 << 10, 64 << 10, 1 << 20];
/** How long one measurement takes at least. */
const TIME_MS = 60;
/** What a read from a socket brings at most. */
const READ_LENGTH = 64 << 10;

if (bufferutil.mask === undefined || process.env.WS_NO_BUFFER_UTIL) throw new Error("no bufferutil");

/** Frames of a client with payloads of one size, in chunks as a socket would give them. */
function frames(size, isText, role) {
  const sender = new wscodec.Connection(role);
  const count = Math.max(1, Math.min(200, Math.floor(READ_LENGTH / size)));
  const payload = isText ? "abcdefgh".repeat(size / 8) : new Uint8Array(size).fill(0x61);
  for (let i = 0; i < count; i++) sender.send(payload);
  const wire = sender.output();
  sender.free();
  const chunks = [];
  for (let at = 0; at < wire.length; at += READ_LENGTH) chunks.push(wire.slice(at, at + READ_LENGTH));
  return { count, chunks };
}

/** A socket that takes everything and keeps nothing. */
const nowhere = { cork() {}, uncork() {}, write(bytes) { nowhere.written += bytes.length; }, written: 0 };

/** What is measured: each gives two functions that do the same number of messages. */
const WORK = {
  "receive and unmask, binary": (size) => receiving(size, false),
  "receive and unmask, text as strings": (size) => receiving(size, true),
  "receive and unmask, binary lent": (size) => receiving(size, false, true),
  "send and mask, binary": (size) => sending(size, false),
  "send and mask, text": (size) => sending(size, true),
  "send as a server, binary": (size) => sending(size, false, "server"),
  "mask alone, in place": (size) => {
    const bytes = Buffer.alloc(size, 0x61);
    const key = Uint8Array.of(1, 2, 3, 4);
    const keyed = Buffer.from(key);
    return { count: 1, ours: () => wscodec.mask(bytes, key), theirs: () => bufferutil.unmask(bytes, keyed) };
  },
};

function receiving(size, isText, borrow = false) {
  const { count, chunks } = frames(size, isText, "client");
  const connection = new wscodec.Connection("server", { borrow });
  // `ws` unmasks where the bytes lie: each round has to have them as they were, and so has ours for the same cost.
  const memory = chunks.map((chunk) => Buffer.from(chunk));
  const restore = () => memory.forEach((bytes, i) => bytes.set(chunks[i]));
  let seen = 0;
  const receiver = new Receiver({ isServer: true, allowSynchronousEvents: true, maxPayload: 64 << 20 });
  receiver.on("message", (data, isBinary) => {
    seen += (isBinary ? data : data.toString()).length;
  });
  return {
    count,
    ours: () => {
      restore();
      let length = 0;
      for (const bytes of memory) {
        for (const event of connection.receive(bytes)) length += event.data.length;
      }
      if (length !== count * size) throw new Error(`ours: ${length}`);
    },
    theirs: () => {
      restore();
      seen = 0;
      for (const bytes of memory) receiver.write(bytes);
      if (seen !== count * size) throw new Error(`theirs: ${seen}`);
    },
  };
}

function sending(size, isText, role = "client") {
  const payload = isText ? "abcdefgh".repeat(size / 8) : Buffer.alloc(size, 0x61);
  const count = Math.max(1, Math.min(50, Math.floor(READ_LENGTH / size)));
  const connection = new wscodec.Connection(role);
  const sender = new Sender(nowhere, {});
  const options = { fin: true, binary: !isText, mask: role === "client", compress: false };
  const header = (role === "client" ? 4 : 0) + (size < 126 ? 2 : size < 65536 ? 4 : 10);
  const judge = (who) => {
    if (nowhere.written !== count * (size + header)) throw new Error(`${who}: ${nowhere.written}`);
    nowhere.written = 0;
  };
  return {
    count,
    ours: () => {
      // Written one by one, as by `ws`.
      for (let i = 0; i < count; i++) {
        connection.send(payload);
        for (const bytes of connection.outputs()) nowhere.write(bytes);
      }
      judge("ours");
    },
    theirs: () => {
      for (let i = 0; i < count; i++) sender.send(payload, options, undefined);
      judge("theirs");
    },
  };
}

/** Nanoseconds of the processor a message: those of all threads of Node, which collect garbage, too. */
function time(work, count) {
  let runs = 0;
  let microseconds = 0;
  const begin = process.cpuUsage();
  while (microseconds < TIME_MS * 1000) {
    for (let i = 0; i < 10; i++) work();
    runs += 10;
    const { user, system } = process.cpuUsage(begin);
    microseconds = user + system;
  }
  return (microseconds * 1000) / (runs * count);
}

const median = (values) => values.toSorted((a, b) => a - b)[values.length >> 1];
const shown = (ns) => (ns < 1e4 ? ns.toFixed(0) : ns.toPrecision(4));

const load = () => require("node:os").loadavg()[0].toFixed(1);
console.log(`Node ${process.version}, ws ${require("ws/package.json").version}, bufferutil ${require("bufferutil/package.json").version}, ${wscodec.kernel}`);
console.log(`${cpus()[0].model}, ${cpus().length} cores, load ${load()} at the beginning; ${ROUNDS} rounds, ns of the processor a message\n`);
console.log("| work | bytes | wscodec | lowest-highest | ws | lowest-highest | times as fast |");
console.log("|---|--:|--:|--:|--:|--:|--:|");
for (const [name, make] of Object.entries(WORK)) {
  if (!name.includes(process.argv[3] ?? "")) continue;
  for (const size of SIZES) {
    const { count, ours, theirs } = make(size);
    time(ours, count);
    time(theirs, count);
    const [a, b] = [[], []];
    for (let round = 0; round < ROUNDS; round++) {
      a.push(time(ours, count));
      b.push(time(theirs, count));
    }
    const range = (values) => `${shown(Math.min(...values))}-${shown(Math.max(...values))}`;
    // Of neighbours in time, so that a busy machine weighs on both.
    const ratio = median(a.map((ours, i) => b[i] / ours));
    console.log(`| ${name} | ${size.toLocaleString("en")} | ${shown(median(a))} | ${range(a)} | ${shown(median(b))} | ${range(b)} | ${ratio.toFixed(2)} |`);
  }
}
console.log(`\nload ${load()} at the end`);
