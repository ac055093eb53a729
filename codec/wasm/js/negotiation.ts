/**
 * The opening handshake as values, for stacks that read and write HTTP themselves: `node:http`, HTTP/2, proxies, edge
 * workers.
 */

import type { Connection, ConnectionOptions } from "./connection.js";
import { acceptanceGroups, agreedOf, flat, packed, requestGroups } from "./handshake.js";
import type { Acceptance, BoundHandshake, ClientRequest, DeflateAgreed, HeadersLike } from "./handshake.js";
import { AGREED } from "./module.js";

/** How the connection is asked for. */
export interface OpeningOptions {
  /** By an extended CONNECT of HTTP/2 or HTTP/3 (RFC 8441, RFC 9220), and not by `Upgrade`. */
  connect?: boolean;
}

/**
 * What a client offers, read from the headers of its request.
 *
 * ```js
 * server.on("upgrade", (request, socket, head) => {
 *   const answer = new Offer(request.rawHeaders).answer();
 *   socket.write(answer.head);
 *   const connection = answer.connection();
 *   for (const event of connection.receive(head)) handle(event);
 * });
 * ```
 *
 * The HTTP stack has checked method, version and `Host`, or `:method` and `:protocol`.
 */
export class Offer {
  /** @internal */
  static readonly bound: BoundHandshake;

  readonly #bound: BoundHandshake;
  readonly #headers: string[];
  readonly #isConnect: number;
  /** Browsers always send one: compare it as a whole, and refuse a foreign one with 403. */
  readonly origin: string | undefined;
  /** The subprotocols offered, the preferred one first. */
  readonly subprotocols: readonly string[];
  /** The names of the extensions offered. */
  readonly extensions: readonly string[];

  /** @throws {WscodecError} of the kind `handshake`: answer with its `status`. */
  constructor(headers: HeadersLike, options: OpeningOptions = {}) {
    this.#bound = (new.target as typeof Offer).bound;
    this.#headers = flat(headers);
    this.#isConnect = options.connect === true ? 1 : 0;
    const { module } = this.#bound;
    const length = module.loadGroups(this.#headers);
    module.check(module.exports.offer_read(length, this.#isConnect));
    const replies = module.replies();
    this.origin = replies.next()[0];
    this.subprotocols = replies.next();
    this.extensions = replies.next();
  }

  /** Accepts. @throws {WscodecError} of the kind `misuse` */
  answer(acceptance: Acceptance = {}): Answer {
    const { module, Connection } = this.#bound;
    const length = module.loadGroups(this.#headers, ...acceptanceGroups(acceptance));
    const deflate = packed(this.#bound, acceptance.deflate);
    module.check(module.exports.offer_answer(length, this.#isConnect, deflate));
    const agreed = module.code;
    const replies = module.replies();
    const status = Number(replies.next()[0]);
    const headers = replies.pairs();
    const [subprotocol] = replies.next();
    const lines = headers.map(([name, value]) => `${name}: ${value}\r\n`).join("");
    return {
      status,
      headers,
      subprotocol,
      deflate: agreedOf(agreed),
      head: `HTTP/1.1 101 Switching Protocols\r\n${lines}\r\n`,
      connection: (options = {}) => new Connection("server", { ...options, [AGREED]: agreed } as ConnectionOptions),
    };
  }
}

/** A server's answer that accepts. */
export interface Answer {
  /** 101, or 200 to an extended CONNECT. */
  readonly status: number;
  /** The headers to send, in order. HTTP/2 wants their names in lower case. */
  readonly headers: readonly (readonly [string, string])[];
  readonly subprotocol: string | undefined;
  readonly deflate: DeflateAgreed | null;
  /** The whole head of the response over HTTP/1.1. */
  readonly head: string;
  /** Opens the connection that it accepts. */
  connection(options?: ConnectionOptions): Connection;
}

/**
 * What a client has offered: the headers to send, and what the answer must be.
 *
 * ```js
 * const offered = new Offered({ host: "localhost:8080", target: "/chat" });
 * const request = http.get({ port: 8080, path: "/chat", headers: offered.headers.flat() });
 * request.on("upgrade", (response, socket, head) => {
 *   const connection = offered.check(response.rawHeaders).connection();
 * });
 * ```
 */
export class Offered {
  /** @internal */
  static readonly bound: BoundHandshake;

  readonly #bound: BoundHandshake;
  readonly #request: ClientRequest;
  readonly #isConnect: number;
  readonly #key = crypto.getRandomValues(new Uint8Array(16));
  /** The headers of the request, in order; `Host` is the first, except for an extended CONNECT. */
  readonly headers: readonly (readonly [string, string])[];

  constructor(request: ClientRequest, options: OpeningOptions = {}) {
    this.#bound = (new.target as typeof Offered).bound;
    this.#request = request;
    this.#isConnect = options.connect === true ? 1 : 0;
    const { module } = this.#bound;
    const length = module.loadGroups(...requestGroups(request), [this.#key]);
    const deflate = packed(this.#bound, request.deflate);
    module.check(module.exports.offered_headers(length, this.#isConnect, deflate));
    this.headers = module.replies().pairs();
  }

  /**
   * Checks the headers of a 101, or of the 200 to an extended CONNECT; any other status refuses.
   *
   * @throws {WscodecError} of the kind `handshake`
   */
  check(headers: HeadersLike): Answered {
    const { module, Connection } = this.#bound;
    const groups = requestGroups(this.#request);
    const length = module.loadGroups(...groups, [this.#key], flat(headers));
    const deflate = packed(this.#bound, this.#request.deflate);
    module.check(module.exports.offered_check(length, this.#isConnect, deflate));
    const agreed = module.code;
    const [subprotocol] = module.replies().next();
    return {
      subprotocol,
      deflate: agreedOf(agreed),
      connection: (options = {}) => new Connection("client", { ...options, [AGREED]: agreed } as ConnectionOptions),
    };
  }
}

/** A server's answer that has passed. */
export interface Answered {
  readonly subprotocol: string | undefined;
  readonly deflate: DeflateAgreed | null;
  /** Opens the connection that was accepted. */
  connection(options?: ConnectionOptions): Connection;
}

/** @internal The value of `Sec-WebSocket-Accept` that answers one of `Sec-WebSocket-Key`. */
export function acceptKey({ module }: BoundHandshake, key: string): string {
  module.check(module.exports.accept_key(module.loadMessage(key)));
  return module.replies().next()[0]!;
}
