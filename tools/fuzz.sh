#!/bin/sh
# fuzz.sh BUILD SECONDS - runs every fuzz target for SECONDS, from its seeds in fuzz/seed/ and the corpus that it grew.
set -eu
build=$1 seconds=$2
for target in "$build"/fuzz_*; do
    [ -x "$target" ] && [ -f "$target" ] || continue
    name=$(basename "$target")
    mkdir -p "$build/corpus/$name"
    seeds=fuzz/seed/${name#fuzz_}
    [ -d "$seeds" ] || seeds=
    echo "== $name"
    "$target" -max_total_time="$seconds" -max_len=65536 -rss_limit_mb=2048 -timeout=20 -print_final_stats=1 -verbosity=0 \
        -artifact_prefix="$build/$name-" "$build/corpus/$name" $seeds 2>&1 | grep -E 'ERROR|SUMMARY|number_of_executed|Test unit' || true
    ! ls "$build/$name"-crash-* "$build/$name"-leak-* "$build/$name"-oom-* "$build/$name"-timeout-* 2>/dev/null | grep .
done
