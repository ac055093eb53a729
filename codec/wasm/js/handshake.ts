/// <reference lib="esnext.disposable" preserve="true" />
/** The opening handshake over bytes (RFC 6455, 4): for a server or a client that owns its socket. */

import type { Connection, ConnectionOptions } from "./connection.js";
import { WscodecError, misuse } from "./error.js";
import { AGREED, INPUT_LENGTH_MAX, asBytes } from "./module.js";
import type { Bytes, HandshakeExports, Module } from "./module.js";

/** Names with values, in any of the forms in which JavaScript has headers; also Node's `rawHeaders`. */
export type HeadersLike =
  | Iterable<readonly [string, string]>
  | readonly string[]
  | Readonly<Record<string, string | readonly string[] | undefined>>;

/** What may be in a head. */
export interface HandshakeLimits {
  /** The whole head, in bytes. Default 16 KiB. */
  headSizeMax?: number;
  /** Its first line, in bytes. Default 8 KiB. */
  startLineSizeMax?: number;
  /** Its header lines. Default 100. */
  headersMax?: number;
}

/** One side's preferences for permessage-deflate (RFC 7692). */
export interface DeflateOptions {
  /** Whether the server's messages may refer to earlier ones. Default `true`. */
  serverContextTakeover?: boolean;
  /** Whether the client's messages may refer to earlier ones. Default `true`. */
  clientContextTakeover?: boolean;
  /** The largest window for the server's messages: 8 to 15, for 256 bytes to 32 KiB. Default 12 on a server, else 15. */
  serverMaxWindowBits?: number;
  /** The same for the client's messages. */
  clientMaxWindowBits?: number;
  /** How hard this side compresses: 1 to 9. Default 4. */
  level?: number;
  /** Messages of fewer bytes are sent as they are; at most 65,535. Default 64. */
  sizeMin?: number;
}

/** What was agreed on. */
export interface DeflateAgreed {
  readonly serverContextTakeover: boolean;
  readonly clientContextTakeover: boolean;
  readonly serverMaxWindowBits: number;
  readonly clientMaxWindowBits: number;
}

/** A request that may be accepted. */
export interface Request {
  readonly type: "websocket";
  /** Path and query as they were received, or an absolute URI. */
  readonly target: string;
  readonly path: string;
  /** What follows the question mark. */
  readonly query: string | undefined;
  readonly host: string;
  /** Browsers always send one: compare it as a whole, and refuse a foreign one with 403. */
  readonly origin: string | undefined;
  /** The subprotocols offered, the preferred one first. */
  readonly subprotocols: readonly string[];
  /** The names of the extensions offered. */
  readonly extensions: readonly string[];
  readonly headers: readonly (readonly [string, string])[];
}

/** A request that does not ask for a WebSocket. Its body, if any, is in `rest`. */
export interface HttpRequest {
  readonly type: "http";
  readonly method: string;
  readonly target: string;
  /** `1.1` or `1.0`. */
  readonly version: string;
  readonly headers: readonly (readonly [string, string])[];
}

/** A server's response. */
export interface Response {
  readonly status: number;
  readonly reason: string;
  readonly subprotocol: string | undefined;
  readonly headers: readonly (readonly [string, string])[];
}

/** What a server adds to the 101 that accepts. */
export interface Acceptance {
  /** One of those that were offered. */
  subprotocol?: string | undefined;
  headers?: HeadersLike;
  /** Whether, and how, to accept permessage-deflate: needs `wscodec/deflate`. */
  deflate?: boolean | DeflateOptions;
}

/** What a client asks for. */
export interface ClientRequest {
  /** The value of `Host`, with the port unless it is the scheme's default. */
  host: string;
  /** A path with an optional query. Default `/`. */
  target?: string;
  origin?: string | undefined;
  /** The subprotocols to offer, the preferred one first. */
  subprotocols?: readonly string[];
  headers?: HeadersLike;
  /** Whether, and how, to offer permessage-deflate: needs `wscodec/deflate`. */
  deflate?: boolean | DeflateOptions;
}

const EMPTY = new Uint8Array(0);

/** What a constructor of a handshake gets: the module that it is bound to, and the connections that it opens. */
export interface BoundHandshake {
  /** Loaded by the first that asks. */
  readonly module: Module<HandshakeExports>;
  /** Frees what is no longer reachable. */
  readonly registry: FinalizationRegistry<() => void>;
  readonly Connection: typeof Connection;
  /** Whether its connections can have permessage-deflate. */
  readonly hasDeflate: boolean;
}

/** Takes input until a head is complete, and keeps what follows it. */
abstract class Handshake {
  /** @internal */
  protected readonly module: Module<HandshakeExports>;
  readonly #registry: FinalizationRegistry<() => void>;
  readonly #free: (number: number) => number;
  /** @internal */
  protected number = -1;
  /** @internal */
  protected agreed = 0;
  /** @internal */
  protected isComplete = false;
  #output: Uint8Array = EMPTY;
  #rest: Uint8Array = EMPTY;

  /** @internal */
  constructor({ module, registry }: BoundHandshake, free: (number: number) => number) {
    this.module = module;
    this.#registry = registry;
    this.#free = free;
  }

  /** @internal Begins, with the number that the module has given. */
  protected begin(number: number): void {
    this.number = this.module.check(number);
    const free = this.#free;
    this.#registry.register(this, () => free(number), this);
  }

  /** @internal Passes a chunk to `take`, and keeps what it has left. */
  protected feed(chunk: Bytes, take: (number: number, length: number) => number): number {
    const { module } = this;
    let bytes = asBytes(chunk);
    if (this.isComplete) {
      this.#rest = concat(this.#rest, bytes);
      bytes = EMPTY;
    }
    // No head is longer than what is loaded: what comes behind it is never lost.
    const loaded = bytes.subarray(0, INPUT_LENGTH_MAX);
    module.loadInput(loaded);
    const outcome = module.check(take(this.number, loaded.length));
    if (outcome > 0 && !this.isComplete) {
      this.isComplete = true;
      this.#rest = bytes.slice(module.taken);
    }
    return outcome;
  }

  /** @internal Takes what the module has written. */
  protected write(outcome: number): number {
    this.module.check(outcome);
    const written = this.module.takeOutput();
    if (written !== undefined) this.#output = concat(this.#output, written);
    return outcome;
  }

  /** Takes what is due to be written to the stream. */
  output(): Uint8Array {
    const output = this.#output;
    this.#output = EMPTY;
    return output;
  }

  /** What came behind the head, and belongs to no head: `connection` passes it on. */
  get rest(): Uint8Array {
    return this.#rest;
  }

  /** What was agreed on for permessage-deflate; `null` if nothing was. */
  get deflate(): DeflateAgreed | null {
    return agreedOf(this.agreed);
  }

  /** @internal */
  protected open(connect: typeof Connection, role: "server" | "client", options: ConnectionOptions): Connection {
    const connection = new connect(role, { ...options, [AGREED]: this.agreed } as ConnectionOptions);
    connection.receive(this.#rest);
    this.#rest = EMPTY;
    this.free();
    return connection;
  }

  /** Frees the memory that the module holds for it; `connection` does so. */
  free(): void {
    if (this.number < 0) return;
    this.#registry.unregister(this);
    this.#free(this.number);
    this.number = -1;
  }
}

interface Handshake {
  [Symbol.dispose](): void;
}

/**
 * A server's side of the opening handshake.
 *
 * ```js
 * const handshake = new ServerHandshake();
 * const request = handshake.receive(chunk); // null: read more
 * if (request?.type === "websocket") handshake.accept();
 * socket.write(handshake.output());
 * const connection = handshake.connection();
 * for (const event of connection.receive()) handle(event); // frames that came with the request
 * ```
 *
 * It has no clock: bound the time from the stream's start until the request is there.
 */
export class ServerHandshake extends Handshake {
  /** @internal */
  static readonly bound: BoundHandshake;

  readonly #bound: BoundHandshake;
  #isAccepted = false;

  constructor(options: { limits?: HandshakeLimits } = {}) {
    const bound = (new.target as typeof ServerHandshake).bound;
    const { exports } = bound.module;
    super(bound, (number) => exports.server_free(number));
    this.#bound = bound;
    const { headSizeMax = 0, startLineSizeMax = 0, headersMax = 0 } = options.limits ?? {};
    this.begin(exports.server_new(headSizeMax, startLineSizeMax, headersMax));
  }

  /**
   * Takes what was read, and gives the request once it is complete: one for a WebSocket, to be accepted or rejected, or
   * plain HTTP, to be answered with `reject` or by an HTTP server.
   *
   * @throws {WscodecError} of the kind `handshake`: `reject()` answers it.
   */
  receive(chunk: Bytes): Request | HttpRequest | null {
    const { exports } = this.module;
    const kind = this.feed(chunk, (number, length) => exports.server_receive(number, length));
    if (kind === 0) return null;
    const replies = this.module.replies();
    const [method, target, minor, host, path] = replies.next() as [string, string, string, string, string];
    const [query] = replies.next();
    const [origin] = replies.next();
    const subprotocols = replies.next();
    const headers = replies.pairs();
    const extensions = replies.next();
    return kind === 1
      ? { type: "websocket", target, path, query, host, origin, subprotocols, extensions, headers }
      : { type: "http", method, target, version: `1.${minor}`, headers };
  }

  /** Says that the stream has ended. @throws {WscodecError} `unexpected_eof` unless the request was complete. */
  receiveEof(): void {
    this.module.check(this.module.exports.server_receive_eof(this.number));
  }

  /** Accepts: the 101 is in `output`. @throws {WscodecError} of the kind `misuse`; nothing is written then. */
  accept(acceptance: Acceptance = {}): void {
    const { module } = this;
    const length = module.loadGroups(...acceptanceGroups(acceptance));
    const deflate = packed(this.#bound, acceptance.deflate);
    this.write(module.exports.server_accept(this.number, length, deflate));
    this.agreed = module.code;
    this.#isAccepted = true;
  }

  /**
   * Refuses: the response is in `output`. Write it, then end the stream.
   *
   * @param status The status to answer with, 200 to 599; without one, that of the error that `receive` has thrown.
   */
  reject(status?: number, answer: { body?: string | Bytes; headers?: HeadersLike } = {}): void {
    const { module } = this;
    const { body, headers = [] } = answer;
    const content = body === undefined ? [] : [typeof body === "string" ? body : asBytes(body)];
    const length = module.loadGroups(content, flat(headers));
    this.write(module.exports.server_reject(this.number, status ?? 0, length));
  }

  /** The connection, once the request was accepted. It takes over what came behind the request, and frees this. */
  connection(options: ConnectionOptions = {}): Connection {
    if (!this.#isAccepted) throw misuse.type("the request has not been accepted");
    return this.open(this.#bound.Connection, "server", options);
  }
}

/**
 * A client's side of the opening handshake.
 *
 * ```js
 * const handshake = new ClientHandshake({ host: "example.com", target: "/chat" });
 * socket.write(handshake.output());
 * const response = handshake.receive(chunk); // null: read more
 * const connection = handshake.connection();
 * ```
 *
 * It has no clock: bound the time until the response is there.
 */
export class ClientHandshake extends Handshake {
  /** @internal */
  static readonly bound: BoundHandshake;

  readonly #bound: BoundHandshake;
  #isOpen = false;

  constructor(request: ClientRequest, options: { limits?: HandshakeLimits } = {}) {
    const bound = (new.target as typeof ClientHandshake).bound;
    const { module } = bound;
    super(bound, (number) => module.exports.client_free(number));
    this.#bound = bound;
    const { headSizeMax = 0, startLineSizeMax = 0, headersMax = 0 } = options.limits ?? {};
    const length = module.loadGroups(...requestGroups(request));
    const number = module.exports.client_new(
      length,
      packed(bound, request.deflate),
      headSizeMax,
      startLineSizeMax,
      headersMax,
    );
    this.begin(this.write(number));
  }

  /**
   * Takes what was read, and gives the response once the server has accepted.
   *
   * @throws {WscodecError} of the kind `handshake`. After a refusal, `response` has its head and `rest` what there is of its body.
   */
  receive(chunk: Bytes): Response | null {
    const { exports } = this.module;
    const outcome = this.feed(chunk, (number, length) => exports.client_receive(number, length));
    if (outcome === 0) return null;
    this.agreed = this.module.code;
    this.#isOpen = true;
    return responseOf(this.module);
  }

  /** The final response, once its head is complete: whether it accepts, refuses or is wrong. */
  get response(): Response | null {
    const { module } = this;
    return module.check(module.exports.client_response(this.number)) === 0 ? null : responseOf(module);
  }

  /** Says that the stream has ended. @throws {WscodecError} `unexpected_eof` unless the response was complete. */
  receiveEof(): void {
    this.module.check(this.module.exports.client_receive_eof(this.number));
  }

  /** The connection, once the server has accepted. It takes over what came behind the response, and frees this. */
  connection(options: ConnectionOptions = {}): Connection {
    if (!this.#isOpen) throw misuse.type("the server has not accepted");
    return this.open(this.#bound.Connection, "client", options);
  }
}

function responseOf(module: Module): Response {
  const replies = module.replies();
  const [status, reason] = replies.next() as [string, string];
  const [subprotocol] = replies.next();
  return { status: Number(status), reason, subprotocol, headers: replies.pairs() };
}

/** @internal */
export function acceptanceGroups({ subprotocol, headers = [] }: Acceptance): string[][] {
  return [subprotocol === undefined ? [] : [subprotocol], flat(headers)];
}

/** @internal */
export function requestGroups(request: ClientRequest): string[][] {
  const { host, target = "/", origin, subprotocols = [], headers = [] } = request;
  return [[host, target], origin === undefined ? [] : [origin], [...subprotocols], flat(headers)];
}

/** @internal Returns headers as names and values in turn. */
export function flat(headers: HeadersLike): string[] {
  if (Array.isArray(headers) && typeof headers[0] === "string") {
    return [...(headers as readonly string[])];
  }
  if (Symbol.iterator in headers) {
    return [...(headers as Iterable<readonly [string, string]>)].flatMap(([name, value]) => [name, value]);
  }
  return Object.entries(headers).flatMap(([name, values]) =>
    [values ?? []].flat().flatMap((value) => [name, value as string]),
  );
}

/** @internal Returns preferences as the modules take them. */
export function packed({ hasDeflate }: BoundHandshake, deflate: boolean | DeflateOptions | undefined): number {
  if (deflate === undefined || deflate === false) return 0;
  if (!hasDeflate) throw misuse.noDeflate();
  const options = deflate === true ? {} : deflate;
  const { serverMaxWindowBits = 0, clientMaxWindowBits = 0, level = 0, sizeMin = 64 } = options;
  const within = (name: string, value: number, min: number, max: number) => {
    if (!Number.isInteger(value) || value < min || value > max) {
      throw misuse.type(`${name} is a whole number of ${min} to ${max}, not ${value}`);
    }
  };
  if (serverMaxWindowBits !== 0) within("serverMaxWindowBits", serverMaxWindowBits, 8, 15);
  if (clientMaxWindowBits !== 0) within("clientMaxWindowBits", clientMaxWindowBits, 8, 15);
  if (level !== 0) within("level", level, 1, 9);
  within("sizeMin", sizeMin, 0, 0xffff);
  return (
    (1 |
      (options.serverContextTakeover === false ? 2 : 0) |
      (options.clientContextTakeover === false ? 4 : 0) |
      (serverMaxWindowBits << 4) |
      (clientMaxWindowBits << 8) |
      (level << 12) |
      (sizeMin << 16)) >>>
    0
  );
}

/** @internal Returns what the modules have packed. */
export function agreedOf(bits: number): DeflateAgreed | null {
  if (bits === 0) return null;
  return {
    serverContextTakeover: (bits & 2) === 0,
    clientContextTakeover: (bits & 4) === 0,
    serverMaxWindowBits: (bits >> 4) & 15,
    clientMaxWindowBits: (bits >> 8) & 15,
  };
}

function concat(a: Uint8Array, b: Uint8Array): Uint8Array {
  if (a.length === 0) return b.slice();
  const both = new Uint8Array(a.length + b.length);
  both.set(a);
  both.set(b, a.length);
  return both;
}

export type { WscodecError };
