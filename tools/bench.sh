#!/bin/sh
# bench.sh BUILD - runs the benchmarks. Makes the 100 MB model first: ResNet-50 with random weights is 102 MB. Where npm is
# there, ONNX Runtime is brought into the build folder as the peer of import; without it the line is left out.
set -eu
build=$1
model=$build/resnet50_100mb.onnx
[ -f "$model" ] || "$build/ridge" export zoo:resnet50 -o "$model" --weights random --seed 1 >/dev/null
ls -l "$model" | awk '{ print "model: " $5 " bytes" }'
"$build/bench_core" "$build/ridge" "$model"
peer=$build/peer
if command -v npm >/dev/null && [ ! -d "$peer/node_modules/onnxruntime-node" ]; then
    mkdir -p "$peer"
    npm install --prefix "$peer" --ignore-scripts --no-audit --no-fund --silent onnxruntime-node@1.30 >/dev/null 2>&1 || true
fi
if [ -d "$peer/node_modules/onnxruntime-node" ]; then
    NODE_PATH=$peer/node_modules node tools/peer_import.js "$build/ridge" "$model"
fi
