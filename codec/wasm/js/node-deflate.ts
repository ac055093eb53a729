/** The package with permessage-deflate in Node, loaded at once. */

import { readFileSync } from "node:fs";

import { hasSimd, instantiate } from "./instantiate.js";

const name = hasSimd() ? "deflate.simd.wasm" : "deflate.scalar.wasm";
const wscodec = instantiate(readFileSync(new URL(name, import.meta.url)));

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
