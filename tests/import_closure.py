"""What importing modules really imports: Python itself is asked, where medattn.base.imports reads the source text."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
ASK = """
import importlib, sys
for name in sys.argv[1:]:
    importlib.import_module(name)
if "medattn.metrics.table" in sys.modules:  # it collects the modules that declare tables when it is asked for them
    sys.modules["medattn.metrics.table"].declared()
print(*(module.__file__ for name, module in sys.modules.items() if name.partition(".")[0] == "medattn"), sep="\\n")
"""


def imported(*names: str) -> set[str]:
    """Files of medattn, relative to the root, that a fresh interpreter has read once it has imported these modules."""
    done = subprocess.run([sys.executable, "-c", ASK, *names], cwd=ROOT, capture_output=True, text=True, check=True)
    return {Path(line).relative_to(ROOT).as_posix() for line in done.stdout.splitlines()}
