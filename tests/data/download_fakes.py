"""Needs of takes that were never recorded, for tests of what is chosen."""

from exo2ego.data.download_needs import TakeNeed
from exo2ego.data.download_sizes import Size
from exo2ego.records import Stream, Take


def need(uid: str, scenario: str, university: str, price: int, pairs: int) -> TakeNeed:
    """A take of 60 s with one exo camera."""
    ego = Stream(cam_id="aria01", is_ego=True, path=f"takes/{uid}/aria01_214-1.mp4")
    exo = Stream(cam_id="cam01", is_ego=False, path=f"takes/{uid}/cam01.mp4")
    take = Take(
        take_uid=uid,
        take_name=f"name-{uid}",
        duration_s=60.0,
        scenario=scenario,
        university=university,
        split="train",
        ego=ego,
        exos=(exo,),
        best_exo=None,
    )
    size = Size(price, price)
    return TakeNeed(take=take, narrations=pairs, pairs=pairs, ego=ego, exos=(exo,), kept=size, fetched=size)
