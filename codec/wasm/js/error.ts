/** What went wrong: numbers of errors are grouped by the side at fault. */
export type ErrorKind = "protocol" | "send" | "handshake" | "misuse";

/**
 * An error of the codec.
 *
 * `number` and `name` never change their meaning: use them in code and for counters, and `message` for people.
 *
 * | number | kind | whose fault |
 * |---|---|---|
 * | 100-199 | `protocol` | the peer broke RFC 6455 or a limit; the connection has failed for good |
 * | 200-299 | `send` | the caller's; nothing was written, and the connection continues |
 * | 300-399 | `handshake` | the peer's request or response |
 * | 400-599 | `misuse` | the caller's; nothing was written |
 */
export class WscodecError extends Error {
  /** The stable number. */
  readonly number: number;
  /** The close code that has been sent to the peer, for errors of the kind `protocol`. */
  readonly closeCode: number | undefined;
  /** The HTTP status that reports it, for errors of the kind `handshake`. */
  readonly status: number | undefined;

  /** @internal */
  constructor(number: number, name: string, message: string, code: number) {
    super(message);
    this.number = number;
    this.name = name;
    this.closeCode = number < 200 ? code : undefined;
    this.status = number >= 300 && number < 400 ? code : undefined;
  }

  /** The group that the number is in. */
  get kind(): ErrorKind {
    if (this.number < 200) return "protocol";
    if (this.number < 300) return "send";
    return this.number < 400 ? "handshake" : "misuse";
  }
}

/** The errors that this layer raises itself; the modules have 501 to 503 and 505. */
export const misuse = {
  noDeflate: () => new WscodecError(504, "no_deflate", "connections have no permessage-deflate here: import wscodec/deflate", 0),
  type: (message: string) => new WscodecError(505, "argument", message, 0),
  noHandshakes: () => new WscodecError(506, "no_handshakes", "the handshakes are not loaded: await loadHandshakes() first", 0),
};
