// The functions of artillery.yml. The first second, in which users arrive, is not in the latencies.
const SECONDS = Number(process.env.SECONDS);
const EVERY_S = Number(process.env.EVERY_S || 0);
let first;

module.exports = {
  begin(context, events, done) {
    first ??= performance.now();
    context.vars.began = performance.now();
    done();
  },
  end(context, events, done) {
    const now = performance.now();
    if (EVERY_S && now - first > 1000) events.emit('histogram', 'echo_ms', now - context.vars.began);
    if (EVERY_S) setTimeout(done, EVERY_S * 1000);
    else done();
  },
  goesOn(context, done) {
    done(performance.now() - first < (SECONDS + 1) * 1000);
  },
};
