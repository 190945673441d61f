"""Settings behind the name of a model: typed, closed, and no trap for paths with commas."""

import pytest

from exo2ego.bench.model_options import parse_options
from exo2ego.bench.openai_client import ServerOptions
from exo2ego.errors import InputError


def test_trailing_settings_are_typed_and_commas_in_paths_stay() -> None:
    argument, options = parse_options("a,b/c#m:1,frames=3,timeout_s=1.5,send=video", ServerOptions)
    assert argument == "a,b/c#m:1"
    assert options == ServerOptions(frames=3, timeout_s=1.5, send="video")
    assert parse_options("plain", ServerOptions) == ("plain", ServerOptions())


@pytest.mark.parametrize(
    ("spec", "told"),
    [
        ("m,colour=red", "no such setting; there are frames, size_px"),
        ("m,frames=many", "must be a whole number"),
        ("m,frames=1,frames=2", "given twice"),
        ("m,frames=0", "from 1 to 4096"),
        ("m,timeout_s=nan", "timeout_s=nan: must be from"),
        ("m,send=gif", "one of frames, video"),
        ("m,frames=1,rest", "no such setting"),
    ],
)
def test_impossible_settings_are_one_line(spec: str, told: str) -> None:
    with pytest.raises(InputError, match=told):
        parse_options(spec, ServerOptions)
