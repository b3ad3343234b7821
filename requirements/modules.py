"""Write into dvc.yaml, stage by stage, the modules that each stage imports (`make deps`); --check only compares.

Run from the repository's root as `python -m requirements.modules`. Exit 1: the lists are not current; what differs is printed.
"""

import re
import sys
from pathlib import Path

from medattn.base.imports import closure
from medattn.cli import COMMANDS, STAGES

PIPELINE = Path("dvc.yaml")
LISTED = re.compile(r"(?:      - medattn/\S+\.py\n)+")


def section_of(stage: str, text: str) -> tuple[int, int]:
    """Where in the text of dvc.yaml the modules of a stage stand."""
    found = LISTED.search(text, text.index(f"\n  {stage}:\n    cmd: "))
    assert found is not None  # every stage lists at least the command line's modules
    return found.span()


def main(root: Path, check: bool) -> int:
    """Write or compare the lists of the repository at `root`; the exit code."""
    text = (root / PIPELINE).read_text(encoding="utf-8")
    current = True
    for stage in STAGES:
        start, end = section_of(stage, text)
        listed = set(re.findall(r"\S+\.py", text[start:end]))
        wanted = closure(root, "medattn.__main__", COMMANDS[stage][0])
        for said, files in (("lacks", wanted - listed), ("need not list", listed - wanted)):
            current = current and not files
            for file in sorted(files) if check else ():
                print(f"{PIPELINE}: stage {stage} {said} {file}: run `make deps`")
        text = text[:start] + "".join(f"      - {file}\n" for file in sorted(wanted)) + text[end:]
    if not check:
        (root / PIPELINE).write_text(text, encoding="utf-8")
    return 0 if current or not check else 1


if __name__ == "__main__":
    sys.exit(main(Path(), "--check" in sys.argv[1:]))
