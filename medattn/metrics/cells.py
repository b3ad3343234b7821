"""Which samples every number of the aggregate tables stands for: what disclosure control works on.

One declaration per table: columns, and the rows of its source that have the value. A question, an image or a changed
image stands for the clean samples of its question or image, so that groups compare across tables.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence

from medattn.base.tables import Row
from medattn.disclosure.suppression import Cell, Population
from medattn.metrics.grid_metrics import REGION, column
from medattn.metrics.samples import PROFILE
from medattn.metrics.tables.summaries import MAIN

Holds = Callable[[Row], bool] | str | None  # which rows have the value: a test, a column that is not empty, or all
Spec = Sequence[tuple[tuple[str, ...], Holds]]
Group = Callable[[Iterable[Row]], int]
N = ("n", "patients", "few_patients")
REGION_METRICS = tuple(name for name in REGION if name != "region_fallback")


def interval(name: str, short: str = "") -> tuple[str, ...]:
    return (name, *(f"{short or name}_{bound}" for bound in ("low", "high", "method")))


def _is(name: str, *values: object) -> Callable[[Row], bool]:
    return lambda row: row[name] in values


def holding(rows: Iterable[Row], holds: Holds) -> list[Row]:
    if holds is None:
        return list(rows)
    return [row for row in rows if (row[holds] is not None if isinstance(holds, str) else holds(row))]


D = {name: column(PROFILE, name) for name in (*MAIN, *REGION_METRICS, "js_to_clean")}
BY_STRATEGY: Spec = (
    ((*N, "unparsed_rate"), None), (interval("accuracy"), "correct"),
    (("accuracy_decided",), _is("parsed_answer", "yes", "no")),
    (interval("flip_rate", "flip"), "flip"), (("hedge_shift_rate",), "hedge_shift"),
    (("mean_margin",), _is("margin_valid", True)),
    (("margin_valid_share",), "margin_valid"), (("margin_agreement",), "margin_agrees"),
    (interval("js_to_baseline", "js"), D["js_to_baseline"]),
)  # fmt: skip
BY_FINDING: Spec = (
    (N, None), (interval("accuracy"), "correct"), (interval("flip_rate", "flip"), "flip"),
    (("positives",), _is("ground_truth", "yes")),
    (("n_region", "region_patients", *interval("region_enrichment")), D["region_enrichment"]),
    (("pointing_game",), D["pointing_game"]), (("region_auroc",), D["region_auroc"]),
    (("zone_enrichment",), D["zone_enrichment"]),
)  # fmt: skip
ROBUSTNESS: Spec = (
    ((*N, "yes_rate"), None), (("n_truth", *interval("accuracy")), "correct"),
    (interval("flip_rate", "flip"), "flip_to_clean"), (interval("margin_change", "margin"), "margin_change"),
    (interval("js_to_clean", "js"), D["js_to_clean"]), (("margin_valid_share",), "margin_valid"),
    (("mean_margin",), _is("margin_valid", True)),
)  # fmt: skip
CONSISTENCY: Spec = (
    ((*N, "mean_wordings", *interval("consistency"), "expected_consistency", *interval("fully_consistent", "fully")), None),
    (interval("flip_to_baseline", "flip"), "flip_to_baseline"), (("flip_all_pairs",), "flip_all_pairs"),
    (interval("any_flip", "any"), "any_flip"), (("hedge_shift",), "hedge_shift"),
    *(((f"any_flip_{k}",), lambda row, k=k: row["wordings"] >= k) for k in (3, 4, 5)),
)  # fmt: skip
FLIPS: Spec = (
    ((*N, *interval("js_to_baseline", "js"), "js_distance_to_baseline", "cosine_to_baseline"), None),
    *(((name,), column(PROFILE, name)) for name in ("pearson_to_baseline", "spearman_to_baseline")),
)  # fmt: skip
IMAGE_RELIANCE: Spec = (
    ((*N, "consistency"), None), (interval("reliance_no_image", "no_image"), "reliance_no_image"),
    (interval("reliance_blank", "blank"), "reliance_blank"),
    (interval("reliance_all_wordings", "all_wordings"), "reliance_all_wordings"),
    (interval("text_only_agreement", "agreement"), "text_only_agreement"),
    (interval("consistent_but_blind", "blind"), "consistent_but_blind"),
)  # fmt: skip
OCCLUSION: Spec = (
    ((*N, *interval("drop_region", "region"), *interval("drop_elsewhere", "elsewhere"), *interval("effect")), None),
    (("flip_region",), "flip_region"), (("flip_elsewhere",), "flip_elsewhere"),
    (interval("correlation_with_region_mass", "correlation"), "region_mass"),
)  # fmt: skip
HEADLINE: Mapping[str, tuple[str, Holds]] = {
    "accuracy_baseline": ("baseline", "correct"), "accuracy_all": ("clean", "correct"), "flip_rate": ("clean", "flip"),
    "any_flip_rate": ("asked", "any_flip"), "consistency": ("asked", "consistency"),
    "margin_valid_share": ("clean", "margin_valid"),
    "js_other_wording": ("contrast", "js_other_wording"), "js_other_finding": ("contrast", "js_other_finding"),
    "region_enrichment": ("clean", D["region_enrichment"]), "accuracy_no_image": ("no_image", "correct"),
    "n_failed": ("failed", None),
}  # fmt: skip


def localisation(one: str) -> Spec:
    """Of the map `one`."""
    both = {
        kind: (lambda row, kind=kind: None not in (row[f"model_{kind}_enrichment"], row[f"{one}_{kind}_enrichment"]))
        for kind in ("zone", "region")
    }
    return (
        (N, None), (("n_region", "region_patients", "region_enrichment"), f"{one}_region_enrichment"),
        *(((name,), f"{one}_{name}")
          for name in ("zone_enrichment", "region_mass", "region_auroc", "pointing_game", "rank_accuracy", "iou_top10")),
        (interval("zone_ratio"), both["zone"]), (interval("region_ratio"), both["region"]),
    )  # fmt: skip


class Cells:
    """Collects the cells of all tables, and which groups are parts of one total."""

    def __init__(self, tables: Mapping[str, Sequence[Row]], rows: Sequence[Row]) -> None:
        self.tables = tables
        self.cells: list[Cell] = []
        self.partitions: list[Sequence[int]] = []
        clean = [row for row in rows if row["condition"] == "clean" and row["role"] == "study"]
        self._wordings: defaultdict[str, set[tuple[str, int]]] = defaultdict(set)
        self._of_image: defaultdict[str, set[tuple[str, int]]] = defaultdict(set)
        for row in rows:
            sample = (row["question_id"], row["variant_index"])
            if row["condition"] == "clean" and row["status"] != "failed":
                self._wordings[row["question_id"]].add(sample)
        for row in clean:
            self._of_image[row["image_id"]] |= self._wordings[row["question_id"]]
        self.population = Population({(row["question_id"], row["variant_index"]): row["subject_id"] for row in rows})

    def samples(self, rows: Iterable[Row]) -> int:
        """The same wordings of the same questions on the clean image."""
        return self.population.group((row["question_id"], row["variant_index"]) for row in rows)

    def questions(self, rows: Iterable[Row]) -> int:
        return self.population.group(sample for row in rows for sample in self._wordings[row["question_id"]])

    def images(self, rows: Iterable[Row]) -> int:
        return self.population.group(sample for row in rows for sample in self._of_image[row["image_id"]])

    def add(
        self,
        table: str,
        at: int | Sequence[int],
        spec: Spec,
        rows: Sequence[Row],
        group: Group,
        whole: bool = True,
        metric: str = "",
    ) -> list[int]:
        """Cells of the table's row(s) `at`; with `whole`, spec[0] is what the row is about. The groups."""
        found = []
        for index, (columns, holds) in enumerate(spec):
            found.append(group(holding(rows, holds)))
            at_rows = (at,) if isinstance(at, int) else tuple(at)
            self.cells.append(Cell(table, at_rows, columns, found[-1], whole=whole and index == 0, metric=metric))
        return found

    def add_parts(self, table: str, spec: Spec, key: str, rows: Sequence[Row], group: Group) -> None:
        """Cells of a table whose rows are parts of one total, by their column `key`; a row "all" is about all of them."""
        parts = []
        for index, row in enumerate(self.tables[table]):
            found = self.add(table, index, spec, [one for one in rows if row[key] in ("all", one[key])], group)
            if row[key] != "all":
                parts.append(found)
        self.partitions += zip(*parts, strict=True)
