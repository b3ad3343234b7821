"""What a chart declares: its words, and what it is drawn from. Whoever lists, verifies or publishes figures follows it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from medattn.base import paths
from medattn.figures import marks


@dataclass(frozen=True)
class Source:
    """Something that a chart is drawn from. path: the result it stands in, None for what is not a result."""

    name: str
    path: Path | None = None


def table(name: str) -> Source:
    """A published table, as text."""
    return Source(name, paths.TABLES / f"{name}.csv")


def group(name: str) -> Source:
    """A table with one row per question or image, as text."""
    return Source(name, paths.GROUPS / f"{name}.csv")


SAMPLES = Source("samples", paths.EVALUATION)  # answered study rows with a grid, on the clean image, as text
GRIDS = Source("grids", paths.GRIDS_STORE)  # sample_id -> float32 [16, 16], sum 1, row 0 the top of the image
BODY_MASKS = group("body_masks")  # image by image, why its body mask may be wrong
LEAST = Source("least")  # how many patients a mark must stand for: what marks.py asks for
RADIOGRAPHS = Source("radiographs")  # image_id -> Radiograph
RULES = Source("rules")  # figures.examples of params.yaml


@dataclass(frozen=True)
class Chart:
    """A figure. caption: how to read it; alt: what it is, for who cannot see it; both with fields of `marks.caption`.

    draw: given the `sources`, in their order; None where there is nothing to draw.
    """

    name: str
    title: str
    caption: str
    alt: str
    sources: tuple[Source, ...]
    draw: Callable[..., Figure | None]

    @property
    def files(self) -> tuple[str, ...]:
        """The results it is drawn from."""
        return tuple(source.path.as_posix() for source in self.sources if source.path)

    @property
    def is_public(self) -> bool:
        """Whether any study may publish it: a radiograph is only an open one's."""
        return RADIOGRAPHS not in self.sources

    def figure(self, given: Mapping[Source, Any]) -> Figure | None:
        return self.draw(*(given[source] for source in self.sources))

    def words(self, least: int) -> tuple[str, str]:
        """Caption and alternative text of the figure with marks of `least` patients."""
        return marks.caption(self.caption, least), marks.caption(self.alt, least)
