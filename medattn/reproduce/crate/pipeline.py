"""The stages as dvc.yaml declares them: what each reads and writes."""

from pathlib import Path
from typing import NamedTuple

import yaml

from medattn.base.errors import InputError

PIPELINE = Path("dvc.yaml")
STUDY = "${study}"  # how dvc.yaml names the study directory


class Stage(NamedTuple):
    """A stage. inputs: files and directories it reads, without code. outputs: those it writes."""

    name: str
    says: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]


def read_pipeline(root: Path) -> list[Stage]:
    """The stages in their order. Raises InputError if dvc.yaml is no pipeline."""
    path = root / PIPELINE
    try:
        stages = yaml.safe_load(path.read_text(encoding="utf-8"))["stages"]
        return [Stage(name, stage["desc"], _inputs(stage), _outputs(stage)) for name, stage in stages.items()]
    except FileNotFoundError:
        raise InputError(f"{path} not found: run this from the repository's root") from None
    except (yaml.YAMLError, UnicodeDecodeError, TypeError, AttributeError, KeyError) as error:
        raise InputError(f"{path} has no stages with a desc: {error!r}; restore it (`git checkout {PIPELINE}`)") from None


def _inputs(stage: dict) -> tuple[str, ...]:
    return tuple(path for path in stage["deps"] if not path.startswith("medattn/"))


def _outputs(stage: dict) -> tuple[str, ...]:
    entries = [*stage.get("outs", []), *stage.get("metrics", [])]
    return tuple(entry if isinstance(entry, str) else next(iter(entry)) for entry in entries)
