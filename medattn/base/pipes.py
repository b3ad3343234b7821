"""What stands in a file's place and is none: it would be waited for without end."""

from pathlib import Path

from medattn.base.errors import InputError


def refuse_pipe(path: Path) -> None:
    """Raise InputError for a pipe, a socket or a device at `path`; what is absent or a directory is for the reader to say."""
    if path.exists() and not path.is_file() and not path.is_dir():
        raise InputError(f"{path} is a pipe or a device, expected a file: save what it gives as a file")
