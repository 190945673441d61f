"""What is irregular in an Ego-Exo4D download's own texts, each case named: takes, splits, cameras, descriptions."""

from collections import Counter
from collections.abc import Iterator

from exo2ego.data.egoexo4d import PROBLEMS, EgoExo4D
from exo2ego.data.take_splits import SPLITS_FILE, read_splits
from exo2ego.data.tree_findings import Finding


def annotation_findings(dataset: EgoExo4D) -> list[Finding]:
    """All of them, the reader's own problems first."""
    return [
        *(_problem(dataset, problem.kind, problem.take, problem.detail) for problem in dataset.problems),
        *_splits(dataset),
        *_best_exos(dataset),
        *_double_annotations(dataset),
        *_outside(dataset),
    ]


def _problem(dataset: EgoExo4D, kind: str, uid: str, detail: str) -> Finding:
    take = dataset.takes.get(uid)
    return Finding(kind=kind, take=take.take_name if take else uid, detail=detail or PROBLEMS[kind])


def _splits(dataset: EgoExo4D) -> Iterator[Finding]:
    """Takes that splits.json names and takes.json does not; of those that it does, the reader has told."""
    splits = read_splits(dataset.root)
    known = {*dataset.takes, *(problem.take for problem in dataset.problems)}
    for uid in splits.named:
        if uid not in known:
            detail = f"{dataset.root / SPLITS_FILE}: takes.json does not hold it"
            yield Finding(kind="split of an unknown take", take=uid, detail=detail)
    for uid, detail in splits.doubts.items():
        if uid not in known:
            yield Finding(kind="split in doubt", take=uid, detail=detail)


def _best_exos(dataset: EgoExo4D) -> Iterator[Finding]:
    """Best cameras that are no exo camera of their take, of takes and of narrations."""
    cameras = {uid: {exo.cam_id for exo in take.exos} for uid, take in dataset.takes.items()}
    for uid, take in dataset.takes.items():
        if take.best_exo is not None and take.best_exo not in cameras[uid]:
            detail = f"best_exo of the take is {take.best_exo}; {_of(cameras[uid])}"
            yield Finding(kind="best exo is no camera", take=take.take_name, detail=detail)
    wrong = Counter(
        (n.take_uid, n.best_exo)
        for n in dataset.narrations
        if n.best_exo is not None and n.best_exo not in cameras[n.take_uid]
    )
    for (uid, camera), count in wrong.items():
        detail = f"best_exo of {count} descriptions is {camera}; {_of(cameras[uid])}"
        yield Finding(kind="best exo is no camera", take=dataset.takes[uid].take_name, detail=detail)


def _of(cameras: set[str]) -> str:
    return f"it has {', '.join(sorted(cameras))}" if cameras else "it has no exo camera with a video"


def _double_annotations(dataset: EgoExo4D) -> Iterator[Finding]:
    """Annotation uids that occur twice in a take: `data clips` could not tell their clips apart."""
    seen = Counter((n.take_uid, n.annotation_uid, n.index) for n in dataset.narrations)
    doubled = dict.fromkeys((uid, annotation) for (uid, annotation, _), count in seen.items() if count > 1)
    for uid, annotation in doubled:
        detail = f"annotation {annotation} occurs twice; data clips refuses such a take"
        yield Finding(kind="annotation uid twice", take=dataset.takes[uid].take_name, detail=detail)


def _outside(dataset: EgoExo4D) -> Iterator[Finding]:
    for n in dataset.narrations:
        take = dataset.takes[n.take_uid]
        if not 0 <= n.timestamp_s <= take.duration_s:
            detail = f"annotation {n.annotation_uid} description {n.index} is at {n.timestamp_s:.3f} s of a take of"
            yield Finding(
                kind="description outside its take", take=take.take_name, detail=f"{detail} {take.duration_s:.3f} s"
            )
