"""Can a small network read the simulated world? Train a supervised probe on each view, test it on unseen takes.

A convolutional video network (64 px, 8 frames) with one head a fact is trained on the train takes' clips of one view
and tested on the test takes' (other rooms, and combinations it never saw). Prints accuracies as JSON. What the pictures
do not tell such a probe, no language model will learn from them.

    exo2ego sim --out P --takes 1100 --seed 5 --steps 3 4 --exo-cameras 2 2 --split 0.93 0 0.07 --benches egomcq
    python benchmarks/sim_probe.py P --epochs 8 --batch 16
"""

import argparse
import json
import sys
import time
from itertools import pairwise
from pathlib import Path
from typing import Any

import av
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

FRAMES, SIZE_PX, HALF_SPAN_S = 8, 64, 0.8
HEADS: dict[str, tuple[str, ...]] = {
    "verb": ("lifts", "pushes", "pulls", "slides", "shakes", "turns", "pours", "taps", "stirs", "presses"),
    "kind": ("cup", "bottle", "pan", "ball", "box", "book", "hammer", "lamp"),
    "colour": ("red", "green", "blue", "yellow", "purple", "cyan"),
    "hand": ("left", "right"),
}


class Refine(nn.Module):
    """A convolution beside the identity: shapes of a dozen pixels need more than one look at each resolution."""

    def __init__(self, width: int) -> None:
        """width: channels in and out."""
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(width, width, 3, padding=1, bias=False), nn.BatchNorm2d(width), nn.GELU())

    def forward(self, grid: Tensor) -> Tensor:
        """float[B, C, H, W] in and out."""
        return grid + self.body(grid)


class Probe(nn.Module):
    """2D convolutions on each frame with its change and its hues, mixed over time, then pooled by attention."""

    def __init__(self) -> None:
        """Build about 1.4 M parameters; 2D and 1D convolutions only, as 3D ones are slow on a CPU."""
        super().__init__()
        widths = (9, 24, 48, 96, 128)
        layers: list[nn.Module] = []
        for number, (a, b) in enumerate(pairwise(widths)):
            size = 5 if number == 0 else 3
            layers += [nn.Conv2d(a, b, size, stride=2, padding=size // 2, bias=False), nn.BatchNorm2d(b), nn.GELU()]
            layers += [Refine(b)] if number in (1, 2) else []
        self.trunk = nn.Sequential(*layers)
        self.over_time = nn.Sequential(nn.Conv1d(128, 128, 3, padding=1), nn.GELU(), nn.Conv1d(128, 128, 3, padding=1))
        self.place = nn.Parameter(torch.zeros(1, 16, FRAMES, 128))
        self.attend = nn.Linear(128, 4)
        self.mix = nn.Sequential(nn.Flatten(), nn.Dropout(0.1), nn.Linear(FRAMES * 512, 256), nn.GELU())
        self.heads = nn.ModuleDict({name: nn.Linear(256, len(values)) for name, values in HEADS.items()})

    def forward(self, clips: Tensor) -> dict[str, Tensor]:
        """clips float[B, 3, T, H, W] in -1..1 -> logits by head, float[B, classes]."""
        batch = len(clips)
        change = torch.cat([torch.zeros_like(clips[:, :, :1]), clips[:, :, 1:] - clips[:, :, :-1]], dim=2)
        # Colours less their grey: the acted-on thing is a few saturated pixels in a dull room.
        hues = 3 * (clips - clips.mean(dim=1, keepdim=True))
        frames = torch.cat([clips, change, hues], dim=1).transpose(1, 2).flatten(0, 1)
        grid = self.trunk(frames.contiguous(memory_format=torch.channels_last))
        lines = grid.reshape(batch, FRAMES, 128, 16).permute(0, 3, 2, 1).flatten(0, 1)
        cells = (lines + self.over_time(lines)).reshape(batch, 16, 128, FRAMES).transpose(2, 3) + self.place
        weight = self.attend(cells).softmax(dim=1)
        state = self.mix(torch.einsum("bptk,bptc->btkc", weight, cells))
        return {name: head(state) for name, head in self.heads.items()}


def read_clips(root: Path, ego: bool, split: str, limit: int) -> tuple[NDArray[np.uint8], dict[str, Tensor]]:
    """Clips of a split, uint8[N, T, H, W, 3], and class numbers by head; exo: two cameras a take."""
    by_take: dict[str, list[dict[str, Any]]] = {}
    for line in (root / "truth.jsonl").read_text().splitlines():
        event = json.loads(line)
        if event["split"] == split:
            by_take.setdefault(event["take_name"], []).append(event)
    clips, labels = [], {name: [] for name in HEADS}  # type: ignore[var-annotated]
    for name, events in by_take.items():
        folder = root / "ego_exo4d" / "takes" / name / "frame_aligned_videos"
        for path in [folder / "aria01_214-1.mp4"] if ego else sorted(folder.glob("cam*.mp4"))[:2]:
            frames, fps = _frames(path)
            for event in events:
                parts = (np.arange(FRAMES) + 0.5) / FRAMES * 2 * HALF_SPAN_S - HALF_SPAN_S
                index = np.clip(((event["middle_s"] + parts) * fps).round().astype(int), 0, len(frames) - 1)
                clips.append(frames[index])
                for head, values in HEADS.items():
                    labels[head].append(values.index(event[head]))
        if len(clips) >= limit:
            break
    return np.stack(clips), {head: torch.tensor(values) for head, values in labels.items()}


def _frames(path: Path) -> tuple[NDArray[np.uint8], float]:
    """All frames at 64 px by area average, and the frame rate."""
    with av.open(str(path)) as container:
        rate = float(container.streams.video[0].average_rate)
        sized = (frame.reformat(SIZE_PX, SIZE_PX, "rgb24", interpolation="AREA") for frame in container.decode(video=0))
        return np.stack([frame.to_ndarray() for frame in sized]), rate


def as_input(clips: NDArray[np.uint8]) -> Tensor:
    """uint8[B, T, H, W, 3] -> float[B, 3, T, H, W] in -1..1."""
    return torch.from_numpy(clips).permute(0, 4, 1, 2, 3).float() / 127.5 - 1


def shifted(clips: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    """Each clip moved by up to 4 pixels: the only augmentation, as mirroring would swap hands."""
    moves = rng.integers(-4, 5, (len(clips), 2))
    return np.stack([np.roll(clip, tuple(move), axis=(1, 2)) for clip, move in zip(clips, moves, strict=True)])


def train(clips: NDArray[np.uint8], labels: dict[str, Tensor], epochs: int, batch: int, seed: int) -> Probe:
    """One-cycle AdamW, gradients clipped at 1."""
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    probe = Probe()
    steps = epochs * (len(clips) // batch)
    optimizer = torch.optim.AdamW(probe.parameters(), lr=2e-3, weight_decay=0.05)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=2e-3, total_steps=steps, pct_start=0.2)
    for epoch in range(epochs):
        order = rng.permutation(len(clips))
        for start in range(0, len(clips) - batch + 1, batch):
            chosen = order[start : start + batch]
            logits = probe(as_input(shifted(clips[chosen], rng)))
            losses = [nn.functional.cross_entropy(logits[name], labels[name][chosen]) for name in HEADS]
            optimizer.zero_grad()
            sum(losses).backward()  # type: ignore[union-attr]
            nn.utils.clip_grad_norm_(probe.parameters(), 1.0)
            optimizer.step()
            schedule.step()
        print(f"epoch {epoch + 1}/{epochs}: {[round(loss.item(), 2) for loss in losses]}", file=sys.stderr, flush=True)
    return probe


@torch.no_grad()
def accuracy(probe: Probe, clips: NDArray[np.uint8], labels: dict[str, Tensor]) -> dict[str, float]:
    """Share of right answers by head."""
    probe.eval()
    right = {name: 0 for name in HEADS}
    for start in range(0, len(clips), 64):
        logits = probe(as_input(clips[start : start + 64]))
        for name in HEADS:
            right[name] += int((logits[name].argmax(1) == labels[name][start : start + 64]).sum())
    return {name: round(count / len(clips), 4) for name, count in right.items()}


def main() -> None:
    """Train and test a probe on each view of a simulated world."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("root", type=Path)
    parser.add_argument("--views", nargs="+", default=["ego", "exo"], choices=["ego", "exo"])
    parser.add_argument("--epochs", type=int, default=14)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--limit", type=int, default=100_000, help="most training clips of a view")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=0, help="CPU threads (default: torch's choice)")
    options = parser.parse_args()
    if options.threads:
        torch.set_num_threads(options.threads)
    tests = {view: read_clips(options.root, view == "ego", "test", 100_000) for view in ("ego", "exo")}
    for view in options.views:
        began = time.monotonic()
        clips, labels = read_clips(options.root, view == "ego", "train", options.limit)
        probe = train(clips, labels, options.epochs, options.batch, options.seed)
        result: dict[str, object] = {"trained_on": view, "clips": len(clips), "epochs": options.epochs}
        for other, (test_clips, test_labels) in tests.items():
            result[f"test_{other}"] = {"clips": len(test_clips)} | accuracy(probe, test_clips, test_labels)
        result["seconds"] = round(time.monotonic() - began, 1)
        print(json.dumps(result), flush=True)


if __name__ == "__main__":
    main()
