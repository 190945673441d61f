"""Narration timestamps to intervals: the EgoClip rule (EgoVLP, NeurIPS 2022, eq. 1).

    [t - beta / (2 alpha), t + beta / (2 alpha)]     beta  = (t_n - t_0) / n over the sorted narrations of a video
                                                     alpha = mean of beta over all videos (4.9 s on EgoClip)

The width is the ratio beta / alpha, read as seconds. Check: t = 3.34446, beta = 3.69, alpha = 4.9 give
[2.967651, 3.721266], the one row of `egoclip.csv` known to us.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from exo2ego.errors import FormatError
from exo2ego.records import Narration

LONE_WIDTH_S = 1.0
"""Width where beta is not defined (a single narration): that of a video of average density, beta = alpha."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClipRule:
    """Options of the rule; EgoVLP and the paper do not say which of them they used."""

    alpha: float | None = None
    """Seconds; None computes it from the data."""
    pool: Literal["annotation", "take"] = "take"
    """Narrations that form one sequence: one annotator's of a take, or all of a take."""
    min_width_s: float = 0.1
    """Narrations at one and the same time have beta 0; no clip is shorter than this before it is clamped."""

    def __post_init__(self) -> None:
        if self.alpha is not None and not (math.isfinite(self.alpha) and self.alpha > 0):
            raise FormatError(f"alpha is {self.alpha}; expected seconds above 0, or auto")
        if self.pool not in ("annotation", "take"):
            raise FormatError(f"pool is '{self.pool}'; expected annotation or take")
        if not (math.isfinite(self.min_width_s) and self.min_width_s > 0):
            raise FormatError(f"the minimum width is {self.min_width_s}; expected seconds above 0")


@dataclass(frozen=True, slots=True, kw_only=True)
class ClipPlan:
    """The outcome of the rule."""

    alpha_s: float
    intervals: tuple[tuple[float, float], ...]
    """(start, end) of each narration, in the order given, within [0, duration]."""


def beta_s(timestamps_s: Iterable[float]) -> float | None:
    """Mean distance of consecutive narrations, sorted first (EgoVLP issue 7); None for fewer than two."""
    times = sorted(timestamps_s)
    return (times[-1] - times[0]) / (len(times) - 1) if len(times) > 1 else None


def interval(timestamp_s: float, width_s: float, duration_s: float) -> tuple[float, float]:
    """`width_s` around a timestamp, clamped to [0, duration]."""
    return max(0.0, timestamp_s - width_s / 2), min(duration_s, timestamp_s + width_s / 2)


def clip_intervals(narrations: Sequence[Narration], durations_s: Mapping[str, float], rule: ClipRule) -> ClipPlan:
    """One interval for each narration; all of them count for beta and alpha.

    Timestamps must lie within their takes (`durations_s`, by take uid): ValueError otherwise.
    Raises FormatError when alpha is to be computed and all narrations of every take are at one time.
    """
    groups: dict[tuple[str, str], list[float]] = {}
    for narration in narrations:
        if not 0 <= narration.timestamp_s <= durations_s[narration.take_uid]:
            raise ValueError(f"{narration.timestamp_s} s is outside take {narration.take_uid}")
        groups.setdefault(_group(narration, rule), []).append(narration.timestamp_s)
    betas = {group: beta_s(times) for group, times in groups.items()}
    alpha = rule.alpha if rule.alpha is not None else _mean_beta(betas.values())
    intervals = []
    for narration in narrations:
        beta = betas[_group(narration, rule)]
        width = LONE_WIDTH_S if beta is None else beta / alpha
        width = max(rule.min_width_s, width)
        intervals.append(interval(narration.timestamp_s, width, durations_s[narration.take_uid]))
    return ClipPlan(alpha_s=alpha, intervals=tuple(intervals))


def _group(narration: Narration, rule: ClipRule) -> tuple[str, str]:
    return narration.take_uid, narration.annotation_uid if rule.pool == "annotation" else ""


def _mean_beta(betas: Iterable[float | None]) -> float:
    known = [beta for beta in betas if beta is not None]
    if not known:
        return LONE_WIDTH_S  # single narrations only: nothing to divide
    alpha = math.fsum(known) / len(known)
    if alpha <= 0:
        raise FormatError("alpha cannot be computed: all narrations of every take are at one time; give --alpha")
    return alpha
