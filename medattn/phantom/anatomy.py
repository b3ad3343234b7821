"""Draw synthetic frontal chest radiographs whose findings are known exactly.

Everything is drawn in *chest coordinates*: u runs from the midline to the patient's left (image right), v runs
downwards, both in pixels of an average chest. The pose maps pixels to (u, v). Every structure adds to one field of
attenuation, the detector turns attenuation into grey, and a finding adds its own attenuation, times its conspicuity,
inside its mask.

The same seeds give the same bytes on any CPU: the fields use only operations that IEEE 754 rounds exactly (+ - * /
and square root: edges are polynomials, there is no exp, power or sine), so float32 is enough; random numbers are
uniform, and no structure's random stream depends on which other structures are present.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import SimpleNamespace

import numpy as np
from scipy import ndimage
from scipy.interpolate import PchipInterpolator

HEIGHT, WIDTH = 384, 320  # portrait; row 0 is the top
FINDINGS = ("pleural effusion", "pneumothorax", "consolidation", "cardiomegaly", "nodule")
LOOKALIKES = ("skin fold", "calcified node")  # distractors that are not findings
SIDES = ("left", "right")  # the patient's

ROWS, COLUMNS = np.arange(HEIGHT, dtype=np.float32)[:, None], np.arange(WIDTH, dtype=np.float32)[None, :]
CENTRE_ROW, CENTRE_COLUMN = (HEIGHT - 1) / 2, (WIDTH - 1) / 2
TABLE_V = np.arange(-80, 470, 0.125)
CHEST = 117.0  # inner half-width of an average chest, pixels
HILUM_U, HILUM_V = 27.0, 172.0
BACKGROUND = 0.035  # grey beside the patient, of 1

# What differs between patients, and between two radiographs of one patient: name -> (lowest, highest), drawn uniformly.
HABITUS = {
    "chest_width": (0.93, 1.04),
    "chest_height": (0.95, 1.04),
    "wall": (11, 24),
    "neck": (27, 36),
    "shoulder_drop": (-8, 10),
    "heart_ratio": (0.40, 0.50),
    "bone": (0.8, 1.2),
    "rib_spacing": (21, 24.5),
    "spine_bend": (-5, 5),
    "knob": (4, 11),
    "dome_gap": (4, 13),
    "dome_curve": (26, 38),
    "vessels": (0.8, 1.25),
    "breast": (-0.28, 0.26),
    "bubble": (-0.2, 0.4),
}
EXPOSURE = {
    "shift_u": (-8, 8), "shift_v": (-7, 7), "tilt": (-0.045, 0.045), "scale": (0.95, 1.04), "inspiration": (-12, 9),
    "gain": (0.88, 1.02), "offset": (0.0, 0.02), "curve": (-0.14, 0.16), "noise": (0.8, 1.3), "marker_right": (0, 1),
    "marker_row": (10, 22), "marker_column": (9, 18),
}  # fmt: skip

GLYPHS = {
    "R": ("####.", "#...#", "#...#", "####.", "#.#..", "#..#.", "#...#"),
    "L": ("#....", "#....", "#....", "#....", "#....", "#....", "#####"),
}


@dataclass(frozen=True)
class Lesion:
    """One finding and where it is."""

    finding: str  # one of FINDINGS
    side: str  # the patient's "left" or "right"; "" for cardiomegaly
    conspicuity: float  # 0 = invisible, 1 = obvious
    mask: np.ndarray  # bool [HEIGHT, WIDTH]: exact extent


@dataclass(frozen=True)
class DrawnRadiograph:
    """A drawn radiograph and its truth."""

    image: np.ndarray  # uint8 [HEIGHT, WIDTH]
    body: np.ndarray  # bool [HEIGHT, WIDTH]: silhouette
    lungs: np.ndarray  # bool [HEIGHT, WIDTH]: lung fields beside heart and mediastinum, covered by a finding or not
    lesions: tuple[Lesion, ...]  # in the order of FINDINGS
    device: bool
    lookalikes: tuple[str, ...]


def draw(
    patient: np.random.Generator,
    exposure: np.random.Generator,
    conspicuity: Mapping[str, float],
    sides: Mapping[str, str] = {},
    *,
    device: bool = False,
    lookalikes: Sequence[str] = (),
) -> DrawnRadiograph:
    """One radiograph.

    `patient` decides the habitus; `exposure` decides pose, tone, noise and the geometry of the lesions. `conspicuity`
    names the findings that are present; `sides` fixes the side of some, the others fall as `exposure` has it.
    """
    _check(conspicuity, sides, lookalikes)
    names = (*FINDINGS, *LOOKALIKES, "device", "noise")
    streams = dict(zip(names, exposure.spawn(len(names)), strict=True))
    chest = _chest(_traits(patient, HABITUS), _traits(exposure, EXPOSURE), float(conspicuity.get("cardiomegaly", 0)))
    field = _soft_tissue(chest) + _bones(chest)
    vessels = _vessels(chest, patient)
    lesions = []
    for finding in FINDINGS:
        if finding not in conspicuity:
            continue
        strength = float(conspicuity[finding])
        if finding == "cardiomegaly":  # the chest was built round this heart
            lesions.append(Lesion(finding, "", strength, chest.heart_mask))
            continue
        by_chance = SIDES[int(streams[finding].integers(2))]  # drawn even if given, so that a given side changes nothing else
        side = sides.get(finding, by_chance)
        profile, mask = DRAW[finding](chest, side, streams[finding])
        field += strength * profile
        if finding == "pneumothorax":
            vessels = vessels * (1 - min(strength, 1.0) * mask)
        lesions.append(Lesion(finding, side, strength, mask))
    field += vessels
    for name in LOOKALIKES:
        if name in lookalikes:
            field += DRAW_LOOKALIKE[name](chest, streams[name])
    if device:
        field += _venous_line(chest, streams["device"])
    image = _grey_values(chest, np.maximum(field, 0), streams["noise"])
    return DrawnRadiograph(image, chest.body_mask, chest.lungs, tuple(lesions), device, tuple(lookalikes))


def _check(conspicuity: Mapping[str, float], sides: Mapping[str, str], lookalikes: Sequence[str]) -> None:
    for finding in (*conspicuity, *sides):
        if finding not in FINDINGS:
            raise ValueError(f"unknown finding {finding!r}; expected one of {', '.join(FINDINGS)}")
    for finding, value in conspicuity.items():
        if not 0 <= value < float("inf"):
            raise ValueError(f"conspicuity of {finding} is {value}; expected a number >= 0")
    for finding, side in sides.items():
        if side not in SIDES and not (finding == "cardiomegaly" and side == ""):
            raise ValueError(f"side of {finding} is {side!r}; expected 'left' or 'right'")
    for name in lookalikes:
        if name not in LOOKALIKES:
            raise ValueError(f"unknown look-alike {name!r}; expected one of {', '.join(LOOKALIKES)}")


def _traits(stream: np.random.Generator, ranges: Mapping[str, tuple[float, float]]) -> SimpleNamespace:
    drawn = zip(ranges.items(), stream.random(len(ranges)).tolist(), strict=True)
    return SimpleNamespace(**{name: low + (high - low) * draw for (name, (low, high)), draw in drawn})


def _ramp(distance: np.ndarray, width: float) -> np.ndarray:
    """A soft edge: 0 outside, 1/2 where `distance` is 0, 1 inside; `width` pixels from end to end."""
    t = distance * (1 / width)
    t += 0.5
    np.clip(t, 0, 1, out=t)
    cubic = t * -2
    cubic += 3
    cubic *= t
    cubic *= t
    return cubic


def _bump(distance: np.ndarray, radius: float) -> np.ndarray:
    """A bell: 1 where `distance` is 0, 0 beyond `radius`."""
    t = distance * (1 / radius)
    t *= t
    np.subtract(1, t, out=t)
    np.maximum(t, 0, out=t)
    t *= t
    return t


def _along(entry: np.ndarray, *knots: tuple[float, float]) -> np.ndarray:
    """A smooth curve through (v, value) knots, constant beyond the ends; `entry` is _entry(v)."""
    at, values = np.array(knots).T
    table = PchipInterpolator(at, values)(np.clip(TABLE_V, at[0], at[-1]))
    return table.astype(np.float32).take(entry)


def _entry(v: np.ndarray) -> np.ndarray:
    """Where in TABLE_V each v is."""
    return ((v - TABLE_V[0]) * 8).astype(np.intp)


# --- the chest: coordinates and outlines ------------------------------------------------------------------------------


def _chest(habitus: SimpleNamespace, exposure: SimpleNamespace, enlargement: float) -> SimpleNamespace:
    """Coordinates and outlines, [HEIGHT, WIDTH] each. A margin: distance inside an outline in pixels, negative outside."""
    c = SimpleNamespace(habitus=habitus, exposure=exposure)
    x, y = COLUMNS - CENTRE_COLUMN - exposure.shift_u, ROWS - CENTRE_ROW - exposure.shift_v
    c.u = (x + exposure.tilt * y) / (exposure.scale * habitus.chest_width)
    c.v = (y - exposure.tilt * x) / (exposure.scale * habitus.chest_height) + CENTRE_ROW
    c.a, c.is_left = np.abs(c.u), c.u > 0
    c.left = c.is_left.astype(np.float32)
    entry = _entry(c.v)

    c.depth = _body_half_width(entry, habitus) - c.a
    c.outer = _along(
        entry, (62, 34), (65, 50), (71, 61), (84, 75), (108, 91), (150, 104), (200, 112), (250, 116.5), (330, CHEST)
    )
    c.inner = _along(entry, (62, 48), (65, 34), (71, 24), (84, 14), (110, 10))
    t = (np.maximum(c.a, 14) - 48) / 66
    c.dome = 284 + exposure.inspiration + habitus.dome_gap * _ramp(c.u, 60) + (habitus.dome_curve + 9 * t * t) * t * t
    c.ratio = c.a / c.outer
    c.lung_margin = np.minimum(np.minimum(c.outer - c.a, c.a - c.inner), c.dome - c.v)
    c.mediastinum_margin = _mediastinum_half_width(entry, habitus, c.is_left) - c.a
    c.heart_margin = _heart_margin(c, habitus.heart_ratio + enlargement * (0.62 - habitus.heart_ratio))

    c.heart, c.mediastinum = _ramp(c.heart_margin, 9), _ramp(c.mediastinum_margin, 14)
    c.air = _ramp(c.lung_margin, 5) * (1 - c.heart) * (1 - c.mediastinum)
    c.body_mask = c.depth > 0
    c.heart_mask = (c.heart_margin > 0) & (c.v < c.dome + 6) & c.body_mask
    c.lungs = (c.lung_margin > 0) & (c.heart_margin < 0) & (c.mediastinum_margin < 0) & c.body_mask
    return c


def _body_half_width(entry: np.ndarray, habitus: SimpleNamespace) -> np.ndarray:
    neck, torso, drop = habitus.neck, CHEST + habitus.wall, habitus.shoulder_drop
    shoulder = max(torso + 30, 166)
    return _along(
        entry, (-40, neck + 5), (12, neck), (30, neck + 3), (46 + 0.5 * drop, neck + 20), (60 + drop, neck + 54),
        (72 + drop, shoulder - 26), (86 + drop, shoulder - 6), (108 + drop, shoulder), (140, shoulder + 1), (178, torso + 17),
        (222, torso + 1), (270, torso - 1), (384, torso + 5),
    )  # fmt: skip


def _mediastinum_half_width(entry: np.ndarray, habitus: SimpleNamespace, is_left: np.ndarray) -> np.ndarray:
    right = _along(entry, (20, 14), (70, 21), (110, 19), (140, 21), (170, 24), (210, 20), (300, 17))
    upper, lower = ((20, 14), (70, 20), (100, 18)), ((142, 19), (160, 27), (185, 30), (300, 20))
    left = _along(entry, *upper, (114, 18 + habitus.knob), (128, 19 + habitus.knob), *lower)  # between them the aortic knob
    return np.where(is_left, left, right)


def _heart_margin(c: SimpleNamespace, ratio: float) -> np.ndarray:
    """The heart from its two borders; its width is `ratio` times that of the chest (cardiothoracic ratio)."""
    width, v = ratio * 2 * CHEST, c.v - 0.85 * c.exposure.inspiration
    left = (
        (146, 0.16), (160, 0.31), (176, 0.41), (196, 0.57), (220, 0.8), (244, 0.96), (260, 1.0), (276, 0.95), (290, 0.8),
        (304, 0.5), (312, 0)
    )  # fmt: skip
    right = ((146, 0.3), (164, 0.52), (184, 0.78), (206, 0.96), (226, 1.0), (252, 0.94), (278, 0.76), (300, 0.5), (312, 0))
    entry = _entry(v)
    half = np.where(c.is_left, 0.67 * _along(entry, *left), 0.33 * _along(entry, *right)) * width
    return np.minimum(half - c.a, np.minimum(v - 146, 312 - v))


# --- normal anatomy: attenuation [HEIGHT, WIDTH] ----------------------------------------------------------------------


def _soft_tissue(c: SimpleNamespace) -> np.ndarray:
    depth = np.maximum(c.depth, 0)
    field = c.body_mask * (0.29 + 0.14 * depth / (depth + 28))
    field += (1 - c.air) * 0.75 * depth / (depth + 24)
    abdomen = 0.56 * _ramp(c.v - c.dome, 7) * _ramp(c.depth - 14, 24)
    thickest = c.heart * (0.36 + 0.17 * _ramp(c.heart_margin - 16, 50))
    middle = np.maximum(0.42 * c.mediastinum * _ramp(c.v - 62, 70) * _ramp(310 - c.v, 60), thickest)
    field += np.maximum(abdomen, middle)
    trachea = _bump(c.u - 1.5, 9) * _ramp(c.v - 20, 30) * _ramp(150 - c.v, 14)
    bronchi = _bump(c.v - 144 - (0.95 - 0.33 * c.left) * c.a, 8) * _ramp(30 - c.a, 16) * (c.a > 3)
    field -= 0.34 * np.maximum(trachea, 0.6 * bronchi)
    hila = _bump((c.a - HILUM_U - 4) / 20, 1) * _bump((c.v - HILUM_V + 7 * c.left) / 40, 1)
    field += 0.24 * hila
    if c.habitus.bubble > 0:  # gas in the stomach, under the left dome
        r = ((c.u - 58) / 27) ** 2 + ((c.v - 284 - c.exposure.inspiration - c.habitus.dome_gap - 23) / 13) ** 2
        field -= 1.3 * c.habitus.bubble * _ramp(1 - r, 0.9)
    if c.habitus.breast > 0:
        r = ((c.a - 66) / 53) ** 2 + ((c.v - 244) / 50) ** 2
        field += c.habitus.breast * _ramp(1 - r, 0.45) * _ramp(c.v - 236, 110)
    return field * c.body_mask


def _bones(c: SimpleNamespace) -> np.ndarray:
    bone, spacing = c.habitus.bone, c.habitus.rib_spacing
    field = 0.15 * _ribs(c, (30 * c.ratio * c.ratio - 8) * c.ratio, 5.2, (0, 10)) * _ramp(c.a - 9, 8)
    field += 0.055 * _ribs(c, 42 - 62 * c.ratio * c.ratio, 5.6, (1, 8)) * _ramp(c.ratio - 0.5, 0.3)
    bend = c.u - c.habitus.spine_bend * _bump(c.v - 230, 150)
    level = c.v / spacing - np.floor(c.v / spacing) - 0.5
    column = _ramp(14.5 + 2.5 * np.abs(level) - np.abs(bend), 7) * (0.75 + 0.25 * _ramp(0.4 - np.abs(level), 0.12))
    pedicles = _bump((np.abs(bend) - 9) / 4, 1) * _bump((level + 0.1) / 0.24, 1)
    field += (0.17 * column + 0.12 * pedicles + 0.1 * _bump(bend, 3) * _bump((level - 0.2) / 0.25, 1)) * _ramp(384 - c.v, 300)
    along = c.a / 118
    clavicle = c.v - (96 - 44 * along + 17 * along * along + c.habitus.shoulder_drop * 0.9 * along)
    field += 0.27 * _shaft(clavicle, 5.2 + 2.5 * (1 - along) ** 2) * _ramp(c.a - 13, 5) * _ramp(122 - c.a, 8)
    drop = c.habitus.shoulder_drop
    head = ((c.a - 146) / 22) ** 2 + ((c.v - 106 - drop) / 23) ** 2
    field += 0.17 * _ramp(1 - head, 1.0)  # head of the humerus, then the border of the shoulder blade
    field += 0.1 * _bump(c.a - 122 + 0.1 * (c.v - 150), 5) * _ramp(c.v - 96 - drop, 30) * _ramp(188 - c.v, 40)
    return bone * field * c.body_mask


def _shaft(distance: np.ndarray, half: float | np.ndarray) -> np.ndarray:
    """Cross-section of a long bone: a plateau with brighter cortex, `half` pixels from axis to surface."""
    across = np.clip(distance / half, -1, 1)
    square = across * across
    return _ramp(half - np.abs(distance), 2.5) * (0.62 + 0.38 * square * square + 0.1 * across)


def _ribs(c: SimpleNamespace, fall: np.ndarray, half: float, numbers: tuple[int, int]) -> np.ndarray:
    """All ribs at once: the row less a rib's fall there, modulo the spacing, is the distance to the nearest axis."""
    spacing = c.habitus.rib_spacing
    phase = (c.v - 74 - fall) / spacing
    number = np.floor(phase + 0.5)
    shown = (number >= numbers[0]) & (number <= numbers[1])
    return shown * _shaft((phase - number) * spacing, half) * _ramp(c.outer + 4 - c.a, 6) * _ramp(c.dome + 30 - c.v, 60)


def _vessels(c: SimpleNamespace, stream: np.random.Generator, branches: int = 44, points: int = 70) -> np.ndarray:
    """Lung markings: curved branches that leave the hila, thin out and fade."""
    draws = stream.random((5, 2, branches, 1))
    t = np.linspace(0, 1, points)
    reach = 8 + 50 * draws[0] * draws[0] + (40 + 75 * draws[1]) * t
    half = (draws[2] - 0.5) * 1.9 + 0.05 + (draws[3] - 0.5) * 0.6 * t  # tangent of half the angle: needs no sine
    side = np.array([-1.0, 1.0])[:, None, None]
    weight = (0.3 + 0.7 * draws[4]) * (1 - t) * np.minimum(reach / 60, 1)
    u = side * (HILUM_U + reach * (1 - half * half) / (1 + half * half))
    v = HILUM_V - 7 * (side > 0) + 1.25 * reach * 2 * half / (1 + half * half)
    trunk = _stamp(c, u, v, weight * (t + reach / 220 < 0.5))
    return 0.45 * c.habitus.vessels * c.air * (_blur(_stamp(c, u, v, weight)) + 1.7 * _blur(_blur(_blur(trunk))))


def _stamp(c: SimpleNamespace, u: np.ndarray, v: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Points in chest coordinates collected in the pixels they fall on; points off the image are dropped."""
    x, y = u * c.exposure.scale * c.habitus.chest_width, (v - CENTRE_ROW) * c.exposure.scale * c.habitus.chest_height
    norm = 1 + c.exposure.tilt**2
    column = np.rint((x - c.exposure.tilt * y) / norm + CENTRE_COLUMN + c.exposure.shift_u).astype(np.intp)
    row = np.rint((y + c.exposure.tilt * x) / norm + CENTRE_ROW + c.exposure.shift_v).astype(np.intp)
    on = (row >= 0) & (row < HEIGHT) & (column >= 0) & (column < WIDTH)
    weight = np.broadcast_to(weight, row.shape)[on]
    return np.bincount(row[on] * WIDTH + column[on], weight, HEIGHT * WIDTH).reshape(HEIGHT, WIDTH).astype(np.float32)


def _blur(field: np.ndarray) -> np.ndarray:
    """Smooth with the binomial kernel 1 4 6 4 1 (standard deviation one pixel)."""
    kernel = [1 / 16, 4 / 16, 6 / 16, 4 / 16, 1 / 16]
    return ndimage.correlate1d(ndimage.correlate1d(field, kernel, 0), kernel, 1)


# --- findings: (attenuation at conspicuity 1, exact mask), both [HEIGHT, WIDTH] ---------------------------------------


def _side(c: SimpleNamespace, side: str) -> np.ndarray:
    return c.is_left if side == "left" else ~c.is_left


def _largest(mask: np.ndarray) -> np.ndarray:
    """The largest connected part (4-neighbours)."""
    labels, _ = ndimage.label(mask)
    sizes = np.bincount(labels.ravel())
    sizes[0] = 0
    return labels == np.argmax(sizes) if sizes.any() else mask


def _effusion(c: SimpleNamespace, side: str, stream: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Fluid at the base: a meniscus that climbs the chest wall and hides the costophrenic angle and the dome."""
    amount, climb = stream.uniform(8, 40), stream.uniform(28, 52)
    square = np.minimum(c.ratio * c.ratio, 1)
    level = 287 + c.exposure.inspiration + c.habitus.dome_gap * c.left - amount - climb * (square * square - 0.2)
    here = _side(c, side) * c.air
    mask = _largest((c.v > level) & c.lungs & _side(c, side))
    return 0.33 * _ramp(c.v - level, 14) * here, mask


def _pneumothorax(c: SimpleNamespace, side: str, stream: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Air round the apex and along the wall: a dark band without markings, inside it the thin line of the pleura."""
    width, end = stream.uniform(20, 32), stream.uniform(210, 270)
    band = width * np.sqrt(np.clip((end - c.v) / (end - 62), 0, 1)) * (1 + 0.5 * _ramp(120 - c.v, 60))
    inward = c.outer - c.a - band  # distance from the pleural line towards the hilum
    here = _side(c, side) * c.air
    line = _bump(inward - 0.5, 2.2) * _ramp(band - 5, 6)
    mask = _largest((inward < 0) & (band > 3) & c.lungs & _side(c, side))
    return here * (0.17 * line - 0.16 * _ramp(-inward, 2) * (band > 3)), mask


def _point_in_lung(
    c: SimpleNamespace, side: str, stream: np.random.Generator, rows: tuple[float, float], clearance: float
) -> tuple[float, float]:
    """(u, v) of a point at least `clearance` from every border of the lung if one of 48 tries is, else of the deepest try."""
    room = np.minimum(c.lung_margin, -np.maximum(c.heart_margin, c.mediastinum_margin))
    room = np.where(_side(c, side) & c.body_mask & (c.v > rows[0]) & (c.v < rows[1]), room, -np.inf)
    tries = stream.random((2, 48))
    row, column = (tries[0] * HEIGHT).astype(np.intp), (tries[1] * WIDTH / 2).astype(np.intp)
    column += WIDTH // 2 if side == "left" else 0
    found = room[row, column]
    best = np.argmax(found >= clearance) if (found >= clearance).any() else np.argmax(found)
    return c.u[row[best], column[best]], c.v[row[best], column[best]]


def _consolidation(c: SimpleNamespace, side: str, stream: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """A patchy opacity with a lobed, soft border, mottled by lobules that still hold air."""
    u, v = _point_in_lung(c, side, stream, (120, 270), 22)
    radius, stretch, lobes = stream.uniform(27, 42), stream.uniform(0.75, 1.3), stream.uniform(-1, 1, 4).tolist()
    mottle = stream.random((40, 34), dtype=np.float32)
    du, dv = (c.u - u) * stretch / radius, (c.v - v) / (stretch * radius)
    r2 = du * du + dv * dv
    wave = (lobes[0] * du * dv + 0.5 * lobes[1] * (du * du - dv * dv) + 0.5 * (lobes[2] * du + lobes[3] * dv) * (r2 - 1)) * 0.8
    margin = 1 - r2 + np.clip(wave, -0.7, 0.7)
    texture = ndimage.zoom(mottle, (HEIGHT / 40, WIDTH / 34), order=1, grid_mode=True, mode="nearest")
    mask = _largest((margin > 0) & c.lungs & _side(c, side))
    return _side(c, side) * c.air * 0.34 * _ramp(margin, 1.3) * (0.5 + texture), mask


def _nodule(c: SimpleNamespace, side: str, stream: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """A round soft spot wholly inside the lung."""
    radius = stream.uniform(11, 15)
    u, v = _point_in_lung(c, side, stream, (95, 265), radius + 4)
    margin = radius - np.sqrt((c.u - u) ** 2 + (c.v - v) ** 2)
    mask = _largest((margin > 0) & c.lungs & _side(c, side))
    return 0.65 * _ramp(margin, 6) * c.air, mask


# --- look-alikes and the support device: attenuation [HEIGHT, WIDTH] --------------------------------------------------


def _skin_fold(c: SimpleNamespace, stream: np.random.Generator) -> np.ndarray:
    """A long oblique edge, sharp on one side and fading on the other, that crosses the lung's border; no air beyond it."""
    sign, start, slope = 1 - 2 * int(stream.integers(2)), stream.uniform(62, 84), stream.uniform(0.1, 0.24)
    inward = start + slope * (c.v - 150) + 0.0006 * (c.v - 190) ** 2 - c.u * sign
    return 0.16 * _ramp(inward, 2) * _bump(np.maximum(inward, 0), 24) * _ramp(c.v - 96, 40) * _ramp(286 - c.v, 50) * c.body_mask


def _calcified_node(c: SimpleNamespace, stream: np.random.Generator) -> np.ndarray:
    """A tiny, sharp, very bright spot near a hilum."""
    sign, du, dv, radius = (
        1 - 2 * int(stream.integers(2)),
        stream.uniform(4, 18),
        stream.uniform(-16, 18),
        stream.uniform(2.4, 3.6),
    )
    return 0.8 * _ramp(radius - np.sqrt((c.u * sign - HILUM_U - du) ** 2 + (c.v - HILUM_V - dv) ** 2), 1.5)


def _venous_line(c: SimpleNamespace, stream: np.random.Generator) -> np.ndarray:
    """A central venous line from the side of the neck to the superior vena cava."""
    neck, bow, tip = stream.uniform(20, 26), stream.uniform(-4, 4), stream.uniform(170, 205)
    t = np.linspace(0, 1, 800)
    u = -(neck + (14 - neck) * t * t * (3 - 2 * t) + bow * t * (1 - t) * 4)
    return 0.34 * _blur(_stamp(c, u, -30 + (tip + 30) * t, np.ones(800)))


DRAW = {"pleural effusion": _effusion, "pneumothorax": _pneumothorax, "consolidation": _consolidation, "nodule": _nodule}
DRAW_LOOKALIKE = {"skin fold": _skin_fold, "calcified node": _calcified_node}


# --- the grey values --------------------------------------------------------------------------------------------------


def _grey_values(c: SimpleNamespace, field: np.ndarray, stream: np.random.Generator) -> np.ndarray:
    """Attenuation to grey: a saturating response, tone curve, noise, side marker, eight bits."""
    exposure = c.exposure
    square = field * field  # toe and shoulder of a detector's response, and enough slope at zero to show the skin
    grey = exposure.gain * (BACKGROUND + 0.35 * field / (field + 0.9) + 0.65 * square / (square + 1)) + exposure.offset
    grey = 255 * (grey + exposure.curve * grey * (1 - grey))
    noise = stream.random((HEIGHT, WIDTH), dtype=np.float32) + stream.random((HEIGHT, WIDTH), dtype=np.float32) - 1
    grey += exposure.noise * np.where(c.body_mask, np.float32(3.4), np.float32(0.8)) * noise
    letter = "R" if exposure.marker_right > 0.5 else "L"
    glyph = np.kron(np.array([[cell == "#" for cell in line] for line in GLYPHS[letter]]), np.ones((3, 3), bool))
    top, left = int(exposure.marker_row), int(exposure.marker_column)
    left = left if letter == "R" else WIDTH - left - glyph.shape[1]
    grey[top : top + glyph.shape[0], left : left + glyph.shape[1]][glyph] = 225
    return np.rint(np.clip(np.round(grey, 3), 0, 255)).astype(np.uint8)
