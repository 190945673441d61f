"""OpenEQA as written: folders of pictures, the seven categories, an answer that the pictures do show."""

import json
import re
from collections import Counter
from dataclasses import replace

import numpy as np
from coded_sources import CodedSources
from coded_video import number_of
from PIL import Image

from exo2ego.sim.source_openeqa import EPISODES, FPS, episodes, files
from exo2ego.sim.spec import COLOURS, HANDS, SimSpec
from exo2ego.sim.world import TakePlan

TOLD = {
    *("object recognition", "object state recognition", "functional reasoning"),
    *("world knowledge", "object localization"),
}


def test_pictures_are_those_of_two_actions_in_the_order_of_their_names(coded: CodedSources) -> None:
    """Five a second, from the first action's approach to the second one's withdrawal."""
    shown = episodes(coded.spec, coded.plans)
    rows = json.loads((coded.root / "openeqa" / "data" / "open-eqa-v0.json").read_text())
    assert {row["episode_history"] for row in rows} == {one.history for one in shown}
    for episode in shown:
        folder = coded.root / "openeqa" / "data" / "frames" / episode.history
        pictures = sorted(folder.iterdir())
        assert [path.name for path in pictures] == [f"{number:05d}-rgb.png" for number in range(len(pictures))]
        start_s, end_s = episode.span_s
        assert len(pictures) == round((end_s - start_s) * FPS)
        seen = [number_of(np.asarray(Image.open(path))) for path in pictures]
        assert seen == [coded.expected(episode.plan, start_s + number / FPS) for number in range(len(pictures))]


def test_questions_are_of_the_real_form_and_tell_nothing_untold(plan_spec: SimSpec, plans: list[TakePlan]) -> None:
    """Keys, categories, extra answers in some rows, full stops in some answers, yes about as often as no."""
    rows = json.loads(files(plan_spec, plans).texts["data/open-eqa-v0.json"])
    keys = ["question", "answer", "category", "question_id", "episode_history"]
    assert {tuple(row) for row in rows} == {tuple(keys), (*keys, "extra_answers")}
    assert len({row["question_id"] for row in rows}) == len(rows)
    assert len({row["episode_history"] for row in rows}) == EPISODES
    assert {row["category"] for row in rows} == TOLD
    assert 0 < sum(row["answer"].endswith(".") for row in rows) < len(rows) / 2
    states = Counter(row["answer"].rstrip(".") for row in rows if row["category"] == "object state recognition")
    assert 0.35 < states["Yes"] / states.total() < 0.65
    said = " ".join(f"{row['question']} {row['answer']}" for row in rows).lower()
    assert not {*COLOURS, *HANDS} & set(re.findall(r"[a-z]+", said))


def test_states_are_true(plan_spec: SimSpec, plans: list[TakePlan]) -> None:
    """`Has the cup been lifted?` is answered as the events of the episode say."""
    from exo2ego.sim.source_files import PARTICIPLES
    from exo2ego.sim.source_openeqa import asked

    for episode in episodes(plan_spec, plans):
        done = {f"Has the {event.kind} been {PARTICIPLES[event.verb]}?" for event in episode.events}
        for category, question, answer, _ in asked(plan_spec, episode):
            if category == "object state recognition":
                assert (question in done) == (answer == "Yes")


def test_all_facts_fill_the_seven_categories(plan_spec: SimSpec, plans: list[TakePlan]) -> None:
    """Colours are attributes, what else stands there is space."""
    rows = json.loads(files(replace(plan_spec, source_facts="all"), plans).texts["data/open-eqa-v0.json"])
    assert {row["category"] for row in rows} == TOLD | {"attribute recognition", "spatial understanding"}
