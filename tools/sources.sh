#!/bin/sh
# sources.sh FOLDER SUFFIX [SUFFIX [SUFFIX]] - lists the files of a folder of the source tree, sorted, one a line.
cd "$(dirname "$0")/.." && [ -d "$1" ] && find "$1" \( -name "*.$2" -o -name "*.${3:-$2}" -o -name "*.${4:-$2}" \) -type f | LC_ALL=C sort
exit 0
