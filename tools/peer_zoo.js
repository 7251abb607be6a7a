// peer_zoo.js RIDGE [NAME...] - the zoo beside the peer: exports each built-in model with random weights, as built and
// after the passes, and runs both once in ONNX Runtime on the same random inputs. Results must be finite, of the types
// and shapes that `ridge show` says, and the passes may not change them. Models of over PARAMETER_MAX parameters are
// skipped unless they are named; those whose file would be over FILE_MAX always.
const { spawnSync } = require('child_process');
const fs = require('fs');
const os = require('os');
const path = require('path');
const ort = require('onnxruntime-node');

const PARAMETER_MAX = 100e6;
const FILE_MAX = 1e9; // bytes: 4 a parameter
const INTEGER_MAX = 2; // below it: indices into tables, the shortest of which tells two kinds of sentences apart
const TOLERANCE = 1e-3; // of the largest result: two orders of summation, 24 layers deep, in f32
const [ridge, ...names] = process.argv.slice(2);
const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'ridge-zoo-'));
const file = path.join(folder, 'model.onnx');

// What the peer refuses although the standard has it: then only the model as built is compared.
const peerLacks = /Could not find an implementation for (\w+)|inconsistent q_sequence_length \(between (attn_mask)/;

// The peer's type of an element type, and how an input of it is filled.
const types = {
  f32: ['float32', Float32Array, Math.random],
  f64: ['float64', Float64Array, Math.random],
  i32: ['int32', Int32Array, () => Math.floor(Math.random() * INTEGER_MAX)],
  i64: ['int64', BigInt64Array, () => BigInt(Math.floor(Math.random() * INTEGER_MAX))],
  bool: ['bool', Uint8Array, () => 1],
};

function run(...args) {
  const done = spawnSync(ridge, args, { encoding: 'utf8', maxBuffer: 1 << 28 });
  if (done.status !== 0) throw new Error(`ridge ${args[0]}: ${done.stderr}`);
  return done.stdout;
}

// Masks are ones: a sequence without any allowed position has no finite softmax. DETR's mask marks padding instead.
function fill(port) {
  const [type, array, number] = types[port.dtype];
  const data = new array(port.shape.reduce((a, b) => a * b, 1));
  const masks = /mask/.test(port.name);
  const one = array === BigInt64Array ? 1n : 1, none = port.dtype === 'bool' ? 0 : one;
  for (let i = 0; i < data.length; i++) data[i] = masks ? none : number();
  return new ort.Tensor(type, data, port.shape);
}

function check(port, result) {
  if (!result) throw new Error(`no output ${port.name}`);
  const dims = result.dims.join('x'), wanted = port.shape.join('x');
  if (result.type !== types[port.dtype][0] || dims !== wanted)
    throw new Error(`${port.name} is ${result.type} ${dims}, ridge show says ${port.dtype} ${wanted}`);
  if (port.dtype[0] === 'f' && !result.data.every(Number.isFinite)) throw new Error(`${port.name} is not finite`);
}

// The largest difference, as a share of the largest number.
function distance(a, b) {
  let largest = 0, apart = 0;
  for (let i = 0; i < a.length; i++) {
    largest = Math.max(largest, Math.abs(Number(a[i])));
    apart = Math.max(apart, Math.abs(Number(a[i]) - Number(b[i])));
  }
  return apart && apart / largest;
}

async function results(model, inputs, ...options) {
  run('export', model, '--batch', '1', '--weights', 'random', '--seed', '1', '-o', file, ...options);
  const session = await ort.InferenceSession.create(file, { logSeverityLevel: 3 });
  const found = await session.run(inputs);
  await session.release();
  return found;
}

// By how much the passes change the results, or why that is not known.
async function change(model, inputs, outputs, built) {
  let passed, most = 0;
  try {
    passed = await results(model, inputs, '--optimized');
  } catch (error) {
    const lack = peerLacks.exec(error.message);
    if (lack) return `not known, for the peer lacks ${lack[1] || `broadcast of ${lack[2]}`}`;
    throw error;
  }
  for (const port of outputs) {
    check(port, passed[port.name]);
    most = Math.max(most, distance(built[port.name].data, passed[port.name].data));
  }
  if (most > TOLERANCE) throw new Error(`the passes change the results by ${most.toExponential(1)}`);
  return most.toExponential(1);
}

async function compare(model) {
  const { inputs, outputs } = JSON.parse(run('show', model, '--raw', '--format', 'json'));
  const filled = Object.fromEntries(inputs.map((port) => [port.name, fill(port)]));
  const built = await results(model, filled);
  for (const port of outputs) check(port, built[port.name]);
  const shapes = outputs.map((port) => `${port.name} ${port.shape.join('x')}`).join(', ');
  return `${shapes}; changed by passes: ${await change(model, filled, outputs, built)}`;
}

(async () => {
  let ran = 0, failed = 0, skipped = 0;
  for (const { name, parameters } of JSON.parse(run('zoo', '--format', 'json')).models) {
    const wanted = names.length ? names.includes(name.slice('zoo:'.length)) : parameters <= PARAMETER_MAX;
    if (!wanted || 4 * parameters > FILE_MAX) {
      skipped++;
      continue;
    }
    try {
      console.log(`${name}: ${await compare(name)}`);
      ran++;
    } catch (error) {
      console.log(`${name}: FAILED: ${error.message}`);
      failed++;
    }
    for (const left of fs.readdirSync(folder)) fs.rmSync(path.join(folder, left));
  }
  fs.rmdirSync(folder);
  console.log(`${ran} ran, ${failed} failed, ${skipped} skipped`);
  process.exit(failed || !ran ? 1 : 0);
})();
