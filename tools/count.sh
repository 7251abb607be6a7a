#!/bin/sh
# count.sh - passes meson's test output through and closes it with one line: "N passed, N failed, N skipped".
awk '{ print } /^Ok:/ { ok = $2 } /^(Fail|Expected Fail|Unexpected Pass|Timeout):/ { bad += $NF } /^Skipped:/ { skip = $2 }
     END { printf "%d passed, %d failed, %d skipped\n", ok, bad, skip; exit bad > 0 || ok == 0 }'
