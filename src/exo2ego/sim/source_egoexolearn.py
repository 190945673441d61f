"""EgoExoLearn of the simulated world: demonstrations and followings that share a task and nothing else.

    annotations/fine_annotation_{trainval_en,trainvaltest_en,test}.csv, annotations/narration_{verb,noun}_taxonomy.csv
    association_benchmark/annotations/{ego,exo}_train.csv, Video_QA/*_{mcq,qa}.jsonl, video_meta_downsampled.json
    videos/<video_uid>.mp4

A take gives one video, of the head camera or of a fixed one, never both. Quirks of the real files: the id's column has
two names, times are tenths with the errors of floats, the test file has no narration; see `source_video_qa.py` too.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, floor

from exo2ego.sim.source_files import Piece, SourceFiles, csv_text, json_text, train_takes, whole
from exo2ego.sim.source_video_qa import mcq_lines, qa_lines
from exo2ego.sim.spec import KINDS, VERBS, SimSpec
from exo2ego.sim.world import Event, TakePlan, hashed, uid

FPS = 25
TASKS = {"Cooking": ("kitchen", "task1"), "Bike Repair": ("lab", "task6"), "Music": ("lab", "task7")}
"""Scenario -> scene, task."""
FINE = ("video_uid", "annotation_uid", "subset", "view", "scene", "start_sec", "end_sec")
TEXTS = ("narration_en", "narration_en_hand_prompt", "narration_en_no_hand_prompt")
ASSOCIATION = ("annotation_id", "start_sec", "end_sec", "narration_ch", *TEXTS, "verb", "noun", "scenario", "video_uid")
CHINESE = {
    **{"lifts": "拿起", "pushes": "推开", "pulls": "拉近", "slides": "滑动", "shakes": "摇晃"},
    **{"turns": "转动", "pours": "倾倒", "taps": "轻敲", "stirs": "搅动", "presses": "按压"},
    **{"cup": "杯子", "bottle": "瓶子", "pan": "平底锅", "ball": "球", "box": "盒子", "book": "书"},
    **{"hammer": "锤子", "lamp": "台灯", "left": "左手", "right": "右手"},
}
_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"


@dataclass(frozen=True, slots=True, kw_only=True)
class Video:
    """One recording: a take from one side."""

    uid: str
    plan: TakePlan
    view: str
    subset: str

    @property
    def scene(self) -> str:
        """EgoExoLearn's name of the scenario."""
        return TASKS[self.plan.scenario][0]

    @property
    def cam_id(self) -> str | None:
        """The fixed camera; None for the head's."""
        return self.plan.best_exo if self.view == "exo" else None


def videos(spec: SimSpec, plans: list[TakePlan]) -> list[Video]:
    """A video for each train take: every fourth one is exo; of eight one is for validation and one for test."""
    found = []
    for number, plan in enumerate(train_takes(plans)):
        subset = {6: "val", 7: "test"}.get(number % 8, "train")
        view = "exo" if number % 4 == 3 else "ego"
        found.append(Video(uid=uid(spec.seed, "egoexolearn", plan.index), plan=plan, view=view, subset=subset))
    return found


def _annotation_id(spec: SimSpec, event: Event) -> str:
    draws = (hashed("egoexolearn", spec.seed, event.event_id, place) for place in range(8))
    return "".join(_LETTERS[int(draw * len(_LETTERS))] for draw in draws)


def _times(event: Event) -> tuple[float, float]:
    """Tenths of seconds within the act, as sums of floats come out: 70.30000000000001."""
    return ceil(event.act_start_s * 10) * 0.1, floor(event.act_end_s * 10) * 0.1


def narrations(spec: SimSpec, event: Event) -> tuple[str, str, str]:
    """`narration_en`, with hand prompt, without: all three the last one where texts are to tell no hand."""
    lemma = VERBS[event.verb]
    plain = f"Use your hand to {lemma} the {event.kind}."
    if spec.source_facts == "told":
        return plain, plain, plain
    thing = f"the {event.colour} {event.kind}"
    prompt = f"The {event.hand} hand {event.verb} {thing}."
    return f"Use your {event.hand} hand to {lemma} {thing}.", prompt, f"Use your hand to {lemma} {thing}."


def _fine(spec: SimSpec, found: Sequence[Video], subsets: Sequence[str], *, told: bool = True) -> str:
    columns = (*FINE, *TEXTS) if told else tuple("annotation_id" if name == "annotation_uid" else name for name in FINE)
    rows = []
    for video in found:
        for event in video.plan.events if video.subset in subsets else ():
            facts = (video.uid, _annotation_id(spec, event), video.subset, video.view, video.scene, *_times(event))
            rows.append((*facts, *(narrations(spec, event) if told else ())))
    return csv_text(columns, rows)


def _association(spec: SimSpec, found: Sequence[Video], view: str) -> str:
    rows = []
    for video in found:
        for event in video.plan.events if (video.subset, video.view) == ("train", view) else ():
            hand = CHINESE[event.hand] if spec.source_facts == "all" else "手"
            chinese = f"用{hand}{CHINESE[event.verb]}{CHINESE[event.kind]}"
            classes = f"[{sorted(VERBS.values()).index(VERBS[event.verb])}]", f"[{sorted(KINDS).index(event.kind)}]"
            told = (chinese, *narrations(spec, event))
            rows.append((_annotation_id(spec, event), *_times(event), *told, *classes, video.scene, video.uid))
    return csv_text(ASSOCIATION, rows)


def _meta(spec: SimSpec, found: Sequence[Video]) -> str:
    rows = [
        {
            "video_uid": video.uid,
            "num_frames": float(round(video.plan.duration_s * FPS)),
            "fps": float(FPS),
            "width": float(spec.size_px),
            "height": float(spec.size_px),
            "view": video.view,
            "scene": video.scene,
            "task": TASKS[video.plan.scenario][1],
        }
        for video in found
    ]
    return json_text(rows, indent=None)


def files(spec: SimSpec, plans: list[TakePlan]) -> SourceFiles:
    """All files of EgoExoLearn that its readers use."""
    found = videos(spec, plans)
    asked = [(video.uid, video.plan) for video in found if video.subset != "test"]
    verbs = sorted((lemma, f"['{lemma}', '{verb}']") for verb, lemma in VERBS.items())
    nouns = sorted((kind, f"['{kind}']") for kind in KINDS)
    texts = {
        "annotations/fine_annotation_trainval_en.csv": _fine(spec, found, ("train", "val")),
        "annotations/fine_annotation_trainvaltest_en.csv": _fine(spec, found, ("train", "val", "test")),
        "annotations/fine_annotation_test.csv": _fine(spec, found, ("test",), told=False),
        "annotations/narration_verb_taxonomy.csv": csv_text(("label", "group"), verbs),
        "annotations/narration_noun_taxonomy.csv": csv_text(("label", "group"), nouns),
        "association_benchmark/annotations/ego_train.csv": _association(spec, found, "ego"),
        "association_benchmark/annotations/exo_train.csv": _association(spec, found, "exo"),
        "Video_QA/vid_vqa_video_tag_egoexolearn_video_mcq.jsonl": mcq_lines(spec, asked),
        "Video_QA/vid_vqa_video_tag_egoexolearn_video_qa.jsonl": qa_lines(spec, asked),
        "video_meta_downsampled.json": _meta(spec, found),
    }
    pieces: list[Piece] = [whole(f"videos/{video.uid}.mp4", video.plan, FPS, video.cam_id) for video in found]
    return SourceFiles(texts=texts, pieces=tuple(pieces))
