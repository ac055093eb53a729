/// <reference lib="esnext.disposable" preserve="true" />
/**
 * The package's classes, bound to an instance of a module that the caller has loaded: for platforms where the package
 * can't load it itself.
 *
 * ```js
 * import module from "wscodec/wscodec.simd.wasm"; // a WebAssembly.Module, as edge workers have it
 * import { instantiate } from "wscodec/instantiate";
 * const { Connection } = instantiate(module);
 * ```
 */

import * as connection from "./connection.js";
import { frameFunctions } from "./frames.js";
import type { FrameFunctions } from "./frames.js";
import * as frames from "./frames.js";
import * as handshake from "./handshake.js";
import { Module } from "./module.js";
import type { Bytes, Exports } from "./module.js";
import { asBytes } from "./module.js";
import * as negotiation from "./negotiation.js";
import * as prepared from "./prepared.js";

export * from "./vocabulary.js";

/** Everything that the package has, bound to one instance. */
export interface Wscodec extends FrameFunctions {
  readonly Connection: typeof connection.Connection;
  readonly ServerHandshake: typeof handshake.ServerHandshake;
  readonly ClientHandshake: typeof handshake.ClientHandshake;
  readonly Offer: typeof negotiation.Offer;
  readonly Offered: typeof negotiation.Offered;
  readonly PreparedMessage: typeof prepared.PreparedMessage;
  readonly FrameRelay: typeof frames.FrameRelay;
  /** The instructions that mask and validate: `simd128`, or `scalar`. */
  readonly kernel: "simd128" | "scalar";
}

/** A module with one function that adds two vectors. */
const SIMD = Uint8Array.of(
  0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 123, 3, 2, 1, 0, 10, 10, 1, 8, 0, 65, 0, 253, 15, 253, 98, 11,
);

/** Whether this engine has simd128: which of the two builds to load. */
export function hasSimd(): boolean {
  return WebAssembly.validate(SIMD);
}

/**
 * Makes an instance, with memory of its own, of the package's `.wasm`: compiled, or its bytes, which are compiled on the
 * spot.
 */
export function instantiate(module: WebAssembly.Module | Bytes): Wscodec {
  const compiled =
    module instanceof WebAssembly.Module
      ? module
      : new WebAssembly.Module(asBytes(module) as Uint8Array<ArrayBuffer>);
  const exports = new WebAssembly.Instance(compiled).exports as unknown as Exports;
  const inner = new Module(exports, crypto.getRandomValues(new Uint8Array(32)));
  const bound = { module: inner, registry: new FinalizationRegistry<() => void>((free) => free()) };

  class Connection extends connection.Connection {
    static override readonly bound = bound;
  }
  const connecting = { ...bound, Connection };
  class ServerHandshake extends handshake.ServerHandshake {
    static override readonly bound = connecting;
  }
  class ClientHandshake extends handshake.ClientHandshake {
    static override readonly bound = connecting;
  }
  class Offer extends negotiation.Offer {
    static override readonly bound = connecting;
  }
  class Offered extends negotiation.Offered {
    static override readonly bound = connecting;
  }
  class PreparedMessage extends prepared.PreparedMessage {
    static override readonly bound = bound;
  }
  class FrameRelay extends frames.FrameRelay {
    static override readonly bound = bound;
  }
  return {
    Connection,
    ServerHandshake,
    ClientHandshake,
    Offer,
    Offered,
    PreparedMessage,
    FrameRelay,
    kernel: exports.module_kernel() === 1 ? "simd128" : "scalar",
    ...frameFunctions(inner),
  };
}

// `using` frees, where the engine knows it.
if (typeof Symbol.dispose === "symbol") {
  const classes = [
    connection.Connection,
    handshake.ServerHandshake,
    handshake.ClientHandshake,
    prepared.PreparedMessage,
    frames.FrameRelay,
  ];
  for (const { prototype } of classes) {
    Object.defineProperty(prototype, Symbol.dispose, {
      value(this: { free(): void }) {
        this.free();
      },
    });
  }
}
