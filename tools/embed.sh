#!/bin/sh
# embed.sh ROOT FILE... - prints C that carries FILEs (paths below ROOT) in the library, sorted by path.
# .incbin keeps compile time and memory flat whatever the size; the assembler is the one of gcc and clang. The compiler
# lists no dependency on what is included so: the checksum makes this C change, and be compiled again, when FILE does.
set -eu
root=$1
shift
echo '/* Written by tools/embed.sh; do not edit. */'
echo '#include "base/data.h"'
i=0
list=$(printf '%s\n' "$@" | LC_ALL=C sort)
for file in $list; do
    echo "/* $file: $(cksum <"$root/$file") */"
    printf '__asm__(".section .rodata\\n.balign 16\\nrg_data_%s: .incbin \\"%s\\"\\nrg_data_end_%s: .byte 0\\n.previous\\n");\n' "$i" "$root/$file" "$i"
    echo "extern const char rg_data_$i[] __attribute__((visibility(\"hidden\"))), rg_data_end_$i[] __attribute__((visibility(\"hidden\")));"
    i=$((i + 1))
done
echo 'const rg_embedded rg_embedded_table[] = {'
i=0
for file in $list; do
    echo "    {\"$file\", rg_data_$i, rg_data_end_$i},"
    i=$((i + 1))
done
echo '    {0}};'
echo "const int rg_embedded_count = $i;"
