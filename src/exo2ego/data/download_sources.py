"""What the stages need that read instructions instead of Ego-ExoClip: official names of files, and where they lie.

Not one of these comes with an Ego-Exo4D licence; sizes are not stated since none is published in one place.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class InstructionSource:
    """A data set that a stage learns instructions from."""

    stage: str
    name: str
    files: tuple[str, ...]
    """Annotation files, by their official names; docs/data/egoit.md lists the other forms that are read."""
    videos: str
    origin: str
    """Who gives it away."""
    reader: str
    """The command that reads it."""


INSTRUCTION_SOURCES = (
    InstructionSource(
        stage="init",
        name="EgoClip",
        files=("egoclip.csv",),
        videos="Ego4D: <video_uid>.mp4; in 600 s parts <video_uid>/<k>.mp4; in 300 s parts <video_uid>.mp4/<start>.mp4",
        origin="showlab/EgoVLP (table); Ego4D licence (videos)",
        reader="exo2ego data egoclip --csv egoclip.csv --videos VIDEOS",
    ),
    InstructionSource(
        stage="init",
        name="third-person conversations",
        files=("any LLaVA / VideoLLaMA2 .json or .jsonl",),
        videos="as its 'video' fields say",
        origin="your choice: the paper's 103M samples were never published",
        reader="exo2ego data instruct --source FILE --videos VIDEOS",
    ),
    InstructionSource(
        stage="practice",
        name="EGTEA Gaze+",
        files=("action_annotation/train_split1.txt", "action_annotation/raw_annotations/action_labels.csv"),
        videos="cropped_clips/<session>/<clip id>.mp4",
        origin="Georgia Tech, action_annotation.zip and the cropped clips",
        reader="exo2ego data instruct --source egtea=ROOT",
    ),
    InstructionSource(
        stage="practice",
        name="Something-Something-V2",
        files=("labels/train.json", "labels/labels.json"),
        videos="20bn-something-something-v2/<id>.webm",
        origin="Qualcomm, research licence",
        reader="exo2ego data instruct --source ssv2=ROOT",
    ),
    InstructionSource(
        stage="practice",
        name="EgoTimeQA",
        files=("annotations.EgoTimeQA.json",),
        videos="videos/<clip uid>.mp4: Ego4D's canonical clips",
        origin="Becomebright/GroundVQA (data/unified/); Ego4D licence (videos)",
        reader="exo2ego data instruct --source egotimeqa=ROOT",
    ),
    InstructionSource(
        stage="practice",
        name="OpenEQA",
        files=("data/open-eqa-v0.json",),
        videos="data/frames/<episode_history>/*-rgb.png",
        origin="facebookresearch/open-eqa, MIT; ScanNet and HM3D terms (frames)",
        reader="exo2ego data instruct --source openeqa=ROOT",
    ),
    InstructionSource(
        stage="practice",
        name="EgoExoLearn",
        files=(
            "annotations/fine_annotation_trainval_en.csv",
            "annotations/fine_annotation_test.csv",
            "Video_QA/*.jsonl",
            "video_meta_downsampled.json",
        ),
        videos="videos/<video_uid>.mp4",
        origin="OpenGVLab/EgoExoLearn",
        reader="exo2ego data instruct --source egoexolearn=ROOT",
    ),
)
