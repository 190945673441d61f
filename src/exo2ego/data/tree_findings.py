"""What `data check` may find wrong, by kind."""

from dataclasses import asdict, dataclass
from typing import Any

FAULTS = {
    "missing video": "the file is not there: download it, see data plan",
    "bad video": "the file cannot be used: download it again, or leave it out with --quarantine",
    "wrong length": "the video is shorter or longer than its take: download it again; clips near its end may be lost",
    "frames differ": "an exo video has another number of frames than the ego video: they may not run in step",
    "rates differ": "an exo video has another frame rate than the ego video",
    "bad take": "a row of takes.json is left out",
    "bad description": "a description is left out",
    "annotation uid twice": "clips of the two annotations would have one name; data clips stops there",
    "split in doubt": "the two tables of splits.json differ on a take; left out, since it might be a test take",
}
"""Kinds by which a check fails -> what it means, what to do."""

NOTES = {
    "dropped take": "left out",
    "take without split": "left out, since it might be a test take",
    "unknown take": "descriptions of a take that takes.json does not hold, left out",
    "foreign description": "a take described in another split's file; the split of splits.json holds",
    "second ego camera": "the first is used",
    "split of an unknown take": "nothing is lost",
    "best exo is no camera": "ignored; the take's best camera, or none, stands in",
    "description outside its take": "left out",
    "not 448 px": "a video under downscaled/448 whose shorter side is another",
    "clock table": "timesync.csv does not have the rows that takes.json names; no stage reads it",
}
"""Kinds that are worked around, or harm nothing -> what is done."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that is not as it should be."""

    kind: str
    """Key of `FAULTS` or `NOTES`."""
    take: str
    """Name of the take; its uid where takes.json does not know it."""
    detail: str
    video: str = ""
    """Relative to the root, where it is about one."""

    def __post_init__(self) -> None:
        if self.kind not in FAULTS and self.kind not in NOTES:
            raise ValueError(f"'{self.kind}' is no kind of finding")

    @property
    def is_fault(self) -> bool:
        """Whether the check fails by it."""
        return self.kind in FAULTS

    def record(self) -> dict[str, Any]:
        """As JSON."""
        return asdict(self) | {"is_fault": self.is_fault}
