"""What the tests of the demo share: a small demo, examples and a report made of nothing but numbers."""

import json
from pathlib import Path

import numpy as np
import pytest

from exo2ego.cli.demo_examples import Answer, Example, data_uri
from exo2ego.cli.demo_report import DemoReport, Panel
from exo2ego.cli.demo_steps import SHORT, Demo


@pytest.fixture
def demo(tmp_path: Path) -> Demo:
    return Demo(out=tmp_path / "demo", size=SHORT, seed=0, workers=1, device="cpu")


def still(level: int) -> str:
    ramp = np.linspace(0, 255, 96, dtype=np.uint8)
    picture = np.stack([np.tile(ramp, (96, 1)), np.tile(ramp[:, None], (1, 96)), np.full((96, 96), level)], axis=-1)
    return data_uri(picture.astype(np.uint8))


@pytest.fixture
def example() -> Example:
    return Example(
        clip_id="take_1-0003",
        scenario="Cooking",
        narration="C lifts the <b>cup</b> & puts it back.",
        video="examples/clip-1.mp4",
        ego=(still(40), still(80), still(120)),
        exo=(still(160), still(200), still(240)),
        answers=(
            Answer(question="What does the camera-wearer do?", said={"ours": "lifts the cup", "no-teacher": ""}),
            Answer(question="What colour is the object?", said={"ours": "red", "no-teacher": "blue"}),
        ),
    )


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "log.jsonl"
    rows = ({"step": step, "loss": 3.0 / (1 + 0.05 * step) + 0.1 * (step % 3)} for step in range(1, 101))
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


@pytest.fixture
def report(example: Example, log: Path) -> DemoReport:
    return DemoReport(
        how=[("command", "exo2ego demo --seed 0"), ("start", "<shipped> weights")],
        panels=[
            Panel(title=title, logs={"ours": log, "no-teacher": log}) for title in ("teacher", "guidance", "practice")
        ],
        examples=[example] * 4,
        titles=["figure (percent)", "ours", "no-teacher", "ours minus no-teacher", "chance", "n"],
        rows=[
            (
                True,
                ["egoschema accuracy (likelihood)", "1.0 [0.0, 2.0]", "1.0 [0.0, 2.0]", "+0.0 [0.0, 0.0]", "20.0", "8"],
            ),
            (
                False,
                ["egoschema accuracy [untold]", "1.0 [0.0, 2.0]", "1.0 [0.0, 2.0]", "+0.0 [0.0, 0.0]", "20.0", "4"],
            ),
        ],
        legend="~ <not> above chance",
        note="Simulated data: no figure here may stand beside a published one.",
        commands=['exo2ego ask demo/examples/clip-1.mp4 "What am I doing?" --model demo/models/ours'],
    )
