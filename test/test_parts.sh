#!/bin/sh
# test_parts.sh - charts and tables taken out of a report: one by name, all into a folder; pictures that are what their
# names say and the same each time; errors that name the parts that there are.
set -u
cd "$(dirname "$0")/.." || exit 1
ridge=${RIDGE:-build/ridge}
[ -x "$ridge" ] || { echo "skipped: no program at $ridge"; exit 77; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
demo=doc/demo/tiny_cnn.onnx
failed=0
fail() {
    failed=$((failed + 1))
    echo "FAILED: $1"
    head -5 "$work/err" 2>/dev/null
}
predict() { "$ridge" predict "$demo" --on t4 "$@" 2>"$work/err"; }
# expect CODE PATTERN WORD...: the exit code, and a pattern in what is said
expect() {
    code=$1 pattern=$2
    shift 2
    predict "$@" >"$work/out"
    got=$?
    [ $got = "$code" ] || fail "$*: exit code $got, expected $code"
    cat "$work/out" "$work/err" | grep -qa -e "$pattern" || fail "$*: nothing says '$pattern'"
}

expect 2 'name the part: .*roofline' --format svg
expect 2 "no chart 'nosuch'; there are .*timeline" --format svg --part nosuch
expect 2 "no table 'nosuch'; there are .*rows" --format csv --part nosuch
expect 2 'format md has no parts; csv, pdf, png, svg have' --format md --part rows
expect 2 'format json has no parts' --format json --output "$work/json/"
expect 2 'part names one file' --format svg --part roofline --output "$work/svg/"
expect 0 '^id,\|^name,' --format csv --part rows
expect 0 '<svg xmlns' --format svg --part roofline
expect 1 'nonexistent' --format svg --output /nonexistent/folder/

predict --format svg --output "$work/svg/" || fail "all charts"
predict --format csv --explain 3 --output "$work/csv/" || fail "all tables"
for name in roofline timeline utilization mix_time mix_flops energy memory activations; do
    [ -s "$work/svg/$name.svg" ] || fail "no $name.svg"
    command -v xmllint >/dev/null && { xmllint --noout "$work/svg/$name.svg" 2>"$work/err" || fail "$name.svg is no XML"; }
done
for name in kinds bounds limits top_energy fits rows why terms checks; do
    [ -s "$work/csv/$name.csv" ] || fail "no $name.csv"
done
predict --format svg --part roofline | cmp -s - "$work/svg/roofline.svg" || fail "a part is not what the folder holds"

if "$ridge" doctor --format csv 2>/dev/null | grep -q '^pictures,true'; then
    for format in png pdf; do
        predict --format $format --part timeline --output "$work/one.$format" || fail "$format"
        predict --format $format --part timeline >"$work/two.$format" || fail "$format to standard output"
        cmp -s "$work/one.$format" "$work/two.$format" || fail "two runs give different $format files"
    done
    head -c 8 "$work/one.png" | od -An -tx1 | grep -q '89 50 4e 47 0d 0a 1a 0a' || fail "no PNG"
    head -c 5 "$work/one.pdf" | grep -q '%PDF-' || fail "no PDF"
    tail -c 8 "$work/one.pdf" | grep -q '%%EOF' || fail "a PDF without an end"
    if [ -w /dev/full ]; then
        predict --format png --part timeline >/dev/full && fail "a full disk goes unnoticed"
    fi
else
    expect 5 'librsvg\|libcairo\|libgobject' --format png --part timeline
fi

size=$("$ridge" predict zoo:resnet50 --on h100-sxm --format html | wc -c)
[ "$size" -lt 600000 ] || fail "the page of ResNet-50 has $size bytes"
[ $failed = 0 ] && echo "parts, folders, pictures; the page of ResNet-50 has $size bytes"
[ $failed = 0 ]
