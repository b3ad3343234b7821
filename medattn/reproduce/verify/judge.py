"""Per output: is what was found what was recorded, or as good as that? A directory is as good as its worst file."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from medattn.base.dvc import Entry, IgnoreRules, hash_files
from medattn.reproduce.verify import crate_hashes
from medattn.reproduce.verify.deviation import Comparison, Verdict, worst
from medattn.reproduce.verify.files import compare_files
from medattn.reproduce.verify.recorded_content import RecordedContent
from medattn.reproduce.verify.sources import sources
from medattn.reproduce.verify.tolerance import Tolerance

Outputs = Mapping[str, tuple[str, Entry]]  # path -> (stage, output)
SAME = Comparison(Verdict.IDENTICAL)
NOT_HERE = "the content is not here (run this where the results are, or copy their .dvc/cache)"
MISSING, EXTRA = "is missing", "is extra"


@dataclass(frozen=True)
class OutputVerdict:
    """An output's verdict. files: path inside the output ("" for a file) -> comparison, if its files were looked at."""

    stage: str
    path: str
    recorded: Entry | None
    found: Entry | None
    comparison: Comparison
    files: Mapping[str, Comparison]


class Judge:
    """Compares outputs below `place` with recorded ones, whose content `contents` finds."""

    def __init__(self, place: Path, contents: RecordedContent, tolerance: Tolerance, ignored: IgnoreRules) -> None:
        self._place, self._contents, self._tolerance, self._ignored = place, contents, tolerance, ignored

    def judge(self, recorded: Outputs, found: Outputs, absent: Collection[str] = ()) -> list[OutputVerdict]:
        """Every output that is recorded or found, in that order. absent: outputs that are known by their hash alone."""
        paths = [*recorded, *(path for path in found if path not in recorded)]
        files = {path: self._files(recorded.get(path), found.get(path), path in absent) for path in paths}
        known = {f"{path}/{name}" if name else path: one for path, held in files.items() for name, one in held.items()}
        whole = {path for path in paths if path in recorded and path in found and recorded[path][1].hash == found[path][1].hash}
        verdicts = []
        for path in paths:
            stage = (recorded.get(path) or found[path])[0]
            then, now = (side[path][1] if path in side else None for side in (recorded, found))
            held = {
                name: self._drawn(f"{path}/{name}" if name else path, one, known, whole) for name, one in files[path].items()
            }
            if path == crate_hashes.CRATE and then is not None and now is not None and then.hash != now.hash:
                held[""] = crate_hashes.as_good_as(held[""], (one for other, one in known.items() if other != path))
            overall = worst(one.inside(name) if name else one for name, one in held.items())
            if overall.verdict is Verdict.IDENTICAL and path not in whole:
                overall = _different("its hash is not the recorded one, though no file of it differs")
            verdicts.append(OutputVerdict(stage, path, then, now, overall, held))
        return verdicts

    def _files(
        self, recorded: tuple[str, Entry] | None, found: tuple[str, Entry] | None, absent: bool
    ) -> dict[str, Comparison]:
        """Path inside an output -> comparison of that file."""
        if recorded is None or found is None:
            return {"": _different("no such output was recorded" if recorded is None else "was not made")}
        then, now = recorded[1], found[1]
        if then.hash == now.hash:
            return {"": SAME}
        if then.is_directory != now.is_directory:
            return {"": _different("is a directory" if now.is_directory else "is a file")}
        before = self._contents.files_of(then)
        if absent or before is None:
            return {"": _absent("how far it deviates")}
        after = hash_files(self._place / now.path, self._ignored) if now.is_directory else {"": now.hash}
        return {
            name: self._file(then.path, name, before.get(name), after.get(name))
            for name in sorted(before.keys() | after.keys())
        }

    def _file(self, output: str, name: str, recorded: str | None, found: str | None) -> Comparison:
        if recorded is None or found is None:
            return _different(EXTRA if recorded is None else MISSING)
        if recorded == found:
            return SAME
        then, now = self._contents.file(recorded), self._place / output / name if name else self._place / output
        if then is None:
            return _absent("how far it deviates")
        return compare_files(name or output, then, now, self._tolerance)

    def _drawn(self, path: str, drawing: Comparison, known: Mapping[str, Comparison], whole: set[str]) -> Comparison:
        """A PDF is as good as the tables that it is drawn from; where these are the same, its drawing must be the same."""
        if not path.endswith(".pdf") or drawing.verdict is Verdict.IDENTICAL or drawing.why in ((MISSING,), (EXTRA,)):
            return drawing
        tables = {table: _of(table, known, whole) for table in sources(path)}
        if not tables:
            return _different("is drawn from a table that nobody knows")
        overall = worst(one.inside(table) for table, one in tables.items())
        if overall.verdict is Verdict.INCOMPARABLE:
            return _absent("its source table")
        if overall.verdict is Verdict.IDENTICAL and drawing.verdict is Verdict.DIFFERENT:
            return _different(f"is drawn otherwise, though its tables are the same: {drawing.why[0]}")
        return drawing if overall.verdict is Verdict.IDENTICAL else overall


def _of(table: str, known: Mapping[str, Comparison], whole: set[str]) -> Comparison:
    """The comparison of a table, which may lie in an output that is the same, or cannot be compared, as a whole."""
    if table in known:
        return known[table]
    above = Path(table).parent.as_posix()
    return SAME if above in whole else known.get(above, _different("is nowhere"))


def _different(why: str) -> Comparison:
    return Comparison(Verdict.DIFFERENT, why=(why,))


def _absent(what: str) -> Comparison:
    return Comparison(Verdict.INCOMPARABLE, why=(f"has other bytes; {what} cannot be told: {NOT_HERE}",))
