/**
 * The module's memory and functions, as the classes use them.
 *
 * Every view of the memory is lost when the memory grows, which any call may make it do: `refresh` makes new ones.
 */

import { WscodecError, misuse } from "./error.js";

/** Bytes in any of the forms in which JavaScript has them. */
export type Bytes = Uint8Array | ArrayBuffer | ArrayBufferView;

/** What every module exports; numbers that are negative are errors. */
export interface Exports {
  readonly memory: WebAssembly.Memory;
  module_seed(): number;
  module_record(): number;
  input_reserve(length: number): number;
  message_reserve(length: number): number;
  output_clear(): number;
}

/** What a module for connections exports. */
export interface ConnectionExports extends Exports {
  module_kernel(): number;
  module_has_deflate(): number;
  output_place(length: number): number;
  connection_new(
    role: number,
    delivery: number,
    frameSizeMax: number,
    messageSizeMax: number,
    fragmentsMax: number,
    agreed: number,
  ): number;
  connection_receive(connection: number, start: number, end: number): number;
  connection_receive_eof(connection: number): number;
  connection_send_placed(connection: number, opcode: number, length: number): number;
  connection_send_head(connection: number, opcode: number, length: number): number;
  connection_send_message(connection: number, how: number, length: number): number;
  connection_close(connection: number, code: number, length: number): number;
  connection_flush(connection: number): number;
  connection_buffered(connection: number): number;
  connection_free(connection: number): number;
  connection_send_prepared(connection: number, prepared: number): number;
  connection_prepared_frame(connection: number, prepared: number): number;
  prepared_new(opcode: number, length: number): number;
  prepared_free(prepared: number): number;
  mask_apply(start: number, end: number, key: number, phase: number): number;
  utf8_is_valid(start: number, end: number): number;
  relay_new(role: number): number;
  relay_pass(relay: number, length: number): number;
  relay_free(relay: number): number;
}

/** What the module for handshakes exports. */
export interface HandshakeExports extends Exports {
  server_new(head: number, startLine: number, headers: number): number;
  server_receive(server: number, length: number): number;
  server_receive_eof(server: number): number;
  server_accept(server: number, length: number, deflate: number): number;
  server_reject(server: number, status: number, length: number): number;
  server_free(server: number): number;
  client_new(
    length: number,
    deflate: number,
    head: number,
    startLine: number,
    headers: number,
  ): number;
  client_receive(client: number, length: number): number;
  client_receive_eof(client: number): number;
  client_response(client: number): number;
  client_free(client: number): number;
  accept_key(length: number): number;
  offer_read(length: number, isConnect: number): number;
  offer_answer(length: number, isConnect: number, deflate: number): number;
  offered_headers(length: number, isConnect: number, deflate: number): number;
  offered_check(length: number, isConnect: number, deflate: number): number;
}

/** The option of a connection that says what was agreed on, as the modules pack it. */
export const AGREED = Symbol("agreed");

/** Something whose frames lie in the module's output, until another needs it. */
export interface Writer {
  spill(): void;
}

/** Something whose input lies in the module's input, until another needs it. */
export interface Reader {
  park(): void;
}

/** The most of an input that is in the module's memory at a time. A larger one is taken in pieces. */
export const INPUT_LENGTH_MAX = 4 << 20;
/** The input area at the beginning: what a read from a socket usually brings. */
const INPUT_LENGTH_MIN = 64 << 10;
/** The longest header of a frame, which the module leaves room for before a placed payload. */
const HEADER_LENGTH_MAX = 14;
/** Copies of up to this many bytes are cut from a block that they share, as a read from a socket is. */
const POOLED_LENGTH_MAX = 16 << 10;
const POOL_LENGTH = 64 << 10;
/** Up to this many bytes are copied by a loop, which makes no view first. */
const LOOPED_LENGTH_MAX = 96;
/** Strings of up to this many characters are encoded and decoded by a loop, which starts sooner. */
const SHORT_LENGTH_MAX = 24;

const encoder = new TextEncoder();
// A byte order mark is part of a message.
const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
const isNode = typeof process === "object" && typeof process.versions?.node === "string";

/** The memory of an instance, and what is the same for all modules. */
export class Module<E extends Exports = Exports> {
  readonly exports: E;
  /** The whole memory. */
  u8!: Uint8Array;
  protected u32!: Uint32Array;
  private buffer: Buffer | undefined;
  /** Where the record lies, in numbers of 32 bits. */
  protected readonly record: number;
  inputAt = 0;
  private inputLength = 0;
  private messageAt = 0;
  private messageLength = 0;
  private pool = new Uint8Array(0);
  private pooled = 0;

  /** @param seed 32 bytes, of which masking keys and those of handshakes are made. */
  constructor(exports: E, seed: Uint8Array) {
    this.exports = exports;
    this.record = exports.module_record() >>> 2;
    this.refresh();
    this.loadMessage(seed.subarray(0, 32));
    this.check(exports.module_seed());
  }

  /** Makes the views anew if the memory has grown. */
  refresh(): void {
    if (this.u8 === undefined || this.u8.length === 0) {
      const memory = this.exports.memory.buffer;
      this.u8 = new Uint8Array(memory);
      this.u32 = new Uint32Array(memory);
      this.buffer = isNode ? Buffer.from(memory) : undefined;
    }
  }

  /** Returns what a call returned, or throws the error that it stands for. */
  check(outcome: number): number {
    if (this.u8.length === 0) this.refresh();
    if (outcome < 0) throw this.error(outcome);
    return outcome;
  }

  private error(outcome: number): WscodecError {
    const code = this.code;
    const [name, message] = this.replies().next();
    return new WscodecError(-outcome, name!, message!, code);
  }

  // The record.

  get at(): number {
    return this.u32[this.record]!;
  }

  get length(): number {
    return this.u32[this.record + 1]!;
  }

  get taken(): number {
    return this.u32[this.record + 2]!;
  }

  get outputLength(): number {
    return this.u32[this.record + 4]!;
  }

  get code(): number {
    return this.u32[this.record + 6]!;
  }

  get state(): number {
    return this.u32[this.record + 7]!;
  }

  // Areas.

  /** Puts bytes into the input area. */
  loadInput(bytes: Uint8Array): void {
    if (bytes.buffer === this.u8.buffer) bytes = bytes.slice();
    const length = bytes.length;
    if (length > this.inputLength) {
      this.inputLength = Math.max(length, INPUT_LENGTH_MIN);
      this.inputAt = this.exports.input_reserve(this.inputLength) >>> 0;
      this.refresh();
    }
    this.u8.set(bytes, this.inputAt);
  }

  /** Returns where the message area lies, which is then at least this long. */
  message(length: number): number {
    if (length > this.messageLength) {
      this.messageLength = Math.max(length, 2 * this.messageLength, 1024);
      this.messageAt = this.exports.message_reserve(this.messageLength) >>> 0;
      this.refresh();
    }
    return this.messageAt;
  }

  /** Puts a payload into the message area, and returns its length in bytes. */
  loadMessage(payload: string | Uint8Array): number {
    if (typeof payload === "string") {
      const at = this.message(payload.length * 3);
      return encoder.encodeInto(payload, this.u8.subarray(at, at + payload.length * 3)).written;
    }
    const { byteOffset, length } = payload;
    if (payload.buffer === this.u8.buffer) {
      // An event that was borrowed; when the memory grows, its view is lost.
      const at = this.message(length);
      this.u8.copyWithin(at, byteOffset, byteOffset + length);
    } else {
      const at = this.message(length);
      this.u8.set(payload, at);
    }
    return length;
  }

  /** Takes a copy of the output; `undefined` if it is empty. */
  takeOutput(): Uint8Array | undefined {
    const length = this.outputLength;
    if (length === 0) return undefined;
    const bytes = this.copy(this.u32[this.record + 3]!, length);
    this.exports.output_clear();
    return bytes;
  }

  // Out of memory.

  /** Returns bytes of the memory that their holder may keep. */
  copy(at: number, length: number): Uint8Array {
    if (length > POOLED_LENGTH_MAX) return this.u8.slice(at, at + length);
    if (this.pooled + length > this.pool.length) {
      this.pool = new Uint8Array(POOL_LENGTH);
      this.pooled = 0;
    }
    const { pool, pooled, u8 } = this;
    if (length <= LOOPED_LENGTH_MAX) {
      for (let i = 0; i < length; i++) pool[pooled + i] = u8[at + i]!;
    } else {
      pool.set(u8.subarray(at, at + length), pooled);
    }
    this.pooled += length;
    return new Uint8Array(pool.buffer, pooled, length);
  }

  /** Returns text that the module has validated. */
  text(at: number, length: number): string {
    const { u8 } = this;
    if (length <= SHORT_LENGTH_MAX) {
      let text = "";
      let end = at + length;
      for (let i = at; i < end; i++) {
        const byte = u8[i]!;
        if (byte >= 0x80) {
          end = -1;
          break;
        }
        text += String.fromCharCode(byte);
      }
      if (end >= 0) return text;
    }
    if (this.buffer !== undefined) return this.buffer.toString("utf8", at, at + length);
    return decoder.decode(u8.subarray(at, at + length));
  }

  // Groups of texts.

  /** Puts groups of texts into the message area, and returns their length. */
  loadGroups(...groups: readonly (readonly (string | Uint8Array)[])[]): number {
    const encoded = groups.map((group) =>
      group.map((text) => (typeof text === "string" ? encoder.encode(text) : text)),
    );
    const length = encoded.reduce(
      (sum, group) => group.reduce((sum, text) => sum + 4 + text.length, sum + 4),
      0,
    );
    let at = this.message(length);
    const view = new DataView(this.u8.buffer);
    for (const group of encoded) {
      view.setUint32(at, group.length, true);
      at += 4;
      for (const text of group) {
        view.setUint32(at, text.length, true);
        this.u8.set(text, at + 4);
        at += 4 + text.length;
      }
    }
    return length;
  }

  /** Reads the groups of the reply. */
  replies(): Replies {
    return new Replies(this.u8.slice(this.at, this.at + this.length));
  }
}

/** A module for connections, which take turns with its areas. */
export class ConnectionModule extends Module<ConnectionExports> {
  private writer: Writer | undefined;
  reader: Reader | undefined;

  /** Puts a payload into the output, behind the gap for its header, and returns its length in bytes. */
  placeOutput(payload: string | Uint8Array): number {
    const length = payload.length;
    if (typeof payload !== "string") {
      if (payload.buffer === this.u8.buffer) {
        const { byteOffset } = payload;
        const at = this.place(length);
        this.u8.copyWithin(at, byteOffset, byteOffset + length);
      } else {
        const at = this.place(length);
        const { u8 } = this;
        if (length <= LOOPED_LENGTH_MAX) {
          for (let i = 0; i < length; i++) u8[at + i] = payload[i]!;
        } else {
          u8.set(payload, at);
        }
      }
      return length;
    }
    let at = this.place(length);
    let read = 0;
    if (length <= SHORT_LENGTH_MAX) {
      const { u8 } = this;
      for (; read < length; read++) {
        const unit = payload.charCodeAt(read);
        if (unit >= 0x80) break;
        u8[at + read] = unit;
      }
      if (read === length) return length;
    } else {
      // As many bytes as characters: right if it is ASCII, as most long texts are.
      const done = encoder.encodeInto(payload, this.u8.subarray(at, at + length));
      if (done.read === length) return done.written;
    }
    at = this.place(length * 3);
    return encoder.encodeInto(payload, this.u8.subarray(at, at + length * 3)).written;
  }

  /** Returns where a payload of this length can be placed. */
  private place(length: number): number {
    const { u32, record } = this;
    if (length <= u32[record + 5]!) {
      return u32[record + 3]! + u32[record + 4]! + HEADER_LENGTH_MAX;
    }
    const at = this.exports.output_place(length) >>> 0;
    this.refresh();
    return at;
  }

  /** Makes the output that of `writer`: what another one has there is given to it. */
  own(writer: Writer | undefined): void {
    if (this.writer !== writer) {
      this.writer?.spill();
      this.writer = writer;
    }
  }

  /** Returns whether the output holds frames of `writer`. */
  holds(writer: Writer): boolean {
    return this.writer === writer && this.outputLength > 0;
  }
}

/** The groups of a reply. Bytes beyond ASCII, which mean nothing in a head, become characters of the same number. */
export class Replies {
  private at = 0;
  private readonly view: DataView;

  constructor(private readonly bytes: Uint8Array) {
    this.view = new DataView(bytes.buffer);
  }

  next(): string[] {
    const texts = new Array<string>(this.number());
    for (let i = 0; i < texts.length; i++) {
      const length = this.number();
      let text = "";
      for (const end = this.at + length; this.at < end; this.at++) {
        text += String.fromCharCode(this.bytes[this.at]!);
      }
      texts[i] = text;
    }
    return texts;
  }

  /** The next group as pairs of a name and a value. */
  pairs(): [string, string][] {
    const texts = this.next();
    return Array.from({ length: texts.length / 2 }, (_, i) => [texts[2 * i]!, texts[2 * i + 1]!]);
  }

  private number(): number {
    this.at += 4;
    return this.view.getUint32(this.at - 4, true);
  }
}

/** Returns bytes as the one form that is used inside. */
export function asBytes(bytes: Bytes): Uint8Array {
  if (bytes instanceof Uint8Array) return bytes;
  if (ArrayBuffer.isView(bytes)) {
    return new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }
  if (bytes instanceof ArrayBuffer || Object.prototype.toString.call(bytes) === "[object SharedArrayBuffer]") {
    return new Uint8Array(bytes);
  }
  throw misuse.type("bytes must be a Uint8Array, another view, or an ArrayBuffer");
}
