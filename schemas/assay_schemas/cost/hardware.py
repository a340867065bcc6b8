"""What devices can do, and how much of it work of each kind gets: tables with their sources.

Data and look-ups only. Peaks are the makers' dense figures; utilisations are assumptions unless marked measured.
"""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict

Work = Literal["training", "training_lora", "forward", "decode"]
TERA = 1e12


class Device(BaseModel):
    """Dense peaks in FLOP/s, memory in GiB, memory bandwidth in bytes/s, power in watts."""

    model_config = ConfigDict(frozen=True)

    name: str
    bfloat16_flops_per_s: float
    float32_flops_per_s: float
    memory_gib: float
    bandwidth_bytes_per_s: float
    source: str


def _device(name: str, bfloat16: float, float32: float, memory_gib: float, bandwidth: float, source: str) -> Device:
    """Peaks and bandwidth in tera."""
    return Device(
        name=name,
        bfloat16_flops_per_s=bfloat16 * TERA,
        float32_flops_per_s=float32 * TERA,
        memory_gib=memory_gib,
        bandwidth_bytes_per_s=bandwidth * TERA,
        source=source,
    )


DEVICES: dict[str, Device] = {
    device.name: device
    for device in (
        _device("b200", 2250, 75, 179, 8.0, "NVIDIA DGX B200 data sheet"),
        _device("h200", 989, 67, 139, 4.8, "NVIDIA H200 data sheet"),
        _device("h100", 989, 67, 79, 3.35, "NVIDIA H100 SXM data sheet"),
        _device("a100", 312, 19.5, 79, 2.0, "NVIDIA A100 80GB SXM data sheet"),
        _device("a100-40gb", 312, 19.5, 39, 1.55, "NVIDIA A100 40GB data sheet"),
        _device("l40s", 362, 91.6, 44, 0.864, "NVIDIA L40S data sheet"),
        _device("l4", 121, 30.3, 22, 0.3, "NVIDIA L4 data sheet"),
        _device("a10g", 70, 35, 22, 0.6, "NVIDIA A10G data sheet"),
        _device("v100", 125, 15.7, 31, 0.9, "NVIDIA V100 data sheet (16-bit peak is float16's)"),
        _device("t4", 65, 8.1, 15, 0.32, "NVIDIA T4 data sheet (16-bit peak is float16's)"),
    )
}
ASSUMED_DEVICE = "a100"

# Shares of the peak. Training: 0.38 to 0.43 for Llama 3 on H100 (Grattafiori et al. 2024, Table 4), 0.46 for
# PaLM (Chowdhery et al. 2022, Table 3). Adapters leave small matrices and the same traffic. Decoding is bound by
# memory: its share is of the bandwidth. All but the cited ones are assumptions, to be replaced by measurements.
UTILISATION: dict[Work, float] = {"training": 0.40, "training_lora": 0.30, "forward": 0.40, "decode": 0.60}
UTILISATION_SOURCE = "assumed shares of the peak; training after Llama 3 (arXiv:2407.21783, Table 4)"

# One core of a server's processor in float32: a rough figure, which every report holds against what was measured.
CPU_FLOPS_PER_S_PER_CORE = 2.0e10
CPU_BANDWIDTH_BYTES_PER_S = 1.0e10
CPU_SECONDS_PER_STEP = 0.03
CPU_SOURCE = "a rough figure for server cores in float32"
START_SECONDS = 5.0  # model load and the first checkpoint's files, with a warm parent

RESERVED_SHARE = 0.08  # of a device's memory: allocator fragmentation and communication buffers
DEVICE_CONTEXT_GIB = 0.6
PROCESS_GIB = 0.7  # an interpreter with torch and transformers imported


def device_named(name: str | None) -> Device | None:
    """The device that a `gpu_type` means: `NVIDIA H100 80GB HBM3`, `h100`, `nvidia.com/h100` are one."""
    if not name:
        return None
    words = name.lower().replace("_", "-").replace(" ", "-")
    if "a100" in words and "40gb" in words:
        return DEVICES["a100-40gb"]
    found = [known for known in DEVICES if known in words.replace("/", "-").split("-") or words == known]
    return DEVICES[max(found, key=len)] if found else None
