/** The package with permessage-deflate in Node, loaded at once. */

import { readFileSync } from "node:fs";

import { hasSimd, instantiate } from "./instantiate.js";

const name = hasSimd() ? "deflate.simd.wasm" : "deflate.scalar.wasm";
const read = (name: string) => readFileSync(new URL(name, import.meta.url));
const wscodec = instantiate(read(name), () => read("handshake.wasm"));

/**
 * Loads the module for handshakes, which `ServerHandshake`, `ClientHandshake`, `Offer`, `Offered` and `acceptKey` use.
 * Browsers have to wait for it before the first of these; Node reads it when it is needed.
 */
export async function loadHandshakes(): Promise<void> {}

export const {
  Connection,
  ServerHandshake,
  ClientHandshake,
  Offer,
  Offered,
  PreparedMessage,
  FrameRelay,
  kernel,
  mask,
  remask,
  isValidUtf8,
  acceptKey,
} = wscodec;
export type Connection = InstanceType<typeof Connection>;
export type ServerHandshake = InstanceType<typeof ServerHandshake>;
export type ClientHandshake = InstanceType<typeof ClientHandshake>;
export type Offer = InstanceType<typeof Offer>;
export type Offered = InstanceType<typeof Offered>;
export type PreparedMessage = InstanceType<typeof PreparedMessage>;
export type FrameRelay = InstanceType<typeof FrameRelay>;

export * from "./vocabulary.js";
