// Copies a module without its custom sections: names and notes of tools, which no engine needs.
//
//     node strip.js FROM TO

import { readFileSync, writeFileSync } from "node:fs";

const [from, to] = process.argv.slice(2);
const bytes = readFileSync(from);
const kept = [bytes.subarray(0, 8)];
let at = 8;

/** A number in LEB128, at `at`. */
function number() {
  let value = 0;
  for (let shift = 1; ; shift *= 128) {
    const byte = bytes[at++];
    value += (byte & 127) * shift;
    if (byte < 128) return value;
  }
}

while (at < bytes.length) {
  const begin = at;
  const id = bytes[at++];
  const length = number();
  at += length;
  if (id !== 0) kept.push(bytes.subarray(begin, at));
}
writeFileSync(to, Buffer.concat(kept));
