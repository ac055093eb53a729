// What the types allow, and what they don't: checked by the compiler, never run.

import { Connection, ServerHandshake, WscodecError, mask } from "wscodec";
import type { CloseEvent, Event } from "wscodec";
import * as deflate from "wscodec/deflate";
import { instantiate } from "wscodec/instantiate";
import type { Wscodec } from "wscodec/instantiate";

export function echo(connection: Connection, chunk: Uint8Array): Uint8Array {
  for (const event of connection.receive(chunk)) {
    switch (event.type) {
      case "text":
      case "binary":
        connection.send(event.data);
        break;
      case "close": {
        const close: CloseEvent = event;
        console.log(close.code, close.reason.length);
        // @ts-expect-error: a Close has no data
        console.log(close.data);
        break;
      }
      case "ping":
      case "pong":
        console.log(event.data.byteLength);
        break;
      default:
        event satisfies never;
    }
  }
  return connection.output();
}

export function refuse(handshake: ServerHandshake, error: unknown): number | undefined {
  if (!(error instanceof WscodecError)) throw error;
  if (error.kind === "handshake") handshake.reject();
  return error.closeCode ?? error.status;
}

export function bound(module: WebAssembly.Module): InstanceType<Wscodec["Connection"]> {
  const { Connection: Other } = instantiate(module);
  return new Other("client", { limits: { frameSizeMax: Infinity }, delivery: "streamed" });
}

export const compressed: deflate.Connection = new deflate.Connection("server", { text: "bytes", borrow: true });
export const kernel: "simd128" | "scalar" = deflate.kernel;
export const events: Iterable<Event> = compressed.receive(new ArrayBuffer(8));
mask(new Uint8Array(3), [1, 2, 3, 4]);

// @ts-expect-error: a role
new Connection("peer");
// @ts-expect-error: no such option
new Connection("server", { limit: {} });
// @ts-expect-error: a key of four bytes
mask(new Uint8Array(3), [1, 2, 3]);
// @ts-expect-error: text or bytes
compressed.send(5);
// @ts-expect-error: internal
compressed.park();

export function scoped(): void {
  using connection = new Connection("server");
  connection.ping("are you there?");
}
