#!/usr/bin/env python3
"""Compares our device profiles with a table of what other catalogues publish, and says why they differ.

    ridge devices --format json > devices.json
    tools/catalogue_departures.py devices.json hardware_as_published.csv > doc/catalogue.md

A figure departs when none of ours of that kind (any unit, any sums, any power mode) is within 10 % of theirs.
Each departure needs a reason from REASONS below; one without makes the script fail.
"""
import csv
import fnmatch
import json
import math
import re
import sys
import textwrap

LIMIT = 0.10

# Their spelling of types: ours, and op/s of one of their unit. Others have no counterpart in a profile.
TYPES = {
    "fp64": ("f64", 1e9), "fp32": ("f32", 1e9), "tf32": ("tf32", 1e9), "bf16": ("bf16", 1e9),
    "fp16": ("f16", 1e9), "fp8": ("f8", 1e9), "fp8_e4m3": ("f8", 1e9), "fp8_e5m2": ("f8", 1e9),
    "int8": ("i8", 1e9), "int4": ("i4", 1e9), "FP16": ("f16", 1e9), "INT8": ("i8", 1e9),
    "fp16/bf16": ("bf16", 1e9),
    "fp64_tflops": ("f64", 1e12), "fp32_tflops": ("f32", 1e12), "fp16_tflops": ("f16", 1e12),
    "bf16_tflops": ("bf16", 1e12), "int8_tops": ("i8", 1e12), "tensor_tflops_fp16": ("f16", 1e12),
    "tensor_tflops_fp8": ("f8", 1e12), "tensor_tflops_int8": ("i8", 1e12), "peak_tops_int8": ("i8", 1e12),
    "peak_tops_int4": ("i4", 1e12), "peak_tflops_fp16": ("f16", 1e12),
}

# Rows whose id is no alias of ours.
NAMES = {
    "h100_sxm5": "h100-sxm", "nvidia_a100_sxm4_80gb": "a100-sxm-80gb", "nvidia_b100_sxm6_192gb": "b100",
    "nvidia_geforce_gtx_1070": "gtx-1070", "nvidia_t4_pcie_16gb": "t4",
    "nvidia_v100_sxm3_32gb": "v100-sxm2-32gb", "v100_sxm3_32gb": "v100-sxm2-32gb",
    "a100_sxm4_80gb": "a100-sxm-80gb", "b100_sxm6_192gb": "b100", "h100_pcie_80gb": "h100-pcie",
    "h100_sxm5_80gb": "h100-sxm", "t4_pcie_16gb": "t4", "intel_granite_rapids": "xeon-6980p",
    "jetson_orin_agx_64gb": "jetson-agx-orin-64gb", "intel_xeon_platinum_8592_lga4677": "xeon-8592-plus",
    "amd_mi250_oam_128gb_hbm2e": "mi250", "amd_mi250x_oam_128gb_hbm2e": "mi250x",
    "amd_mi300x_oam_192gb_hbm3": "mi300x", "amd_rx_7900_xtx_pcie_24gb_gddr6": "rx-7900-xtx",
    "intel_arc_a770_pcie_16gb_gddr6": "intel-arc-a770", "nvidia_a100_sxm4_80gb_hbm2e": "a100-sxm-80gb",
    "nvidia_b100_sxm5_192gb_hbm3e": "b100", "nvidia_b200_sxm5_192gb_hbm3e": "b200",
    "nvidia_h100_sxm5_80gb_hbm3": "h100-sxm", "nvidia_h200_sxm5_141gb_hbm3e": "h200-sxm",
    "nvidia_l40_pcie_48gb_gddr6": "l40", "nvidia_orin_gpu_32gb_lpddr5": "jetson-agx-orin-32gb",
    "nvidia_orin_gpu_64gb_lpddr5": "jetson-agx-orin-64gb",
    "nvidia_orin_nano_gpu_8gb_lpddr5": "jetson-orin-nano-8gb",
    "nvidia_orin_nx_gpu_16gb_lpddr5": "jetson-orin-nx-16gb",
    "nvidia_orin_nx_gpu_8gb_lpddr5": "jetson-orin-nx-8gb", "nvidia_rtx_4080_pcie_16gb_gddr6x": "rtx-4080",
    "nvidia_rtx_4090_pcie_24gb_gddr6x": "rtx-4090", "nvidia_thor_gpu_128gb_lpddr5x": "jetson-thor",
    "nvidia_v100_sxm2_32gb_hbm2": "v100-sxm2-32gb",
    "qualcomm_cloud_ai_100_pcie_32gb_lpddr4x": "qualcomm-cloud-ai-100", "hailo_10h_m2": "hailo-10h",
    "hailo_8_m2": "hailo-8", "hailo_8l_m2": "hailo-8l", "nvidia_jetson_agx_orin_32gb": "jetson-agx-orin-32gb",
    "nvidia_jetson_agx_orin_64gb": "jetson-agx-orin-64gb", "nvidia_jetson_agx_thor_128gb": "jetson-thor",
    "nvidia_jetson_orin_nano_8gb": "jetson-orin-nano-8gb",
    "nvidia_jetson_orin_nx_16gb": "jetson-orin-nx-16gb", "nvidia_jetson_orin_nx_8gb": "jetson-orin-nx-8gb",
    "nvidia_V100": "v100-pcie-32gb", "nvidia_A6000": "rtx-a6000", "nvidia_A100": "a100-sxm-40gb",
    "nvidia_A100_40G": "a100-sxm-40gb", "nvidia_A100_80G": "a100-sxm-80gb",
    "nvidia_A800_80G_SXM": "a100-sxm-80gb", "nvidia_H100": "h100-sxm", "nvidia_H100_SXM": "h100-sxm",
    "nvidia_H100_PCIe": "h100-pcie", "A100_40GB_GPU": "a100-sxm-40gb", "A100_80GB_GPU": "a100-sxm-80gb",
    "H100_GPU": "h100-sxm", "GH200_GPU": "gh200-144gb", "a10-pcie-28gb": "a10", "a6000-48gb": "rtx-a6000",
    "v100-sxm-16gb": "v100-sxm2-16gb", "v100-sxm-32gb": "v100-sxm2-32gb",
    "amd_ryzen_7_8845hs_nuc": "ryzen-7-8845hs", "amd_ryzen_9_8945hs_nuc": "ryzen-9-8945hs",
    # boards there; our devices of these names are their GPUs
    "jetson_orin_agx": None, "jetson_orin_nano": None, "jetson_orin_nx": None,
}
CATALOGUES = {
    "graphs/hardware_registry": "graphs registry", "graphs/src models (python)": "graphs models",
    "embodied-schemas/cpus": "embodied-schemas", "embodied-schemas/gpus": "embodied-schemas",
    "embodied-schemas/npus": "embodied-schemas", "embodied-schemas/chips": "embodied-schemas",
    "embodied-schemas/hardware": "embodied-schemas", "LLM-Viewer": "LLM-Viewer", "GenZ": "GenZ",
    "llm-analysis": "llm-analysis",
}

# First match wins: our id (a shell pattern), quantities, range of theirs / ours, why ours stands.
REASONS = [
    # -- one board at a time
    ("a100-sxm-80gb", "base clock", 0, 1, "base clock of the 40 GB board"),
    ("a100-sxm-80gb", "f32", 1.9, 2.1, "counts 256 op a clock and SM; GA100 has 64 FMA lanes: 128"),
    ("a100-sxm-80gb", "f64", 7, 9,
     "counts f64 at half the f16 tensor rate; the tensor cores do 128 op a clock and SM"),
    ("b100", "base clock|boost clock", 1, 2,
     "a guess before the board shipped; 60 TFLOPS of f32 on 148 SM are 1.58 GHz"),
    ("b100", "units", 0, 1, "SM count of the H100; the two dies have 148"),
    ("b100", "power", 1, 2, "limit of the B200; the B100 is the 700 W board"),
    ("b100", "f64", 2, 3, "f64 as fast as f32; NVIDIA states half"),
    ("b100", "bf16|f16|f8|i8", 0.6, 0.7, "half of the dense rate, at a guessed clock and SM count"),
    ("b200", "base clock|boost clock", 1, 2,
     "a guess before the board shipped; 75 TFLOPS of f32 on 148 SM are 1.98 GHz"),
    ("b?00", "f16|f32|f64", 1.1, 1.4,
     "vector rate from a guessed clock and SM count; ours is NVIDIA's per board"),
    ("b?00", "L2", 0, 1, "of one die, or a guess; the driver reports 126 MB for both"),
    ("h200-sxm", "L2", 0, 1, "that of the five memory stacks of an H100; six bring 60 MiB"),
    ("gb200", "bf16", 1.7, 1.9, "sparse figure of the 1000 W B200; ours is dense and of the 1200 W GPU"),
    ("h100-*", "bf16|f16|f8|i8", 0.5, 0.6, "counts half of the tensor rate of an SM, at the vector clock"),
    ("h100-sxm", "bandwidth", 0, 1, "bandwidth of the PCIe board"),
    ("h100-sxm", "base clock", 0, 1, "base clock of the PCIe board"),
    ("l40", "f16", 1.9, 2.1, "sparse: twice the dense figure"),
    ("l40", "f8", 3.9, 4.1, "sparse figure of the L40S doubled once more; the L40 does 362 TFLOPS dense"),
    ("v100-*", "f64", 1.9, 2.1, "f64 as fast as f32; GV100 does half"),
    ("v100-*", "i8", 1.9, 4.1, "the first tensor cores have no int8: ours is dp4a on the vector units"),
    ("v100-sxm2-32gb", "f16", 1.9, 2.1, "counts 2048 op a clock and SM; the first tensor cores do 1024"),
    ("v100-sxm2-32gb", "power", 1, 2, "limit of the SXM3 board; ours is the SXM2 one"),
    ("v100-sxm2-16gb", "memory", 1.8, 1.9, "memory of the 32 GB board"),
    ("t4", "*", 1.9, 2.1,
     "counts twice the tensor rate; Turing does 1024 f16 op a clock and SM and has no sparsity"),
    ("rtx-40?0", "f8", 1.9, 2.1, "sparse: twice the dense figure"),
    ("intel-arc-a770", "f16", 1.1, 1.2, "at 2.4 GHz; Intel states XMX at the graphics clock of 2.1 GHz"),
    ("intel-arc-a770", "i8", 0.5, 0.6, "the f16 figure again; XMX does int8 twice as fast"),
    ("mali-g78-mp20", "f16|f32", 1.7, 1.8, "counts two engines a core; a Mali-G78 core does 32 FMA a clock"),
    ("mali-g78-mp20", "i8", 0, 1, "int8 no faster than f32; Valhall cores have dot products"),
    ("mali-g78-mp20", "L2|bandwidth", 0, 1, "two guesses: the phone's memory is 64 bit LPDDR5-6400"),
    ("rx-7900-xtx", "f64", 1.9, 2.1, "f64 at 1/16 of f32; RDNA 3 does 1/32"),
    ("radeon-780m", "f32|f16|bf16", 0.5, 0.6,
     "one lane set; RDNA 3 issues two f32 operations a lane and clock, and WMMA as many"),
    ("radeon-780m", "power|base clock", 0, 1,
     "the lowest setting of the laptop; ours are those of the 35 to 54 W desktop boards"),
    # -- AMD Instinct
    ("mi*", "bf16", 0.1, 0.3, "vector rate; ours is that of the matrix cores"),
    ("mi*", "i8", 1.9, 2.1, "assumes int8 at twice f16; CDNA and CDNA 2 do both alike"),
    ("mi*", "base clock", 1, 2, "a base clock that AMD does not state; ours is assumed"),
    ("mi250", "power", 0.8, 1, "500 W is the air-cooled setting, 560 W the peak that ours states"),
    ("mi300x", "L2", 7, 9, "the 256 MiB of Infinity Cache, which we list as a level of its own"),
    ("mi300x", "f32", 0.4, 0.6, "without the second FMA that packed f32 allows: AMD states 163.4"),
    # -- Jetson
    ("jetson-orin-dla", "units", 0.4, 0.6, "one of the two cores"),
    ("jetson-orin-dla", "bandwidth|base clock|power", 0, 1, "one core, on the smallest module"),
    ("jetson-orin-dla", "f16|i8", 0, 1, "a guess; NVIDIA states 105 sparse TOPS for two cores"),
    ("jetson-*-orin-*cpu|jetson-orin-*cpu", "base clock", 2, 3,
     "no base clock is published; ours is the lowest step of the driver"),
    ("jetson-*cpu", "bandwidth", 0, 1,
     "a quarter of the bus; the cores reach less than all of it, which is sustained_fraction"),
    ("jetson-*cpu", "f16|f32|i8", 0, 0.6, "one of two NEON pipes, or at a lower clock"),
    ("jetson-orin-nx-16gb", "units", 1.9, 2.1, "SM count of the AGX module; the NX has 8"),
    ("jetson-*", "L2", 0, 1, "a guess; the driver reports ours"),
    ("jetson-*orin*", "i8|f16", 1.8, 4, "sparse, and with the deep-learning accelerators"),
    ("jetson-*orin*", "i8|f16", 1.1, 1.3,
     "sparse, at the clock before the Super update; ours is dense, after it"),
    ("jetson-*orin*", "f16|f32", 1.2, 2.2, "counts 256 lanes an SM; there are 128"),
    ("jetson-*orin*", "f64", 1.5, 40, "f64 at 1/32 of f32 or as fast; there are two f64 units an SM: 1/64"),
    ("jetson-*orin*", "*", 0, 1,
     "half of the rate of an SM, or a lower clock: before the Super update, or sustained"),
    ("jetson-thor", "units", 3, 7, "a guess before the module shipped; 2560 lanes are 20 SM"),
    ("jetson-thor", "f16|i8", 1.9, 2.1, "sparse: twice the dense figure"),
    ("jetson-thor", "*", 0, 9,
     "a guess before the module shipped; ours is NVIDIA's data sheet, sparse figures halved"),
    # -- TPU
    ("tpu-v3", "memory|bf16", 0.4, 0.6, "of one of the two cores"),
    ("tpu-*", "f32", 2, 40, "counts the matrix units, which multiply bf16; ours is that of the vector unit"),
    ("tpu-v3", "power", 0, 1, "measured mean of a chip; ours is its limit"),
    ("tpu-v4", "bf16|i8", 0.2, 0.3, "two of the eight matrix units"),
    ("tpu-v4", "power", 1, 2, "a guess; Google measured 192 W at most"),
    ("tpu-v5p", "units", 0.4, 0.6, "matrix units of one of the two cores"),
    ("tpu-v5p", "base clock|boost clock", 0, 1, "a guess; 459 TFLOPS on eight 128 x 128 units are 1.75 GHz"),
    ("tpu-v5p", "*", 0, 1,
     "a guess before Google published the chip; ours is its documentation, the limit assumed"),
    # -- NPU
    ("amd-xdna", "base clock|boost clock", 1, 2, "another clock for the same 16 TOPS"),
    ("amd-xdna", "bandwidth|power", 0, 1,
     "a share of the package; ours is what all of it can draw, both assumed"),
    ("coral-edge-tpu", "bandwidth", 1, 9, "4 GB/s is no figure of this part; its host link is PCIe 2.0 x1"),
    ("hailo-*", "units|base clock|boost clock", 1, 50,
     "a guess; Hailo publishes neither, ours only states the product as one array"),
    ("hailo-*", "bandwidth", 1, 60,
     "on the chip, or a guess; ours is what holds the model: host memory or LPDDR4"),
    ("hailo-*", "power", 0, 1, "typical power; ours is what the module may draw"),
    ("qualcomm-cloud-ai-100", "bandwidth", 1.9, 2.1,
     "two such boards; four 64 bit channels of LPDDR4x-4266 are 137 GB/s"),
    ("qualcomm-cloud-ai-100", "base clock|f32", 0, 17, "a guess; ours follows from 400 TOPS on 16 cores"),
    ("ti-tda4vm", "*", 1, 17, "a guess; ours is TI's data sheet: one 32 bit LPDDR4-4266 interface"),
    # -- KPU: modelled parts, two versions of one design
    ("kpu-*", "*", 0, 3,
     "two models of the same design contradict each other; ours states its own geometry and clock"),
    # -- CPU
    ("ampere-altra-max-m128-30", "bandwidth", 1.9, 2.1, "two sockets; one has eight channels of DDR4-3200"),
    ("ampere-*", "f64|f32|f16|i8", 0, 0.6, "one of two 128 bit pipes; without dot products"),
    ("ampereone-192", "*", 0, 1.4,
     "a guess before the part shipped; ours is the A192-32X of Ampere's product brief"),
    ("apple-m4-*", "power", 0, 1, "a guess; Apple publishes none, ours is assumed from measured packages"),
    ("epyc-9965", "base clock", 1, 1.2, "a guess; AMD states 2.25 GHz"),
    ("epyc-*", "boost clock", 0, 1, "base clock; ours is that of all cores"),
    ("epyc-*", "f64|f32|i8", 0, 0.2,
     "8 f32 op a clock and core at base clock; Zen 4 does 32, Zen 5 64, at the clock of all cores"),
    ("graviton3", "f64|f32|f16|bf16|i8", 0, 0.3,
     "8 f32 op a clock and core; two 256 bit SVE pipes do 32, and dot products more"),
    ("graviton?", "power", 0, 2, "AWS publishes none: both are guesses"),
    ("i7-12700k", "units|f64|f32|i8", 0, 0.9, "efficient cores counted as 0.6 of one, and 70 % of the peak"),
    ("i7-12700k", "bandwidth", 1.1, 1.2, "DDR5-5600; the processor's data sheet says 4800"),
    ("nxp-imx8m-plus", "base clock", 1, 2, "highest clock of the industrial grade; ours is the lowest step"),
    ("ryzen-9-8945hs", "i8", 0.4, 0.6, "without VNNI"),
    ("ryzen-?-8*", "f64|f32|bf16|i8", 1.1, 1.3, "at the clock of a single core; ours is that of all"),
    ("ryzen-*", "power", 0, 1, "TDP; ours is the socket's power limit, which is what they draw"),
    ("snapdragon-*", "base clock", 1, 5, "highest clock of the slowest cores; ours is the lowest step"),
    ("snapdragon-x-elite", "boost clock", 1.1, 1.2, "two cores' boost; ours is that of all"),
    ("xeon-6766e", "base clock|boost clock", 1, 2, "clocks of another model; Intel states 1.9 and 2.7 GHz"),
    ("xeon-6980p", "bandwidth", 0, 1, "eight channels of DDR5-5600; the part has twelve of DDR5-6400"),
    ("xeon-8592-plus", "bandwidth", 0, 1, "DDR5-4800; the part takes 5600"),
    ("xeon-*", "f64", 0, 0.2, "scalar rate; ours is that of two AVX-512 units"),
    ("xeon-*", "f64|f32|f16|bf16|i8", 0, 0.5,
     "a derated figure: about 0.4 of what two AVX-512 units or AMX do at this clock"),
    # -- patterns
    ("*", "f64|f32|tf32|f16|bf16|f8|i8|i4", 1.95, 2.1, "sparse: twice the dense figure"),
    ("*", "bf16|i8", 0.08, 0.3, "vector rate; ours is that of the tensor cores"),
    ("*", "i8", 0.45, 0.55, "the f16 tensor rate; int8 is twice that"),
]


def fail(text):
    sys.exit("catalogue_departures: " + text)


def number(text):
    try:
        return float(text)
    except (TypeError, ValueError):
        return None


def units_of(text):
    """Compute units: a number, or one entry of an object that the table cuts short."""
    match = re.search(r'"compute_units": (\d+)', text)
    return number(match.group(1) if match else text)


def powers_of(text):
    """A limit, or one for each mode."""
    if text.startswith("{"):
        return [float(x) for x in json.loads(text).values()]
    return [float(text)] if number(text) else []


def peaks_of(device, dtype):
    """Rates of a type on vector and matrix units, and what several engines come to together."""
    rows = [p for p in device["peaks"] if p["dtype"] == dtype and p["unit"] != "scalar"]
    best = {}
    for p in rows:
        key = p["unit"], p["engine"]
        best[key] = max(best.get(key, 0), p["op_per_s"])
    units = {unit for unit, _ in best}
    together = [sum(x for (u, _), x in best.items() if u == unit) for unit in units]
    return [p["op_per_s"] for p in rows] + together


def ours(device):
    """Quantity -> the figures of ours that theirs may mean."""
    modes = device["power"]["modes"]
    memory = device["levels"][-1]
    engines = device["engines"]
    counts = [e["count"] for e in engines]
    figures = {
        "units": counts + [sum(counts)] + [m["unit_count"] for m in modes],
        "base clock": [e["clock_base_hz"] for e in engines],
        "boost clock": [e["clock_max_hz"] for e in engines] + [p["at_clock_hz"] for p in device["peaks"]]
                       + [m["clock_max_hz"] for m in modes],
        "bandwidth": [memory["read_byte_per_s"]] + [m["memory_byte_per_s"] for m in modes],
        "memory": [memory["capacity_byte"], memory["capacity_byte"] / 2**30 * 1e9],
        "power": [device["power"]["cap_w"]] + [m["cap_w"] for m in modes],
        "L2": [l["capacity_byte"] * l["count"] for l in device["levels"] if l["name"] == "l2"],
    }
    for dtype in sorted({p["dtype"] for p in device["peaks"]}):
        figures[dtype] = peaks_of(device, dtype)
    return {k: [x for x in v if x] for k, v in figures.items()}


def theirs(row, kind):
    """(quantity, figure) of one row, SI. Sockets take any memory, so that of a CPU is nobody's figure."""
    out = []
    for key, value in sorted(json.loads(row["peak_gflops"] or "{}").items()):
        if key in TYPES and value:
            out.append((TYPES[key][0], value * TYPES[key][1]))
    for quantity, column, scale in (("base clock", "base_mhz", 1e6), ("boost clock", "boost_mhz", 1e6),
                                    ("bandwidth", "mem_bw_gbs", 1e9), ("memory", "mem_gb", 1e9)):
        value = number(row[column])
        if value and not (kind == "cpu" and quantity == "memory"):
            out.append((quantity, value * scale))
    if kind == "gpu" and number(row["l2_mb"]):
        out.append(("L2", number(row["l2_mb"]) * 2**20))
    units = units_of(row["units"])
    if units:
        out.append(("units", units))
    powers = powers_of(row["tdp_w"])
    if powers:
        out.append(("power", max(powers)))
    return out


def compare(row, device):
    """Departures of a row: (quantity, theirs, ours, theirs/ours)."""
    mine = ours(device)
    for quantity, value in theirs(row, device["kind"]):
        figures = mine.get(quantity)
        if not figures:
            continue
        nearest = min(figures, key=lambda x: abs(math.log(value / x)))
        if abs(value / nearest - 1) > LIMIT:
            yield quantity, value, nearest, value / nearest


def matches(text, patterns):
    return any(fnmatch.fnmatchcase(text, p) for p in patterns.split("|"))


def reason(identifier, quantity, ratio):
    for patterns, quantities, low, high, text in REASONS:
        if low <= ratio <= high and matches(identifier, patterns) and matches(quantity, quantities):
            return text
    return None


UNITS = {"units": "", "base clock": "Hz", "boost clock": "Hz", "bandwidth": "B/s", "memory": "B",
         "power": "W", "L2": "B"}


def show(value, quantity):
    unit = UNITS.get(quantity, "op/s")
    prefix = ""
    for factor, letter in ((1e15, "P"), (1e12, "T"), (1e9, "G"), (1e6, "M")):
        if unit and value >= factor:
            value, prefix = value / factor, letter
            break
    return f"{value:.4g} {prefix}{unit}".strip()


def survey(rows, by_name):
    """One dictionary: counts, the rows that are no device of ours, and the departures, merged by figure."""
    seen = {"rows": len(rows), "figures": 0, "agreeing rows": 0, "departing figures": 0, "absent": [],
            "departures": {}}
    for row in rows:
        name = NAMES.get(row["id"], row["id"])
        device = by_name.get(name.lower()) if name else None
        if not device:
            seen["absent"].append(f"{row['id']} ({CATALOGUES[row['catalogue']]})")
            continue
        mine = ours(device)
        seen["figures"] += sum(1 for quantity, _ in theirs(row, device["kind"]) if mine.get(quantity))
        found = list(compare(row, device))
        seen["agreeing rows"] += not found
        seen["departing figures"] += len(found)
        for quantity, value, nearest, ratio in found:
            key = device["id"], quantity, show(value, quantity), show(nearest, quantity)
            entry = seen["departures"].setdefault(key, {"by": set(), "ratio": ratio})
            entry["by"].add(CATALOGUES[row["catalogue"]])
            entry["why"] = reason(device["id"], quantity, ratio)
    return seen


PAGE = """# The catalogue and what others publish

The devices of `data/hw/` were compared with public catalogues, {rows} rows in all: the hardware registry and
the Python models of branes-ai/graphs, its embodied-schemas, and the tables inside GenZ, LLM-Viewer and
llm-analysis. They mix sparse with dense peaks, boost with base clocks, one die with two, and contradict each
other: an H100 has between 134 and 1979 TFLOPS of bf16 there. None of them is a source of ours.

| | |
|---|---|
| rows | {rows} |
| of these, a device of ours | {known} |
| figures compared | {figures} |
| figures within 10 % of ours | {agreeing} |
| figures that depart | {departing}, {distinct} different ones below |
| rows that agree with ours in every figure | {whole} |

A figure agrees when any of ours of its kind does: any unit and any type of sums for a peak, any power mode,
the lowest or the highest clock of any engine. Memory of CPUs is not compared: sockets take any. Made by
`tools/catalogue_departures.py`, which holds the reasons and fails when a departure has none.

## Departures

| device | figure | theirs | ours | ratio | who | why ours stands |
|---|---|---|---|---|---|---|
{table}

## Rows that are no device of ours

{absent}

They are other parts, chips whose module we have, or boards whose processors we have one by one.
"""


def main():
    if len(sys.argv) != 3:
        fail("usage: catalogue_departures.py DEVICES.json PUBLISHED.csv")
    with open(sys.argv[1], encoding="utf-8") as file:
        devices = json.load(file)["devices"]
    by_name = {}
    for device in devices:
        aliases = device["aliases"] + [a for m in device["power"]["modes"] for a in m["aliases"]]
        by_name.update((name.lower(), device) for name in [device["id"], device["name"], *aliases])
    with open(sys.argv[2], encoding="utf-8", newline="") as file:
        seen = survey(list(csv.DictReader(file)), by_name)
    table = [f"| {' | '.join(key)} | {e['ratio']:.2f} | {', '.join(sorted(e['by']))} | {e['why']} |"
             for key, e in sorted(seen["departures"].items())]
    departing = seen["departing figures"]
    print(PAGE.format(rows=seen["rows"], known=seen["rows"] - len(seen["absent"]), figures=seen["figures"],
                      agreeing=seen["figures"] - departing, departing=departing, distinct=len(table),
                      whole=seen["agreeing rows"], table="\n".join(table),
                      absent=textwrap.fill(", ".join(sorted(set(seen["absent"]))), 110,
                                           break_on_hyphens=False)), end="")
    bare = [key for key, e in seen["departures"].items() if not e["why"]]
    if bare:
        fail(f"{len(bare)} departures have no reason: {bare[:8]}")


if __name__ == "__main__":
    main()
