// peer_import.js RIDGE MODEL - import beside the peer: `ridge show` as a whole process, and ONNX Runtime creating a
// session in this process with all graph optimizations off. Interleaved, medians; the peer's side has no process start.
const { spawnSync } = require('child_process');
const ort = require('onnxruntime-node');

const ROUNDS = 15;
const [ridge, model] = process.argv.slice(2);
const median = (x) => x.sort((a, b) => a - b)[x.length >> 1];
const ms = (start) => Number(process.hrtime.bigint() - start) / 1e6;

(async () => {
  const ours = [], theirs = [];
  for (let i = 0; i < ROUNDS; i++) {
    let start = process.hrtime.bigint();
    const done = spawnSync(ridge, ['show', model, '--format', 'json', '--output', '/dev/null']);
    ours.push(ms(start));
    if (done.status !== 0) throw new Error(String(done.stderr));
    start = process.hrtime.bigint();
    const session = await ort.InferenceSession.create(model, { graphOptimizationLevel: 'disabled', intraOpNumThreads: 1 });
    theirs.push(ms(start));
    await session.release();
  }
  console.log(`import of the 100 MB model: ridge show ${median(ours).toFixed(1)} ms (whole process), ` +
    `ONNX Runtime ${ort.env.versions.node || ort.env.versions.common} ${median(theirs).toFixed(1)} ms (session, no optimization)`);
})();
