/** The package in browsers and workers of the web: importing it waits for the module. */

import { hasSimd, instantiate } from "./instantiate.js";

// Written out twice, for bundlers that look for such addresses.
const url = hasSimd()
  ? new URL("./wscodec.simd.wasm", import.meta.url)
  : new URL("./wscodec.scalar.wasm", import.meta.url);
const response = await fetch(url);
if (!response.ok) throw new Error(`${url}: status ${response.status}`);
const wscodec = instantiate(await WebAssembly.compile(await response.arrayBuffer()));

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
