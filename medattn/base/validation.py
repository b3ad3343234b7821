"""What pydantic finds wrong, as lines of text."""

from pathlib import Path

from pydantic import ValidationError

SHOWN = 200  # characters of a value


def problems(path: Path, error: ValidationError, remedy: str = "", values: bool = True) -> list[str]:
    """One line per problem: file, key, what was expected, the value (unless not wanted), and the remedy."""
    lines = []
    for item in error.errors():
        key = ".".join(str(part) for part in item["loc"]) or "(top level)"
        said = f", not {repr(item['input'])[:SHOWN]}" if values and item["type"] != "missing" else ""
        lines.append(f"{path}: {key}: {item['msg']}{said}{remedy and f': {remedy}'}")
    return lines
