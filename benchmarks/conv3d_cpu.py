"""Why the small tower and the connector's sampler are written as 2-D convolutions and a matrix product.

    python benchmarks/conv3d_cpu.py

Times forward + backward of both forms in one run, float32 and bfloat16, and prints the ratios as JSON. On a CPU whose
instructions have no bfloat16, `precision="auto"` computes in float32: the last figure says why.
"""

import json
import time
from collections.abc import Callable

import torch
from torch import Tensor, nn

from exo2ego.models.connector import BlockConv3d
from exo2ego.models.vision import TemporalConv


def seconds(compute: Callable[[], Tensor], repeats: int = 3) -> float:
    """Best time of forward and backward."""
    best = float("inf")
    for _ in range(repeats):
        began = time.perf_counter()
        compute().float().sum().backward()  # type: ignore[no-untyped-call]
        best = min(best, time.perf_counter() - began)
    return best


def compare(dtype: torch.dtype) -> dict[str, float]:
    """Ratios Conv3d / ours in one data type."""
    video = torch.randn(2, 48, 8, 16, 16, dtype=dtype)
    flat = video.transpose(1, 2).flatten(0, 1)
    conv, ours = nn.Conv3d(48, 48, 3, padding=1).to(dtype), TemporalConv(48, 48, 3).to(dtype)
    sampler = BlockConv3d(48, 2, 0).to(dtype)
    plain = nn.Conv3d.forward
    return {
        "temporal_conv_speedup": seconds(lambda: conv(video)) / seconds(lambda: ours(flat, 8)),
        "sampler_speedup": seconds(lambda: plain(sampler, video)) / seconds(lambda: sampler(video)),
        "ours_s": seconds(lambda: ours(flat, 8)),
    }


def main() -> None:
    """Print both types and what bfloat16 costs here."""
    torch.manual_seed(0)
    result = {str(dtype).removeprefix("torch."): compare(dtype) for dtype in (torch.float32, torch.bfloat16)}
    rounded: dict[str, object] = {k: {n: round(v, 4) for n, v in row.items()} for k, row in result.items()}
    rounded["bfloat16_in_hardware"] = bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())
    rounded["bfloat16_over_float32_time"] = round(result["bfloat16"]["ours_s"] / result["float32"]["ours_s"], 2)
    print(json.dumps(rounded, indent=1))


if __name__ == "__main__":
    main()
