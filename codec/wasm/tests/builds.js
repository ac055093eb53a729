// The four builds of connections, each instantiated with the handshakes, and what the native codec makes of stored inputs.

import { readFileSync } from "node:fs";
import { instantiate } from "wscodec/instantiate";

/** Where `test` has put what examples/vectors.rs says. */
const NATIVE = new URL("../dist/vectors.jsonl", import.meta.url);

export const native = readFileSync(NATIVE, "utf8").trim().split("\n");

/** @param {string} name */
const read = (name) => readFileSync(new URL(import.meta.resolve(`wscodec/${name}.wasm`)));

export const handshakes = read("handshake");

export const builds = ["wscodec.simd", "wscodec.scalar", "deflate.simd", "deflate.scalar"].map((name) => {
  const bytes = read(name);
  return { name, bytes, hasDeflate: name.startsWith("deflate"), wscodec: instantiate(bytes, handshakes) };
});
