#!/bin/sh
# bench.sh BUILD - runs the benchmarks: the house numbers, then models beside ONNX Runtime in turns, on 1 and 2 threads.
# Makes the 100 MB model first: ResNet-50 with random weights is 102 MB. Where npm is there, ONNX Runtime is brought into a
# cache folder once, without running any script of the package; without it our runners are alone.
#
# MODELS: what is compared, a line one `ridge bench` with its own summary. RIDGE_MODELS replaces it.
set -eu
MODELS=${RIDGE_MODELS:-'
zoo:resnet50 zoo:resnet18 zoo:mobilenet_v2 zoo:mobilenet_v3_large zoo:efficientnet_b0 zoo:squeezenet1_0 zoo:densenet121 zoo:shufflenet_v2_x1_0 zoo:convnext_tiny zoo:yolov8n zoo:vit_b_16 zoo:swin_t zoo:bert-base zoo:distilbert zoo:gpt2 zoo:lstm-2x512 zoo:mlp
zoo:resnet50 zoo:mobilenet_v2 --batch 8
'}
PEER_VERSION=1.30
build=$1
ridge=$build/ridge
model=$build/resnet50_100mb.onnx
peer=${XDG_CACHE_HOME:-$HOME/.cache}/ridge/onnxruntime-node-$PEER_VERSION

[ -f "$model" ] || "$ridge" export zoo:resnet50 -o "$model" --weights random --seed 1 >/dev/null
ls -l "$model" | awk '{ print "model: " $5 " bytes" }'
"$build/bench_core" "$ridge" "$model"

if command -v npm >/dev/null && [ ! -d "$peer/node_modules/onnxruntime-node" ]; then
    mkdir -p "$peer"
    npm install --prefix "$peer" --ignore-scripts --no-audit --no-fund --silent "onnxruntime-node@$PEER_VERSION" >/dev/null 2>&1 || true
fi
if [ -d "$peer/node_modules/onnxruntime-node" ]; then
    NODE_PATH=$peer/node_modules node tools/peer_import.js "$ridge" "$model"
fi

case $(uname -m) in x86_64) machine=x64 ;; aarch64) machine=arm64 ;; *) machine=$(uname -m) ;; esac
found=$(find "$peer/node_modules/onnxruntime-node" -path "*/linux/$machine/*" -name 'libonnxruntime.so.1' 2>/dev/null | head -n 1)
: "${RIDGE_ONNXRUNTIME:=$found}"
[ -n "$RIDGE_ONNXRUNTIME" ] && export RIDGE_ONNXRUNTIME || unset RIDGE_ONNXRUNTIME
threads=1
[ "$(nproc)" -ge 2 ] && threads=1,2
echo "$MODELS" | while read -r line; do
    [ -n "$line" ] || continue
    echo
    echo "== $line"
    "$ridge" bench $line --threads $threads --no-energy --readings "$build/bench.csv" || echo "ridge bench $line: exit $?"
done
