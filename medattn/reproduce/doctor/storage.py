"""Room on the disk, what the caches hold, and where DVC keeps the embedded study."""

import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path

from medattn.base.content_cache import SWITCH
from medattn.base.params.whole import Params
from medattn.base.paths import RUN
from medattn.extract.unit_cache import directory_of
from medattn.prepare import limited
from medattn.reproduce.doctor.line import Line, missing, note, ok, size
from medattn.study.model_files import CONFIG
from medattn.study.schema import Study

NUMBERS = 256 + 48  # weights stored per layer, head and row: image tokens, and a long question's
OTHERS = 25_000  # bytes a sample takes beside its captures: grid, tables, its share of images
PAGES = 30_000_000  # bytes that every run takes: overlays, gallery, reports


def directory_size(path: Path) -> int:
    """Bytes of all files below `path`; 0 if it is not there. Links are not followed."""
    total, todo = 0, [path] if path.is_dir() else []
    while todo:
        with os.scandir(todo.pop()) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    todo.append(Path(entry.path))
                elif entry.is_file(follow_symlinks=False):
                    total += entry.stat(follow_symlinks=False).st_size
    return total


def unit_cache_of(study: Study | None, root: Path) -> Path:
    """Where extract keeps finished units; of an unknown study, where it does for an open one."""
    return root / RUN / "units" if study is None else directory_of(study, root)


def samples_of(study: Study, params: Params) -> int:
    """How many samples a run has, at most: a few of them cannot be asked (no region, no other patient)."""
    rows = limited(study.questions(), params.limit)
    count = 0
    for name, condition in params.conditions.asked().items():
        fitting = (
            row for row in rows
            if name == "clean" or (row.is_study and (condition.variants == "all" or row.is_baseline))
        )  # fmt: skip
        count += sum(1 for _ in fitting) * len(condition.degrees())
    return count


def needed_room(study: Study, params: Params, model: Path) -> int | None:
    """Bytes that results and caches of a whole run take, roughly; None if the model in `model` does not say its shape."""
    text = json.loads((model / CONFIG).read_bytes()).get("text_config", {})
    layers, heads = text.get("num_hidden_layers"), text.get("num_attention_heads")
    if not isinstance(layers, int) or not isinstance(heads, int):
        return None
    weights = layers * heads * (params.extract.generated_rows + 1) * NUMBERS
    return room_of(samples_of(study, params), weights, params.run.cache)


def room_of(samples: int, weights: int, unit_cache: bool) -> int:
    """weights: stored of a sample. Captures lie in results/, DVC's cache and the unit cache; all else in the first two."""
    return samples * weights * 4 * (3 if unit_cache else 2) + (samples * OTHERS + PAGES) * 2


def room_line(free: int, held: int, needed: int | None) -> Line:
    """held: bytes that results and caches take already; as far as they are of the same run, it needs no more."""
    if needed is None:
        return note("disk", f"{size(free)} free; what a run needs cannot be told before study and model are here")
    said = f"{size(free)} free, results and caches hold {size(held)}; a whole run takes about {size(needed)}"
    remedy = "make room, work on another disk, or ask less: `limit`, fewer `conditions`, run.cache: false"
    if needed <= free:
        return ok("disk", said)
    return (note if needed <= free + held else missing)("disk", said, remedy)


def cache_lines(units: int, dvc: int, cache: bool, switch: str | None) -> list[Line]:
    """Sizes of the unit cache and of DVC's. cache: params.yaml's run.cache. switch: MEDATTN_CACHE."""
    off = f"{SWITCH}=off" if switch == "off" else "" if cache else "run.cache is false"
    said = f"finished units {size(units)}, DVC's {size(dvc)}"
    if off:
        return [note("caches", f"{said}; {off}: every unit is computed", "an interrupted extraction then starts anew")]
    return [ok("caches", said)]


def dvc_cache_of(settings: Mapping[str, str], root: Path) -> Path:
    return Path(settings.get("cache.dir", root / ".dvc/cache"))


def remote_line(settings: Mapping[str, str]) -> Line:
    """Where `dvc pull data.dvc` fetches the embedded study from."""
    name = settings.get("core.remote")
    url = settings.get(f"remote.{name}.url")
    if url is None:
        return note(
            "DVC remote", "none", "restore .dvc/config (`git checkout .dvc/config`): the embedded study comes from there"
        )
    if "://" not in url and not Path(url).is_dir():
        return note("DVC remote", f"{name}: {url} is not a directory", "restore it (`git checkout dvc-store`)")
    return ok("DVC remote", f"{name}: {url}")


def free_room(root: Path) -> int:
    return shutil.disk_usage(root).free
