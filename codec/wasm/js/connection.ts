/// <reference lib="esnext.disposable" preserve="true" />
/** An open connection: chunks in, events out; messages in, bytes to write out. */

import { misuse } from "./error.js";
import { AGREED, INPUT_LENGTH_MAX, asBytes } from "./module.js";
import type { Bytes, ConnectionModule } from "./module.js";
import type { PreparedMessage } from "./prepared.js";

/** Which end of a connection this is. */
export type Role = "server" | "client";

/** What the peer may send. Each has a default; `Infinity` is no limit. */
export interface Limits {
  /** The payload of one frame, in bytes. Default 16 MiB. */
  frameSizeMax?: number;
  /** The payload of one message, in bytes, after decompression. Default 64 MiB. */
  messageSizeMax?: number;
  /** The frames of one message. Default 131,072. */
  fragmentsMax?: number;
}

/** How a connection behaves. */
export interface ConnectionOptions {
  limits?: Limits;
  /**
   * `whole` (the default) gives messages once they are whole; `streamed` gives pieces as they arrive, for messages larger
   * than memory. A piece that is not the last has `final: false`.
   */
  delivery?: "whole" | "streamed";
  /** Whether text is given as a string (the default) or as its bytes, which are valid UTF-8. */
  text?: "string" | "bytes";
  /**
   * Lends bytes instead of copying them: views into the module's memory, each valid until the next call of any kind. To
   * send such a view back is one of the calls that may be made with it.
   */
  borrow?: boolean;
}

export interface TextEvent<T extends string | Uint8Array = string | Uint8Array> {
  readonly type: "text";
  readonly data: T;
  /** `false` if more pieces of the message follow. */
  readonly final: boolean;
}

export interface BinaryEvent {
  readonly type: "binary";
  readonly data: Uint8Array;
  /** `false` if more pieces of the message follow. */
  readonly final: boolean;
}

/** A Ping, whose Pong is in the output already. */
export interface PingEvent {
  readonly type: "ping";
  readonly data: Uint8Array;
}

export interface PongEvent {
  readonly type: "pong";
  readonly data: Uint8Array;
}

/** The peer's Close, whose answer is in the output already. */
export interface CloseEvent {
  readonly type: "close";
  /** 1005 if the Close had none. */
  readonly code: number;
  readonly reason: string;
}

/** What was received. */
export type Event = TextEvent | BinaryEvent | PingEvent | PongEvent | CloseEvent;

/** See {@link Connection.readyState}. */
export type ReadyState = "open" | "closing" | "closed";

const TEXT = 1;
const BINARY = 2;
const PING = 9;
const PONG = 10;
/** Flags of the module's `connection_send_message`. */
const PIECE = 16;
const LAST_PIECE = 32;
const UNCOMPRESSED = 64;

/** A server's payloads of more bytes are passed on and not copied. */
const COPIED_LENGTH_MAX = 4 << 10;

const STATES: readonly ReadyState[] = ["open", "open", "closing", "closed"];
const EMPTY = new Uint8Array(0);

/** What a constructor of this package gets from the module that it is bound to. */
export interface Bound {
  readonly module: ConnectionModule;
  /** Frees what is no longer reachable. */
  readonly registry: FinalizationRegistry<() => void>;
}

/**
 * One side of an open WebSocket connection, without I/O.
 *
 * ```js
 * const connection = new Connection("server");
 * socket.on("data", (chunk) => {
 *   for (const event of connection.receive(chunk)) {
 *     if (event.type === "text") connection.send(`you said: ${event.data}`);
 *   }
 *   socket.write(connection.output());
 * });
 * ```
 *
 * It holds memory of the module: call `free` (or declare it with `using`) once it is no longer needed. If that is
 * forgotten, the garbage collector sees to it some day.
 */
export class Connection implements Iterable<Event> {
  /** @internal */
  static readonly bound: Bound;

  readonly #module: ConnectionModule;
  readonly #registry: FinalizationRegistry<() => void>;
  #number: number;
  readonly #role: Role;
  readonly #isCompressed: boolean;
  readonly #isText: boolean;
  readonly #isBorrowing: boolean;
  #state: number;
  /** Which part of the module's input has not been taken. */
  #start = 0;
  #end = 0;
  /** Input that is not in the module's memory. */
  #parked: Uint8Array[] = [];
  /** Output that is no longer in the module's memory. */
  #spilled: Uint8Array[] = [];

  /**
   * Opens either side of a connection whose opening handshake is done. `ServerHandshake.connection` and its like do
   * so with what was agreed on.
   */
  constructor(role: Role, options: ConnectionOptions = {}) {
    const { module, registry } = (new.target as typeof Connection).bound;
    if (role !== "server" && role !== "client") {
      throw misuse.type(`role is "server" or "client", not ${String(role)}`);
    }
    const { limits = {}, delivery = "whole", text = "string", borrow = false } = options;
    const agreed = (options as { readonly [AGREED]?: number })[AGREED] ?? 0;
    this.#module = module;
    this.#registry = registry;
    this.#role = role;
    this.#isCompressed = agreed > 0;
    this.#isText = text === "string";
    this.#isBorrowing = borrow;
    this.#number = module.check(
      module.exports.connection_new(
        role === "server" ? 0 : 1,
        delivery === "streamed" ? 1 : 0,
        limit(limits.frameSizeMax, 16 << 20, "frameSizeMax"),
        limit(limits.messageSizeMax, 64 << 20, "messageSizeMax"),
        limit(limits.fragmentsMax, 131_072, "fragmentsMax"),
        agreed,
      ),
    );
    this.#state = module.state;
    const number = this.#number;
    registry.register(this, () => module.exports.connection_free(number), this);
  }

  /** Which end of the connection this is. */
  get role(): Role {
    return this.#role;
  }

  /** Whether messages are compressed. */
  get isCompressed(): boolean {
    return this.#isCompressed;
  }

  /**
   * `open`: messages go both ways. `closing`: this side's Close has been sent, and messages may still arrive. `closed`:
   * write the output; then a server ends its stream, and a client waits a bounded time for the server to do so.
   */
  get readyState(): ReadyState {
    return STATES[this.#state & 3]!;
  }

  /** Whether both Closes have been exchanged. */
  get isClean(): boolean {
    return (this.#state & 8) !== 0;
  }

  /** The memory that an incomplete message takes, in bytes: 0 between messages. */
  get buffered(): number {
    return this.#module.check(this.#module.exports.connection_buffered(this.#number)) >>> 0;
  }

  /**
   * Takes what was read from the peer's stream, and gives the events in it, one at a time as they are asked for. Ask
   * until there are no more: `for (const event of connection.receive(chunk))`.
   *
   * The chunk is copied, and free again when this returns. What a loop leaves behind comes first the next time.
   *
   * Replies to Pings and to a Close are in the output by the time the loop ends.
   *
   * @throws {WscodecError} of the kind `protocol`, by the iterator, once the peer has broken the protocol or a limit;
   *   every message before the violation has been given by then. A Close that says so is in the output. The connection
   *   has failed for good.
   */
  receive(chunk: Bytes = EMPTY): IterableIterator<Event> {
    const bytes = asBytes(chunk);
    const module = this.#module;
    if (module.reader === this || this.#parked.length > 0 || bytes.length > INPUT_LENGTH_MAX) {
      if (bytes.length > 0) this.#parked.push(bytes.slice());
    } else {
      this.#load(bytes);
    }
    return this;
  }

  /** The next event, as the iterator of `receive` gives it. */
  next(): IteratorResult<Event, undefined> {
    const event = this.nextEvent();
    return event === null ? { done: true, value: undefined } : { done: false, value: event };
  }

  /** What is left of what was received, as `receive` gives it. */
  [Symbol.iterator](): IterableIterator<Event> {
    return this;
  }

  /** The next event of what was received, or `null`: for loops that make no iterator. */
  nextEvent(): Event | null {
    const module = this.#module;
    for (;;) {
      if (module.reader !== this) {
        const parked = this.#parked.shift();
        if (parked === undefined) return null;
        if (parked.length > INPUT_LENGTH_MAX) {
          this.#parked.unshift(parked.subarray(INPUT_LENGTH_MAX));
        }
        this.#load(parked.subarray(0, INPUT_LENGTH_MAX));
      }
      module.own(this);
      const kind = module.exports.connection_receive(this.#number, this.#start, this.#end);
      if (module.u8.length === 0) module.refresh();
      this.#state = module.state;
      if (kind <= 0) {
        module.reader = undefined;
        if (kind < 0) {
          this.#parked = [];
          module.check(kind);
        }
        continue;
      }
      this.#start += module.taken;
      return this.#event(kind);
    }
  }

  #load(bytes: Uint8Array): void {
    const module = this.#module;
    if (module.reader !== undefined && module.reader !== this) module.reader.park();
    module.loadInput(bytes);
    module.reader = this;
    this.#start = 0;
    this.#end = bytes.length;
  }

  /** @internal */
  park(): void {
    const { u8, inputAt } = this.#module;
    this.#parked.unshift(u8.slice(inputAt + this.#start, inputAt + this.#end));
    this.#module.reader = undefined;
  }

  #event(kind: number): Event {
    const module = this.#module;
    const { at, length } = module;
    const final = (kind & 8) === 0;
    switch (kind & 7) {
      case 1:
        return this.#isText
          ? { type: "text", data: module.text(at, length), final }
          : { type: "text", data: this.#bytes(at, length), final };
      case 2:
        return { type: "binary", data: this.#bytes(at, length), final };
      case 3:
        return { type: "ping", data: this.#bytes(at, length) };
      case 4:
        return { type: "pong", data: this.#bytes(at, length) };
      default:
        return { type: "close", code: module.code, reason: module.text(at, length) };
    }
  }

  #bytes(at: number, length: number): Uint8Array {
    const module = this.#module;
    return this.#isBorrowing ? module.u8.subarray(at, at + length) : module.copy(at, length);
  }

  /**
   * Says that the peer's stream has ended.
   *
   * @throws {WscodecError} `unexpected_eof`, which other APIs report as 1006, if there was no Close before.
   */
  receiveEof(): void {
    const module = this.#module;
    const outcome = module.exports.connection_receive_eof(this.#number);
    this.#state = module.state;
    module.check(outcome);
  }

  /**
   * Sends a string as text, and bytes as a binary message.
   *
   * A server without compression does not copy payloads of more than 4 KiB: don't change one before it is written.
   *
   * @throws {WscodecError} of the kind `send`, if a Close has been sent or a message in fragments is open.
   */
  send(data: string | Bytes): void {
    if (typeof data === "string") this.#send(TEXT, data);
    else this.#send(BINARY, asBytes(data));
  }

  /** Sends bytes as text, which must be UTF-8. Other than that as `send`. */
  sendText(data: string | Bytes): void {
    if (typeof data === "string") {
      this.#send(TEXT, data);
    } else {
      // The module validates what comes by its message area.
      this.#sendMessage(TEXT, asBytes(data));
    }
  }

  /** As `send`, but never compressed: for what is compressed already, and for secrets (RFC 7692, 8). */
  sendUncompressed(data: string | Bytes): void {
    if (typeof data === "string") this.#sendMessage(TEXT | UNCOMPRESSED, data);
    else this.#sendMessage(BINARY | UNCOMPRESSED, asBytes(data));
  }

  /**
   * Sends a piece of a message as a frame. The first piece says by its type what the message is; `final` ends it.
   * Between two pieces, Pings and Pongs may be sent. A string is whole characters.
   */
  sendFragment(data: string | Bytes, final: boolean): void {
    const how = final ? LAST_PIECE : PIECE;
    if (typeof data === "string") this.#sendMessage(TEXT | how, data);
    else this.#sendMessage(BINARY | how, asBytes(data));
  }

  /** Sends a message that was prepared for many connections. */
  sendPrepared(message: PreparedMessage): void {
    const frame = message.frameFor(this, this.#number);
    this.#state = this.#module.state;
    this.#spilled.push(frame);
  }

  /** Sends a Ping of at most 125 bytes, which the peer sends back in a Pong. */
  ping(data: string | Bytes = EMPTY): void {
    this.#send(PING, typeof data === "string" ? data : asBytes(data), false);
  }

  /** Sends a Pong that nobody has asked for. Pings are answered by `receive`. */
  pong(data: string | Bytes = EMPTY): void {
    this.#send(PONG, typeof data === "string" ? data : asBytes(data), false);
  }

  /**
   * Sends a Close: without a code an empty one. Go on receiving until there is a `close` event.
   *
   * @param code 1000-1003, 1007-1014 or 3000-4999.
   * @param reason At most 123 bytes of UTF-8.
   */
  close(code?: number, reason = ""): void {
    const module = this.#module;
    module.own(this);
    const length = module.loadMessage(reason);
    const outcome = module.exports.connection_close(this.#number, code ?? 0, length);
    module.check(outcome);
    this.#state = module.state;
  }

  #send(opcode: number, data: string | Uint8Array, isData = true): void {
    const module = this.#module;
    if (isData && this.#isCompressed) {
      this.#sendMessage(opcode, data);
    } else if (
      typeof data !== "string" &&
      data.length > COPIED_LENGTH_MAX &&
      this.#role === "server" &&
      data.buffer !== module.u8.buffer
    ) {
      module.own(this);
      module.check(module.exports.connection_send_head(this.#number, opcode, data.length));
      this.spill();
      this.#spilled.push(data);
    } else {
      module.own(this);
      const length = module.placeOutput(data);
      module.check(module.exports.connection_send_placed(this.#number, opcode, length));
    }
  }

  #sendMessage(how: number, data: string | Uint8Array): void {
    const module = this.#module;
    module.own(this);
    const length = module.loadMessage(data);
    module.check(module.exports.connection_send_message(this.#number, how, length));
    this.#state = module.state;
  }

  /** Whether `output` would give anything. */
  get hasOutput(): boolean {
    return this.#spilled.length > 0 || this.#module.holds(this);
  }

  /**
   * Takes everything that is due to be written to the stream, in one piece of its own: empty if there is nothing. See
   * `outputs` for large messages of a server.
   */
  output(): Uint8Array {
    const outputs = this.outputs();
    if (outputs.length <= 1) return outputs[0] ?? EMPTY;
    const all = new Uint8Array(outputs.reduce((sum, bytes) => sum + bytes.length, 0));
    let at = 0;
    for (const bytes of outputs) {
      all.set(bytes, at);
      at += bytes.length;
    }
    return all;
  }

  /** As `output`, in the pieces that there are: for `cork` and `writev`, without copying what was not copied so far. */
  outputs(): Uint8Array[] {
    this.spill();
    const outputs = this.#spilled;
    this.#spilled = [];
    return outputs;
  }

  /** @internal Takes the frames out of the module's memory. */
  spill(): void {
    const module = this.#module;
    if (module.holds(this)) this.#spilled.push(module.takeOutput()!);
  }

  /** Frees the memory that the module holds for this connection. Output that was not taken can be taken still. */
  free(): void {
    if (this.#number < 0) return;
    this.spill();
    const module = this.#module;
    module.own(undefined);
    if (module.reader === this) module.reader = undefined;
    this.#parked = [];
    this.#registry.unregister(this);
    module.exports.connection_free(this.#number);
    this.#number = -1;
  }
}

export interface Connection {
  [Symbol.dispose](): void;
}

function limit(value: number | undefined, fallback: number, name: string): number {
  if (value === undefined) return fallback;
  if (value === Infinity || (Number.isSafeInteger(value) && value >= 0)) return value;
  throw misuse.type(`${name} is a whole number or Infinity, not ${value}`);
}
