"""Phantom cases: which patient has which findings, how conspicuous, and what the radiograph looks like."""

from dataclasses import dataclass

import numpy as np

from medattn.base.seeding import generator
from medattn.phantom.anatomy import FINDINGS, LOOKALIKES, DrawnRadiograph, draw

PREVALENCE = 0.35
CONSPICUITY = (0.20, 1.20)  # uniform; at the lower end a third is missed, see docs/phantom.md
LOOKALIKE_RATE = 0.25
DEVICE_RATE = 0.35
# How often each strategy stood in the model's training questions, relative to the baseline's.
EXPOSURE = {"baseline": 1.0, "phrasing": 1.0, "synonym": 0.10, "clause": 0.03, "register": 0.005, "voice": 0.0}


@dataclass(frozen=True)
class Case:
    """One synthetic radiograph and its truth."""

    seed: int
    subject: int
    number: int  # of this patient's radiographs, from 0
    radiograph: DrawnRadiograph

    def present(self, finding: str) -> bool:
        return any(lesion.finding == finding for lesion in self.radiograph.lesions)


def make_case(
    seed: int,
    subject: int,
    number: int,
    fixed: dict[str, bool] | None = None,
    device_given: dict[bool, float] | None = None,
    device_follows: str = "pneumothorax",
) -> Case:
    """Radiograph number `number` of patient number `subject` in the world `seed`; ids alone decide every pixel.

    `fixed` sets the presence of some findings; the others are present with probability `PREVALENCE`.
    `device_given` maps the presence of `device_follows` to the probability of a device (the training
    set's shortcut); without it devices are independent of findings.
    """
    names = (seed, subject, number)
    chance = generator("findings", *names)
    draws = {finding: (chance.random(), chance.uniform(*CONSPICUITY)) for finding in FINDINGS}
    present = {finding: draws[finding][0] < PREVALENCE for finding in FINDINGS} | (fixed or {})
    conspicuity = {finding: draws[finding][1] for finding in FINDINGS if present[finding]}
    rate = device_given[present[device_follows]] if device_given else DEVICE_RATE
    device = chance.random() < rate
    lookalikes = tuple(name for name in LOOKALIKES if chance.random() < LOOKALIKE_RATE)
    radiograph = draw(
        generator("habitus", seed, subject),
        generator("exposure", *names),
        conspicuity,
        device=bool(device),
        lookalikes=lookalikes,
    )
    return Case(seed, subject, number, radiograph)


def thumbnail(image: np.ndarray, size: int) -> np.ndarray:
    """uint8 [size, size]: `image` squashed as the processor does it (Pillow, bilinear)."""
    from PIL import Image

    return np.asarray(Image.fromarray(image).resize((size, size), Image.Resampling.BILINEAR))
