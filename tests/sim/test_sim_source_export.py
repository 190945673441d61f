"""The folders of sources as a whole: from train takes only, the same for any worker, resumable, never mixed up."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from coded_sources import CodedSources
from hypothesis import given, settings
from hypothesis import strategies as st

from exo2ego.errors import InputError, OutputError
from exo2ego.sim import source_export
from exo2ego.sim.export import simulate
from exo2ego.sim.source_export import WRITERS, claim_facts, write_sources
from exo2ego.sim.spec import SOURCE_FACTS, SOURCES, SimSpec
from exo2ego.sim.world import TakePlan, plan_takes


def content(root: Path) -> dict[str, bytes]:
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def test_every_source_has_its_writer() -> None:
    assert tuple(WRITERS) == SOURCES


def test_no_source_shows_or_names_a_take_that_is_not_for_training(plan_spec: SimSpec, plans: list[TakePlan]) -> None:
    """Benchmarks ask about test takes: neither their videos nor their ids are in any source."""
    train = {f"takes/{plan.take_name}" for plan in plans if plan.split == "train"}
    others = [plan for plan in plans if plan.split != "train"]
    for name, writer in WRITERS.items():
        made = writer(plan_spec, plans)
        shown = {part.video.split("/frame_aligned")[0] for piece in made.pieces for part in piece.parts}
        assert shown <= train
        assert name == "openeqa" or shown == train
        for text in made.texts.values():
            assert not any(plan.take_uid in text or plan.take_name in text for plan in others)
        assert writer(plan_spec, [plan for plan in plans if plan.split == "train"]) == made


def test_files_are_the_same_for_any_number_of_workers_and_when_written_again(
    coded: CodedSources, tmp_path: Path
) -> None:
    """Also videos, of both codecs; nothing is left aside."""
    spec = replace(coded.spec, out=tmp_path, workers=2, sources=("egtea", "ssv2", "openeqa"))
    seen: list[tuple[int, int]] = []
    made = write_sources(spec, coded.plans, coded.tree, lambda done, total: seen.append((done, total)))
    after = content(tmp_path / "sources")
    before = {name: one for name, one in content(coded.root).items() if name.startswith(spec.sources)}
    assert before.keys() == after.keys()
    assert [name for name in before if before[name] != after[name]] == []
    assert seen[-1] == (made, made)
    assert not any(".part" in name for name in after)


def test_a_stopped_run_goes_on(coded: CodedSources, tmp_path: Path) -> None:
    """What is whole is kept, what is not is made again, leftovers go."""
    spec = replace(coded.spec, out=tmp_path, sources=("ssv2", "openeqa"))
    total = write_sources(spec, coded.plans, coded.tree)
    root = tmp_path / "sources"
    webms = sorted((root / "ssv2" / "20bn-something-something-v2").iterdir())
    webms[0].rename(webms[0].with_name(f".{webms[0].name}.77.part"))
    episode = next((root / "openeqa" / "data" / "frames").glob("*/*"))
    episode.rename(episode.with_name(f".{episode.name}.77.part"))
    (root / "ssv2" / "labels" / "train.json").unlink()
    kept = webms[1].stat().st_mtime_ns
    seen: list[tuple[int, int]] = []
    assert write_sources(spec, coded.plans, coded.tree, lambda done, all_: seen.append((done, all_))) == 2
    assert seen[-1] == (total, total)
    assert webms[1].stat().st_mtime_ns == kept
    for name in ("ssv2", "openeqa"):
        assert content(root / name) == content(coded.root / name)


def test_facts_are_never_mixed(coded: CodedSources) -> None:
    """What the folder tells is noted and held to; which sources it has may grow."""
    spec = replace(coded.spec, sources=("ssv2",))
    claim_facts(spec)
    claim_facts(replace(spec, sources=("egtea",)))
    with pytest.raises(OutputError, match=r"sim\.json names other facts than all; .*--source-facts"):
        claim_facts(replace(spec, source_facts="all"))
    assert json.loads((spec.out / "sources" / "sim.json").read_text()) == {"facts": "told"}


def test_a_world_without_train_takes_has_no_sources(coded: CodedSources, tmp_path: Path) -> None:
    others = [plan for plan in coded.plans if plan.split == "test"]
    with pytest.raises(OutputError, match="made of train takes and this world has none"):
        write_sources(replace(coded.spec, out=tmp_path), others, coded.tree)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"sources": ("egtea", "ego4d")}, "sources are egtea, ego4d: use each once of egtea, ssv2"),
        ({"sources": ("ssv2", "ssv2")}, "use each once"),
        ({"source_facts": "most"}, "source_facts is most: use told or all"),
    ],
)
def test_impossible_choices(change: dict[str, object], says: str, source_spec: SimSpec) -> None:
    with pytest.raises(InputError, match=says):
        replace(source_spec, **change)  # type: ignore[arg-type]


@pytest.mark.gl
def test_sources_can_be_added_to_a_world_and_change_nothing_else(
    tiny_spec: SimSpec, tiny_world: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`sim.json` of a world does not name them: worlds of before go on, and go on being equal."""
    world = tmp_path / "world"
    shutil.copytree(tiny_world, world)
    spec = replace(tiny_spec, out=world, sources=("egotimeqa", "ssv2"))
    monkeypatch.setattr(source_export, "BATCH_PIECES", 3)
    summary = simulate(spec)
    assert summary.rendered_frames == 0
    assert summary.source_files > 0
    after = content(world)
    assert {name: one for name, one in after.items() if not name.startswith("sources/")} == content(tiny_world)
    assert "sources" not in json.loads(after["sim.json"])
    assert simulate(replace(spec, sources=("egotimeqa",))).source_files == 0


@given(
    takes=st.integers(1, 9),
    seed=st.integers(0, 10_000),
    fps=st.integers(2, 60),
    steps=st.tuples(st.integers(1, 4), st.integers(0, 5)),
    facts=st.sampled_from(SOURCE_FACTS),
)
@settings(max_examples=25)
def test_any_world_has_sources_that_fit_its_videos(
    takes: int, seed: int, fps: int, steps: tuple[int, int], facts: str
) -> None:
    """One take of one step is enough; no file shows what its video lacks, no two files have one name."""
    spec = SimSpec(
        out=Path("unused"),
        takes=takes,
        seed=seed,
        fps=fps,
        steps=(steps[0], sum(steps)),
        split_fractions=(1.0, 0.0, 0.0),
        exo_cameras=(1, 1),
        source_facts=facts,
    )
    plans = plan_takes(spec)
    lasts_s = {f"takes/{plan.take_name}": plan.duration_s for plan in plans}
    for name, writer in WRITERS.items():
        made = writer(spec, plans)
        assert len({piece.target for piece in made.pieces}) == len(made.pieces) > 0, name
        for piece in made.pieces:
            for part in piece.parts:
                assert 0 <= part.start_s < part.end_s <= lasts_s[part.video.split("/frame_aligned")[0]] + 1e-6
            length_s = sum(part.end_s - part.start_s for part in piece.parts)
            assert length_s > 1, (name, piece.target)
            # Where a recording is cut into chunks, cuts fall on whole frames: nothing is lost or shown twice.
            if len(piece.parts) > 1:
                frames = sum(round((part.end_s - part.start_s) * fps) for part in piece.parts)
                assert frames == round(length_s * fps)
