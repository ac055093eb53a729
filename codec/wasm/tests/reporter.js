// Prints failures whole, and of the rest only how many.

/** @param {AsyncIterable<any>} source */
export default async function* reporter(source) {
  let passed = 0;
  for await (const { type, data } of source) {
    if (type === "test:diagnostic" && /bytes/.test(data.message)) yield `${data.message}\n`;
    if (type === "test:pass" && data.details.type !== "suite") passed++;
    if (type === "test:fail" && data.details.type !== "suite") {
      const { error } = data.details;
      yield `FAILED: ${data.name}\n${/** @type {any} */ (error.cause)?.stack ?? error.message}\n`;
    }
  }
  yield `Node: ${passed} tests passed\n`;
}
