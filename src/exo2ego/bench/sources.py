"""Where each benchmark's files come from, under which licence, and how large they are.

Only what was read at the place named or measured on the file itself; everything else is None and shown as "unknown".
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """One file or folder that a task needs."""

    names: tuple[str, ...]
    """Paths below the task's root, any one of which will do. A folder ends with a slash."""
    where: str
    licence: str | None = None
    size_bytes: int | None = None
    """Of the published file."""
    required: bool = True
    note: str = ""


_EGO4D = "Ego4D licence agreement (ego4d-data.org)"
_EPIC = "CC BY-NC 4.0"
_EPIC_ANNOTATIONS = "github.com/epic-kitchens/epic-kitchens-100-annotations, commit ea8b404"
_EGO4D_VIDEOS = "Ego4D downloader, after signing the agreement at ego4d-data.org"
_EPIC_VIDEOS = "epic-kitchens.github.io"

_EGOTASKQA_VIDEOS = Source(
    names=("qa_videos/",),
    where="Google Drive, linked from baselines/README.md of github.com/Buzz-Beater/EgoTaskQA",
    note="file names hold '|'",
)


def _egotaskqa(split: str) -> tuple[Source, ...]:
    where = (
        "Google Drive, linked from github.com/Buzz-Beater/EgoTaskQA; copy: huggingface.co/datasets/eyuansu71/EgoTaskQA"
    )
    layouts = ("", "qa/", "data/qa/")
    return (
        Source(names=tuple(f"{folder}{split}/test_qas.json" for folder in layouts), where=where),
        Source(
            names=tuple(f"{folder}{inner}answer_set.txt" for folder in layouts for inner in (f"{split}/", "")),
            where=where,
            required=False,
            note="needed by the likelihood protocols only; baselines/preprocess writes it",
        ),
        _EGOTASKQA_VIDEOS,
    )


def _qaego4d(*names: str) -> tuple[Source, ...]:
    return (
        Source(
            names=names,
            where="data.zip of huggingface.co/Becomebright/GroundVQA (data/unified/)",
            licence="QaEgo4D's signed non-commercial licence, and Ego4D's",
        ),
        Source(
            names=("videos/",),
            where=_EGO4D_VIDEOS,
            licence=_EGO4D,
            note="the canonical clips, <clip_uid>.mp4, not the full recordings",
        ),
    )


SOURCES: dict[str, tuple[Source, ...]] = {
    "egomcq": (
        Source(names=("egomcq.json",), where="Google Drive, linked from github.com/showlab/EgoVLP", licence=_EGO4D),
        Source(
            names=("videos/",),
            where=_EGO4D_VIDEOS,
            licence=_EGO4D,
            note="whole, or in 600 s chunks (EgoVLP), or in 300 s chunks (LaViLa)",
        ),
    ),
    "egoschema": (
        Source(
            names=("questions.json",),
            where="github.com/egoschema/EgoSchema",
            note="5,031 rows; an early file of 20 rows has no questions; the repository states no licence",
        ),
        Source(
            names=("subset_answers.json",),
            where="github.com/egoschema/EgoSchema, commit 505c787",
            size_bytes=21_500,
            note="the 500 public answers; the repository states no licence",
        ),
        Source(
            names=("uid_to_ego4d.json",),
            where="github.com/egoschema/EgoSchema, commit 505c787",
            size_bytes=682_800,
            required=False,
            note="which recording a video is cut from: for intervals and for `bench contamination`",
        ),
        Source(
            names=("videos/",),
            where="linked from github.com/egoschema/EgoSchema (google_drive_id of each question)",
            licence=_EGO4D,
            note="<q_uid>.mp4, 180 s each",
        ),
    ),
    "qaego4d_closed": _qaego4d("annotations.QaEgo4D_test_close.json"),
    "qaego4d_open": _qaego4d("annotations.QaEgo4D_test.json", "annotations.test.json"),
    "egotaskqa_direct": _egotaskqa("direct"),
    "egotaskqa_indirect": _egotaskqa("indirect"),
    "egotaskqa_mcq": (
        Source(
            names=("egotaskqa.json",),
            where="github.com/InternRobotics/EgoThinker, lmms-eval/anno/egotaskqa.json, commit 87c4f9b",
            note="8,783 rows; the repository states no licence",
        ),
        _EGOTASKQA_VIDEOS,
    ),
    "charades_ego": (
        Source(
            names=("CharadesEgo_v1_test_only1st.csv", "CharadesEgo_v0_egocentric_test.csv"),
            where="CharadesEgo.zip of the Charades-Ego home page; v0: github.com/gsig/actor-observer, datasets/labels",
            licence="AI2's non-commercial licence",
        ),
        Source(
            names=("Charades_v1_classes.txt",),
            where="CharadesEgo.zip of the Charades-Ego home page",
            licence="AI2's non-commercial licence",
        ),
        Source(
            names=("videos/", "CharadesEgo_v1_480/"),
            where="the Charades-Ego home page (videos of 480 px)",
            licence="AI2's non-commercial licence",
        ),
    ),
    "epic_mir": (
        Source(names=("EPIC_100_retrieval_test.csv",), where=_EPIC_ANNOTATIONS, licence=_EPIC, size_bytes=1_184_998),
        Source(
            names=("EPIC_100_retrieval_test_sentence.csv",),
            where=_EPIC_ANNOTATIONS,
            licence=_EPIC,
            size_bytes=110_481,
            note="the csv, not the pickle beside it",
        ),
        Source(names=("videos/",), where=_EPIC_VIDEOS, licence=_EPIC, note="P01/P01_11.MP4"),
    ),
    "egoplan": (
        Source(
            names=("EgoPlan_validation.json",),
            where="Google Drive, linked from github.com/ChenYi99/EgoPlan",
            licence="BSD-3-Clause (the repository's)",
            note="3,355 rows",
        ),
        Source(
            names=("EPIC_100_video_info.csv",),
            where=_EPIC_ANNOTATIONS,
            licence=_EPIC,
            size_bytes=27_721,
            note="frame rates of the EPIC-KITCHENS videos",
        ),
        Source(
            names=("videos/",),
            where=f"{_EPIC_VIDEOS} (P01/P01_13.MP4) and {_EGO4D_VIDEOS} (<uid>.mp4)",
            licence=f"{_EPIC}; {_EGO4D}",
        ),
    ),
    "vln_qa": (
        Source(
            names=("egocentric_navigation.json", "vlnqa.json"),
            where="huggingface.co/datasets/OpenGVLab/MVBench, or github.com/InternRobotics/EgoThinker, lmms-eval/anno",
            licence="MIT (MVBench's annotations); EgoThinker's repository states none",
            note="vlnqa.json at commit 87c4f9b has 106,594 bytes",
        ),
        Source(names=("videos/", "vlnqa/"), where="vlnqa.zip of huggingface.co/datasets/OpenGVLab/MVBench"),
    ),
    "forgetting": (
        Source(
            names=("questions.json",), where="`exo2ego sim --out DIR`, DIR/bench/egoschema_exo", licence="Apache-2.0"
        ),
        Source(names=("subset_answers.json",), where="`exo2ego sim --out DIR`", licence="Apache-2.0"),
        Source(names=("videos/",), where="`exo2ego sim --out DIR`", licence="Apache-2.0"),
    ),
}
"""Task -> what it needs."""
