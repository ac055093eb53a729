// What the page of browser.js runs: the suite on the builds that a page loads, and on all four by hand; in the page, and
// in a worker.

import { equal, thrown } from "./check.js";
import { suite } from "./suite.js";

/** @param {string} line */
async function report(line) {
  await fetch("/report", { method: "POST", body: line });
}

async function main() {
  const { instantiate } = await import("wscodec/instantiate");
  const text = await (await fetch("/dist/vectors.jsonl")).text();
  const native = text.trim().split("\n");
  const loaded = [
    { name: "wscodec", hasDeflate: false, wscodec: await import("wscodec") },
    { name: "wscodec/deflate", hasDeflate: true, wscodec: await import("wscodec/deflate") },
  ];
  for (const { wscodec } of loaded) {
    equal(thrown(() => new wscodec.ServerHandshake()).name, "no_handshakes");
    await wscodec.loadHandshakes();
  }
  await report("ok: handshakes are loaded when they are asked for");
  const handshakes = await WebAssembly.compileStreaming(fetch("/dist/handshake.wasm"));
  for (const name of ["wscodec.scalar", "deflate.scalar"]) {
    const module = await WebAssembly.compileStreaming(fetch(`/dist/${name}.wasm`));
    loaded.push({ name, hasDeflate: name.startsWith("deflate"), wscodec: /** @type {any} */ (instantiate(module, handshakes)) });
  }
  for (const { name, hasDeflate, wscodec } of loaded) {
    const tests = suite(wscodec, { hasDeflate, native });
    for (const [title, test] of tests) {
      try {
        await test();
      } catch (error) {
        throw new Error(`${name}: ${title}: ${/** @type {Error} */ (error).stack}`, { cause: error });
      }
    }
    await report(`ok: ${name}, ${wscodec.kernel}: ${tests.length} tests`);
  }
  const source = `
    import("${location.origin}/dist/web.js").then(({ Connection }) => {
      const [client, server] = [new Connection("client"), new Connection("server")];
      client.send("from a worker");
      const [event] = server.receive(client.output());
      postMessage(event.data);
    }, (error) => postMessage(String(error)));`;
  const worker = new Worker(URL.createObjectURL(new Blob([source], { type: "text/javascript" })), { type: "module" });
  const said = await new Promise((resolve) => {
    worker.onmessage = ({ data }) => resolve(data);
    worker.onerror = ({ message }) => resolve(message);
  });
  if (said !== "from a worker") throw new Error(`a worker said: ${said}`);
  await report("ok: in a worker");
  await report("all ok");
}

main().catch((error) => report(`FAILED: ${error.message}`));
