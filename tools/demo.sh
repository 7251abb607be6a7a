#!/bin/sh
# demo.sh RIDGE - the main job, on a bundled ONNX file and on a built-in model.
set -eu
cd "$(dirname "$0")/.."
ridge=$1
run() { echo; echo "\$ ridge $*"; "$ridge" "$@"; }
run predict doc/demo/tiny_cnn.onnx --on host --explain 0
run predict zoo:resnet50 --on h100-sxm
run predict zoo:resnet50 --on h100-sxm,t4,xeon-8480,tpu-v4,kpu-t100 --explain 0
