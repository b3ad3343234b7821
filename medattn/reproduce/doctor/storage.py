"""Room on the disk, what the caches hold, and where DVC keeps the embedded study."""

import shutil
from collections.abc import Mapping
from pathlib import Path

from medattn.base.content_cache import SWITCH
from medattn.base.paths import RUN
from medattn.base.sizes import size
from medattn.extract.unit_cache import directory_of
from medattn.reproduce.doctor.line import Line, missing, note, ok
from medattn.study.schema import Study


def unit_cache_of(study: Study | None, root: Path) -> Path:
    """Where extract keeps finished units; of an unknown study, where it does for an open one."""
    return root / RUN / "units" if study is None else directory_of(study, root)


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
