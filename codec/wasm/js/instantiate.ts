/// <reference lib="esnext.disposable" preserve="true" />
/**
 * The package's classes, bound to an instance of a module that the caller has loaded: for platforms where the package
 * can't load it itself.
 *
 * ```js
 * import module from "wscodec/wscodec.simd.wasm"; // a WebAssembly.Module, as edge workers have it
 * import handshakes from "wscodec/handshake.wasm"; // if they are needed
 * import { instantiate } from "wscodec/instantiate";
 * const { Connection, ServerHandshake } = instantiate(module, handshakes);
 * ```
 */

import * as connection from "./connection.js";
import { misuse } from "./error.js";
import { frameFunctions } from "./frames.js";
import type { FrameFunctions } from "./frames.js";
import * as frames from "./frames.js";
import * as handshake from "./handshake.js";
import { ConnectionModule, Module, asBytes } from "./module.js";
import type { Bytes, ConnectionExports, HandshakeExports } from "./module.js";
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
  /** The value of `Sec-WebSocket-Accept` that answers one of `Sec-WebSocket-Key` (RFC 6455, 4.2.2). */
  acceptKey(key: string): string;
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

/** A `.wasm` of the package: compiled, or its bytes, which are compiled on the spot. */
export type Source = WebAssembly.Module | Bytes;

/**
 * Makes an instance, with memory of its own, of one of the package's modules for connections.
 *
 * @param handshakes `handshake.wasm`, or what gives it when it is first needed: by a handshake, `Offer`, `Offered` or
 *   `acceptKey`. Without it these throw `no_handshakes`.
 */
export function instantiate(module: Source, handshakes?: Source | (() => Source | undefined)): Wscodec {
  const exports = exportsOf(module) as unknown as ConnectionExports;
  const inner = new ConnectionModule(exports, seed());
  const registry = new FinalizationRegistry<() => void>((free) => free());
  const bound = { module: inner, registry };

  class Connection extends connection.Connection {
    static override readonly bound = bound;
  }
  let opening: Module<HandshakeExports> | undefined;
  const connecting = {
    registry,
    Connection,
    hasDeflate: exports.module_has_deflate() === 1,
    get module() {
      if (opening === undefined) {
        const source = typeof handshakes === "function" ? handshakes() : handshakes;
        if (source === undefined) throw misuse.noHandshakes();
        opening = new Module(exportsOf(source) as unknown as HandshakeExports, seed());
      }
      return opening;
    },
  };
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
    acceptKey: (key) => negotiation.acceptKey(connecting, key),
    ...frameFunctions(inner),
  };
}

function exportsOf(source: Source): WebAssembly.Exports {
  const compiled =
    source instanceof WebAssembly.Module
      ? source
      : new WebAssembly.Module(asBytes(source) as Uint8Array<ArrayBuffer>);
  return new WebAssembly.Instance(compiled).exports;
}

function seed(): Uint8Array {
  return crypto.getRandomValues(new Uint8Array(32));
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
