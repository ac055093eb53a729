// The WebSocket of web pages outside of a browser: one line a check.
//
// Usage: node whatwg_client.cjs URL, with the `undici` package (Node's own WebSocket), or bun whatwg_client.cjs URL.
const { runChecks } = require('./whatwg.js');

const WebSocket = process.versions.bun ? globalThis.WebSocket : require('undici').WebSocket;

// Longer than all checks take: a check that waits for ever is a failure too.
setTimeout(() => {
  console.log('FAILED: no end');
  process.exit(1);
}, 120_000).unref();

runChecks(WebSocket, process.argv[2], (line) => console.log(line)).then(
  (passed) => process.exit(passed ? 0 : 1),
  (error) => {
    console.log(`FAILED: ${error.message}`);
    process.exit(1);
  },
);
