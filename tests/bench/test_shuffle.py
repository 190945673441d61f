"""Options in several orders: the vote, the bias that it uncovers, and that a model without bias is not accused."""

import math
from pathlib import Path

import pytest
from bench_fakes import FakeModel, sees_the_kind
from hypothesis import given
from hypothesis import strategies as st

from exo2ego.bench.items import Item
from exo2ego.bench.predictions import read_predictions
from exo2ego.bench.run import RunSettings, run
from exo2ego.bench.score import read_scores, score_folder
from exo2ego.bench.shuffle import elect, orders, position_bias, reordered
from exo2ego.bench.tasks import TASKS
from exo2ego.bench.tasks.choice import choose
from exo2ego.errors import FormatError, InputError, OutputError
from exo2ego.records import Prediction, VideoSpan, Vote

TASK = TASKS["egoschema"]
CLIP = VideoSpan(path="v.mp4")


def item(name: str = "q", size: int = 4, answer: int = 0, cluster: str = "v") -> Item:
    options = tuple(f"It is the {word}." for word in ("cup", "box", "jar", "pan", "book")[:size])
    return Item(item_id=name, question="?", videos=(CLIP,), options=options, answer=answer, cluster=cluster)


@given(st.integers(2, 5), st.integers(1, 30), st.integers(0, 1000))
def test_orders_are_permutations_that_repeat_only_when_used_up(size: int, count: int, seed: int) -> None:
    drawn = orders(item(size=size), count, seed)
    assert len(drawn) == count
    assert all(sorted(order) == list(range(size)) for order in drawn)
    assert len(set(drawn)) == min(count, math.factorial(size))
    assert drawn == orders(item(size=size), count, seed)
    assert drawn[: count - 1] == orders(item(size=size), count - 1, seed)


@given(st.permutations(range(4)), st.integers(0, 3))
def test_a_reordered_item_has_the_same_answer(order: list[int], answer: int) -> None:
    before = item(answer=answer)
    after = reordered(before, order)
    assert after.answer is not None
    assert after.options[after.answer] == before.options[answer]
    clips = tuple(VideoSpan(path=f"{number}.mp4") for number in range(4))
    videos = Item(item_id="m", question="?", videos=clips, options=("C lifts.",), answer=answer, cluster="v")
    turned = reordered(videos, order)
    assert turned.answer is not None
    assert turned.videos[turned.answer] == clips[answer]


def votes(texts: list[str], order: tuple[int, ...] = (1, 0, 2, 3)) -> Prediction:
    return Prediction(item_id="q", votes=tuple(Vote(order=order, text=text) for text in texts))


def test_most_votes_win_in_the_items_own_order_and_unreadable_ones_do_not_vote() -> None:
    assert elect(item(), votes(["(A)", "(A)", "(C)"]), choose).text == "(B)"
    assert elect(item(), votes(["(B)", "nothing", "nothing", "?"]), choose).text == "(A)"
    nothing = elect(item(), votes(["?", ""]), choose)
    assert choose(item(), nothing) is None
    failed = Prediction(item_id="q", error="bad")
    assert elect(item(), failed, choose) is failed
    scores = Prediction(item_id="q", votes=(Vote(order=(3, 2, 1, 0), scores=(0.0, 0.0, 9.0, 0.0)),) * 2)
    assert choose(item(), elect(item(), scores, choose)) == 1


def test_a_tie_is_decided_by_the_items_id_not_by_the_place() -> None:
    names = [f"q{number}" for number in range(200)]
    texts = [elect(item(name), votes(["(A)", "(C)"], (0, 1, 2, 3)), choose).text for name in names]
    assert texts == [elect(item(name), votes(["(C)", "(A)"], (0, 1, 2, 3)), choose).text for name in names]
    assert 60 < texts.count("(A)") < 140
    assert set(texts) == {"(A)", "(C)"}


def asked(
    answer: str | None, count: int = 60, size: int = 4, each: int = 4
) -> tuple[list[Item], dict[str, Prediction]]:
    """Items answered with one letter always, or (None) with the option 'jar' wherever it stands."""
    items = [item(f"q{number}", size, cluster=f"v{number // 3}") for number in range(count)]
    predictions = {}
    for one in items:
        found = []
        for order in orders(one, each, 0):
            place = reordered(one, order).options.index("It is the jar.")
            found.append(Vote(order=order, text=answer or f"({'ABCDE'[place]})"))
        predictions[one.item_id] = Prediction(item_id=one.item_id, votes=tuple(found))
    return items, predictions


def test_a_model_that_loves_the_first_place_is_found_out() -> None:
    bias = position_bias(*asked("(A)"), choose, 0)
    assert bias.shares[0].value == 1.0
    assert [share.value for share in bias.shares[1:]] == [0.0] * 3
    assert bias.expected == (0.25,) * 4
    assert bias.chi_square == pytest.approx(240 * 3)  # (240 - 60)^2 / 60 + 3 * 60
    assert bias.degrees == 3
    assert bias.p_value < 1e-100
    assert bias.consistency.value < 0.1


def test_a_model_that_loves_an_option_is_not_accused_of_loving_a_place() -> None:
    bias = position_bias(*asked(None), choose, 0)
    assert bias.p_value > 0.05
    assert bias.consistency.value == 1.0
    assert all(share.low < 0.25 < share.high for share in bias.shares)
    assert (bias.items, bias.asks, bias.orders) == (60, 240, 4)


def test_items_with_other_numbers_of_options_are_compared_with_their_own_chance() -> None:
    four, three = asked(None), asked(None, size=3)
    renamed = [
        Item(**{**{f: getattr(one, f) for f in Item.__slots__}, "item_id": f"t{one.item_id}"}) for one in three[0]
    ]
    both = {**four[1], **{f"t{name}": prediction for name, prediction in three[1].items()}}
    bias = position_bias([*four[0], *renamed], both, choose, 0)
    assert bias.degrees == 3 + 2
    assert bias.expected == pytest.approx((7 / 24, 7 / 24, 7 / 24, 1 / 8))
    assert bias.p_value > 0.01


def test_an_unreadable_answer_is_inconsistent_and_all_unreadable_is_said() -> None:
    items, predictions = asked(None, count=2)
    first = predictions["q0"].votes
    predictions["q0"] = Prediction(item_id="q0", votes=(*first[:3], Vote(order=first[3].order, text="?")))
    bias = position_bias(items, predictions, choose, 0)
    assert bias.consistency.value == 0.5
    assert bias.asks == 7
    with pytest.raises(InputError, match="no answer could be read"):
        position_bias(items, {"q0": votes(["?"])}, choose, 0)


SETTINGS = RunSettings(task="egoschema", protocol="letter", model="fake", shuffle_options=4)


class Reader(FakeModel):
    """Reads the listed options and answers with the letter of the kind it sees."""

    def generate(self, video: VideoSpan | None, question: str, max_new_tokens: int = 32) -> str:
        super().generate(video, question, max_new_tokens)
        lines = [line for line in question.splitlines() if line.startswith("(")]
        return max(lines, key=lambda line: sees_the_kind(video, line))[:3]


def test_a_shuffled_run_is_scored_by_vote_and_says_so(bench_root: Path, tmp_path: Path) -> None:
    root, out = bench_root / "egoschema", tmp_path / "a"
    items = TASK.load(root)
    model = Reader(sees_the_kind)
    run(model, TASK, items, root, out, SETTINGS)
    assert len(model.asked) == 4 * len(items)
    assert len({question for _, question, _ in model.asked}) > 3 * len(items)
    kept = read_predictions(out / "predictions.jsonl")
    assert all(len(prediction.votes) == 4 for prediction in kept.values())
    scores = score_folder(out)
    assert scores.measures[0].score.name == "egoschema accuracy (letter, vote of 4 orders)"
    assert scores.measures[0].score.value == sum(i.options[i.answer or 0] == "The cup is moved." for i in items) / 10
    assert scores.bias is not None
    assert scores.bias.consistency.value == 1.0
    assert read_scores(out) == scores
    again = Reader(sees_the_kind)
    run(again, TASK, items, root, out, SETTINGS)
    assert not again.asked


def test_one_order_of_a_bad_video_makes_the_item_unscored(bench_root: Path, tmp_path: Path) -> None:
    root = bench_root / "egoschema"
    items = TASK.load(root)
    run(Reader(sees_the_kind, bad="q3.mp4"), TASK, items, root, tmp_path / "a", SETTINGS)
    scores = score_folder(tmp_path / "a")
    assert scores.measures[0].score.unscored == 1
    assert [(lost.reason, lost.item_ids) for lost in scores.quarantined] == [
        ("VideoError: videos/q3.mp4: no frames", ("q3",))
    ]


def test_shuffling_without_a_list_of_options_and_damaged_votes_are_refused(bench_root: Path, tmp_path: Path) -> None:
    root, out = bench_root / "egoschema", tmp_path / "a"
    items = TASK.load(root)
    alone = RunSettings(task="egoschema", protocol="likelihood", model="fake", shuffle_options=2)
    with pytest.raises(InputError, match=r"shows no list of options.*choose --protocol letter"):
        run(Reader(sees_the_kind), TASK, items, root, out, alone)
    none = RunSettings(task="egoschema", protocol="letter", model="fake", shuffle_options=0)
    with pytest.raises(InputError, match="--shuffle-options 0"):
        run(Reader(sees_the_kind), TASK, items, root, out, none)
    run(Reader(sees_the_kind), TASK, items, root, out, SETTINGS)
    other = RunSettings(task="egoschema", protocol="letter", model="fake", shuffle_options=3)
    with pytest.raises(OutputError, match="shuffle_options 4, not 3"):
        run(Reader(sees_the_kind), TASK, items, root, out, other)
    path = out / "predictions.jsonl"
    text = path.read_text()
    line = next(line for line in text.splitlines() if '"order": [' in line)
    start = line.index('"order": [') + len('"order": [')
    path.write_text(text.replace(line, line[:start] + "7, " + line[line.index(",", start) + 2 :]))
    with pytest.raises(FormatError, match=r"row \d+, vote 1: order"):
        score_folder(out)
