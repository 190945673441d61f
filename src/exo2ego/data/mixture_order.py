"""Which example is the n-th sample of training: pure functions of (seed, n), so that resuming is jumping.

Two orders. `Concatenated`: all sources as one list, shuffled anew each epoch: shares follow from sizes. `Weighted`:
every source has its share of the stream, is shuffled on its own, and begins its next epoch when its last is used up.

`Weighted` keeps a few integers a source and jumps to any position in a few divisions: a tree of two-way splits says
whose turn it is, a keyed permutation (Feistel network with cycle walking) says which of its examples.
"""

import heapq
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from hashlib import sha256
from math import lcm
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

ROUNDS = 6
_MASK = (1 << 64) - 1


class Order(Protocol):
    """Positions of the sample stream to examples. Examples are numbered through all sources, in their order."""

    @property
    def names(self) -> tuple[str, ...]:
        """Of the sources."""
        ...

    @property
    def sizes(self) -> tuple[int, ...]:
        """Examples of each source."""
        ...

    def examples(self, positions: Iterable[int]) -> list[int]:
        """The examples at these positions (from 0)."""
        ...

    def seen(self, position: int) -> list[int]:
        """How many of the first `position` samples each source has given."""
        ...


def example_order(seed: int, epoch: int, count: int) -> NDArray[np.int64]:
    """int64[count]: the order of one epoch of one list."""
    return np.random.default_rng([seed, epoch]).permutation(count)


@dataclass(slots=True, kw_only=True)
class Concatenated:
    """All sources as one list; epochs follow each other without a gap. Holds the order of one epoch."""

    names: tuple[str, ...]
    sizes: tuple[int, ...]
    seed: int
    _epoch: int = -1
    _order: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))

    def examples(self, positions: Iterable[int]) -> list[int]:
        """As `Order.examples`."""
        count = sum(self.sizes)
        return [int(self._of(position // count)[position % count]) for position in positions]

    def seen(self, position: int) -> list[int]:
        """As `Order.seen`."""
        if len(self.sizes) == 1:
            return [position]
        whole, part = divmod(position, sum(self.sizes))
        ends = np.cumsum(self.sizes)
        now = np.bincount(np.searchsorted(ends, self._of(whole)[:part], side="right"), minlength=len(ends))
        return [whole * size + int(extra) for size, extra in zip(self.sizes, now, strict=True)]

    def _of(self, epoch: int) -> NDArray[np.int64]:
        if epoch != self._epoch:
            self._epoch, self._order = epoch, example_order(self.seed, epoch, sum(self.sizes))
        return self._order


@dataclass(slots=True, kw_only=True)
class Weighted:
    """Each source its share of the stream: after any prefix within 2 samples of it (within 1 for up to three sources).

    An example comes exactly once in each epoch of its source. A source's order depends on the seed and its name, not on
    what it is mixed with.
    """

    names: tuple[str, ...]
    sizes: tuple[int, ...]
    weights: tuple[Fraction, ...]
    seed: int
    _tree: "Tree" = field(init=False)
    _keys: dict[int, tuple[int, tuple[int, ...]]] = field(default_factory=dict)
    """Source -> the epoch it is in, and that epoch's keys."""

    def __post_init__(self) -> None:
        if not len(self.names) == len(self.sizes) == len(self.weights) > 0:
            raise ValueError("a mixture needs a name, a size and a weight for each of its sources")
        if min(self.sizes) < 1 or min(self.weights) <= 0:
            raise ValueError(f"sizes and weights of a mixture must be above 0, not {self.sizes}, {self.weights}")
        self._tree = build_tree(self.weights, np.random.default_rng([self.seed, 4]))

    def examples(self, positions: Iterable[int]) -> list[int]:
        """As `Order.examples`."""
        starts = [0, *np.cumsum(self.sizes).tolist()]
        out = []
        for position in positions:
            source, turn = place(self._tree, position)
            epoch, index = divmod(turn, self.sizes[source])
            out.append(starts[source] + shuffled(index, self.sizes[source], self._key(source, epoch)))
        return out

    def seen(self, position: int) -> list[int]:
        """As `Order.seen`."""
        out = [0] * len(self.sizes)
        count_turns(self._tree, position, out)
        return out

    def _key(self, source: int, epoch: int) -> tuple[int, ...]:
        known = self._keys.get(source)
        if known is None or known[0] != epoch:
            name = int.from_bytes(sha256(self.names[source].encode()).digest()[:8], "big")
            words = np.random.SeedSequence([self.seed, name, epoch]).generate_state(ROUNDS, np.uint64)
            known = self._keys[source] = (epoch, tuple(int(word) for word in words))
        return known[1]


@dataclass(frozen=True, slots=True)
class Split:
    """A share of the stream divided in two by rounding: of its first n turns, n * left_weight / weight are left's."""

    left: "Tree"
    right: "Tree"
    left_weight: int
    weight: int

    def left_turns(self, turns: int) -> int:
        """How many of the first `turns` go left, to the nearest whole number."""
        return (turns * self.left_weight + self.weight // 2) // self.weight


Tree = Split | int
"""A split, or the number of a source."""


def build_tree(weights: Sequence[Fraction], rng: np.random.Generator) -> Tree:
    """Huffman's tree over the weights, left and right by lot.

    Each split errs by at most 1/2 of a turn, and what a node errs reaches a source below it in proportion. In this tree
    a node weighs at least twice its grandchild, so the errors of a source add up to less than
    1/2 (1 + 1 + 1/2 + 1/2 + 1/4 + ...) = 2.
    """
    scale = lcm(*(weight.denominator for weight in weights))
    heap: list[tuple[int, int, Tree]] = [(int(w * scale), number, number) for number, w in enumerate(weights)]
    heapq.heapify(heap)
    while len(heap) > 1:
        pair = [heapq.heappop(heap), heapq.heappop(heap)]
        first, second = (pair[i] for i in rng.permutation(2))
        weight = first[0] + second[0]
        heapq.heappush(heap, (weight, len(weights) + len(heap), Split(first[2], second[2], first[0], weight)))
    return heap[0][2]


def place(tree: Tree, position: int) -> tuple[int, int]:
    """Whose turn it is at a position (from 0), and how many turns that source had before."""
    while isinstance(tree, Split):
        before = tree.left_turns(position)
        if tree.left_turns(position + 1) > before:
            tree, position = tree.left, before
        else:
            tree, position = tree.right, position - before
    return tree, position


def count_turns(tree: Tree, turns: int, out: list[int]) -> None:
    """Write into `out` how many of the first `turns` turns are each source's."""
    if isinstance(tree, Split):
        left = tree.left_turns(turns)
        count_turns(tree.left, left, out)
        count_turns(tree.right, turns - left, out)
    else:
        out[tree] = turns


def shuffled(index: int, size: int, key: Sequence[int]) -> int:
    """Where `index` goes in the permutation of 0..size-1 that `key` names, without listing it.

    A Feistel network permutes the next power of four; what falls outside is sent through again.
    """
    half = (max(size - 1, 1).bit_length() + 1) // 2
    low = (1 << half) - 1
    while True:
        left, right = index >> half, index & low
        for word in key:
            left, right = right, left ^ (mixed(right ^ word) & low)
        index = left << half | right
        if index < size:
            return index


def mixed(word: int) -> int:
    """64 bits in, 64 well-mixed bits out (the finaliser of SplitMix64)."""
    word = (word + 0x9E3779B97F4A7C15) & _MASK
    word = ((word ^ (word >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
    word = ((word ^ (word >> 27)) * 0x94D049BB133111EB) & _MASK
    return word ^ (word >> 31)
