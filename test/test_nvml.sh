#!/bin/sh
# test_nvml.sh - what `ridge doctor` says of NVIDIA's management library, by stand-ins of it: a device that a profile answers
# to, one that none does, no device, a driver that does not answer, and a library that lacks a function.
set -u
cd "$(dirname "$0")/.." || exit 1
ridge=${RIDGE:-build/ridge}
command -v cc >/dev/null || { echo "skipped: no cc"; exit 77; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cat >"$work/nvml.c" <<'C'
#include <string.h>
int nvmlInit_v2(void) { return START; }
int nvmlShutdown(void) { return 0; }
int nvmlDeviceGetCount_v2(unsigned *count) { return *count = COUNT, 0; }
int nvmlDeviceGetHandleByIndex_v2(unsigned index, void **device) { return *device = NAME, index != 0; }
#ifndef WITHOUT_NAME
int nvmlDeviceGetName(void *device, char *name, unsigned size) { return strncpy(name, device, size), 0; }
#endif
C

failed=0
# expect PATTERN [FLAG...]: the line of NVML in the report, with a stand-in that is built with these flags
expect() {
    pattern=$1
    shift
    cc -shared -fPIC -DSTART=0 -DCOUNT=1 '-DNAME="Tesla T4"' "$@" "$work/nvml.c" -o "$work/libnvidia-ml.so.1" 2>"$work/err" ||
        { cat "$work/err"; exit 1; }
    LD_LIBRARY_PATH=$work "$ridge" doctor --format csv >"$work/out" 2>&1 || { echo "ridge doctor fails"; failed=1; }
    line=$(grep '^NVML\|,NVML' "$work/out")
    case $line in
    *$pattern*) ;;
    *) echo "expected '$pattern', got '$line'"; failed=1 ;;
    esac
}
expect 'true,"1 device: Tesla T4, profile t4"'
expect '4 devices: NVIDIA T4, profile t4' -UCOUNT -DCOUNT=4 -UNAME '-DNAME="NVIDIA T4"'
expect 'true,"1 device: GeForce 256, which no profile answers to"' -UNAME '-DNAME="GeForce 256"'
expect 'NVML starts but shows no device' -UCOUNT -DCOUNT=0
expect 'does not start: no driver answers' -USTART -DSTART=9
expect 'no libnvidia-ml.so.1' -DWITHOUT_NAME
exit $failed
