"""The shape of JSON that others read."""

from typing import Any


def shape_of(value: Any) -> Any:
    """Keys and names of types; a list by its first element."""
    if isinstance(value, dict):
        return {key: shape_of(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [shape_of(value[0])] if value else []
    return type(value).__name__
