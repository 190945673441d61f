"""2,080 damaged files: no hang, no crash, no flood of memory, a reason that names the file, no wrong frame shown."""

from pathlib import Path

import mutated_video
import pytest
from mutated_video import cases, complaints, examine, films

from exo2ego.data.guard import Guard

COUNT = 2080
TIME_LIMIT_S = 20.0
MEMORY_LIMIT_BYTES = 512 << 20


@pytest.fixture(scope="module")
def sources() -> list[mutated_video.Film]:
    return films()


def test_undamaged_films_are_read_whole(sources: list[mutated_video.Film], tmp_path: Path) -> None:
    """Otherwise nothing below could be wrong."""
    for film in sources:
        path = tmp_path / film.name
        path.write_bytes(film.content)
        outcome = examine(str(path))
        assert (outcome.shown, outcome.reasons) == ({n: n for n in range(mutated_video.COUNT)}, ()), film.name


def test_damaged_files(sources: list[mutated_video.Film], tmp_path: Path) -> None:
    """A time-out, a crash or a lack of memory would be raised by the guard; anything else than InputError, too."""
    found, whole, refused = [], 0, 0
    with Guard(time_limit_s=TIME_LIMIT_S, memory_limit_bytes=MEMORY_LIMIT_BYTES) as guard:
        for number, case in enumerate(cases(COUNT, seed=1, sources=sources)):
            path = tmp_path / case.film
            path.write_bytes(case.content)
            outcome = guard.call(examine, str(path))
            found += [f"{number} {case.film} {case.damage}: {text}" for text in complaints(case, outcome, path)]
            whole += len(outcome.shown) == mutated_video.COUNT
            refused += not outcome.shown
    assert not found, "\n".join(found)
    assert whole > COUNT / 10, "damage that leaves frames alone must not cost them"
    assert refused > COUNT / 10, "the damage is too mild to test anything"
