#!/bin/sh
# test_readme.sh - README's example says what the program says: every line of it but "..." stands in the output.
set -u
cd "$(dirname "$0")/.." || exit 1
ridge=${RIDGE:-build/ridge}
command=$(sed -n 's/^\$ ridge \(.*\)/\1/p' README.md | head -n 1)
[ -n "$command" ] || { echo "README.md has no example"; exit 1; }
# shellcheck disable=SC2086 # the words of the example are its arguments
output=$("$ridge" $command) || { echo "ridge $command fails"; exit 1; }
missing=$(sed -n '/^\$ ridge /,/^```/p' README.md | sed '1d;/^```/d;/^\.\.\.$/d;/^$/d' | while IFS= read -r line; do
    printf '%s\n' "$output" | grep -qxF -- "$line" || printf '%s\n' "$line"
done)
[ -z "$missing" ] || { printf 'README.md shows what "ridge %s" does not print:\n%s\n' "$command" "$missing"; exit 1; }
