"""Settings of a model on the command line: `--model kind:ARGUMENT,key=value,key=value`.

The settings of a kind are the fields of a frozen dataclass: all that a user may set, typed and with its default.
"""

import typing
from typing import Any, TypeVar

from exo2ego.errors import InputError

Options = TypeVar("Options")


def parse_options(spec: str, kind: type[Options]) -> tuple[str, Options]:
    """`ARGUMENT,key=value,...` -> (ARGUMENT, settings). Parts before the first `key=value` belong to the argument.

    Raises:
        InputError: an unknown key, a key twice, or a value that is not of the field's type or is refused by `kind`.
    """
    argument, *parts = spec.split(",")
    while parts and "=" not in parts[0]:
        argument += "," + parts.pop(0)
    types = typing.get_type_hints(kind)
    values: dict[str, Any] = {}
    for part in parts:
        key, _, text = part.partition("=")
        if key not in types:
            raise InputError(f"--model ...,{part}: no such setting; there are {', '.join(types)}")
        if key in values:
            raise InputError(f"--model ...,{part}: {key} is given twice; keep one")
        try:
            values[key] = types[key](text)
        except ValueError as error:
            raise InputError(f"--model ...,{part}: must be a {_NAMES[types[key]]}") from error
    return argument, kind(**values)


def check_choice(field: str, value: str, choices: tuple[str, ...]) -> None:
    """Refuse a text that is not one of a closed set.

    Raises:
        InputError: it is not.
    """
    if value not in choices:
        raise InputError(f"--model ...,{field}={value}: must be one of {', '.join(choices)}")


def check_range(field: str, value: float, least: float, most: float) -> None:
    """Refuse a number outside `least`..`most`, NaN included.

    Raises:
        InputError: it is.
    """
    if not least <= value <= most:
        raise InputError(f"--model ...,{field}={value:g}: must be from {least:g} to {most:g}")


_NAMES: dict[type, str] = {int: "whole number", float: "number", str: "text"}
