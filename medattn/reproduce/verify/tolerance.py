"""When two results count as the same although their bytes differ: equivalent, not identical.

A number is equivalent if |found − recorded| ≤ absolute + relative · |recorded| (in arrays: floor in place of absolute).
Words, and which cells are empty, must be the same; so must whole numbers, except in bfloat16. An image is equivalent if at
most `share` of its pixels differ by more than `levels` of 255 in a channel. The bounds belong to the run's arithmetic:

float64   Everything is rounded before it is written: captures to 5 significant digits, grids and tables to 6. Another
          processor changes the last bits, so all it can do is tip a value over a rounding boundary: one unit in the fifth digit
          is at most 1e-4 of the value, and a grid is a quotient of two sums of such values, so at most 2e-4. `absolute` is one
          unit in the sixth digit of a number between 1 and 10, which differences of such numbers (margins, changes) inherit.
float32   Between the fastest and the slowest code paths of one processor 20 questions of the embedded study deviated by up to
          3.2e-4 of a captured weight, 1e-4 in a logit and 7e-4 in a measure that is made of ranks. The bounds are ten times the
          first, and 1e-3.
bfloat16  A number has 8 bits, so a logit of 8 comes in steps of 1/16, and near ties are decided by the kernels. Between the
          same code paths, 0.125 in a logit, 0.07 in a captured weight, 0.3 % in the headline; no answer changed. What is beyond
          the bounds is counted: up to `beyond` of a file's numbers may be.
"""

from dataclasses import asdict, dataclass, replace

from medattn.base.errors import InputError


@dataclass(frozen=True)
class Tolerance:
    """Largest deviations that count as equivalent."""

    dtype: str
    absolute: float  # of a number in a table or a text
    relative: float  # to the recorded number
    floor: float  # of a value in an array, as attention weights are small
    beyond: float  # share of a file's numbers that may deviate more
    whole: bool  # whether whole numbers must be the same
    levels: int  # of a pixel's channel, 0 to 255
    share: float  # of an image's pixels that may differ by more

    def as_json(self) -> dict[str, object]:
        return asdict(self)


TOLERANCES = {
    "float64": Tolerance("float64", 1e-5, 2e-4, floor=1e-8, beyond=0.0, whole=True, levels=32, share=0.002),
    "float32": Tolerance("float32", 1e-3, 3e-3, floor=1e-6, beyond=0.0, whole=True, levels=32, share=0.02),
    "bfloat16": Tolerance("bfloat16", 2e-2, 1e-1, floor=1e-4, beyond=0.05, whole=False, levels=32, share=0.2),
}
EXACT = Tolerance("exact", 0.0, 0.0, floor=0.0, beyond=0.0, whole=True, levels=0, share=0.0)  # names whatever differs


def tolerance(
    dtype: str, absolute: float | None = None, relative: float | None = None, pixels: float | None = None
) -> Tolerance:
    """The bounds for a run in `dtype`, with what a user sets instead. An own absolute bound holds in arrays, too.

    Raises InputError for a negative one.
    """
    for name, value in {"absolute": absolute, "relative": relative, "pixels": pixels}.items():
        if value is not None and not value >= 0:
            raise InputError(f"--{name} {value}: no deviation is negative: give 0 or more")
    chosen = TOLERANCES[dtype]
    if absolute is not None:
        chosen = replace(chosen, absolute=absolute, floor=absolute)
    if relative is not None:
        chosen = replace(chosen, relative=relative)
    return chosen if pixels is None else replace(chosen, share=pixels)
