"""How a run is carried out."""

from typing import Annotated, Literal

from pydantic import Field

from medattn.base.params.reading import Positive, Section

OnError = Literal["raise", "record"]  # what becomes of a run with a sample that cannot be computed


class Run(Section):
    """How a run is carried out; no stage but prepare, which sees every parameter, lists it.

    Nothing here changes the result of a sample, but for max_memory in its last digits where model.dtype is shorter than
    float64: rows that are decoded together share them. on_error decides whether a run with samples that cannot be computed
    stops, or goes on without them; a run without such samples is the same under both.
    """

    cache: bool
    on_error: OnError
    processes: Positive = 1
    image_workers: Annotated[int, Field(ge=0, le=256)] | None = None  # None: as many as help on this machine
    max_memory: Annotated[float, Field(gt=0)] | None = None  # GB
