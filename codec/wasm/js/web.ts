/** The package in browsers and workers of the web: importing it waits for the module. */

import { compiled } from "./fetch.js";
import { hasSimd, instantiate } from "./instantiate.js";

// Written out twice, for bundlers that look for such addresses.
const url = hasSimd()
  ? new URL("./wscodec.simd.wasm", import.meta.url)
  : new URL("./wscodec.scalar.wasm", import.meta.url);
let handshakes: WebAssembly.Module | undefined;
const wscodec = instantiate(await compiled(url), () => handshakes);

/**
 * Loads the module for handshakes, which `ServerHandshake`, `ClientHandshake`, `Offer`, `Offered` and `acceptKey` use:
 * wait for it before the first of these.
 */
export async function loadHandshakes(): Promise<void> {
  handshakes ??= await compiled(new URL("./handshake.wasm", import.meta.url));
}

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
