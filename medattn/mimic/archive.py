"""The images of a MIMIC-CXR root: which there are, where each lies, and whether its file is the one that was published."""

import hashlib
import os
import re
import sys
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple, TypeVar

from medattn.base.errors import InputError
from medattn.base.pipes import refuse_pipe
from medattn.mimic import layout
from medattn.mimic.csv_files import filled_rows_of
from medattn.mimic.numbers import dicom_id_in, identifier, whole_number
from medattn.radiographs.image_files import NOT_ON_DISK, ImageFileError, open_radiograph, read_file
from medattn.study.schema import is_there

SUM = re.compile(r"([0-9A-Fa-f]{64}) [ *]?(.+)")
SUFFIXES = (".jpg", ".dcm")
NOT_LISTED = f"image file is not listed in {layout.SHA256SUMS}: take the one that came with the images"
DIFFERS = f"image file differs from {layout.SHA256SUMS}: fetch it again"
SHARED = "image file is another patient's, too (equal SHA-256), and whose it is cannot be known: ask about another image"
LINKED = f"image file is linked from outside of the root, and nothing pins it: put {layout.SHA256SUMS} into the root"
VIEW_ORDER = ("PA", "AP", "LATERAL", "LL")  # which image of a study is asked about, where a question names the study only

Row = TypeVar("Row", bound=Sequence)
Split = tuple[str, str, str]  # split, subject_id, study_id; "" where the table does not say


class Image(NamedTuple):
    """A row of the metadata table. width and height in pixels, as the table has them."""

    dicom_id: str
    subject_id: str
    study_id: str
    view: str  # as ViewPosition says, in capitals; "" if it says nothing
    split: str
    width: int
    height: int


class PinnedImage(NamedTuple):
    """An image as images.csv pins it: path below the root, SHA-256 of the file, pixels."""

    path: str
    sha256: str
    width: int
    height: int


class Archive:
    """All images of a root, from its metadata and split tables; files are opened when asked for."""

    def __init__(self, root: Path, trust_sums: bool = False) -> None:
        """Reads the tables. trust_sums: take hashes from SHA256SUMS.txt and sizes from the metadata, open no image.

        Raises InputError if a table is not there, or not what it seems.
        """
        self.root, self.trust_sums = root, trust_sums
        self.has_sums = is_there(root / layout.SHA256SUMS)
        if trust_sums and not self.has_sums:
            raise InputError(
                f"{root / layout.SHA256SUMS} not found: --trust-sums needs it; restore it, or leave the option out"
            )
        self.suffix = self._suffix()
        self.repeated: Counter = Counter()  # table -> rows that say once more what an earlier row says
        splits = self.unique(layout.SPLIT, ("split", "subject_id", "study_id"), self._splits())
        self.images = self.unique(layout.METADATA, Image._fields, self._metadata(splits))
        self._check_splits(splits)
        self.owners = self._owners()  # study_id -> subject_id
        self._sums: dict[str, str] = {}  # path -> SHA-256, of the images that were asked for
        self._pinned: dict[str, PinnedImage | str] = {}
        self._endings: dict[Path, dict[str, str]] = {}  # folder -> stem of a name -> how it ends
        self._by_study: dict[str, list[Image]] = {}

    def table(self, name: str, columns: Collection[str], desc: str) -> Iterator[tuple[int, dict[str, str]]]:
        """Rows of one of the root's tables. Raises InputError if there are none."""
        return filled_rows_of(self.root / name, columns, desc)

    def unique(self, name: str, fields: Sequence[str], rows: Iterable[tuple[int, str, Row]]) -> dict[str, Row]:
        """id -> what a table says of it, from (row, id, cells); rows that say the same again are counted in `repeated`.

        Raises InputError for an id that stands twice with different cells: neither row can be trusted.
        """
        found: dict[str, Row] = {}
        for number, key, row in rows:
            if (earlier := found.setdefault(key, row)) is row:
                continue
            if earlier != row:
                which = next(index for index, pair in enumerate(zip(earlier, row, strict=True)) if pair[0] != pair[1])
                raise InputError(
                    f"{self.root / name}, row {number}: {key} stands in an earlier row already, with {fields[which]}"
                    f" {earlier[which]!r}; here it is {row[which]!r}: download it again, or remove the wrong row"
                )
            self.repeated[name] += 1
        return found

    def _splits(self) -> Iterator[tuple[int, str, Split]]:
        for number, row in self.table(layout.SPLIT, ("dicom_id", "split"), "split"):
            dicom_id = dicom_id_in(row["dicom_id"])
            if not dicom_id:
                where = f"{self.root / layout.SPLIT}, row {number}"
                raise InputError(f"{where}: dicom_id is {row['dicom_id']!r}, expected an identifier: download it again")
            subject, study = (sys.intern(identifier(row.get(name, ""))) for name in ("subject_id", "study_id"))
            yield number, dicom_id, (row["split"].strip(), subject, study)

    def _metadata(self, splits: dict[str, Split]) -> Iterator[tuple[int, str, Image]]:
        columns = ("dicom_id", "subject_id", "study_id", "ViewPosition", "Rows", "Columns")
        for number, row in self.table(layout.METADATA, columns, "metadata"):
            where = f"{self.root / layout.METADATA}, row {number}"
            width, height = whole_number(row["Columns"]), whole_number(row["Rows"])
            if width is None or height is None or width < 1 or height < 1:
                given = f"Rows x Columns is {row['Rows']!r} x {row['Columns']!r}"
                raise InputError(f"{where}: {given}, expected whole numbers: download it again")
            ids = dicom_id_in(row["dicom_id"]), identifier(row["subject_id"]), identifier(row["study_id"])
            if "" in ids:
                given = ", ".join(repr(row[name]) for name in columns[:3])
                raise InputError(f"{where}: {', '.join(columns[:3])} are {given}, expected identifiers: download it again")
            split = splits[ids[0]][0] if ids[0] in splits else ""
            yield number, ids[0], Image(*ids, row["ViewPosition"].strip().upper(), split, width, height)

    def _check_splits(self, splits: dict[str, Split]) -> None:
        """Raise InputError for an image that the split table has of another patient or study."""
        for dicom_id in sorted(splits.keys() & self.images.keys()):
            _, *there = splits[dicom_id]
            for name, here, other in zip(("subject_id", "study_id"), self.images[dicom_id][1:3], there, strict=True):
                if other not in ("", here):
                    raise InputError(
                        f"{self.root / layout.METADATA}: {name} of {dicom_id} is {here!r}, in {layout.SPLIT} {other!r}:"
                        " download both again"
                    )

    def _owners(self) -> dict[str, str]:
        """study_id -> subject_id. Raises InputError for a study of two patients: its report and labels are of one."""
        owners: dict[str, Image] = {}
        for image in self.images.values():
            if (first := owners.setdefault(image.study_id, image)).subject_id != image.subject_id:
                raise InputError(
                    f"{self.root / layout.METADATA}: study {image.study_id} is of subject_id {first.subject_id!r} in the row of"
                    f" {first.dicom_id}, of {image.subject_id!r} in that of {image.dicom_id}: download it again, or remove the"
                    " wrong row"
                )
        return {study_id: image.subject_id for study_id, image in owners.items()}

    def of_study(self, study_id: str, views: Collection[str]) -> Image | None:
        """The image that stands for a study: PA before AP before the others, then the lowest dicom_id; None without one.

        Only `views` count (empty: all).
        """
        if not self._by_study:
            grouped = defaultdict(list)
            for image in self.images.values():
                grouped[image.study_id].append(image)
            self._by_study = dict(grouped)
        fitting = [image for image in self._by_study.get(study_id, ()) if not views or image.view in views]
        rank = {view: index for index, view in enumerate(VIEW_ORDER)}
        return min(fitting, key=lambda image: (rank.get(image.view, len(rank)), image.dicom_id), default=None)

    def read_sums(self, wanted: Collection[str]) -> None:
        """Keep the published SHA-256 of the images `wanted` (dicom_ids).

        Raises InputError for a line that is malformed, or contradicts an earlier one.
        """
        if not self.has_sums:
            return
        paths = {
            layout.image_path(image.subject_id, image.study_id, image.dicom_id, self.suffix)
            for image in (self.images[dicom_id] for dicom_id in wanted)
        }
        path = self.root / layout.SHA256SUMS
        for number, line in _lines(path):
            found = SUM.fullmatch(line)
            if found is None and line.strip():
                raise InputError(f"{path}, line {number}: expected 64 hexadecimal digits and a path: download it again")
            name = found[2].removeprefix("./") if found else ""
            if found and name in paths and self._sums.setdefault(name, found[1].lower()) != found[1].lower():
                raise InputError(
                    f"{path}, line {number}: {name} has SHA-256 {found[1]}, another one in an earlier line: download it again"
                )

    def several_owners(self) -> set[str]:
        """SHA-256 of the files, of those that were pinned, that are the image of more than one patient."""
        owners: dict[str, str] = {}
        subjects = (
            (pin.sha256, self.images[name].subject_id) for name, pin in self._pinned.items() if isinstance(pin, PinnedImage)
        )
        return {sha256 for sha256, subject in subjects if owners.setdefault(sha256, subject) != subject}

    def pin(self, dicom_id: str) -> PinnedImage | str:
        """The image as images.csv pins it, or why it cannot be used."""
        if dicom_id not in self._pinned:
            self._pinned[dicom_id] = self._pin(self.images[dicom_id])
        return self._pinned[dicom_id]

    def _pin(self, image: Image) -> PinnedImage | str:
        published = layout.image_path(image.subject_id, image.study_id, image.dicom_id, self.suffix)
        known = self._sums.get(published)
        if self.trust_sums:
            return PinnedImage(published, known, image.width, image.height) if known else NOT_LISTED
        flat = published.rpartition("/")[2]
        subject = f"p{image.subject_id}"
        places = (
            published,
            published.removeprefix("files/"),
            flat,
            f"{subject[:3]}_{subject}_s{image.study_id}_{flat}",
            image.dicom_id,
        )
        path = next((place for place in places if os.path.isfile(self.root / place)), None)
        if path is None:
            return self._absent(places)
        if self.has_sums and known is None:
            return NOT_LISTED
        if known is None and not (self.root / path).resolve().is_relative_to(self.root.resolve()):
            return LINKED
        try:
            found = hashlib.sha256(read_file(self.root, path)).hexdigest()
            if known not in (None, found):
                return DIFFERS
            opened = open_radiograph(self.root, path, found)
        except ImageFileError as error:
            return error.reason
        return PinnedImage(path, found, opened.width, opened.height)

    def _absent(self, places: Sequence[str]) -> str:
        """Why there is no image at any of `places`: a link to nothing, a file whose name ends otherwise, or no file."""
        for place in map(self.root.joinpath, places):
            try:
                read_file(self.root, place.relative_to(self.root).as_posix())
            except ImageFileError as error:
                if error.reason != NOT_ON_DISK:
                    return error.reason
            if ending := self._ending_in(place.parent, place.stem):
                return self._other_ending(ending)
        return NOT_ON_DISK

    def _ending_in(self, folder: Path, stem: str) -> str:
        """How the name of the file `stem` in a folder ends; "" without one."""
        if folder not in self._endings:
            try:
                self._endings[folder] = dict(os.path.splitext(name) for name in os.listdir(folder))
            except OSError:  # no such folder: no such file
                self._endings[folder] = {}
        return self._endings[folder].get(stem, "")

    def _other_ending(self, ending: str) -> str:
        """Why a file whose name ends with `ending` is not the one looked for."""
        said = f"image file ends with {ending}, expected {self.suffix}"
        if ending.lower() == self.suffix:
            return f"{said}: rename it"
        if ending.lower() in SUFFIXES:
            found = "says so" if (self.root / layout.IMAGE_FILENAMES).exists() else "is not in the root"
            return f"{said}, as {layout.IMAGE_FILENAMES} {found}: put the one there that came with these files"
        return f"{said}: a converted copy is not the published image, restore that"

    def _suffix(self) -> str:
        """.jpg or .dcm, as IMAGE_FILENAMES says; .jpg without one."""
        names = self.root / layout.IMAGE_FILENAMES
        if not self.root.is_dir():
            raise InputError(f"{self.root} is not a directory: give --root the folder that holds `files` and {layout.METADATA}")
        if not is_there(names):
            return ".jpg"
        first = next((line for _, line in _lines(names)), "")
        suffix = os.path.splitext(first.strip())[1].lower()
        if suffix not in SUFFIXES:
            raise InputError(f"{names}: its first path ends with {suffix!r}, expected .jpg or .dcm: download it again")
        return suffix


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    """The lines of a text from 1. Raises InputError if it cannot be read as UTF-8."""
    refuse_pipe(path)
    try:
        with path.open(encoding="utf-8-sig") as file:
            yield from enumerate((line.rstrip("\r\n") for line in file), start=1)
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path} cannot be read as text in UTF-8: {error}: download it again") from None
