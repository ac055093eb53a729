// Opens a page in Chromium without a window, and writes the WebSockets that it opens as a HAR file. Chromium's DevTools
// export that file from their Network panel, which a browser without a window does not have; here the same events of the
// DevTools protocol (domain Network) are written in the same form. The page says `done` in `window.outcome`.
//
// devtools_har.cjs CHROMIUM PROFILE URL FILE
'use strict';
const fs = require('fs');
const { spawn } = require('child_process');
const WebSocket = require('ws');

const [program, profile, url, file] = process.argv.slice(2);
const DONE_MS = 30000;

const options = [
  '--headless',
  '--disable-gpu',
  '--disable-dev-shm-usage',
  '--disable-background-networking',
  '--no-first-run',
  '--no-default-browser-check',
  '--no-proxy-server',
  '--remote-debugging-port=0',
  `--user-data-dir=${profile}`,
];
if (process.geteuid() === 0) options.push('--no-sandbox'); // which root can't have

const browser = spawn(program, [...options, 'about:blank'], { stdio: ['ignore', 'ignore', 'pipe'] });
process.on('exit', () => browser.kill('SIGKILL'));
process.on('SIGTERM', () => process.exit(1));

function fail(why) {
  console.error(why);
  process.exit(1);
}

function address() {
  return new Promise((resolve) => {
    let said = '';
    browser.on('exit', () => fail(`Chromium ended: ${said.trim().split('\n').pop()}`));
    browser.stderr.on('data', (data) => {
      said += data;
      const found = /DevTools listening on (ws:\/\/\S+)/.exec(said);
      if (found) resolve(found[1]);
    });
  });
}

const pairs = (headers) => Object.entries(headers ?? {}).map(([name, value]) => ({ name, value }));

/** The entries of a HAR, made from events. */
class Entries {
  constructor() {
    this.byId = new Map();
  }

  take(method, event) {
    const entry = this.byId.get(event.requestId);
    if (method === 'Network.webSocketCreated') {
      this.byId.set(event.requestId, {
        _resourceType: 'websocket',
        _webSocketMessages: [],
        startedDateTime: new Date().toISOString(),
        time: 0,
        request: { method: 'GET', url: event.url, httpVersion: 'HTTP/1.1', headers: [], queryString: [], cookies: [] },
        response: { status: 0, statusText: '', httpVersion: 'HTTP/1.1', headers: [], cookies: [], content: {} },
        cache: {},
        timings: {},
      });
    } else if (method === 'Network.webSocketWillSendHandshakeRequest') {
      // Frames have a clock of their own.
      entry.offset = event.wallTime - event.timestamp;
      entry.request.headers = pairs(event.request.headers);
    } else if (method === 'Network.webSocketHandshakeResponseReceived') {
      entry.response.status = event.response.status;
      entry.response.headers = pairs(event.response.headers);
      // This one has the cookies too.
      if (event.response.requestHeaders) entry.request.headers = pairs(event.response.requestHeaders);
    } else if (method === 'Network.webSocketFrameSent' || method === 'Network.webSocketFrameReceived') {
      entry._webSocketMessages.push({
        type: method.endsWith('Sent') ? 'send' : 'receive',
        time: event.timestamp + entry.offset,
        opcode: event.response.opcode,
        data: event.response.payloadData,
      });
    }
  }

  all() {
    return [...this.byId.values()].map(({ offset, ...entry }) => entry);
  }
}

async function main() {
  const socket = new WebSocket(await address(), { perMessageDeflate: false });
  await new Promise((resolve) => socket.on('open', resolve));
  const entries = new Entries();
  const waiting = new Map();
  let last = 0;
  const call = (method, params = {}, sessionId = undefined) =>
    new Promise((resolve) => {
      last += 1;
      waiting.set(last, resolve);
      socket.send(JSON.stringify({ id: last, method, params, sessionId }));
    });
  socket.on('message', (data) => {
    const message = JSON.parse(data);
    if (message.id) {
      if (message.error) fail(`${message.error.message}`);
      waiting.get(message.id)(message.result);
    } else if (message.method.startsWith('Network.webSocket')) {
      entries.take(message.method, message.params);
    }
  });
  const { targetId } = await call('Target.createTarget', { url: 'about:blank' });
  const { sessionId } = await call('Target.attachToTarget', { targetId, flatten: true });
  await call('Network.enable', {}, sessionId);
  await call('Page.navigate', { url }, sessionId);
  const deadline = Date.now() + DONE_MS;
  let outcome;
  while (outcome === undefined) {
    if (Date.now() > deadline) fail('the page is not done in time');
    await new Promise((resolve) => setTimeout(resolve, 100));
    const { result } = await call('Runtime.evaluate', { expression: 'window.outcome' }, sessionId);
    outcome = result.value;
  }
  if (outcome !== 'done') fail(`the page ${outcome}`);
  const log = { version: '1.2', creator: { name: 'devtools_har.cjs', version: '1' }, pages: [], entries: entries.all() };
  fs.writeFileSync(file, `${JSON.stringify({ log }, null, 2)}\n`);
  process.exit(0);
}

main();
