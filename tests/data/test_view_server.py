"""The routes of the page: what they give, what they refuse, and that damage is shown as what it is."""

import json
import shutil
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from viewed_shards import ATTACK, instruction_samples, pair_samples, sample, store

from exo2ego.data.shards import open_shards
from exo2ego.data.view_flags import FlagFile
from exo2ego.data.view_search import SampleIndex
from exo2ego.data.view_server import POLICY, STATIC, address_of, create_app, host_name, listen
from exo2ego.data.view_site import MAX_CHAT_CHARACTERS, MAX_CONVERSATIONS, MAX_PAGE, Site, short_names
from exo2ego.errors import EnvironmentUnfitError, InputError
from exo2ego.records import Turn

ORIGIN = {"Origin": "http://127.0.0.1:8000"}
CLIP = "/clip/pairs/s-0000/ego.mp4"


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("viewed")
    many = [(Turn(question=f"Question {n}?", answer="a" * 5000),) for n in range(MAX_CONVERSATIONS + 3)]
    talkative = sample(3, key="span-long", views=("video",), best_exo=None, text="", conversations=tuple(many))
    pairs, ego = store(root, "pairs", pair_samples()), store(root, "ego", [*instruction_samples(), talkative])
    return {"pairs": pairs.folder, "ego": ego.folder}


def client_of(folders: dict[str, Path], flags: Path) -> TestClient:
    sets = {name: open_shards(folder) for name, folder in folders.items()}
    site = Site(sets, SampleIndex(sets), FlagFile(flags))
    return TestClient(create_app(site), base_url="http://127.0.0.1:8000")


@pytest.fixture
def client(folders: dict[str, Path], tmp_path: Path) -> Iterator[TestClient]:
    with client_of(folders, tmp_path / "flags.jsonl") as client:
        yield client


def found(client: TestClient, **words: Any) -> list[str]:
    answer = client.get("/api/search", params=words)
    assert answer.status_code == 200, answer.text
    return [row["key"] for row in answer.json()["samples"]]


def test_folders_are_named_and_told_apart(client: TestClient, folders: dict[str, Path]) -> None:
    told = client.get("/api/folders").json()["folders"]
    assert [(row["name"], row["kind"], row["samples"]) for row in told] == [
        ("pairs", "pairs", 5),
        ("ego", "instructions", 3),
    ]
    assert told[0]["folder"] == str(folders["pairs"].resolve())
    assert short_names([Path("a/x"), Path("b/x"), Path("c/é ü")]) == ["x", "x-2", "shards"]


def test_search_and_filters_over_http(client: TestClient) -> None:
    assert found(client, q="lift cup") == ["s-0000", "s-0004", "span-0000000"]
    assert found(client, q='"lifts the cup"') == ["s-0000"]
    assert found(client, q="cup -wheel", folder="pairs", order="longest") == ["s-0000", "s-0001"]
    assert found(client, best=True, folder="pairs") == ["s-0000", "s-0001", "s-0002", "s-0003"]
    assert found(client, take="_b", source="ego_exo4d", split="train") == ["s-0003", "s-0004"]
    assert found(client, scenario="Cooking", folder="pairs", min_s=1.6, max_s=1.6, limit=1) == ["s-0000"]
    counts = client.get("/api/search", params={"q": "cup"}).json()["counts"]
    assert counts["scenario"] == [["Cooking", 2], ["Bike Repair", 1], ["", 1]]


def test_pages(client: TestClient) -> None:
    answer = client.get("/api/search", params={"offset": 6, "limit": 5}).json()
    assert (answer["total"], answer["offset"], len(answer["samples"])) == (8, 6, 2)
    assert found(client, offset=8) == []
    assert found(client, offset=1_000_000_000) == []


@pytest.mark.parametrize(
    "words",
    [
        {"limit": MAX_PAGE + 1},
        {"limit": 0},
        {"offset": -1},
        {"offset": 10**12},
        {"q": "a" * 501},
        {"min_s": "nan"},
        {"order": "size"},
        {"colour": "red"},
        {"best": "perhaps"},
    ],
)
def test_impossible_searches_are_refused_in_one_line(client: TestClient, words: dict[str, Any]) -> None:
    answer = client.get("/api/search", params=words)
    assert answer.status_code == 400
    assert next(iter(words)) in answer.json()["error"]
    assert "\n" not in answer.json()["error"]


def test_a_sample_with_all_its_facts(client: TestClient) -> None:
    told = client.get("/api/sample/pairs/s-0002").json()
    assert told["text"] == ATTACK
    assert (told["views"], told["best_exo"]) == (["ego", "cam01", "cam02"], "cam02")
    assert (told["start_s"], told["end_s"], told["fps"]) == (2.0, 3.6, 10.0)
    told = client.get("/api/sample/ego/span-0000000").json()
    assert told["conversations"][0][0] == {"question": "What do I lift?", "answer": "A blue cup."}
    assert told["title"] == "What do I lift?"


def test_long_answers_are_cut_and_say_so(client: TestClient) -> None:
    answer = client.get("/api/sample/ego/span-long")
    told = answer.json()
    assert told["conversations_in_all"] == MAX_CONVERSATIONS + 3
    assert told["conversations"][0][0]["answer"].endswith("aaa […]")
    assert len(told["conversations"]) == MAX_CHAT_CHARACTERS // len("Question 10?" + "a" * 4000 + " […]")
    assert len(answer.content) < 2 * MAX_CHAT_CHARACTERS


@pytest.mark.parametrize(
    "path",
    [
        "/api/sample/pairs/s-9999",
        "/api/sample/other/s-0000",
        "/api/sample/pairs/..%2f..%2fetc%2fpasswd",
        "/clip/pairs/s-0000/cam09.mp4",
        "/clip/pairs/s-0000/json.mp4",
        "/clip/..%2f/s-0000/ego.mp4",
        "/film/pairs/s-0000/..%2findex.jpg",
        "/thumb/pairs/index.jpg",
        "/static/index.html",
        "/static/..%2fview_server.py",
        "/static/%2e%2e/view_server.py",
        "/static/",
        "/api/statistics/..",
        "/docs",
        "/redoc",
        "/openapi.json",
        "/manifest.json",
    ],
)
def test_nothing_is_found_by_path(client: TestClient, path: str) -> None:
    answer = client.get(path)
    assert answer.status_code == 404
    assert "root:" not in answer.text


def test_the_page_and_its_parts_come_from_the_package_alone(client: TestClient) -> None:
    page = client.get("/")
    assert page.headers["content-type"].startswith("text/html")
    parts = {name: client.get(f"/static/{name}") for name in STATIC}
    for name, part in {"": page, **parts}.items():
        assert part.status_code == 200
        assert part.headers["content-security-policy"] == POLICY
        assert part.headers["x-content-type-options"] == "nosniff"
        outside = [word for word in ("http://", "https://", "//cdn") if word in part.text]
        assert outside == ["http://"] * ("www.w3.org/2000/svg" in part.text), name
        assert "innerHTML" not in part.text
        assert "insertAdjacentHTML" not in part.text
    assert "unsafe" not in POLICY
    for name in STATIC:
        assert name in page.text + "".join(part.text for part in parts.values()), f"{name} is served and never used"


@pytest.mark.parametrize(
    ("host", "good"),
    [
        ("127.0.0.1:8000", True),
        ("localhost:9999", True),
        ("[::1]:8000", True),
        ("LOCALHOST", True),
        ("evil.example:8000", False),
        ("127.0.0.1.evil.example", False),
        ("localhost.evil.example", False),
        ("evil.example@127.0.0.1", False),
        ("127.0.0.1:8000:evil", False),
        ("", False),
    ],
)
def test_only_this_machines_names_are_answered(client: TestClient, host: str, good: bool) -> None:
    """A page elsewhere whose name is made to point to 127.0.0.1 (DNS rebinding) sends its own name as Host."""
    for path in ("/", "/api/folders", CLIP):
        answer = client.get(path, headers={"Host": host})
        assert answer.status_code == (200 if good else 421)
        assert answer.headers["x-content-type-options"] == "nosniff"
    assert bool(host_name(host)) or not good


def test_other_sites_pages_cannot_use_it_but_may_link_to_it(client: TestClient) -> None:
    for path in ("/api/folders", CLIP, "/thumb/pairs/s-0000.jpg"):
        from_elsewhere = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors"}
        assert client.get(path, headers=from_elsewhere).status_code == 403
    assert client.get("/", headers={"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}).status_code == 200
    assert client.put("/api/flags", json={}).status_code == 403
    assert client.put("/api/flags", json={}, headers=ORIGIN).status_code == 405


def test_flags_are_written_shown_found_and_exported(client: TestClient, folders: dict[str, Path]) -> None:
    body = {"folder": "pairs", "key": "s-0003", "flagged": True, "reason": "<b>blurred</b>"}
    assert client.post("/api/flags", json=body, headers=ORIGIN).json() == {"flagged": True}
    assert client.get("/api/sample/pairs/s-0003").json()["reason"] == "<b>blurred</b>"
    assert found(client, flagged=True) == ["s-0003"]
    lines = client.get("/api/flags.jsonl")
    assert "attachment" in lines.headers["content-disposition"]
    expected = {"key": "s-0003", "reason": "<b>blurred</b>", "shards": str(folders["pairs"].resolve())}
    assert [json.loads(line) for line in lines.text.splitlines()] == [expected]
    client.post("/api/flags", json=body | {"flagged": False}, headers=ORIGIN)
    assert found(client, flagged=True) == []
    assert client.get("/api/flags.jsonl").text == ""


@pytest.mark.parametrize(
    ("headers", "body", "status"),
    [
        ({}, {}, 403),
        ({"Origin": "http://evil.example"}, {}, 403),
        ({"Origin": "null"}, {}, 403),
        ({"Origin": "http://127.0.0.1:9999"}, {}, 403),
        (ORIGIN | {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors"}, {}, 403),
        (ORIGIN, {"reason": "a" * 20_000}, 413),
        (ORIGIN | {"Content-Length": "-5"}, {}, 413),
        (ORIGIN | {"Content-Length": "9" * 30}, {}, 413),
        (ORIGIN | {"Content-Length": "0000000000000009"}, {}, 413),
        (ORIGIN, {"key": "s-9999"}, 404),
        (ORIGIN, {"folder": "../pairs"}, 404),
        (ORIGIN, {"reason": "a" * 501}, 400),
        (ORIGIN, {"path": "/etc/passwd"}, 400),
        (ORIGIN | {"Content-Type": "text/plain"}, {}, 400),
    ],
)
def test_foreign_and_impossible_flags_write_nothing(
    client: TestClient, tmp_path: Path, headers: dict[str, str], body: dict[str, Any], status: int
) -> None:
    sent = {"folder": "pairs", "key": "s-0001", "flagged": True, "reason": ""} | body
    content = json.dumps(sent).encode()
    answer = client.post("/api/flags", content=content, headers={"Content-Type": "application/json"} | headers)
    assert answer.status_code == status, answer.text
    assert not (tmp_path / "flags.jsonl").exists()


def test_clips_with_ranges(client: TestClient, folders: dict[str, Path]) -> None:
    shards = open_shards(folders["pairs"])
    content = shards.read(next(s for s in shards.samples if s.key == "s-0000"), "ego")
    whole = client.get(CLIP)
    assert (whole.status_code, whole.content, whole.headers["content-type"]) == (200, content, "video/mp4")
    assert whole.headers["accept-ranges"] == "bytes"
    total, tag = len(content), whole.headers["etag"]
    wanted = {
        "bytes=0-": (0, total),
        "bytes=5-9": (5, 10),
        "bytes=-7": (total - 7, total),
        "bytes=9-99999999": (9, total),
    }
    for asked, (first, end) in wanted.items():
        part = client.get(CLIP, headers={"Range": asked})
        assert part.status_code == 206
        assert part.content == content[first:end]
        assert part.headers["content-range"] == f"bytes {first}-{end - 1}/{total}"
    for beyond in (f"bytes={total}-", "bytes=-0"):
        answer = client.get(CLIP, headers={"Range": beyond})
        assert (answer.status_code, answer.headers["content-range"]) == (416, f"bytes */{total}")
    for ignored in ("bytes=9-5", "bytes=-", "bytes=0-1,3-4", "lines=0-1", "bytes=a-b", f"bytes={'9' * 40}-"):
        assert client.get(CLIP, headers={"Range": ignored}).status_code == 200
    assert client.get(CLIP, headers={"If-None-Match": f'"x", W/{tag}'}).status_code == 304
    assert client.get(CLIP, headers={"Range": "bytes=0-1", "If-Range": tag}).status_code == 206
    assert client.get(CLIP, headers={"Range": "bytes=0-1", "If-Range": '"old"'}).status_code == 200


def test_films_and_thumbs_say_what_they_hold_and_are_not_made_twice(client: TestClient) -> None:
    film = client.get("/film/pairs/s-0000/cam01.jpg")
    assert film.headers["content-type"] == "image/jpeg"
    shape = [film.headers[f"x-film-{name}"] for name in ("frames", "columns", "width", "height")]
    assert shape == ["16", "4", "96", "96"]
    again = client.get("/film/pairs/s-0000/cam01.jpg", headers={"If-None-Match": film.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    for path in ("/thumb/pairs/s-0000.jpg", "/thumb/ego/span-0000000.jpg"):
        assert client.get(path).content[:2] == b"\xff\xd8"


def test_damage_is_told_as_what_it_is(folders: dict[str, Path], tmp_path: Path) -> None:
    copy = tmp_path / "pairs"
    shutil.copytree(folders["pairs"], copy)
    client = client_of({"pairs": copy}, tmp_path / "flags.jsonl")
    tar = next(copy.glob("*.tar"))
    content = bytearray(tar.read_bytes())
    content[content.index(client.get(CLIP).content) + 40] ^= 1
    tar.write_bytes(content)
    for path in (CLIP, "/film/pairs/s-0000/ego.jpg", "/thumb/pairs/s-0000.jpg"):
        answer = client.get(path)
        assert (answer.status_code, answer.json()["kind"]) == (422, "ChecksumError")
        assert "s-0000.ego.mp4 is damaged (checksum differs)" in answer.json()["error"]
    assert client.get("/film/pairs/s-0000/cam01.jpg").status_code == 200
    tar.unlink()
    answer = client.get(CLIP)
    assert (answer.status_code, "cannot be opened" in answer.json()["error"]) == (422, True)


def test_statistics_are_those_of_inspect(client: TestClient) -> None:
    told = client.get("/api/statistics/pairs").json()
    assert dict(told["rows"])["pairs"] == "10"
    assert told["tables"] == {
        "scenarios": {"Cooking": 3, "Bike Repair": 2},
        "splits": {"train": 5},
        "left out": {"other split": 7},
    }


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.0.7", "example.org", "", "8.8.8.8"])
def test_addresses_that_others_can_reach_are_refused(host: str) -> None:
    with pytest.raises(InputError, match=r"give 127\.0\.0\.1"):
        listen(host, 0)


def test_listening_on_this_machine_alone() -> None:
    with listen("localhost", 0) as first:
        assert first.getsockname()[0] == "127.0.0.1"
        port = first.getsockname()[1]
        assert address_of(first) == f"http://127.0.0.1:{port}/"
        with pytest.raises(EnvironmentUnfitError, match=f"--port {port}: cannot listen"):
            listen("127.0.0.1", port)
    if socket.has_ipv6:
        with listen("::1", 0) as second:
            assert address_of(second).startswith("http://[::1]:")
