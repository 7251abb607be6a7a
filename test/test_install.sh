#!/bin/sh
# test_install.sh - `meson install` into an empty DESTDIR puts every file where the system looks for it, and a program
# that knows only the installed header and ridge.pc compiles, links (shared and static) and runs.
set -eu
build=${RIDGE_BUILD:-$(dirname "${RIDGE:-build/ridge}")}
skip() { echo "skipped: $1"; exit 77; } # meson's code for a skipped test
[ "${RIDGE_INSTRUMENT:-none}" = none ] || skip "a plain program cannot be linked with a library built for $RIDGE_INSTRUMENT"
for tool in meson cc pkg-config; do command -v $tool >/dev/null || skip "no $tool"; done

dest=$(mktemp -d)
trap 'rm -rf "$dest"' EXIT
DESTDIR=$dest meson install -C "$build" --no-rebuild --quiet

failed=0
need() { # need FILE-PATTERN WORD: exactly one such file, which contains WORD
    found=$(find "$dest" -path "$dest$1")
    if [ -z "$found" ]; then echo "not installed: $1"; failed=1
    elif [ -n "${2:-}" ] && ! grep -q -- "$2" "$found"; then echo "$found: no '$2' in it"; failed=1; fi
}
prefix=$(sed -n 's/^prefix=//p' "$(find "$dest" -name ridge.pc)")
need $prefix/bin/ridge
need "$prefix/lib*/libridge.so"
need "$prefix/lib*/libridge.so.0"
need "$prefix/lib*/libridge.a"
need "$prefix/lib*/pkgconfig/ridge.pc" 'Libs:.*-lridge'
need $prefix/include/ridge.h rg_forecast_make
need $prefix/share/bash-completion/completions/ridge.bash 'complete .*ridge'
need $prefix/share/zsh/site-functions/_ridge '#compdef ridge'
"$dest$prefix/bin/ridge" help >/dev/null
for page in ridge ridge-predict ridge-show ridge-devices ridge-export; do
    need $prefix/share/man/man1/$page.1 '^\.TH'
done

cat >"$dest/user.c" <<'C'
#include <ridge.h>

int main(void)
{
    const rg_device *device = NULL;
    rg_ctx *cx = rg_ctx_new(NULL);
    rg_doc *doc = NULL;
    if (!cx) return 1;
    rg_err err = rg_device_find(cx, "t4", &device);
    if (!err) err = rg_device_doc(cx, &device, 1, &doc);
    if (!err) err = rg_doc_write(cx, doc, "json", stdout);
    if (err) fprintf(stderr, "%s\n", rg_ctx_error(cx));
    rg_doc_free(doc);
    rg_device_free(device);
    rg_ctx_free(cx);
    return rg_err_exit_code(err);
}
C
library=$(dirname "$(find "$dest" -name libridge.a)")
use() { PKG_CONFIG_PATH=$library/pkgconfig pkg-config --define-variable=prefix="$dest$prefix" "$@" ridge; }
# shellcheck disable=SC2046 # flags are words
cc -std=c17 -Wall -Wextra -Werror -pedantic "$dest/user.c" $(use --cflags --libs) -o "$dest/shared"
# --static would ask for the static libraries' own libraries, which Debian has not all: ours alone is static here.
private=$(sed -n 's/^Libs.private: //p' "$library/pkgconfig/ridge.pc")
# shellcheck disable=SC2046
cc "$dest/user.c" $(use --cflags) "$library/libridge.a" $(pkg-config --libs $(use --print-requires-private)) $private -o "$dest/static"
LD_LIBRARY_PATH=$library "$dest/shared" >"$dest/shared.json"
"$dest/static" >"$dest/static.json"
grep -q '"ridge\.' "$dest/shared.json" || { echo "no document from the library:"; cat "$dest/shared.json"; failed=1; }
cmp "$dest/shared.json" "$dest/static.json" || failed=1
exit $failed
