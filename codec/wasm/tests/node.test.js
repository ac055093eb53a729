// The suite in Node, on each build, and what is particular to Node.

import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { describe, it } from "node:test";
import { brotliCompressSync } from "node:zlib";
import * as main from "wscodec";
import * as deflate from "wscodec/deflate";
import { hasSimd, instantiate } from "wscodec/instantiate";

import { builds, handshakes, native } from "./builds.js";
import { suite } from "./suite.js";

for (const { name, hasDeflate, wscodec } of builds) {
  describe(name, () => {
    for (const [title, test] of suite(wscodec, { hasDeflate, native })) it(title, test);

    it("has the kernel that its name says", () => {
      assert.equal(wscodec.kernel, name.endsWith("simd") ? "simd128" : "scalar");
    });
  });
}

describe("the package", () => {
  it("has not grown, and imports nothing", (context) => {
    /** @type {Record<string, number>} */
    const limits = { "wscodec.simd": 80_000, "wscodec.scalar": 80_000, handshake: 95_000 };
    for (const { name, bytes } of [...builds, { name: "handshake", bytes: handshakes }]) {
      context.diagnostic(`${name}: ${bytes.length} bytes, ${brotliCompressSync(bytes).length} with brotli`);
      const most = limits[name] ?? 175_000;
      assert.ok(bytes.length < most, `${name}: ${bytes.length}`);
      assert.deepEqual(WebAssembly.Module.imports(new WebAssembly.Module(bytes)), []);
    }
  });

  it("loads the handshakes once, when they are needed", () => {
    const { bytes } = builds[0] ?? assert.fail();
    let asked = 0;
    const wscodec = instantiate(bytes, () => (asked++, handshakes));
    const [client, server] = [new wscodec.Connection("client"), new wscodec.Connection("server")];
    client.send("hello");
    for (const _ of server.receive(client.output())) server.send(wscodec.mask(new Uint8Array(200), [1, 2, 3, 4]));
    assert.equal(asked, 0);
    new wscodec.ServerHandshake();
    new wscodec.Offered({ host: "a" });
    assert.equal(wscodec.acceptKey("dGhlIHNhbXBsZSBub25jZQ=="), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    assert.equal(asked, 1);
  });

  it("says that the handshakes are not loaded", () => {
    const { bytes } = builds[0] ?? assert.fail();
    /** @type {WebAssembly.Module | undefined} */
    let loaded;
    for (const wscodec of [instantiate(bytes), instantiate(bytes, () => loaded)]) {
      const { ServerHandshake, ClientHandshake, Offer, Offered, acceptKey } = wscodec;
      const missing = { name: "no_handshakes", number: 506, kind: "misuse" };
      assert.throws(() => new ServerHandshake(), missing);
      assert.throws(() => new ClientHandshake({ host: "a" }), missing);
      assert.throws(() => new Offer({}), missing);
      assert.throws(() => new Offered({ host: "a" }), missing);
      assert.throws(() => acceptKey("dGhlIHNhbXBsZSBub25jZQ=="), missing);
    }
    const wscodec = instantiate(bytes, () => loaded);
    loaded = new WebAssembly.Module(handshakes);
    assert.equal(new wscodec.ServerHandshake().receive(new Uint8Array(0)), null);
  });

  it("loads the build that this engine can run", () => {
    assert.equal(hasSimd(), true, "every Node that is supported has simd128");
    assert.equal(main.kernel, "simd128");
    assert.equal(deflate.kernel, "simd128");
    assert.throws(() => instantiate(Uint8Array.of(1, 2, 3)), WebAssembly.CompileError);
  });

  it("has one error class, whatever was loaded", () => {
    assert.equal(main.WscodecError, deflate.WscodecError);
    for (const { Connection } of [main, deflate]) {
      assert.throws(() => new Connection("server").close(1006), main.WscodecError);
    }
  });

  it("can be required", { skip: !process.features.require_module && "this Node can't require modules" }, () => {
    const required = createRequire(import.meta.url)("wscodec");
    assert.equal(required.Connection, main.Connection);
  });

  it("frees what was forgotten", { skip: !globalThis.gc && "without --expose-gc" }, async () => {
    const { wscodec } = builds[0] ?? assert.fail();
    const size = () => {
      // A large unfinished message each, so that a leak would show.
      for (let i = 0; i < 20; i++) {
        const connection = new wscodec.Connection("client");
        for (const _ of connection.receive(new Uint8Array(1 << 20).fill(0, 10).map((_, i) => [0x02, 0x7f, 0, 0, 0, 0, 0, 0xff, 0, 0][i] ?? 0)));
      }
    };
    const [{ rss }] = [process.memoryUsage()];
    for (let round = 0; round < 20; round++) {
      size();
      globalThis.gc?.();
      // Finalizers run as tasks of their own.
      await new Promise((resolve) => setTimeout(resolve));
    }
    assert.ok(process.memoryUsage().rss - rss < 250 << 20, "400 connections of a MiB each are not all there");
  });
});
