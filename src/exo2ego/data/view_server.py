"""The routes of `exo2ego data view`, for this machine only. The importer of FastAPI and uvicorn.

    /                                  the page; /static/NAME its parts, from a list
    /api/folders, /api/search, /api/sample/FOLDER/KEY, /api/statistics/FOLDER
    /film/FOLDER/KEY/VIEW.jpg          all frames of a clip in a grid; /thumb/FOLDER/KEY.jpg one of them
    /clip/FOLDER/KEY/VIEW.mp4          the stored bytes, with ranges
    /api/flags                         POST flags a sample; /api/flags.jsonl all flags

Every route refuses foreign Host headers (DNS rebinding) and other sites' pages, the one that writes foreign Origins
too. There are no pages of documentation: FastAPI's load scripts from the network.
"""

import ipaddress
import json
import re
import socket
import threading
import zlib
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

import uvicorn
from fastapi import FastAPI, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field

from exo2ego.data.shards import EGO
from exo2ego.data.view_film import film, thumb
from exo2ego.data.view_flags import MAX_REASON_CHARACTERS
from exo2ego.data.view_search import Query as Search
from exo2ego.data.view_site import MAX_PAGE, Site, finite
from exo2ego.errors import EnvironmentUnfitError, Exo2EgoError, InputError, MissingFileError, OutputError

PAGE = Path(__file__).parent / "view"
STATIC = {
    "style.css": "text/css; charset=utf-8",
    "app.js": "text/javascript; charset=utf-8",
    "api.js": "text/javascript; charset=utf-8",
    "dom.js": "text/javascript; charset=utf-8",
    "player.js": "text/javascript; charset=utf-8",
    "results.js": "text/javascript; charset=utf-8",
    "sample.js": "text/javascript; charset=utf-8",
    "icon.svg": "image/svg+xml",
}
"""The parts of the page and their types; nothing else of the folder is served."""
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; media-src 'self'; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    # Another folder may be served under the same address tomorrow: always ask, an ETag makes that cheap.
    "Cache-Control": "no-cache",
}
MAX_BODY_BYTES = 16_384
DECODERS = 4
"""Clips decoded at once; each holds one grid of frames."""
_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})")
Next = Callable[[Request], Awaitable[Response]]


class SearchForm(BaseModel):
    """The parameters of a search; unknown ones are refused."""

    model_config = ConfigDict(extra="forbid")

    q: str = Field("", max_length=500)
    folder: str | None = Field(None, max_length=200)
    split: str | None = Field(None, max_length=200)
    source: str | None = Field(None, max_length=1000)
    scenario: str | None = Field(None, max_length=1000)
    take: str | None = Field(None, max_length=1000)
    best: bool | None = None
    min_s: float | None = Field(None, ge=0, allow_inf_nan=False)
    max_s: float | None = Field(None, ge=0, allow_inf_nan=False)
    flagged: bool = False
    order: str = Field("stored", pattern="^(stored|shortest|longest)$")
    offset: int = Field(0, ge=0, le=1_000_000_000)
    limit: int = Field(50, ge=1, le=MAX_PAGE)

    def query(self) -> Search:
        """For the index."""
        facets = {"folder": self.folder, "split": self.split, "source": self.source}
        facets |= {"scenario": self.scenario, "take": self.take}
        filed = {name: value for name, value in facets.items() if value is not None}
        return Search(
            text=self.q, filed=filed, has_best_exo=self.best, min_s=self.min_s, max_s=self.max_s, order=self.order
        )


class FlagForm(BaseModel):
    """What the page sends to flag a sample."""

    model_config = ConfigDict(extra="forbid")

    folder: str = Field(max_length=200)
    key: str = Field(max_length=200)
    flagged: bool
    reason: str = Field("", max_length=MAX_REASON_CHARACTERS)


def create_app(site: Site, hosts: frozenset[str] = frozenset({"127.0.0.1", "localhost", "[::1]"})) -> FastAPI:
    """The application. `hosts`: names under which it may be addressed, whatever the port (a tunnel changes it)."""
    app = FastAPI(title="exo2ego data view", docs_url=None, redoc_url=None, openapi_url=None, redirect_slashes=False)

    @app.middleware("http")
    async def guarded(request: Request, call_next: Next) -> Response:
        response: Response | None = refused(request, hosts)
        if response is None:
            response = await call_next(request)
        for name, value in HEADERS.items():
            response.headers.setdefault(name, value)
        return response

    @app.exception_handler(Exo2EgoError)
    def told(request: Request, error: Exo2EgoError) -> Response:
        status = 507 if isinstance(error, OutputError) else 404 if isinstance(error, MissingFileError) else 422
        return _refusal(status, str(error), type(error).__name__)

    @app.exception_handler(RequestValidationError)
    def invalid(request: Request, error: RequestValidationError) -> Response:
        first = error.errors()[0]
        return _refusal(400, f"{'.'.join(str(part) for part in first['loc'])}: {first['msg']}")

    _add_page(app)
    _add_data(app, site)
    _add_media(app, site)
    _add_flags(app, site)
    return app


def _add_page(app: FastAPI) -> None:
    page = (PAGE / "index.html").read_bytes()
    parts = {name: (PAGE / name).read_bytes() for name in STATIC}

    @app.get("/")
    def index() -> Response:
        return Response(page, media_type="text/html; charset=utf-8")

    @app.get("/static/{name}")
    def static(name: str) -> Response:
        if name not in parts:
            raise MissingFileError("the page has no such part")
        return Response(parts[name], media_type=STATIC[name])


def _add_data(app: FastAPI, site: Site) -> None:
    @app.get("/api/folders")
    def folders() -> Response:
        return _json({"folders": site.folders(), "flags": str(site.flags.path)})

    @app.get("/api/search")
    def search(form: Annotated[SearchForm, Query()]) -> Response:
        return _json(site.page(form.query(), form.flagged, form.offset, form.limit))

    @app.get("/api/sample/{folder}/{key}")
    def sample(folder: str, key: str) -> Response:
        return _json(site.sample(folder, key))

    @app.get("/api/statistics/{folder}")
    def statistics(folder: str) -> Response:
        return _json(site.statistics(folder))


def _add_media(app: FastAPI, site: Site) -> None:
    decoders = threading.BoundedSemaphore(DECODERS)

    def clip_bytes(folder: str, key: str, view: str) -> bytes:
        shards, sample, _ = site.get(folder, key)
        if view not in sample.views:
            raise MissingFileError(f"sample {key} has no such view, only {', '.join(sample.views)}")
        try:
            return shards.read(sample, view)
        except MissingFileError as error:
            raise InputError(str(error)) from None  # the sample is known: 422, not "no such page"

    @app.get("/clip/{folder}/{key}/{view}.mp4")
    def clip(folder: str, key: str, view: str, request: Request) -> Response:
        return ranged(clip_bytes(folder, key, view), request, "video/mp4")

    @app.get("/film/{folder}/{key}/{view}.jpg")
    def clip_film(folder: str, key: str, view: str, request: Request) -> Response:
        content = clip_bytes(folder, key, view)
        if _is_known(request, tag := etag(content, "film")):
            return Response(status_code=304, headers={"ETag": tag})
        with decoders:
            made = film(content)
        shape = {"Frames": made.frames, "Columns": made.columns, "Width": made.width_px, "Height": made.height_px}
        headers = {"ETag": tag} | {f"X-Film-{name}": str(value) for name, value in shape.items()}
        return Response(made.content, media_type="image/jpeg", headers=headers)

    @app.get("/thumb/{folder}/{key}.jpg")
    def clip_thumb(folder: str, key: str, request: Request) -> Response:
        views = site.get(folder, key)[1].views
        content = clip_bytes(folder, key, EGO if EGO in views else views[0])
        if _is_known(request, tag := etag(content, "thumb")):
            return Response(status_code=304, headers={"ETag": tag})
        with decoders:
            return Response(thumb(content), media_type="image/jpeg", headers={"ETag": tag})


def _add_flags(app: FastAPI, site: Site) -> None:
    @app.post("/api/flags")
    def flag(form: FlagForm) -> Response:
        site.flag(form.folder, form.key, form.reason if form.flagged else None)
        return _json({"flagged": form.flagged})

    @app.get("/api/flags.jsonl")
    def flags() -> Response:
        lines = "".join(json.dumps(row, sort_keys=True) + "\n" for row in site.flagged())
        attachment = {"Content-Disposition": 'attachment; filename="flags.jsonl"'}
        return Response(lines, media_type="application/jsonl", headers=attachment)


def refused(request: Request, hosts: frozenset[str]) -> Response | None:
    """The answer to a request that does not come from the page itself, or could be large; None for a good one.

    Decided by the headers alone, before a body is read. Browsers always name the Origin of what is not a GET.
    """
    headers = request.headers
    if host_name(headers.get("host", "")) not in hosts:
        return _refusal(421, "this server answers to the addresses of this machine only")
    if headers.get("sec-fetch-site") == "cross-site" and headers.get("sec-fetch-mode") != "navigate":
        return _refusal(403, "only the page itself may ask: the request comes from another site")
    if request.method in ("GET", "HEAD"):
        return None
    if headers.get("origin") != f"http://{headers['host']}":
        return _refusal(403, "only the page itself may write: the request's Origin is another")
    length = headers.get("content-length", "")
    if not re.fullmatch(r"[0-9]{1,9}", length) or int(length) > MAX_BODY_BYTES:
        return _refusal(413, f"a request of unknown length, or of more than {MAX_BODY_BYTES} bytes")
    return None


def host_name(header: str) -> str:
    """A Host header without its port; empty for one that is no host.

    >>> host_name("LOCALHOST:80"), host_name("[::1]:80"), host_name("a@127.0.0.1")
    ('localhost', '[::1]', '')
    """
    found = re.fullmatch(r"(\[[0-9a-fA-F:]+\]|[A-Za-z0-9.-]+)(?::\d{1,5})?", header)
    return found[1].lower() if found else ""


def etag(content: bytes, kind: str) -> str:
    """From the checksum that reading has just verified."""
    return f'"{kind}-{len(content):x}-{zlib.crc32(content):08x}"'


def _is_known(request: Request, tag: str) -> bool:
    known = request.headers.get("if-none-match", "")
    return tag in [part.strip().removeprefix("W/") for part in known.split(",")]


def ranged(content: bytes, request: Request, media_type: str) -> Response:
    """The bytes, or the one range of them that is asked for (RFC 9110, 14); several ranges get everything."""
    tag = etag(content, "clip")
    headers = {"ETag": tag, "Accept-Ranges": "bytes"}
    if _is_known(request, tag):
        return Response(status_code=304, headers=headers)
    asked = _RANGE.fullmatch(request.headers.get("range", "").replace(" ", ""))
    stale = request.headers.get("if-range", tag) != tag
    if asked is None or not (asked[1] or asked[2]) or stale:
        return Response(content, media_type=media_type, headers=headers)
    total = len(content)
    first = int(asked[1]) if asked[1] else max(0, total - int(asked[2]))
    last = min(total - 1, int(asked[2])) if asked[1] and asked[2] else total - 1
    if asked[1] and asked[2] and int(asked[2]) < first:  # not a range at all: ignored, says the RFC
        return Response(content, media_type=media_type, headers=headers)
    if first > last:
        return Response(status_code=416, headers=headers | {"Content-Range": f"bytes */{total}"})
    headers["Content-Range"] = f"bytes {first}-{last}/{total}"
    return Response(content[first : last + 1], status_code=206, media_type=media_type, headers=headers)


def _json(value: Any) -> Response:
    return JSONResponse(finite(value))


def _refusal(status: int, message: str, kind: str = "InputError") -> Response:
    return JSONResponse({"error": message, "kind": kind}, status_code=status)


def listen(host: str, port: int) -> socket.socket:
    """A socket on an address of this machine alone; port 0: any that is free.

    Raises InputError for an address that others can reach, EnvironmentUnfitError where the port is taken.
    """
    try:
        address = ipaddress.ip_address("127.0.0.1" if host == "localhost" else host.strip("[]"))
    except ValueError:
        raise InputError(f"--host {host}: give 127.0.0.1, ::1 or localhost") from None
    if not address.is_loopback:
        raise InputError(f"--host {host}: others could see licensed videos; give 127.0.0.1, ::1 or localhost")
    family = socket.AF_INET6 if address.version == 6 else socket.AF_INET
    try:
        return socket.create_server((str(address), port), family=family)
    except OSError as error:
        raise EnvironmentUnfitError(
            f"--port {port}: cannot listen there ({error.strerror}); give another, or 0 for any that is free"
        ) from None


def address_of(listening: socket.socket) -> str:
    """The address to open in a browser."""
    host, port = listening.getsockname()[:2]
    return f"http://[{host}]:{port}/" if ":" in host else f"http://{host}:{port}/"


def serve(site: Site, listening: socket.socket) -> None:
    """Answers until Ctrl-C."""
    hosts = frozenset({"127.0.0.1", "localhost", "[::1]", urlsplit(address_of(listening)).netloc.rpartition(":")[0]})
    config = uvicorn.Config(
        create_app(site, hosts),
        log_level="warning",
        access_log=False,
        server_header=False,
        ws="none",
        lifespan="off",
        timeout_graceful_shutdown=2,
    )
    uvicorn.Server(config).run(sockets=[listening])
