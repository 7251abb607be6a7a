#!/bin/sh
# bench.sh BUILD - runs the benchmarks; makes the 100 MB model first: ResNet-50 with random weights is 102 MB.
set -eu
build=$1
model=$build/resnet50_100mb.onnx
[ -f "$model" ] || "$build/ridge" export zoo:resnet50 -o "$model" --weights random --seed 1 >/dev/null
ls -l "$model" | awk '{ print "model: " $5 " bytes" }'
"$build/bench_core" "$build/ridge" "$model"
