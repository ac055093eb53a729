/// <reference lib="esnext.disposable" preserve="true" />
/** What works on bytes and frames without a connection: for proxies, and for stacks with a codec of their own. */

import type { Bound } from "./connection.js";
import { misuse } from "./error.js";
import { INPUT_LENGTH_MAX, asBytes } from "./module.js";
import type { Bytes, ConnectionModule } from "./module.js";

/** Four bytes that a client XORs over a payload. */
export type MaskKey = Uint8Array | readonly [number, number, number, number];

/** From this length on it pays to copy the bytes to the module and back. */
const MODULE_LENGTH_MIN = 128;

/** Returns a key as a number whose lowest byte comes first. */
function numberOf(key: MaskKey): number {
  if (key.length !== 4) throw misuse.type(`a masking key has 4 bytes, not ${key.length}`);
  return (key[0]! | (key[1]! << 8) | (key[2]! << 16) | (key[3]! << 24)) >>> 0;
}

/** @internal XORs in place, as if `phase` bytes had gone by. */
export function apply(module: ConnectionModule, bytes: Uint8Array, key: number, phase: number): Uint8Array {
  const { length } = bytes;
  if (length < MODULE_LENGTH_MIN) {
    for (let i = 0; i < length; i++) {
      bytes[i]! ^= key >>> (((phase + i) & 3) << 3);
    }
    return bytes;
  }
  module.reader?.park();
  for (let at = 0; at < length; at += INPUT_LENGTH_MAX) {
    const piece = bytes.subarray(at, at + INPUT_LENGTH_MAX);
    module.loadInput(piece);
    module.check(module.exports.mask_apply(0, piece.length, key, phase & 3));
    piece.set(module.u8.subarray(module.inputAt, module.inputAt + piece.length));
  }
  return bytes;
}

/** The functions of this file, for a module. */
export interface FrameFunctions {
  /**
   * XORs a key over bytes in place, and returns them: masks and unmasks (RFC 6455, 5.3). `phase` is how many bytes of the
   * payload came before these.
   */
  mask(bytes: Uint8Array, key: MaskKey, phase?: number): Uint8Array;
  /** Turns bytes masked with one key into bytes masked with another, in place and in one pass: for a relay. */
  remask(bytes: Uint8Array, from: MaskKey, to: MaskKey, phase?: number): Uint8Array;
  /** Whether bytes are whole characters of UTF-8. */
  isValidUtf8(bytes: Bytes): boolean;
}

/** @internal */
export function frameFunctions(module: ConnectionModule): FrameFunctions {
  return {
    mask: (bytes, key, phase = 0) => apply(module, bytes, numberOf(key), phase),
    remask: (bytes, from, to, phase = 0) =>
      apply(module, bytes, (numberOf(from) ^ numberOf(to)) >>> 0, phase),
    isValidUtf8: (bytes) => isValidUtf8(module, asBytes(bytes)),
  };
}

function isValidUtf8(module: ConnectionModule, bytes: Uint8Array): boolean {
  module.reader?.park();
  let start = 0;
  do {
    let end = Math.min(bytes.length, start + INPUT_LENGTH_MAX);
    // A piece ends before a byte that begins a character, if there is one near.
    for (let back = 0; end < bytes.length && back < 3 && (bytes[end]! & 0xc0) === 0x80; back++) end--;
    const piece = bytes.subarray(start, end);
    module.loadInput(piece);
    if (module.check(module.exports.utf8_is_valid(0, piece.length)) === 0) return false;
    start = end;
  } while (start < bytes.length);
  return true;
}

/**
 * Passes the frames of one direction through a proxy that reads no payload: those of a client with fresh keys of its own,
 * those of a server as they are. Headers are checked. Nothing is kept but the beginning of a header, so a frame may be of
 * any length.
 *
 * ```js
 * const relay = new FrameRelay("client");
 * client.on("data", (chunk) => upstream.write(relay.pass(chunk)));
 * ```
 */
export class FrameRelay {
  /** @internal */
  static readonly bound: Bound;

  readonly #module: ConnectionModule;
  readonly #registry: FinalizationRegistry<() => void>;
  #number: number;

  /** @param from Who sends the frames. */
  constructor(from: "client" | "server") {
    const { module, registry } = (new.target as typeof FrameRelay).bound;
    if (from !== "server" && from !== "client") {
      throw misuse.type(`frames are from a "client" or a "server", not from ${String(from)}`);
    }
    this.#module = module;
    this.#registry = registry;
    const number = module.check(module.exports.relay_new(from === "client" ? 0 : 1));
    this.#number = number;
    registry.register(this, () => module.exports.relay_free(number), this);
  }

  /**
   * Takes what was read from one side, and gives what is to be written to the other.
   *
   * @throws {WscodecError} of the kind `protocol`, if a header is wrong. Pass nothing more then.
   */
  pass(chunk: Bytes): Uint8Array {
    const module = this.#module;
    const bytes = asBytes(chunk);
    module.own(undefined);
    module.reader?.park();
    const passed: Uint8Array[] = [];
    for (let at = 0; at < bytes.length; at += INPUT_LENGTH_MAX) {
      const piece = bytes.subarray(at, at + INPUT_LENGTH_MAX);
      module.loadInput(piece);
      module.check(module.exports.relay_pass(this.#number, piece.length));
      const output = module.takeOutput();
      if (output !== undefined) passed.push(output);
    }
    if (passed.length === 1) return passed[0]!;
    const all = new Uint8Array(passed.reduce((sum, bytes) => sum + bytes.length, 0));
    let at = 0;
    for (const bytes of passed) {
      all.set(bytes, at);
      at += bytes.length;
    }
    return all;
  }

  /** Frees the memory that the module holds for it. */
  free(): void {
    if (this.#number < 0) return;
    this.#registry.unregister(this);
    this.#module.exports.relay_free(this.#number);
    this.#number = -1;
  }
}

export interface FrameRelay {
  [Symbol.dispose](): void;
}
