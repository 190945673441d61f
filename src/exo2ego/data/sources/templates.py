"""Instruction templates: text files, one instruction a line, chosen by the id of the row and by nothing else.

`templates/<source>/<kind>.txt` ship with the package; a user's folder of the same layout replaces file by file. A line
that begins with `#` is a comment, `\\n` in a line is a line break, `{name}` a place to be filled; the names that a kind
of question offers, and those that it must have, are written in the source's `Kind`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from importlib.resources import files
from pathlib import Path
from string import Formatter

from exo2ego.errors import FormatError, MissingFileError

SUFFIX = ".txt"


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """One kind of question that a source can ask."""

    name: str
    """Of the template file, e.g. `action`."""
    needs: frozenset[str] = frozenset()
    """Places that every template must have."""
    offers: frozenset[str] = frozenset()
    """Places that a template may have, beyond `needs`."""
    tells: str
    """What the answer is, for people."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Templates:
    """The instructions of one source, by kind."""

    source: str
    lines: Mapping[str, tuple[str, ...]]

    def ask(self, kind: str, identity: str, **values: str) -> str:
        """The instruction for a row, filled in: a function of (source, id, kind) and the files."""
        lines = self.lines[kind]
        return lines[pick(len(lines), self.source, identity, kind)].format(**values)


def pick(count: int, *key: str) -> int:
    """A number below `count` that depends on the texts of `key` only: the same on every machine, in every order.

    >>> pick(10, "egtea", "P07-R01-PastaSalad-91730-93630", "action")
    0
    """
    return int.from_bytes(_digest(*key)[:8], "big") % count


def shuffled(count: int, *key: str) -> list[int]:
    """An order of 0..count-1 that depends on the texts of `key` only (each number's place by its own hash)."""
    return sorted(range(count), key=lambda number: _digest(*key, str(number)))


def _digest(*key: str) -> bytes:
    return sha256("\0".join(key).encode("utf-8", "surrogatepass")).digest()


def load_templates(source: str, kinds: Sequence[Kind], folder: Path | None = None) -> Templates:
    """The templates of a source: the user's where `folder` has a file for the kind, the package's otherwise.

    Raises MissingFileError for no such folder, FormatError naming file and line for a file that cannot be used.
    """
    own = _own_files(source, kinds, folder)
    return Templates(source=source, lines={kind.name: _load(source, kind, own) for kind in kinds})


def _own_files(source: str, kinds: Sequence[Kind], folder: Path | None) -> set[Path]:
    if folder is None:
        return set()
    if not folder.is_dir():
        raise MissingFileError(f"{folder}: no such folder of templates")
    found = {path for path in (folder / source).glob("*") if not path.name.startswith(".")}
    known = {f"{kind.name}{SUFFIX}" for kind in kinds}
    for path in sorted(found):
        if path.name not in known:
            raise FormatError(f"{path}: no kind of question of {source}; known are {', '.join(sorted(known))}")
    return found


def _load(source: str, kind: Kind, own: set[Path]) -> tuple[str, ...]:
    name = f"{kind.name}{SUFFIX}"
    for path in own:
        if path.name == name:
            try:
                return parse_templates(path.read_text(encoding="utf-8-sig"), kind, str(path))
            except (OSError, UnicodeDecodeError) as error:
                raise FormatError(f"{path}: cannot be read as UTF-8 text ({error})") from None
    packaged = files("exo2ego.data.sources") / "templates" / source / name
    return parse_templates(packaged.read_text(encoding="utf-8"), kind, f"templates/{source}/{name}")


def parse_templates(text: str, kind: Kind, where: str) -> tuple[str, ...]:
    """The instructions of a file. Raises FormatError naming the line for a place that nobody fills."""
    found = []
    for number, line in enumerate(text.splitlines(), start=1):
        if line.strip() and not line.lstrip().startswith("#"):
            found.append(_checked(line.strip(), kind, f"{where}: line {number}").replace("\\n", "\n"))
    if not found:
        raise FormatError(f"{where}: holds no instruction; write one a line")
    return tuple(found)


def _checked(line: str, kind: Kind, where: str) -> str:
    try:
        parts = list(Formatter().parse(line))
    except ValueError as error:
        raise FormatError(
            f"{where}: braces do not match ({error}); write {{{{ and }}}} for braces in the text"
        ) from None
    places = {
        name + (f"!{conversion}" if conversion else "") + (f":{spec}" if spec else "")
        for _, name, spec, conversion in parts
        if name is not None
    }
    known = kind.needs | kind.offers
    for place in sorted(places - known):
        filled = ", ".join(f"{{{name}}}" for name in sorted(known)) or "none"
        raise FormatError(f"{where}: nobody fills {{{place}}} in questions of kind '{kind.name}'; known are {filled}")
    for place in sorted(kind.needs - places):
        raise FormatError(f"{where}: {{{place}}} is missing; every instruction of kind '{kind.name}' needs it")
    return line
