// A WebSocket of the `ws` package on a stream of Node's http2, whose opening handshake is done.
const WebSocket = require('ws');

const { PerMessageDeflate, extension } = WebSocket;

// ws was made for TCP, and asks its socket for what a stream of HTTP/2 has under other names, or not at all.
function onStream(stream, isServer, extensions = {}) {
  stream.setNoDelay = () => {};
  stream.setTimeout = () => {};
  const socket = new WebSocket(null, undefined, { autoPong: true, closeTimeout: 30_000 });
  socket._isServer = isServer;
  socket._extensions = extensions;
  socket.setSocket(stream, Buffer.alloc(0), {
    allowSynchronousEvents: true,
    maxPayload: 0,
    skipUTF8Validation: false,
  });
  return socket;
}

// What a server agrees to of an offer, with these options in JSON: ws' extensions, and the header's value.
onStream.accept = (offer, options) => {
  const offers = offer && extension.parse(offer)[PerMessageDeflate.extensionName];
  if (!offers || !options) return [{}, null];
  const deflate = new PerMessageDeflate({ ...JSON.parse(options), isServer: true, maxPayload: 0 });
  deflate.accept(offers);
  const name = PerMessageDeflate.extensionName;
  return [{ [name]: deflate }, extension.format({ [name]: [deflate.params] })];
};

module.exports = { onStream };
