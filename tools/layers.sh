#!/bin/sh
# layers.sh - fails when a file includes a folder that tools/layers.txt does not grant it.
cd "$(dirname "$0")/.." || exit 1
grep -Hn '^#include "' $(find src cmd -name '*.[ch]') | awk -F'[:"]' '
    FNR == NR { if ($0 !~ /^#/ && NF) { n = split($2, w, " "); grant[$1 "/" $1]; for (i = 1; i <= n; i++) grant[$1 "/" w[i]] } next }
    { split($1, p, "/"); who = p[1] == "src" ? p[2] : p[1]; whom = $4; count++
      if (whom == "ridge.h" || whom ~ /\.pb\.h$/) next
      if (whom !~ /\//) { if (p[1] == "cmd") next; print $1 ":" $2 ": include \"" whom "\" by its folder"; bad = 1; next }
      sub(/\/.*/, "", whom)
      if (!((who "/" whom) in grant)) { print $1 ":" $2 ": " who " may not include " whom; bad = 1 } }
    END { if (!bad) print count " includes respect the layers"; exit bad }' tools/layers.txt -
