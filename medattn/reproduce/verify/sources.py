"""What each figure is drawn from. A PDF is judged by these files: the same table always gives the same drawing."""

from pathlib import PurePosixPath

from medattn.base import paths


def _table(name: str) -> str:
    return (paths.TABLES / f"{name}.csv").as_posix()


def _group(name: str) -> str:
    return (paths.GROUPS / f"{name}.csv").as_posix()


_SAMPLES, _GRIDS = paths.EVALUATION.as_posix(), paths.GRIDS_STORE.as_posix()
FIGURES = {
    "accuracy_by_strategy": (_table("by_strategy"), _table("robustness")),
    "flips_margins": (_SAMPLES, _table("by_finding")),
    "robustness": (_table("robustness"),),
    "js_contrast": (_group("js_contrast"),),
    "image_reliance": (_group("reliance"), _table("image_reliance")),
    "localisation": (_table("localisation"),),
    "layer_head": (_table("layer_head"), _table("profiles")),
    "occlusion": (_table("occlusion"), _group("occlusion")),
    "correct_incorrect": (_table("correct_incorrect"),),
    "metric_distributions": (_SAMPLES, _table("correct_incorrect")),
    "sinks": (_group("sinks"), _table("sinks")),
    "example": (_SAMPLES, _GRIDS),
}


def sources(path: str) -> tuple[str, ...]:
    """The files that a PDF of the figures is drawn from; none for a figure that nobody knows."""
    return FIGURES.get(PurePosixPath(path).stem, ())
