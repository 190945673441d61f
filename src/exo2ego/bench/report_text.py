"""What the report says in words and cells, whichever file or terminal it stands in."""

from typing import Any

from exo2ego.bench.report import Gain, Report, Row
from exo2ego.bench.shuffle import PositionBias
from exo2ego.bench.tasks import TASKS
from exo2ego.records import Score

MARK = "~"
LEGEND = f"{MARK} not above chance: the interval reaches it"


def bias_line(bias: PositionBias) -> str:
    """What asking in several orders showed, in one line."""
    shares = ", ".join(
        f"{chr(ord('A') + place)} {100 * share.value:.1f} [{100 * share.low:.1f}, {100 * share.high:.1f}]"
        for place, share in enumerate(bias.shares)
    )
    same = bias.consistency
    return (
        f"position bias over {bias.orders} orders: shares in percent {shares}; "
        f"chi-square {bias.chi_square:.1f}, {bias.degrees} degrees of freedom, p {bias.p_value:.2g}; "
        f"same option in every order {100 * same.value:.1f} [{100 * same.low:.1f}, {100 * same.high:.1f}]"
    )


def shown(score: Score) -> str:
    """`61.3 [57.0, 65.5]`: percent with its interval."""
    return f"{100 * score.value:.1f} [{100 * score.low:.1f}, {100 * score.high:.1f}]"


def beside_chance(score: Score | None) -> str:
    """As `shown`, and `21.3~ [18.0, 24.5]` where the interval reaches chance; a dash where there is no score."""
    if score is None:
        return "–"
    reaches = score.chance is not None and score.low <= score.chance
    return shown(score).replace(" ", f"{MARK} ", 1) if reaches else shown(score)


def shown_gain(gain: Gain | None) -> str:
    """`+3.1 [+0.4, +5.9] p 0.021`: difference in points; a dash where there is none."""
    if gain is None:
        return "–"
    p_value = "p < 0.001" if gain.p_value < 0.001 else f"p {gain.p_value:.3f}"
    return f"{100 * gain.value:+.1f} [{100 * gain.low:+.1f}, {100 * gain.high:+.1f}] {p_value}"


def header(report: Report) -> list[str]:
    """Column titles of the table: figure, chance, runs, gains over the others, counts."""
    gains = [f"{report.runs[0]} minus {name}" for name in report.runs[1:]]
    return ["figure (percent)", *report.runs, *gains, "chance", "n", "unparsed", "unscored"]


def cells(row: Row) -> list[str]:
    """One line of the table, as `header`."""
    given = [score for score in row.scores if score is not None]
    chance = given[0].chance
    return [
        row.label,
        *(beside_chance(score) for score in row.scores),
        *(shown_gain(gain) for gain in row.gains[1:]),
        "–" if chance is None else f"{100 * chance:.1f}",
        _each(score.n for score in given),
        _each(_unread(score) for score in given),
        _each(score.unscored for score in given),
    ]


def _unread(score: Score) -> str:
    """Answers that could not be read and, where a judge was asked, its replies that could not."""
    return f"{score.unparsed} + {score.unjudged} unjudged" if score.unjudged else str(score.unparsed)


def _each(counts: Any) -> str:
    """Counts of the runs: one number where they agree, else `5/7`."""
    numbers = list(counts)
    return str(numbers[0]) if len(set(numbers)) == 1 else "/".join(map(str, numbers))


def data_note(report: Report) -> str:
    """One sentence on whose data this is."""
    if report.simulated:
        return "Simulated data: no figure here may stand beside a published one."
    return "Data as found in the given folders."


def run_lines(report: Report) -> list[str]:
    """What each run was: model, task, protocol with its meaning, style, items, hash."""
    return [
        f"{card['model_name']}: {card['task']}, protocol {card['protocol']} "
        f"({TASKS[card['task']].protocols[card['protocol']].describe}), style {card['style']}, "
        f"{card.get('items')} items, hash {card['item_hash']}"
        for card in report.cards
    ]


def published_lines(report: Report) -> list[str]:
    """Others' numbers with whose they are and why they may not compare."""
    return [
        f"{title}, {number.measure.strip('( ')}: {100 * number.value:.1f}, {number.who} ({number.caution})"
        for title, number in report.published
    ]


def lost_lines(report: Report, most: int = 10) -> list[str]:
    """Items without an answer, by run, task and reason; `most` of them, then how many more."""
    lines = [
        f"{run}: {task}, {len(lost.item_ids)} unscored ({', '.join(lost.item_ids[:3])}"
        f"{', ...' if len(lost.item_ids) > 3 else ''}): {lost.reason}"
        for run, task, lost in report.lost
    ]
    more = len(lines) - most
    return [*lines[:most], f"{more} more reasons are in scores.json"] if more > 0 else lines


def bias_lines(report: Report) -> list[str]:
    """What asking in several orders showed, by run and task."""
    return [f"{run}: {task}, {bias_line(bias)}" for run, task, bias in report.biases]
