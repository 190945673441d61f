"""Asking one item with its options in several orders: the orders, the vote, and what it says about position bias."""

import hashlib
import math
import zlib
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from exo2ego.bench.items import Item
from exo2ego.bench.stats import Interval, Stratum, bootstrap
from exo2ego.errors import FormatError, InputError
from exo2ego.records import Prediction

Choose = Callable[[Item, Prediction], int | None]
"""Which of the options shown an answer names; None for unreadable text."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PositionBias:
    """How much the place of an option decided the answers of a run."""

    orders: int
    """In how many orders each item was asked."""
    items: int
    asks: int
    """Readable answers; unreadable ones name no position."""
    shares: tuple[Interval, ...]
    """Share of the readable answers that name position 1, 2, ... (interval by recording)."""
    expected: tuple[float, ...]
    """The same for a model that does not care about positions."""
    chi_square: float
    degrees: int
    p_value: float
    """Pearson's test of equal shares. Orders are drawn evenly and without regard to the answer, so a model without
    position bias names each position equally often, whatever it knows."""
    consistency: Interval
    """Share of the items answered with the same option in every order."""


def orders(item: Item, count: int, seed: int) -> list[tuple[int, ...]]:
    """`count` orders of the item's candidates, drawn from (seed, item id): different ones while there are enough."""
    size = _candidates(item)
    key = hashlib.sha256(f"{seed}\x1f{item.item_id}".encode()).digest()
    generator = np.random.default_rng(int.from_bytes(key[:8], "big"))
    drawn: list[tuple[int, ...]] = []
    unused: set[tuple[int, ...]] = set()
    while len(drawn) < count:
        if len(unused) == math.factorial(size):
            unused.clear()
        order = tuple(int(place) for place in generator.permutation(size))
        if order not in unused:
            unused.add(order)
            drawn.append(order)
    return drawn


def _candidates(item: Item) -> int:
    return len(item.options) if len(item.options) > 1 else len(item.videos)


def reordered(item: Item, order: Sequence[int]) -> Item:
    """The item with its options (or, where one text is asked about many videos, its videos) in another order."""
    answer = None if item.answer is None else list(order).index(item.answer)
    if len(item.options) > 1:
        return replace(item, options=tuple(item.options[place] for place in order), answer=answer)
    return replace(item, videos=tuple(item.videos[place] for place in order), answer=answer)


def positions(item: Item, prediction: Prediction, choose: Choose) -> list[tuple[int, ...]]:
    """For each vote (position named, option named), or () where the answer could not be read.

    Raises:
        FormatError: an order is not one of this item's.
    """
    named: list[tuple[int, ...]] = []
    for vote in prediction.votes:
        if sorted(vote.order) != list(range(_candidates(item))):
            raise FormatError(f"predictions.jsonl: item {item.item_id}: order {vote.order} is not one of its options")
        answer = Prediction(item_id=item.item_id, scores=vote.scores, text=vote.text)
        place = choose(reordered(item, vote.order), answer)
        named.append(() if place is None else (place, vote.order[place]))
    return named


def elect(item: Item, prediction: Prediction, choose: Choose) -> Prediction:
    """The one answer that most orders agree on, in the form that the task's scorer reads.

    Unreadable answers do not vote. Equal votes are decided by a lot that depends on the item's id only. Where no
    answer could be read the elected one is empty, so it counts as unparsed.

    Raises:
        FormatError: the votes do not belong to the item.
    """
    if prediction.error is not None or not prediction.votes:
        return prediction
    votes = Counter(named[1] for named in positions(item, prediction, choose) if named)
    if not votes:
        return Prediction(item_id=item.item_id, text="")
    leaders = sorted(option for option, count in votes.items() if count == max(votes.values()))
    winner = leaders[zlib.crc32(item.item_id.encode()) % len(leaders)]
    if prediction.votes[0].text is not None:
        elected = Prediction(item_id=item.item_id, text=f"({chr(ord('A') + winner)})")
    else:
        elected = Prediction(
            item_id=item.item_id, scores=tuple(float(place == winner) for place in range(_candidates(item)))
        )
    if choose(item, elected) != winner:
        raise FormatError(f"item {item.item_id}: its options cannot be told from letters; run without shuffling")
    return elected


def position_bias(
    items: Sequence[Item], predictions: Mapping[str, Prediction], choose: Choose, seed: int
) -> PositionBias:
    """What the votes of a run say about positions.

    Raises:
        InputError: no answer at all could be read.
    """
    named: dict[str, list[tuple[int, ...]]] = {}
    for item in items:
        prediction = predictions.get(item.item_id)
        if prediction is not None and prediction.votes:
            named[item.item_id] = positions(item, prediction, choose)
    voted = [item for item in items if any(named.get(item.item_id, ()))]
    if not voted:
        raise InputError("no answer could be read in any order; see predictions.jsonl")
    chi_square, degrees, p_value = _pearson(voted, named)
    shares, expected = _shares(voted, named, seed)
    everyone = [item for item in items if item.item_id in named]
    same = [float(len({vote[1] if vote else None for vote in named[item.item_id]} - {None}) == 1
                  and all(named[item.item_id])) for item in everyone]  # fmt: skip
    return PositionBias(
        orders=max(len(votes) for votes in named.values()),
        items=len(everyone),
        asks=sum(bool(vote) for votes in named.values() for vote in votes),
        shares=shares,
        expected=expected,
        chi_square=chi_square,
        degrees=degrees,
        p_value=p_value,
        consistency=bootstrap([_stratum(everyone, same)], seed),
    )


def _stratum(items: Sequence[Item], values: Sequence[float]) -> Stratum:
    return Stratum(
        item_ids=tuple(item.item_id for item in items),
        clusters=tuple(item.cluster for item in items),
        values=tuple(values),
    )


def _shares(
    items: Sequence[Item], named: Mapping[str, list[tuple[int, ...]]], seed: int
) -> tuple[tuple[Interval, ...], tuple[float, ...]]:
    shares, expected = [], []
    for place in range(max(_candidates(item) for item in items)):
        values = []
        for item in items:
            read = [vote[0] for vote in named[item.item_id] if vote]
            values.append(read.count(place) / len(read))
        shares.append(bootstrap([_stratum(items, values)], seed))
        chances = [1 / _candidates(item) if place < _candidates(item) else 0.0 for item in items]
        expected.append(sum(chances) / len(chances))
    return tuple(shares), tuple(expected)


def _pearson(items: Sequence[Item], named: Mapping[str, list[tuple[int, ...]]]) -> tuple[float, int, float]:
    """(statistic, degrees of freedom, p), summed over the groups of items with equally many options."""
    from scipy.stats import chi2  # here, because most commands never need it

    counts: dict[int, Counter[int]] = {}
    for item in items:
        places = counts.setdefault(_candidates(item), Counter())
        places.update(vote[0] for vote in named[item.item_id] if vote)
    statistic, degrees = 0.0, 0
    for size, places in counts.items():
        even = places.total() / size
        statistic += sum((places[place] - even) ** 2 / even for place in range(size))
        degrees += size - 1
    return statistic, degrees, float(chi2.sf(statistic, degrees)) if degrees else 1.0
