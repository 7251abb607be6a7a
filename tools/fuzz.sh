#!/bin/sh
# fuzz.sh BUILD SECONDS - runs every fuzz target for SECONDS, from seeds made of the project's own files and the corpus
# that it grew before. Fails when one found something, and says in which file that is.
set -eu
build=$1 seconds=$2 bad=0

# seed TARGET PREFIX FILE... - every FILE behind PREFIX, in the folder of TARGET's seeds
seed() {
    folder=$build/seed/$1 prefix=$2
    shift 2
    mkdir -p "$folder"
    for file; do { printf '%s' "$prefix"; cat "$file"; } >"$folder/$(basename "$file")"; done
}
for kind in onnx text profile npy wav picture readings hf safetensors gguf trace trees graphnet table; do seed fuzz_$kind '' fuzz/seed/$kind/*; done # small ones that reach far, grown from our own
seed fuzz_onnx '' doc/demo/*.onnx
seed fuzz_text '' doc/demo/*.rg
seed fuzz_profile 0 data/hw/*.json # the first byte chooses: even is a device, odd a runtime
seed fuzz_profile 1 data/runtime/*.json

for target in "$build"/fuzz_*; do
    [ -x "$target" ] && [ -f "$target" ] || continue
    name=$(basename "$target")
    found=$build/found/$name
    mkdir -p "$build/corpus/$name" "$build/seed/$name" "$found"
    rm -f "$found"/*
    echo "== $name"
    "$target" -max_total_time="$seconds" -max_len=65536 -rss_limit_mb=2048 -timeout=20 -print_final_stats=1 -verbosity=0 \
        -artifact_prefix="$found/" "$build/corpus/$name" "$build/seed/$name" >"$found.log" 2>&1 || bad=1
    grep -E 'ERROR|SUMMARY|number_of_executed|Test unit' "$found.log" || { tail -n 5 "$found.log"; bad=1; }
done
exit $bad
