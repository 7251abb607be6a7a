#!/bin/sh
# tables.sh KIND TYPE HEADER FILE... - prints the C table of every RG_KIND(id) and X(id, ...) row of a *_LIST in FILEs.
# The order is the sorted order of the ids, so that two machines build the same bytes. This is what registration is:
# adding a file with an RG_OP, RG_CMD, RG_PASS, ... row adds it to the program.
set -eu
kind=$1 type=$2 header=$3
shift 3
ids=$(sed -n -e "s/^RG_$kind(\([A-Za-z0-9_]*\)).*/\1/p" \
             -e '/_LIST(X)/,/^$/s/^ *X(\([A-Za-z0-9_]*\),.*/\1/p' "$@" | LC_ALL=C sort)
low=$(echo "$kind" | tr '[:upper:]' '[:lower:]')
echo "/* Written by tools/tables.sh; do not edit. */"
echo "#include \"$header\""
for i in $ids; do echo "extern const $type rg_${low}_$i;"; done
echo "extern const $type *const rg_${low}_table[];"
echo "extern const int rg_${low}_count;"
echo "const $type *const rg_${low}_table[] = {"
for i in $ids; do echo "    &rg_${low}_$i,"; done
echo "};"
echo "const int rg_${low}_count = (int)(sizeof(rg_${low}_table) / sizeof(rg_${low}_table[0]));"
