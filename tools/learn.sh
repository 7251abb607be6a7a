#!/bin/sh
# learn.sh RIDGE MEASURED OUT - trains everything that ships in data/learned/ from the files of MEASURED that may train
# models that are given away (their licenses: doc/learn.md): first kernels, then whole inferences on top of them.
# OUT/learned/*.trees; OUT/kernels.json and OUT/whole.json say how they do on what was held out. Hours on one core.
set -eu
[ $# = 3 ] || { echo "usage: learn.sh RIDGE MEASURED OUT" >&2; exit 2; }
[ -x "$1" ] || { echo "learn.sh: $1 is no program" >&2; exit 2; }
[ -d "$2/gpu_kernels" ] || { echo "learn.sh: $2 has no gpu_kernels/: MEASURED=DIR names the measurements" >&2; exit 2; }
mkdir -p "$3/learned"
ridge=$(cd "$(dirname "$1")" && pwd)/$(basename "$1")
out=$(cd "$3" && pwd)
cd "$2"
kernels="gpu_kernels/linear.csv.gz gpu_kernels/bmm.csv.gz gpu_kernels/elementwise.csv.gz gpu_kernels/rowreduce.csv.gz
  gpu_kernels/conv2d.csv.gz gpu_kernels/tc_gemm_a100_sxm.csv.gz gpu_kernels/tc_gemm_h100_sxm.csv.gz
  gpu_kernels/tc_gemm_l40s.csv.gz gpu_kernels/tc_gemm_h200_sxm_power.csv.gz gpu_kernels/attention_a100_sxm.csv.gz
  gpu_kernels/attention_h100_sxm.csv.gz llm/llm_ops_vidur.csv.gz"
whole="vision/vision.csv.gz" # not llm_serving: most of its rows have no license that lets them
# shellcheck disable=SC2086 # lists of names without blanks
RIDGE_DATA=$out "$ridge" learn $kernels --into "$out/learned" --format json -o "$out/kernels.json"
# shellcheck disable=SC2086
RIDGE_DATA=$out "$ridge" learn $whole --whole --into "$out/learned" --format json -o "$out/whole.json"
