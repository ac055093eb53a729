// What the tests share, in Node and in a browser: comparisons that name what differs.

/** @param {unknown} value @returns {string} */
function shown(value) {
  return JSON.stringify(value, (_, part) =>
    part instanceof Uint8Array ? `${part.length} bytes ${hexOf(part.subarray(0, 40))}` : part,
  );
}

/** @param {unknown} a @param {unknown} b @returns {boolean} */
function same(a, b) {
  if (a instanceof Uint8Array && b instanceof Uint8Array) {
    return a.length === b.length && a.every((byte, i) => byte === b[i]);
  }
  if (typeof a !== "object" || typeof b !== "object" || a === null || b === null) {
    return Object.is(a, b);
  }
  const [left, right] = [Object.entries(a), Object.entries(b)];
  return (
    left.length === right.length &&
    left.every(([key, value]) => same(value, /** @type {Record<string, unknown>} */ (b)[key]))
  );
}

/** @param {unknown} actual @param {unknown} expected @param {string} [what] */
export function equal(actual, expected, what = "") {
  if (!same(actual, expected)) {
    throw new Error(`${what}: expected ${shown(expected)}, got ${shown(actual)}`);
  }
}

/** @param {unknown} value @param {string} what @returns {asserts value} */
export function ok(value, what) {
  if (!value) throw new Error(what);
}

/**
 * Returns what `work` throws.
 * @param {() => unknown} work @param {string} [name] Its name.
 * @returns {import("wscodec").WscodecError}
 */
export function thrown(work, name) {
  let value;
  try {
    value = work();
  } catch (error) {
    const known = /** @type {import("wscodec").WscodecError} */ (error);
    if (name !== undefined && known.name !== name) {
      throw new Error(`expected ${name}, got ${known.name}: ${known.message}`, { cause: error });
    }
    return known;
  }
  throw new Error(`expected ${name ?? "an error"}, got ${shown(value)}`);
}

/** @param {string} hex @returns {Uint8Array} */
export function fromHex(hex) {
  const digits = hex.replace(/\s/g, "");
  return Uint8Array.from({ length: digits.length / 2 }, (_, i) => parseInt(digits.slice(2 * i, 2 * i + 2), 16));
}

/** @param {Uint8Array} bytes @returns {string} */
export function hexOf(bytes) {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** @param {string} text @returns {Uint8Array} */
export function utf8(text) {
  return new TextEncoder().encode(text);
}

/** @param {string} text @returns {Uint8Array} */
export function fromBase64(text) {
  return Uint8Array.from(atob(text), (char) => char.charCodeAt(0));
}

/** @param {Uint8Array} bytes @returns {string} */
export function toBase64(bytes) {
  let text = "";
  for (const byte of bytes) text += String.fromCharCode(byte);
  return btoa(text);
}

/** @param {...Uint8Array} parts @returns {Uint8Array} */
export function concat(...parts) {
  const all = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

/** The key of masked frames in the tests. */
export const KEY = Uint8Array.of(0x37, 0xfa, 0x21, 0x3d);

/**
 * A frame as `receiver` expects it: masked to a server, and not to a client. Written out here, so that no test compares
 * the codec with itself.
 * @param {"server" | "client"} receiver @param {number} b0 @param {Uint8Array | string} payload
 * @returns {Uint8Array}
 */
export function frame(receiver, b0, payload) {
  const bytes = typeof payload === "string" ? utf8(payload) : payload;
  const { length } = bytes;
  const masked = receiver === "server" ? 0x80 : 0;
  /** @type {number[]} */
  const head = [b0];
  if (length < 126) head.push(masked | length);
  else if (length < 65536) head.push(masked | 126, length >> 8, length & 255);
  else head.push(masked | 127, 0, 0, 0, 0, length >>> 24, (length >> 16) & 255, (length >> 8) & 255, length & 255);
  if (!masked) return concat(Uint8Array.from(head), bytes);
  return concat(Uint8Array.from(head), KEY, bytes.map((byte, i) => byte ^ /** @type {number} */ (KEY[i & 3])));
}

/**
 * Takes frames apart that one side has sent.
 * @param {Uint8Array} bytes @returns {{ b0: number, isMasked: boolean, payload: Uint8Array }[]}
 */
export function framesOf(bytes) {
  const frames = [];
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let at = 0; at < bytes.length; ) {
    const b0 = view.getUint8(at);
    const isMasked = view.getUint8(at + 1) >= 0x80;
    let length = view.getUint8(at + 1) & 0x7f;
    at += 2;
    if (length === 126) {
      length = view.getUint16(at);
      at += 2;
    } else if (length === 127) {
      length = Number(view.getBigUint64(at));
      at += 8;
    }
    const key = isMasked ? bytes.slice(at, at + 4) : new Uint8Array(4);
    if (isMasked) at += 4;
    ok(at + length <= bytes.length, "a frame that is sent is whole");
    const payload = bytes.slice(at, at + length).map((byte, i) => byte ^ /** @type {number} */ (key[i & 3]));
    frames.push({ b0, isMasked, payload });
    at += length;
  }
  return frames;
}

/** A generator of numbers below `n`, the same for the same seed. @param {number} seed @returns {(n: number) => number} */
export function random(seed) {
  let state = seed >>> 0 || 1;
  return (n) => {
    // xorshift32
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    state >>>= 0;
    return state % n;
  };
}

/** Cuts bytes at random places. @param {Uint8Array} bytes @param {(n: number) => number} next @returns {Uint8Array[]} */
export function cut(bytes, next) {
  const pieces = [];
  for (let at = 0; at < bytes.length; ) {
    const most = [1, 2, 8, 64, bytes.length][next(5)] ?? 1;
    const length = 1 + next(most);
    pieces.push(bytes.slice(at, at + length));
    at += length;
  }
  return pieces;
}
