#!/bin/sh
# test_cli.sh - the program as users meet it: exit codes, what goes to which stream, messages that name the
# thing, help with examples, every format, the whole list of devices.
set -u
cd "$(dirname "$0")/.." || exit 1
ridge=${RIDGE:-build/ridge}
[ -x "$ridge" ] || { echo "skipped: no program at $ridge"; exit 77; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
passed=0 failed=0
demo=doc/demo/tiny_cnn.onnx

pass() { passed=$((passed + 1)); }
fail() {
    failed=$((failed + 1))
    echo "FAILED: $1"
    sed 's/^/    /' "$work/out" "$work/err" 2>/dev/null | head -20
}
# run WORD...: output and words are kept
run() { "$ridge" "$@" >"$work/out" 2>"$work/err" </dev/null; }

# expect CODE PATTERN WORD...: the exit code, and a pattern in standard output (code 0) or standard error.
expect() {
    code=$1 pattern=$2
    shift 2
    run "$@"
    got=$?
    told="$work/err" quiet="$work/out"
    [ "$code" = 0 ] && told="$work/out" quiet="$work/err"
    [ "$code" = 3 ] && quiet=/dev/null
    if [ $got != "$code" ]; then fail "ridge $*: exit code $got, expected $code"
    elif ! grep -q -e "$pattern" "$told"; then fail "ridge $*: nothing says '$pattern'"
    elif [ -s "$quiet" ]; then fail "ridge $*: data and errors on one stream"
    else pass; fi
}

# ---- what works ----
expect 0 'ridge 0\.' --version
expect 0 'predict' help
expect 0 'latency' predict "$demo" --on t4
expect 0 'latency' predict "$demo" --on host --explain 0
expect 0 'bert-base' zoo
expect 0 'rnn *zoo:lstm' zoo swin rnn
expect 0 'name *zoo:resnet50$' zoo resnet50
expect 0 'h100-sxm' devices
expect 0 'tensorrt' runtimes
expect 0 'cpu' doctor
expect 0 'parameters' show zoo:mlp
expect 0 'tpu-v4' predict "$demo" --on t4,tpu-v4 --explain 0
expect 0 'complete' completion bash
expect 0 'compdef' completion zsh
expect 0 '^\.TH ridge 1' man ridge

# every command: help with usage, options and an example; a page of the manual
for command in $("$ridge" help | sed -n '/^Commands:/,/^$/s/^  \([a-z]*\) .*/\1/p'); do
    expect 0 '^Usage: ridge '"$command" "$command" --help
    expect 0 '^Examples:' help "$command"
    grep -q "^  ridge $command" "$work/out" || fail "help $command shows no example"
    expect 0 '^\.SH NAME' man "$command"
done

# every device of the list can be shown, and the whole list runs a model
devices=$(ls data/hw | sed 's/\.json$//')
run predict "$demo" --on all --precision i8 --explain 0 --format csv || fail "predict --on all"
cp "$work/out" "$work/all"
for device in $devices; do
    expect 0 "$device" devices "$device"
    grep -q "$device" "$work/all" || fail "--on all lacks $device"
done

# a table of measurements, with a column that no forecast may read and a device that nobody knows
cat >"$work/ops.csv" <<EOF
device,op,num_tokens,num_tensor_parallel_workers,n_head,n_kv_head,n_embd,n_expanded_embd,vocab_size,use_gated_mlp,ms,note
a100-sxm-80gb,mlp_up_proj,512,1,32,8,4096,14336,128256,True,0.6,x
a100-sxm-80gb,add,512,1,32,8,4096,14336,128256,True,0.01,x
nosuch,add,512,1,32,8,4096,14336,128256,True,0.01,x
EOF
small=zoo:llama3.2-1b

# ---- formats ----
for command in "predict $demo --on t4" "show zoo:mlp" "devices" "runtimes" "zoo" "doctor" "compare $demo --on t4,l4" \
    "sweep $demo --on t4" "explain $demo --on t4" "sensitivity $demo --on t4" "predict $demo --on t4 --set launch_s=2x" \
    "llm $small --on t4" "llm $small --on t4 --batch 1,4" "place $small --on t4 --parallel tp=1;tp=2" \
    "simulate $small --on t4 --requests 50" "diffusion zoo:sd15 --on t4" "evaluate $work/ops.csv" \
    "frequency $demo --on v100-pcie-32gb" \
    "show fuzz/seed/gguf/llama.gguf" "prices h100" "regions de"; do
    for format in text json csv md html; do
        # shellcheck disable=SC2086
        run $command --format $format || fail "ridge $command --format $format"
        [ -s "$work/out" ] && pass || fail "ridge $command --format $format is empty"
        [ $format = json ] || continue
        grep -q '"schema"' "$work/out" || fail "ridge $command: JSON without a schema"
        command -v jq >/dev/null || continue
        jq -e . "$work/out" >"$work/err" 2>&1 || fail "ridge $command: no JSON"
    done
done
run predict "$demo" --on t4 --output "$work/report.md" --format md
[ -s "$work/report.md" ] && [ ! -s "$work/out" ] && pass || fail "--output"
run predict "$demo" --on t4
if grep -q "$(printf '\033')" "$work/out"; then fail "colors without a terminal"; else pass; fi

# ---- studies: many forecasts at once ----
expect 0 'fastest is tiny_cnn on l4' compare "$demo" --on t4,l4
expect 0 'Why the runtimes differ' compare "$demo" --on t4 --runtime native,tensorrt
expect 0 'cannot be' compare zoo:mlp --on coral-edge-tpu,t4
expect 0 'tensorrt does not run on xeon-8480' compare "$demo" --on t4,xeon-8480 --runtime tensorrt
expect 0 '1 of 2 keeps the limits' compare "$demo" --on t4,xeon-8480 --power 75W --quiet
expect 0 '"front": true' compare "$demo" --on t4,l4 --format json
expect 0 'knee is batch' sweep zoo:resnet50 --on t4
expect 0 'the power [0-9.]* of the sequence' sweep zoo:bert-base --on a100-sxm-80gb --seq 64..512
expect 0 'fix the core clock at' frequency "$demo" --on v100-pcie-32gb --objective energy --slowdown 10%
expect 0 'Each model for itself' frequency "$demo" --on v100-pcie-32gb --mix zoo:mlp=2 --cap 240W
printf 'core_mhz,latency_ms,power_w\n1380,1,90\n' >"$work/probe.csv"
expect 0 'fix the core clock at' frequency "$demo" --on v100-pcie-32gb --probe "$work/probe.csv"
printf 'core_mhz,latency_s,power_w\n1380,1,90\n' >"$work/probe.csv"
expect 5 "probe.csv:2: 1.00 s measured, .* forecast" frequency "$demo" --on v100-pcie-32gb --probe "$work/probe.csv"
expect 2 "slowdown.*is no share" frequency "$demo" --on t4 --slowdown fast
expect 2 "mix.*is no MODEL=WEIGHT" frequency "$demo" --on t4 --mix zoo:mlp
expect 2 "cap.*above 0" frequency "$demo" --on t4 --cap 0
expect 2 "baseline.*none of kind llm_op" evaluate "$work/ops.csv" --baseline x
expect 0 'least energy at' sweep "$demo" --on v100-pcie-32gb --core-mhz all
expect 0 'longest limit' explain "$demo" --on t4
expect 0 '^Row 1 of' explain "$demo" --on t4 --row 1
expect 0 'power.cap_w' sensitivity "$demo" --on t4
expect 0 'What if: tiny_cnn on a changed t4' predict "$demo" --on t4 --set launch_s=0.01x
expect 0 'bound by something else' predict zoo:resnet50 --on t4 --set launch_s=0.01x,runtime.launch.launch_s=0.01x
grep -q 'launch (.*  [cmb][a-z]* (' "$work/out" && pass || fail "--set: no row that launches bound is bound otherwise"
expect 3 'no combination is within' compare "$demo" --on t4,l4 --latency 1us
grep -q 'None of 2 keeps the limits' "$work/out" && pass || fail "limits that nothing keeps: no verdict"
expect 3 'no combination is within' compare "$demo" --on t4 --memory 1MB --format json
grep -q '"met": false' "$work/out" && pass || fail "limits that nothing keeps: no table"
expect 2 "batch.*is no range" compare "$demo" --on t4 --batch 8..1
expect 2 "seq.*is no range" sweep "$demo" --on t4 --seq x
expect 2 "no whole number" sweep "$demo" --on t4 --batch 1.5
expect 2 "latency.*no quantity in s" compare "$demo" --on t4 --latency 5W
expect 2 "latency.*above 0" compare "$demo" --on t4 --latency 0
expect 2 "precision 'f12'" compare "$demo" --on t4 --precision f16,f12
expect 2 "jobs.*-1" compare "$demo" --on t4 --jobs -1
expect 2 "empty name" compare "$demo" --on t4,,l4
expect 2 "did you mean" compare "$demo" --on t4 --sort latancy
expect 2 "above 1" sensitivity "$demo" --on t4 --factor 1
expect 2 "no row 'hbm' in levels" predict "$demo" --on t4 --set levels.hbm.read_byte_per_s=2x
expect 2 "is no change" predict "$demo" --on t4 --set faster
expect 5 "nosuch.onnx" compare nosuch.onnx --on t4
expect 5 "no row 'nosuch'" explain "$demo" --on t4 --row nosuch
expect 5 "computes products in i8 alone.*--precision i8" predict zoo:mlp --on coral-edge-tpu
expect 5 "computes products in i8 alone" compare zoo:mlp --on coral-edge-tpu
run compare "$demo" --on t4,l4 --format csv
head -n 1 "$work/out" | grep -q '^model,device,runtime,precision,batch,latency_s,' && pass || fail "compare: CSV"
run compare "$demo" --on all -o "$work/compare.html" --format html
[ -s "$work/compare.html" ] && [ ! -s "$work/out" ] && [ ! -s "$work/err" ] && pass ||
    fail "compare -o: something is said, or nothing written" # no progress either: this is no terminal
for jobs in 1 3; do
    "$ridge" compare "$demo" zoo:mlp --on t4,l4 --batch 1..8 --jobs $jobs --format json >"$work/jobs$jobs"
done
cmp -s "$work/jobs1" "$work/jobs3" && pass || fail "--jobs changes the answer"

# ---- language models, images, measurements by others ----
expect 0 'time to first token' llm $small --on t4 --draft $small --chunk 256
grep -q 'Speculative decoding' "$work/out" && grep -q 'Chunked prefill' "$work/out" && pass || fail "llm: drafts, chunks"
expect 0 'tp=2,pp=2' llm $small --on t4 --parallel "tp=1;tp=2,pp=2" --batch 1,4
expect 0 'f16+w=i4' llm $small --on t4 --precision f16,f16+w=i4
expect 0 'M output tokens' llm $small --on t4 --batch 4 --price 1
expect 0 'T4 serve 4 users' place $small --on t4 --users 4 --ttft 1s --tpot 50ms --goal energy
expect 3 'no placement keeps the limits' place $small --on t4 --tpot 1us
grep -q 'a token takes .* with one user' "$work/out" && pass || fail "place: nothing says what fails"
expect 0 'At 2 requests a second' simulate $small --on t4 --rate 2 --requests 100 --policy chunked
cp "$work/out" "$work/first"
expect 0 'At 2 requests a second' simulate $small --on t4 --rate 2 --requests 100 --policy chunked
cmp -s "$work/first" "$work/out" && pass || fail "simulate: the same seed gives another answer"
printf 'arrival_s,prompt,output\n0,100,10\n0.5,200,20\n' >"$work/trace.csv"
expect 0 '^2 requests' simulate $small --on t4 --trace "$work/trace.csv"
expect 0 'U-Net' diffusion zoo:sd15 --on t4 --steps 10 --images 1,2
expect 0 "'nosuch'.*nearest" evaluate "$work/ops.csv"
expect 0 '"answered": 2' evaluate "$work/ops.csv" --kind llm_op --format json
expect 0 'bits per weight' show fuzz/seed/gguf/llama.gguf
expect 0 'bits per weight' show fuzz/seed/safetensors/llama --as weights
expect 0 'latency' predict fuzz/seed/gguf/llama.gguf --on t4 --past 16 --seq 1
expect 0 'latency' predict $small --on t4 --parallel tp=2 --past 128 --seq 1
expect 2 "acceptance.*at most 1" llm $small --on t4 --acceptance 2
expect 2 "tp=x" llm $small --on t4 --parallel tp=x
expect 2 "'i5' is none of" llm $small --on t4 --precision f16+w=i5
expect 2 "each is at least 1" place $small --on t4 --users 0
expect 2 "none of devices|cost|energy" place $small --on t4 --goal fame
expect 2 "none of static|continuous|chunked" simulate $small --on t4 --policy fair
expect 2 "ttft.*no quantity in s" simulate $small --on t4 --ttft 5W
expect 2 "size.*WIDTHxHEIGHT" diffusion zoo:sd15 --on t4 --size 512
head -n 1 "$work/ops.csv" >"$work/head.csv"
expect 5 "columns of llm_op and has no row" evaluate "$work/head.csv"
expect 0 'What is left, against the forecast' evaluate "$work/ops.csv" --format svg --part residual-1
expect 0 'learned residuals rest on' evaluate "$work/ops.csv" --importance
expect 2 "none of none, kernels, families, devices\|known" evaluate "$work/ops.csv" --known all
expect 2 "jobs.*negative" evaluate "$work/ops.csv" --jobs -1
expect 0 '"answered": 2' evaluate "$work/ops.csv" --kind llm_op --learning none --format json
for learning in all rows none; do
    expect 0 'latency' predict "$demo" --on t4 --learning $learning
    expect 0 't4' compare "$demo" --on t4 --learning $learning
    expect 0 'latency' explain "$demo" --on t4 --learning $learning
done
expect 2 "learning: 'some' is none of all|rows|none" predict "$demo" --on t4 --learning some
expect 5 "nowhere: there is no such folder" learn "$work/ops.csv" --into "$work/nowhere"
expect 5 "nowhere: there is no such folder" learn "$work/ops.csv" --export "$work/nowhere"
expect 5 "nowhere: there is no such folder" fit "$work/ops.csv" --on t4 --into "$work/nowhere"
expect 5 "no key of the files begins with 'nosuch'; they have" learn "$work/ops.csv" --export "$work" --key nosuch
expect 5 "without: device 'martian' is not known" learn "$work/ops.csv" --without martian
expect 2 "probes: rows of kind llm_op" evaluate "$work/ops.csv" --probes 3
mkdir -p "$work/data/learned"
printf '{"schema": "ridge.trees/2"}' >"$work/data/learned/tensorrt.conv.f32.trees"
expect 5 "learned/tensorrt.conv.f32.trees: none of its 27 bytes ends" predict "$demo" --on t4 --data "$work/data"
expect 0 'latency' predict "$demo" --on t4 --data "$work/data" --learning none
expect 5 "no language model with caches" llm zoo:resnet50 --on t4
expect 5 "no such pipeline; there are: .*zoo:sdxl" diffusion zoo:nosuch --on t4
expect 5 "those of no measurement.*llm_op" evaluate "$work/trace.csv"
expect 5 "nosuch.csv" evaluate nosuch.csv

# ---- running a model ----
run export zoo:mlp --weights random --seed 1 -o "$work/mlp.onnx" || fail "export zoo:mlp"
expect 0 'uniform in \[-1, 1)' run "$work/mlp.onnx" --random --seed 3 --save "$work/out1"
[ -s "$work/out1/logits.npy" ] && pass || fail "run --save: no logits.npy"
expect 0 'logits' run "$work/mlp.onnx" --random --seed 3 --save "$work/out2" --backend naive
expect 0 '"schema": "ridge.run/1"' run "$work/mlp.onnx" --random --batch 2 --format json
expect 5 "input 'image', f32\[batch,784\], has no file" run "$work/mlp.onnx"
expect 5 "takes f32\[batch,784\].*has f32\[1,10\]" run "$work/mlp.onnx" --input "$work/out1/logits.npy"
expect 5 "inputs: image" run "$work/mlp.onnx" --input "x=$work/out1/logits.npy"
expect 5 "ridge export zoo:mlp --weights random" run zoo:mlp --random
expect 2 "rate.*-1" run "$work/mlp.onnx" --rate -1
expect 2 "did you mean naive" run "$work/mlp.onnx" --random --backend naiv
head -c 100 "$work/out1/logits.npy" >"$work/cut.npy"
expect 5 "cut.npy.*header" run "$work/mlp.onnx" --input "$work/cut.npy"
expect 1 "/nonexistent/out" run "$work/mlp.onnx" --random --save /nonexistent/out

# the same question gets the same answer
"$ridge" predict "$demo" --on all --format json >"$work/one" 2>/dev/null
"$ridge" predict "$demo" --on all --format json >"$work/two" 2>/dev/null
cmp -s "$work/one" "$work/two" && pass || fail "two runs differ"

# ---- wrong use: 2, and what to read ----
expect 2 "did you mean predict" predcit
expect 2 "did you mean --precision" predict "$demo" --precison f16
expect 2 "ridge help predict" predict
expect 2 "did you mean json" predict "$demo" --format jsn
expect 2 "f12" predict "$demo" --precision f12
expect 2 "core-mhz.*-3" predict "$demo" --on t4 --core-mhz -3
expect 2 "threads.*-1" predict "$demo" --on t4 --threads -1
expect 2 "empty name" predict "$demo" --on t4,
expect 2 "explain" predict "$demo" --explain 4
run
[ $? = 2 ] && grep -q Usage "$work/err" && pass || fail "no words at all"

# ---- input that cannot be used: 5, and its name ----
expect 5 "nosuch.onnx" predict nosuch.onnx
expect 5 "zoo:resnet5" predict zoo:resnet5
expect 5 "has 'nothing' in its name" zoo swin nothing
expect 5 "'nosuch'.*nearest" predict "$demo" --on nosuch
expect 5 "tensorrt.*tpu" predict "$demo" --on tpu-v4 --runtime tensorrt
expect 5 "nosuch" predict "$demo" --on t4 --runtime nosuch
expect 5 "model.onnx" predict "$work"
printf 'junk' >"$work/junk.onnx"
expect 5 "junk.onnx" predict "$work/junk.onnx"
: >"$work/empty.onnx"
expect 5 "empty.onnx" predict "$work/empty.onnx"
head -c 500 "$demo" >"$work/cut.onnx"
expect 5 "cut.onnx" predict "$work/cut.onnx"
printf '{"schema": "ridge.device/1"}' >"$work/bad.json"
expect 5 "bad.json" predict "$demo" --on "$work/bad.json"
run predict "$demo" --on all --runtime tensorrt --explain 0 || fail "--on all with a GPU's stack"
grep -q "tpu-v4" "$work/err" && pass || fail "--on all does not say what it passes over"
run predict "$demo" --on all --runtime tensorrt --explain 0 --quiet
[ ! -s "$work/err" ] && pass || fail "--quiet says something"
cat "$demo" | "$ridge" predict /dev/stdin --on t4 >"$work/out" 2>"$work/err"
[ $? = 5 ] && grep -q "/dev/stdin" "$work/err" && pass || fail "a pipe is not refused by name"

# ---- a gate that is not met: 3, with the report. No clock keeps a machine at its idle power. ----
sed -e 's/"idle_w": [0-9.]*/"idle_w": 70.0/' -e 's/"cap_w": [0-9.]*/"cap_w": 70.0/g' data/hw/t4.json \
    >"$work/tight.json"
expect 3 "check.* failed" predict "$demo" --on "$work/tight.json"
grep -q "power within limits" "$work/out" && pass || fail "the failed check is not in the report"

# ---- output that cannot be written: 1 ----
expect 1 "nonexistent" predict "$demo" --on t4 --output /nonexistent/report
if [ -w /dev/full ]; then
    "$ridge" predict "$demo" --on t4 >/dev/full 2>"$work/err"
    [ $? = 1 ] && [ -s "$work/err" ] && pass || fail "a full disk goes unnoticed"
fi
"$ridge" predict "$demo" --on all --format json 2>/dev/null | head -n 1 >"$work/out"
grep -q . "$work/out" && pass || fail "a reader that goes away"

echo "$passed passed, $failed failed"
[ $failed = 0 ]
