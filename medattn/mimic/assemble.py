"""Assemble a study directory from a MIMIC-CXR root and a question set. No image is copied: images.csv pins each by hash.

The tables are streamed; of the questions only those that can be asked are held. The same inputs and options give the
same bytes, wherever the root lies.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

from tqdm import tqdm

from medattn.base.errors import InputError
from medattn.base.hashes import sha256_of
from medattn.base.seeding import digest_of
from medattn.base.tables import new_directory, write_bytes, write_csv
from medattn.base.yaml_files import dumped
from medattn.language.question_forms import ParsedQuestion
from medattn.language.strategy_labels import BASELINE, unknown_labels
from medattn.language.variants import reword
from medattn.measures.localisation import ZONES
from medattn.mimic import question_sets, regions
from medattn.mimic.archive import SHARED, Archive, Image, PinnedImage
from medattn.mimic.candidates import RULES, Collector, Question, in_turn, slug
from medattn.mimic.labels import near, read_labels
from medattn.mimic.layout import CHEXPERT, DRAWN, LABELS
from medattn.study.pins import pin_model
from medattn.study.schema import IMAGE_COLUMNS, QUESTION_COLUMNS, REGION_COLUMNS, About, read_study

# The first line of study.yaml.
FROM_PATIENTS = "# Derived from MIMIC-CXR under its data use agreement: not to be shared.\n"
FROM_DRAWINGS = "# Derived from a drawn tree, no patient's: to try the commands, with everything that protects patients.\n"
UNLABELLED = "unlabelled"  # strategy of a variant that its file does not label


@dataclass(frozen=True)
class Options:
    """What decides an assembled study. Paths: root, questions (None: presence questions from the labels), regions."""

    root: Path
    questions: Path | None
    variants: str  # rules | keep | none
    model: dict[str, object]  # study.yaml's defaults.model
    prompt: dict[str, object]  # study.yaml's defaults.prompt
    limit: int | None = None  # baseline questions in all
    per_finding: int | None = None  # baseline questions per finding
    views: tuple[str, ...] = ("PA", "AP")  # empty: all
    split: str | None = None
    seed: int = 0
    controls: int = 2  # per image
    regions: tuple[tuple[str, Path], ...] = ()  # (kind, path)
    trust_sums: bool = False


@dataclass
class Summary:
    """What was used, and what was not and why."""

    directory: Path
    used: int = 0  # rows of the question set
    read: int = 0
    skipped: Counter = field(default_factory=Counter)  # reason -> rows
    examples: dict[str, str] = field(default_factory=dict)  # reason -> the first row of those that must be corrected
    answers: dict[str, Counter] = field(default_factory=lambda: defaultdict(Counter))  # finding -> answer -> questions
    variants: int = 0
    controls: int = 0
    without_controls: int = 0  # images with fewer controls than asked for
    images: int = 0
    patients: int = 0
    regions: Counter = field(default_factory=Counter)  # used, and reason -> regions that are not
    labels: dict[str, int] = field(default_factory=dict)  # strategy labels that are not known -> variants
    repeated: Counter = field(default_factory=Counter)  # table of the root -> rows that repeat an earlier one
    resized: int = 0  # images whose file has another size than the metadata say
    unpinned: str = ""  # why the model's files could not be pinned
    note: str = ""  # about the question set
    digest: str = ""

    def text(self) -> str:
        """For a person to read: counts, and no id but those that contradict the metadata."""
        questions = sum(sum(answers.values()) for answers in self.answers.values())
        lines = [
            f"{self.directory}: {questions} questions in {self.variants} variants, {self.controls} controls, {self.images}"
            " images of"
            f" {self.patients} patients",
            f"rows used: {self.used:,} of {self.read:,}",
            *(f"  not used: {count:>9,}  {reason}" for reason, count in self.skipped.most_common()),
            *(f"  the first where {reason}: {where}" for reason, where in self.examples.items()),
            *filter(None, [self.note]),
            "finding: yes, no",
            *(f"  {finding}: {answers['yes']}, {answers['no']}" for finding, answers in sorted(self.answers.items())),
        ]
        if self.without_controls:
            lines.append(
                f"{self.without_controls} images have fewer controls than asked for: their findings leave none to ask about"
            )
        lines += [f"{count:,} rows of {name} repeat an earlier row" for name, count in self.repeated.items()]
        if self.resized:
            lines.append(f"{self.resized} images have another size than the metadata table says; the file's own size is used")
        if self.regions:
            lines.append(
                "regions: " + ", ".join(f"{reason} {count:,}" for reason, count in self.regions.most_common() if count)
            )
        if self.labels:
            listed = ", ".join(f"{label!r} ({count})" for label, count in self.labels.items())
            lines.append(f"strategy labels not known, kept as they are: {listed}")
        return "\n".join([*lines, self._last_line()])

    def _last_line(self) -> str:
        if self.unpinned:
            return f"digest: `medattn study pin {self.directory}` gives it once the model's files are here ({self.unpinned})"
        return f"digest: {self.digest}"


def assemble(out: Path, options: Options) -> Summary:
    """Write the study to `out`, all or nothing. Raises InputError if the inputs give no question, or `out` is not empty."""
    summary = Summary(out)
    archive = Archive(options.root, options.trust_sums)
    collector = Collector(archive, options.views, options.split, options.variants, summary.skipped, summary.examples)
    if options.questions is None:
        labels = read_labels(archive)
        candidates = collector.from_labels(labels)
        summary.read = sum(map(len, labels.values()))
    else:
        summary.note = question_sets.note(options.questions)
        candidates = collector.collect(_counted(question_sets.read(options.questions), summary))
    if not summary.read:
        raise InputError(
            f"{options.questions or options.root / CHEXPERT}: it holds no row: nothing can be asked; add at least one"
        )
    archive.read_sums({question.image.dicom_id for question in candidates})
    chosen = draw(candidates, archive, options, summary)
    if not chosen:
        raise InputError(f"no question can be asked:\n{summary.text()}")
    if options.questions is not None:
        labels = read_labels(archive, {question.image.study_id for question in chosen})
    summary.repeated = archive.repeated
    with new_directory(out) as part:
        part.chmod(0o700)
        _write(part, chosen, archive, labels, options, summary)
        try:
            pin_model(part)
        except InputError as error:
            summary.unpinned = str(error).partition("\n")[0]
        summary.digest = read_study(part).digest()
    return summary


def assembled_before(out: Path, options: Options) -> bool:
    """Whether `out` holds a study that was assembled as `options` ask. Raises InputError if it was assembled otherwise."""
    if not (out / "study.yaml").is_file():
        return False
    found = read_study(out).about.model_dump()
    wanted = About.model_validate(about(options, Summary(out), 0)).model_dump()
    for key in ("source", "image_root", "drawn", "defaults"):
        if found[key] != wanted[key]:
            raise InputError(
                f"{out} is there already, assembled otherwise: {key} of its study.yaml is {found[key]!r}, now it would be"
                f" {wanted[key]!r}: remove {out}, or choose another directory"
            )
    return True


def _counted(rows: Iterable, summary: Summary) -> Iterator:
    for row in rows:
        summary.read += 1
        yield row


def draw(candidates: Sequence[Question], archive: Archive, options: Options, summary: Summary) -> list[Question]:
    """The questions that are asked, in order of image and id: those whose image is there and is the published one.

    Drawn in turn (see `in_turn`) until limit and per_finding are met. Without a question set findings are balanced: as
    many yes as no.
    """
    chosen: list[Question] = []
    taken: Counter = Counter()
    for question in tqdm(
        in_turn(candidates, options.seed), total=len(candidates), desc="check images", unit="question", leave=False
    ):
        if (options.per_finding and taken[question.finding] >= options.per_finding) or len(chosen) == options.limit:
            summary.skipped["not drawn (--limit, --per-finding)"] += question.rows
            continue
        pinned = archive.pin(question.image.dicom_id)
        if isinstance(pinned, str):
            summary.skipped[pinned] += question.rows
            continue
        taken[question.finding] += 1
        chosen.append(question)
    chosen = _of_one_patient(chosen, archive, summary)
    if options.questions is None:
        chosen = _balanced(chosen, summary)
    summary.used += sum(question.rows for question in chosen)
    return sorted(chosen, key=lambda question: (question.image.dicom_id, question.question_id))


def _of_one_patient(chosen: Sequence[Question], archive: Archive, summary: Summary) -> list[Question]:
    """Without the questions about an image whose file is another patient's image, too: answers would be about either."""
    several, kept = archive.several_owners(), list[Question]()
    for question in chosen:
        pinned = archive.pin(question.image.dicom_id)
        if isinstance(pinned, PinnedImage) and pinned.sha256 in several:
            summary.skipped[SHARED] += question.rows
        else:
            kept.append(question)
    return kept


def _balanced(chosen: Sequence[Question], summary: Summary) -> list[Question]:
    """The first questions of every finding, as many yes as no."""
    counts = Counter((question.finding, question.answer) for question in chosen)
    kept: list[Question] = []
    taken: Counter[tuple[str, str]] = Counter()
    for question in chosen:
        taken[question.finding, question.answer] += 1
        if taken[question.finding, question.answer] <= min(counts[question.finding, answer] for answer in ("yes", "no")):
            kept.append(question)
        else:
            summary.skipped["left out to balance yes and no"] += question.rows
    return kept


def _write(
    part: Path,
    chosen: Sequence[Question],
    archive: Archive,
    labels: dict[str, dict[str, str]],
    options: Options,
    summary: Summary,
) -> None:
    images = {question.image.dicom_id: question.image for question in chosen}
    # A question about an image that cannot be pinned was left out before.
    pinned = {dicom_id: pin for dicom_id in images if isinstance(pin := archive.pin(dicom_id), PinnedImage)}
    summary.images, summary.patients = len(images), len({image.subject_id for image in images.values()})
    summary.resized = sum(pinned[image.dicom_id][2:] != (image.width, image.height) for image in images.values())
    write_csv(part / "images.csv", IMAGE_COLUMNS, (_image_row(image, pinned[image.dicom_id]) for image in images.values()))
    write_csv(part / "questions.csv", QUESTION_COLUMNS, question_rows(chosen, labels, options, summary))
    if options.regions:
        sizes = {dicom_id: (pin.width, pin.height) for dicom_id, pin in pinned.items()}
        rows = _regions(part, chosen, labels, sizes, options, summary)
        write_csv(part / "regions.csv", REGION_COLUMNS, rows)
    write_bytes(part / "study.yaml", study_yaml(options, summary, len(chosen)).encode())


def _image_row(image: Image, pinned: PinnedImage) -> dict[str, object]:
    return pinned._asdict() | {
        "image_id": image.dicom_id, "subject_id": image.subject_id, "study_id": image.study_id, "view": image.view,
        "split": image.split,
    }  # fmt: skip


# --- questions --------------------------------------------------------------------------------------------------------


def question_rows(
    chosen: Sequence[Question], labels: dict[str, dict[str, str]], options: Options, summary: Summary
) -> Iterator[dict[str, object]]:
    """Rows of questions.csv: of every image its questions in all their variants, then its controls."""
    strategies: Counter = Counter()
    by_image: dict[str, list[Question]] = defaultdict(list)
    for question in chosen:
        by_image[question.image.dicom_id].append(question)
    for asked in tqdm(by_image.values(), desc="variants", unit="image", leave=False):
        for question in asked:
            summary.answers[question.finding][question.answer] += 1
            base = question.asked.finding if question.asked else question.finding
            shared = _image_cells(question.image) | {
                "question_id": question.question_id, "role": "study", "finding": question.finding, "zone": _zone(base),
                "baseline_question": question.text, "answer": question.answer,
            }  # fmt: skip
            for index, text, strategy in variants_of(question, options.variants):
                summary.variants += 1
                strategies[strategy] += index > 0
                yield shared | _variant_cells(index, text, strategy)
        made = controls(asked, options)
        summary.controls += len(made)
        summary.without_controls += len(made) < options.controls
        image = asked[0].image
        for finding, text in made:
            yield _image_cells(image) | _variant_cells(0, text, BASELINE) | {
                "question_id": f"{image.dicom_id}-control-{slug(finding)}", "role": "control", "finding": finding,
                "zone": _zone(finding), "baseline_question": text,
                "answer": labels.get(image.study_id, {}).get(finding, ""),
            }  # fmt: skip
    summary.labels = unknown_labels(strategies.elements())


def variants_of(question: Question, variants: str) -> list[tuple[int, str, str]]:
    """(variant_index, text, strategy), the baseline first."""
    if variants == RULES:
        made = reword(question.question_id, question.text, cast(ParsedQuestion, question.asked))  # RULES keep no other question
        return [(index, variant.text, variant.strategy) for index, variant in enumerate(made)]
    own = sorted((index, text, strategy or UNLABELLED) for index, (text, strategy) in question.variants.items() if index)
    return [(0, question.text, BASELINE), *own]


def controls(asked: Sequence[Question], options: Options) -> list[tuple[str, str]]:
    """(finding, question) about other findings of the image, in the words of its first question whose form is known.

    In an order decided by seed and ids; what an asked question may be about, and its relatives, do not count as other findings.
    """
    form = next((question.asked for question in asked if question.asked is not None), None)
    if form is None:
        return []
    about = ((question.text, question.asked.finding if question.asked and question.asked.known else None) for question in asked)
    excluded = set().union(*(near(text, known) for text, known in about))
    names = [finding for finding in LABELS.values() if finding not in excluded]
    names.sort(key=lambda finding: digest_of(options.seed, "control", asked[0].image.dicom_id, finding))
    return [(finding, form.ask(finding)) for finding in sorted(names[: options.controls])]


def _image_cells(image: Image) -> dict[str, object]:
    return {"image_id": image.dicom_id, "study_id": image.study_id, "subject_id": image.subject_id}


def _variant_cells(index: int, text: str, strategy: str) -> dict[str, object]:
    variant = f"hard_positive_strategy-{index}" if index else "original"
    return {"question": text, "question_variant": variant, "variant_index": index, "strategy": strategy}


def _zone(finding: str) -> str:
    return finding if finding in ZONES else ""


# --- regions and study.yaml -------------------------------------------------------------------------------------------


def _regions(
    part: Path, chosen: Sequence[Question], labels: dict[str, dict[str, str]], sizes: dict[str, tuple[int, int]],
    options: Options, summary: Summary,
) -> list[dict[str, object]]:  # fmt: skip
    """Rows of regions.csv; none of a finding that is absent by its question or, where none is asked, by the labels."""
    truth: dict[tuple[str, str], str] = {}
    for question in chosen:
        for finding, answer in labels.get(question.image.study_id, {}).items():
            truth.setdefault((question.image.dicom_id, finding), answer)
    truth |= {(question.image.dicom_id, question.finding): question.answer for question in chosen}
    answers = ({"image_id": image_id, "finding": finding, "answer": answer} for (image_id, finding), answer in truth.items())
    published = {question.image.dicom_id: (question.image.width, question.image.height) for question in chosen}
    found = (region for kind, path in options.regions for region in regions.read(kind, path, sizes, summary.regions, published))
    rows = regions.write_regions(part, regions.drop_absent(found, answers, summary.regions), sizes, summary.regions)
    summary.regions["used"] = len(rows)
    return rows


def study_yaml(options: Options, summary: Summary, questions: int) -> str:
    """study.yaml. The root's place is the only thing in it that depends on the machine."""
    head = FROM_DRAWINGS if _is_drawn(options) else FROM_PATIENTS
    return head + dumped(about(options, summary, questions))


def about(options: Options, summary: Summary, questions: int) -> dict[str, object]:
    """What study.yaml says."""
    origin = "the CheXpert labels" if options.questions is None else question_sets.format_of(options.questions)
    made = [
        "medattn study mimic-cxr",
        f"--variants {options.variants}",
        f"--seed {options.seed}",
        f"--controls {options.controls}",
    ]
    made += [f"--view {','.join(options.views) or 'all'}"] + [f"--split {options.split}"] * bool(options.split)
    made += [f"--limit {options.limit}"] * bool(options.limit) + [f"--per-finding {options.per_finding}"] * bool(
        options.per_finding
    )
    if options.questions is not None:
        made += [f"--questions {name}" for name in _named(options.questions)]
    made += [f"--regions {kind}" for kind, _ in options.regions]
    place = "Drawn in MIMIC-CXR's layout" if _is_drawn(options) else "MIMIC-CXR"
    return {
        "name": summary.directory.name,
        "title": f"{place}: {questions} questions from {origin}",
        "licence": "credentialed",
        "image_root": options.root.resolve().as_posix(),
        "source": " ".join(made),
        **({"drawn": True} if _is_drawn(options) else {}),
        "defaults": {"model": options.model, "prompt": options.prompt},
    }


def _is_drawn(options: Options) -> bool:
    """Whether the root was made by `medattn study fake-mimic`."""
    return (options.root / DRAWN).is_file()


def _named(path: Path) -> list[str]:
    """Names of a question set's files, each with the beginning of its SHA-256."""
    return [f"{file.name} (sha256 {sha256_of(file)[:16]})" for file in question_sets.files_of(path)]
