/** The names that every entry has, whatever it loads. */

export { WscodecError } from "./error.js";
export type { ErrorKind } from "./error.js";
export type { Bytes } from "./module.js";
export type {
  BinaryEvent,
  CloseEvent,
  ConnectionOptions,
  Event,
  Limits,
  PingEvent,
  PongEvent,
  ReadyState,
  Role,
  TextEvent,
} from "./connection.js";
export type { MaskKey } from "./frames.js";
export type {
  Acceptance,
  ClientRequest,
  DeflateAgreed,
  DeflateOptions,
  HandshakeLimits,
  HeadersLike,
  HttpRequest,
  Request,
  Response,
} from "./handshake.js";
export type { Answer, Answered, OpeningOptions } from "./negotiation.js";
