#!/bin/sh
# test_roundtrip.sh - a model that is written and read again is the same model: equal figures, equal bytes from equal seeds,
# and what cannot be written is refused without a trace.
set -u
cd "$(dirname "$0")/.." || exit 1
ridge=${RIDGE:-build/ridge}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failed=0
fail() { echo "FAILED: $1"; cat "$work/err"; failed=1; }
run() { "$ridge" "$@" >"$work/out" 2>"$work/err"; }

# Figures that no writing may change; the name of the file may.
figures() { "$ridge" show "$1" --format json | grep -E '"(parameters|macs|flops|weight_byte|activation_byte|nodes|layers)"'; }
# same MODEL FILE OPTION...: exports and compares
same() {
    model=$1 file=$work/$2
    shift 2
    run export "$model" -o "$file" "$@" || { fail "export $model $*"; return; }
    figures "$model" >"$work/before"
    figures "$file" >"$work/after"
    [ "$(wc -l <"$work/before")" -ge 7 ] || fail "no figures of $model"
    diff "$work/before" "$work/after" || fail "$model changes when it is exported"
}
same doc/demo/tiny_cnn.onnx tiny.onnx
same zoo:mlp mlp.onnx --weights random --seed 1
same zoo:mobilenet_v2 mobile.onnx --weights random
same zoo:resnet18 resnet.onnx --weights random --optimized

run export zoo:mlp -o "$work/mlp1.onnx" --weights random --seed 1 || fail "seed 1"
cmp "$work/mlp.onnx" "$work/mlp1.onnx" || fail "equal seeds give different bytes"
run export zoo:mlp -o "$work/mlp2.onnx" --weights random --seed 2 || fail "seed 2"
cmp -s "$work/mlp.onnx" "$work/mlp2.onnx" && fail "different seeds give equal bytes"
run export "$work/mlp.onnx" -o "$work/again.onnx" || fail "export what was exported"
cmp "$work/mlp.onnx" "$work/again.onnx" || fail "what was exported changes when it is exported again"

# refuse CODE PATTERN WORD...
refuse() {
    code=$1 pattern=$2
    shift 2
    run "$@"
    got=$?
    [ $got = "$code" ] || fail "ridge $*: exit code $got, expected $code"
    grep -q -e "$pattern" "$work/err" || fail "ridge $*: nothing says '$pattern'"
}
refuse 2 'expected a file' export zoo:mlp
refuse 5 "$work/none/x.onnx" export doc/demo/tiny_cnn.onnx -o "$work/none/x.onnx"
refuse 5 'weight' export zoo:mlp -o "$work/empty.onnx"
[ -e "$work/empty.onnx" ] && fail "a refused export leaves a file"
exit $failed
