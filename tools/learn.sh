#!/bin/sh
# learn.sh RIDGE MEASURED OUT - trains everything that ships in data/learned/ from the files of MEASURED that may train
# models that are given away (their licences: doc/learn.md): first kernels, then whole inferences on top of them.
# OUT/learned/*.trees; OUT/kernels.json and OUT/whole.json say how they do on what was held out.
set -eu
ridge=$1 measured=$2 out=$3
mkdir -p "$out/learned"
cd "$measured"
kernels="gpu_kernels/linear.csv.gz gpu_kernels/bmm.csv.gz gpu_kernels/elementwise.csv.gz gpu_kernels/rowreduce.csv.gz
  gpu_kernels/conv2d.csv.gz gpu_kernels/tc_gemm_a100_sxm.csv.gz gpu_kernels/tc_gemm_h100_sxm.csv.gz
  gpu_kernels/tc_gemm_l40s.csv.gz gpu_kernels/tc_gemm_h200_sxm_power.csv.gz gpu_kernels/attention_a100_sxm.csv.gz
  gpu_kernels/attention_h100_sxm.csv.gz llm/llm_ops_vidur.csv.gz"
whole="vision/vision.csv.gz llm/llm_serving.csv.gz"
# shellcheck disable=SC2086 # lists of names without blanks
RIDGE_DATA=$out "$ridge" learn $kernels --into "$out/learned" --format json -o "$out/kernels.json"
# shellcheck disable=SC2086
RIDGE_DATA=$out "$ridge" learn $whole --whole --into "$out/learned" --format json -o "$out/whole.json"
