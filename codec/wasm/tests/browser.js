// The suite in Chromium, headless, on the package as a page loads it.
//
//     node tests/browser.js
//
// Chromium is what is here under one of its names, or Debian's, installed where root may do so; elsewhere `SKIPPED`.

import { execFileSync, spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import http from "node:http";
import { tmpdir } from "node:os";
import { extname, join } from "node:path";
import { fileURLToPath } from "node:url";

const ROOT = new URL("../", import.meta.url);
const PROGRAMS = ["chromium-headless-shell", "chromium", "chromium-browser", "google-chrome"];
const TIMEOUT_MS = 180_000;
/** @type {Record<string, string>} */
const TYPES = { ".js": "text/javascript", ".wasm": "application/wasm", ".html": "text/html", ".jsonl": "text/plain" };

const PAGE = `<!doctype html>
<meta charset="utf-8">
<script type="importmap">
{ "imports": {
  "wscodec": "/dist/web.js",
  "wscodec/deflate": "/dist/web-deflate.js",
  "wscodec/instantiate": "/dist/instantiate.js"
} }
</script>
<script type="module" src="/tests/page.js"></script>
`;

/** @returns {string | undefined} */
function browser() {
  const found = () =>
    PROGRAMS.find((name) => {
      try {
        execFileSync(name, ["--version"], { stdio: "ignore" });
        return true;
      } catch {
        return false;
      }
    });
  const here = found();
  if (here !== undefined) return here;
  try {
    const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive" };
    execFileSync("apt-get", ["-q", "-y", "update"], { stdio: "ignore", env });
    execFileSync("apt-get", ["-q", "-y", "install", "--no-install-recommends", "chromium-headless-shell"], { stdio: "ignore", env });
  } catch {
    return undefined;
  }
  return found();
}

const program = browser();
if (program === undefined) {
  console.log("SKIPPED: in a browser: no Chromium, and none that may be installed");
  process.exit(0);
}

const folder = mkdtempSync(join(tmpdir(), "wscodec-"));
/** @type {(code: number) => void} */
let finish = () => {};
const finished = new Promise((/** @type {(code: number) => void} */ resolve) => (finish = resolve));

const server = http.createServer((request, response) => {
  const path = new URL(request.url ?? "/", "http://a").pathname;
  if (request.method === "POST") {
    let line = "";
    request.setEncoding("utf8").on("data", (text) => (line += text));
    request.on("end", () => {
      response.end();
      console.log(line);
      if (line.startsWith("FAILED")) finish(1);
      else if (line.startsWith("all ok")) finish(0);
    });
    return;
  }
  try {
    const body = path === "/" ? PAGE : readFileSync(fileURLToPath(new URL(`.${path}`, ROOT)));
    response.setHeader("Content-Type", TYPES[path === "/" ? ".html" : extname(path)] ?? "application/octet-stream");
    response.end(body);
  } catch {
    response.writeHead(404).end();
  }
});
server.listen(0, "127.0.0.1", () => {
  const { port } = /** @type {import("node:net").AddressInfo} */ (server.address());
  const options = [
    "--headless",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--no-first-run",
    "--no-default-browser-check",
    "--no-proxy-server",
    "--remote-debugging-port=0", // or it would end once the page is loaded
    `--user-data-dir=${folder}`,
  ];
  if (process.getuid?.() === 0) options.push("--no-sandbox"); // which root can't have
  console.log(execFileSync(program, ["--version"]).toString().trim());
  const child = spawn(program, [...options, `http://127.0.0.1:${port}/`], { stdio: "ignore" });
  const timer = setTimeout(() => {
    console.log(`FAILED: the page has not finished within ${TIMEOUT_MS / 1000} s`);
    finish(1);
  }, TIMEOUT_MS);
  child.on("error", (error) => {
    console.log(`FAILED: ${error.message}`);
    finish(1);
  });
  void finished.then((code) => {
    clearTimeout(timer);
    process.exitCode = code;
    child.once("exit", () => {
      rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
      server.close();
      server.closeAllConnections();
    });
    child.kill();
  });
});
