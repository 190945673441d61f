"""Settings behind `hf:NAME,key=value`. Apart from the model, so that naming one loads no torch."""

from dataclasses import dataclass

from exo2ego.bench.model_options import check_choice, check_range
from exo2ego.errors import InputError


@dataclass(frozen=True, slots=True, kw_only=True)
class HFOptions:
    """How a model of Transformers is run."""

    frames: int = 16
    """Frames of one clip: middles of equal parts."""
    max_pixels: int = 602_112
    """Area of a frame at most, for models with a free picture size (28 x 28 x 768, Qwen's own bound for video)."""
    dtype: str = "auto"
    """`float32`, `bfloat16`, `float16`; `auto`: float32 on a CPU, else as the weights are stored."""
    device: str = "auto"
    """`cpu`, `cuda`, `cuda:1`; `auto`: the accelerator if there is one."""
    revision: str = "main"
    """Of an id: branch, tag or commit."""

    def __post_init__(self) -> None:
        check_range("frames", self.frames, 1, 4096)
        check_range("max_pixels", self.max_pixels, 28 * 28, 1e9)
        check_choice("dtype", self.dtype, ("auto", "float32", "bfloat16", "float16"))
        if self.device not in ("auto", "cpu", "cuda") and not self.device.removeprefix("cuda:").isdigit():
            raise InputError(f"--model ...,device={self.device}: must be auto, cpu, cuda or cuda:NUMBER")
