"""Tables and numbers as they are written: rounded, so that the same study gives the same bytes on any processor."""

import csv
import io
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from medattn.rounding import round_number


def text_of(value: object) -> str:
    """A table cell: None is empty, truth is true/false, whole numbers are whole, decimals are rounded."""
    if value is None:
        return ""
    if value is True or value is False or type(value).__name__ == "bool":
        return "true" if value else "false"
    if isinstance(value, str):
        return value
    if isinstance(value, int) or hasattr(value, "__index__"):
        return str(int(value))
    return repr(round_number(value))


def csv_text(columns: Sequence[str], rows: Iterable[Mapping[str, object]]) -> str:
    """CSV with these columns, in the order given. A row with a missing or an extra key is an error."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(columns)
    for row in rows:
        if set(row) != set(columns):
            raise ValueError(f"row has keys {sorted(row)}, expected {sorted(columns)}")
        writer.writerow([text_of(row[name]) for name in columns])
    return buffer.getvalue()


def write_csv(path: Path, columns: Sequence[str], rows: Iterable[Mapping[str, object]]) -> None:
    """csv_text in UTF-8 at `path`, all or nothing."""
    write_bytes(path, csv_text(columns, rows).encode())


def write_bytes(path: Path, content: bytes) -> None:
    """Write `content` at `path`, all or nothing; makes the parent directory."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.part")
    temporary.write_bytes(content)
    temporary.replace(path)


@contextmanager
def fresh_directory(path: Path) -> Iterator[Path]:
    """Yields an empty sibling of `path` that takes its place when the block ends without an error: no stale file stays."""
    part = path.with_name(f".{path.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    try:
        yield part
    except BaseException:
        shutil.rmtree(part)
        raise
    if path.exists():
        shutil.rmtree(path)
    part.replace(path)
