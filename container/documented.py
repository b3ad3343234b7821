"""The lines of README.md and docs/container.md that run the image, word for word, and what `docker run` is asked in them.

Needs nothing but Python: image_test.py and the tests put a stand-in for docker on PATH and let a shell run the lines.
"""

import argparse
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

PAGES = ("README.md", "docs/container.md")
DEFINITION = "medattn() {"  # the shell function of docs/container.md
PLACEHOLDER = re.compile(r"…|<[^>]*>")


@dataclass(frozen=True)
class Run:
    """What `docker run` is asked. mounts: place in the container -> directory; command: () for the image's own."""

    mounts: dict[str, Path]
    user: str | None
    environment: dict[str, str]
    command: tuple[str, ...]


def lines(page: str) -> list[str]:
    """Every line of the page's code blocks that runs the image, each with the shell function that it calls.

    A line with a placeholder (… or <…>) outside its comment is a pattern to fill in, and left out.
    """
    found, definition = [], ""
    for language, block in re.findall(r"^```(\w*)\n(.*?)^```$", page, re.MULTILINE | re.DOTALL):
        for line in () if language else block.splitlines():
            bare = re.split(r"\s#", line)[0]
            if PLACEHOLDER.search(bare):
                continue
            if line.startswith(DEFINITION):
                definition = line
            elif re.search(r"\bdocker run ", bare):
                found.append(line)
            elif line.startswith("medattn "):
                if not definition:
                    raise ValueError(f"{line!r} comes before the function that it calls")
                found.append(f"{definition}\n{line}")
    return found


def parse(arguments: Sequence[str]) -> Run:
    """The arguments behind `docker run`. Ends the program for an option that no page uses."""
    parser = argparse.ArgumentParser("docker run", allow_abbrev=False)
    for name in ("--rm", "--read-only"):
        parser.add_argument(name, action="store_true")
    for name in ("--gpus", "--tmpfs", "--network", "--user"):
        parser.add_argument(name)
    for name in ("-v", "-e"):
        parser.add_argument(name, action="append", default=[])
    parser.add_argument("image")
    parser.add_argument("command", nargs=argparse.REMAINDER)
    given = parser.parse_args(list(arguments))
    mounts = {}
    for text in given.v:
        source, place = text.split(":")[:2]
        if not Path(source).is_absolute():
            parser.error(f"-v {text}: docker takes {source!r} for the name of a volume, not for a directory")
        mounts[place] = Path(source)
    environment = dict(text.split("=", 1) for text in given.e)
    return Run(mounts, given.user, environment, tuple(given.command))
