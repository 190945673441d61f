"""A table as plain text: columns as wide as their widest cell, numbers to the right."""

from collections.abc import Sequence


def text_table(header: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Lines joined by newlines; floats get one decimal and integers separators of thousands.

    >>> print(text_table(["what", "n"], [["a", 1200], ["bcd", 7]]))
    what      n
    a     1,200
    bcd       7
    """
    cells = [[_shown(value) for value in row] for row in rows]
    right = [bool(rows) and all(isinstance(row[n], int | float) for row in rows) for n in range(len(header))]
    widths = [max(len(line[n]) for line in [list(header), *cells]) for n in range(len(header))]
    lines = []
    for line in [list(header), *cells]:
        placed = [
            cell.rjust(width) if to_right else cell.ljust(width)
            for cell, width, to_right in zip(line, widths, right, strict=True)
        ]
        lines.append("  ".join(placed).rstrip())
    return "\n".join(lines)


def _shown(value: object) -> str:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return str(value)
    return f"{value:,.1f}" if isinstance(value, float) else f"{value:,}"
