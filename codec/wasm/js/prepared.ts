/// <reference lib="esnext.disposable" preserve="true" />
/** A message encoded once, for a broadcast. */

import type { Bound, Connection } from "./connection.js";
import { asBytes } from "./module.js";
import type { Bytes, ConnectionModule } from "./module.js";

/**
 * A message that is encoded once, and compressed once, for any number of connections. Servers share the bytes of its
 * frame; a client masks them anew each time.
 *
 * ```js
 * const message = new PreparedMessage("hello, everyone");
 * for (const { connection, socket } of members) {
 *   connection.sendPrepared(message);
 *   for (const bytes of connection.outputs()) socket.write(bytes);
 * }
 * message.free();
 * ```
 */
export class PreparedMessage {
  /** @internal */
  static readonly bound: Bound;

  readonly #module: ConnectionModule;
  readonly #registry: FinalizationRegistry<() => void>;
  #number: number;
  /** Copies of the frames that connections share, by where they lie as long as this message does. */
  readonly #frames = new Map<number, Uint8Array>();

  /** Encodes a string as text, bytes as a binary message. Its payload is copied. */
  constructor(data: string | Bytes) {
    const { module, registry } = (new.target as typeof PreparedMessage).bound;
    this.#module = module;
    this.#registry = registry;
    const isText = typeof data === "string";
    const length = module.loadMessage(isText ? data : asBytes(data));
    const number = module.check(module.exports.prepared_new(isText ? 1 : 2, length));
    this.#number = number;
    registry.register(this, () => module.exports.prepared_free(number), this);
  }

  /** @internal Returns the frame that a connection sends, after what is due. */
  frameFor(connection: Connection, number: number): Uint8Array {
    const module = this.#module;
    module.own(connection);
    module.check(module.exports.connection_prepared_frame(number, this.#number));
    connection.spill();
    const { at, length } = module;
    const isShared = module.code === 1;
    const known = isShared ? this.#frames.get(at) : undefined;
    if (known !== undefined && known.length === length) return known;
    const frame = module.u8.slice(at, at + length);
    if (isShared) this.#frames.set(at, frame);
    return frame;
  }

  /** Frees the memory that the module holds for it. Frames that were taken stay. */
  free(): void {
    if (this.#number < 0) return;
    this.#registry.unregister(this);
    this.#module.exports.prepared_free(this.#number);
    this.#number = -1;
  }
}

export interface PreparedMessage {
  [Symbol.dispose](): void;
}
