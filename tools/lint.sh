#!/bin/sh
# lint.sh - what the compiler does not check of the style: banned calls, sizes, one name one file, opening comments.
cd "$(dirname "$0")/.." || exit 1
bad=0
complain() { echo "$1"; bad=1; }
files=$(find src cmd include test bench fuzz -name '*.[ch]' 2>/dev/null)

hits=$(grep -nE '(^|[^_a-zA-Z0-9])(strcpy|strcat|sprintf|vsprintf|gets|atoi|atof|strtok|alloca|system)\(' $files)
[ -n "$hits" ] && complain "banned calls:
$hits"
hits=$(grep -nE '\b(TODO|FIXME|XXX)\b' $files)
[ -n "$hits" ] && complain "unfinished work:
$hits"
hits=$(grep -nE '[[:space:]]+$' $files)
[ -n "$hits" ] && complain "trailing blanks:
$hits"
hits=$(grep -nP '\t' $files)
[ -n "$hits" ] && complain "tabs:
$hits"
hits=$(grep -nE '(^|[^a-z_])(printf|exit|abort)\(' $(find src -name '*.c'))
[ -n "$hits" ] && complain "the library never prints, exits or aborts:
$hits"
hits=$(grep -nE '\bv?snprintf\(.*"[^"]*%[-+0-9.*]*[aefgAEFG]|\bstrto(d|f|ld)\(' $(find src -name '*.c' ! -name str.c))
[ -n "$hits" ] && complain "numbers that follow the locale (use rg_str_print, rg_str_real):
$hits"
hits=$(awk 'length($0) > 110 { print FILENAME ":" FNR ": " length($0) " columns" }' $files)
[ -n "$hits" ] && complain "long lines:
$hits"
hits=$(wc -l $files | awk '$2 != "total" && $1 > 800 { print $2 ": " $1 " lines" }')
[ -n "$hits" ] && complain "files over 800 lines:
$hits"
hits=$(wc -l $(find src -name '*.h') | awk '$2 != "total" && $1 > 300 { print $2 ": " $1 " lines" }')
[ -n "$hits" ] && complain "headers over 300 lines:
$hits"
hits=$(echo "$files" | sed 's|.*/||' | sort | uniq -d)
[ -n "$hits" ] && complain "file names that are not unique:
$hits"
hits=$(awk 'FNR == 1 && !/^\/\*/ { print FILENAME }' $files)
[ -n "$hits" ] && complain "no opening comment:
$hits"
hits=$(awk 'FNR == 1 { open = 0 } /^\{/ { open = FNR }
    /^}$/ && open { if (FNR - open > 72) print FILENAME ":" open ": function of " FNR - open " lines"; open = 0 }' $(find src cmd -name '*.c'))
[ -n "$hits" ] && complain "functions over 70 lines:
$hits"
[ $bad = 0 ] && echo "$(echo "$files" | wc -l) files pass lint"
exit $bad
