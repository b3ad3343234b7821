"""The patient's body in a radiograph: everything but the air around the patient and the borders of the exposed field.

Air is dark, but after histogram equalisation a lung is as dark. What tells them apart is that the chest wall lies between
them: to leave the lungs, a path must climb over it. So the image is reduced to ranks (which no tone curve changes), and air
is what is dark, reaches the left or right border, and is parted from the chest by brighter pixels. Integers and exactly rounded
sums only, each step symmetric: the same mask on every processor, and the flipped mask for a flipped image.
"""

import numpy as np
from scipy import ndimage, sparse

WORKING_SIDE = 256  # longer images are reduced to it by area means before the body is looked for
UNIFORM = 2  # grey levels: lines along a side that vary by no more are a frame, not film
LEAST_CUT = 4  # pixels at each border, at least, that are not looked at (scanning lines, what JPEG leaves of a frame)
GRID_CELLS = 57  # cells of the grid to which the rest is cut, at most, and at least half as many
EQUALISED_SIDE = 512  # longer images are reduced to it before they are equalised
SMOOTHING = 5  # side of the box filter, working pixels
THIN = 5  # working pixels: brighter lines thinner than this (ribs, wires) are no chest wall
RANKS = 4096  # of grey values, in an equalised image
LEVELS = 64  # of rank, once noise is averaged out: 0 for the darkest pixels
LEAST_CONTRAST = 16  # grey levels between the 1st and 99th percentile, below which an image shows nothing
LEAST_CHEST_CONTRAST = 4  # the same in the middle of the image
LEAST_SHARE = 0.05  # of the image: a smaller component is a marker, not a body
LEAST_WALL = 5  # levels from the air's floor up to the lowest pass over the chest wall
AIR, SIDE_AIR = 22, 9  # levels: a region whose floor is brighter is no air; stricter where it meets only a side (a cut lung)
SIDE_REACH = 8  # air that meets neither the top nor a lower corner reaches at most one in so many of the width into the image
CHEST = (0.30, 0.22)  # half-axes of the ellipse, in widths and heights, that is inside every chest
CHEST_IN_BODY = (0.38, 0.33)  # the same in the body's box: where lungs usually lie
CENTRE = (0.50, 0.45)  # of both ellipses, from the left and from the top
DEEPEST_BAND = 3  # a band along a side takes at most one in so many of the image
LEAST, MOST = 0.25, 0.97  # share of the image that a body covers, or else it is doubtful
LEAST_HELD = 0.8  # of the ellipse where lungs usually lie
SCALE = 16  # grey values are kept in sixteenths

CROSS = ndimage.generate_binary_structure(2, 1)
SQUARE = np.ones((3, 3), dtype=bool)


def body_mask(image: np.ndarray) -> np.ndarray:
    """Body of a radiograph uint8 [H, W] (bone bright, air dark) → bool [H, W].

    Lungs, dark as air, belong to it; a bright marker in a corner, a frame of a few pixels and flat straight bands along the
    sides (collimation) do not change what is found inside. Raises ValueError if the image is not uint8 [H, W], shows nothing
    but background, or if the largest component covers less than 5 % of it.
    """
    image = np.asarray(image)
    if image.dtype != np.uint8 or image.ndim != 2 or image.size == 0:
        raise ValueError(f"image is {image.dtype} {list(image.shape)}, expected uint8 [height, width]")
    exposed = _exposed(image)
    cuts = _cut(image[exposed].shape)
    inner = image[tuple(slice(at.start + cut, at.stop - cut) for at, cut in zip(exposed, cuts, strict=True))]
    shape = inner.shape
    if max(shape) > EQUALISED_SIDE:
        inner = (_reduced(inner, EQUALISED_SIDE) // SCALE).astype(np.uint8)
    grey = _reduced(inner)
    _check_contrast(_smoothed(grey))
    bands = _bands(grey)
    band = np.logical_or.reduce(bands)
    shown = ~ndimage.binary_dilation(band, iterations=3) if band.any() else ~band  # a blurred edge belongs to neither
    equalised = _equalised(inner, _enlarged(shown, inner.shape))
    mask = _working_mask(_smoothed(_reduced(equalised)) * LEVELS // (RANKS * SCALE), shown, bands)
    if mask.sum() < LEAST_SHARE * mask.size:
        raise ValueError(
            f"the largest component covers {mask.mean():.3f} of the image, expected a body of at least {LEAST_SHARE}"
        )
    continued, beyond = zip(*map(_margins, exposed, image.shape, cuts), strict=True)
    return np.pad(np.pad(_enlarged(mask, shape), continued, mode="edge"), beyond)


def doubt(mask: np.ndarray) -> str:
    """Why a body bool [H, W] may be wrong, in a few words; "" if nothing speaks against it.

    Raises ValueError if it is empty.
    """
    share = np.count_nonzero(mask) / mask.size
    if not LEAST <= share <= MOST:
        return f"the body covers {100 * share:.0f} % of the image, expected {100 * LEAST:.0f} to {100 * MOST:.0f} %"
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    box = mask[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    lungs = chest_ellipse(box.shape)
    held = np.count_nonzero(box & lungs) / max(int(lungs.sum()), 1)
    if held < LEAST_HELD:
        return f"the body holds {100 * held:.0f} % of the ellipse where lungs usually lie, expected {100 * LEAST_HELD:.0f} %"
    return ""


def chest_ellipse(shape: tuple[int, ...], half_axes: tuple[float, float] = CHEST_IN_BODY) -> np.ndarray:
    """bool [height, width]: pixels in the ellipse where lungs usually lie in a box of that shape."""
    height, width = shape
    y, x = (2 * np.arange(height) + 1)[:, None] / (2 * height), (2 * np.arange(width) + 1)[None, :] / (2 * width)
    return ((x - CENTRE[0]) / half_axes[0]) ** 2 + ((y - CENTRE[1]) / half_axes[1]) ** 2 <= 1


def _check_contrast(values: np.ndarray) -> None:
    """Raise ValueError for an image without contrast, or with none where the chest must be (a marker on an empty plate)."""
    for where, part, least in (
        ("", values, LEAST_CONTRAST),
        (" where the chest must be", values[chest_ellipse(values.shape, CHEST)], LEAST_CHEST_CONTRAST),
    ):
        low, high = _extent(part) if part.size else (0, 0)
        if high - low < least * SCALE:
            raise ValueError(
                f"image shows only background: grey values {low // SCALE} to {high // SCALE} without the outer 1 %{where},"
                f" expected a range of at least {least}"
            )


def _extent(values: np.ndarray) -> tuple[int, int]:
    """1st and 99th percentile."""
    low, high = np.sort(values.ravel())[[values.size // 100, -1 - values.size // 100]]
    return int(low), int(high)


# --- the frame --------------------------------------------------------------------------------------------------------


def _exposed(image: np.ndarray) -> tuple[slice, slice]:
    """Rows and columns of a uint8 [H, W] without the uniform lines along the four sides (a frame, padding, collimation)."""
    everything = slice(0, image.shape[0]), slice(0, image.shape[1])
    rows, columns = everything
    while True:
        before = rows, columns
        rows = _without_uniform(image[:, columns], rows)
        columns = _without_uniform(image[rows].T, columns) if rows.start < rows.stop else rows
        if columns.start == columns.stop:  # uniform throughout: all of it is looked at, and refused
            return everything
        if (rows, columns) == before:
            return before


def _without_uniform(lines: np.ndarray, among: slice) -> slice:
    """Of the lines uint8 [n, m] in a slice, those between the uniform ones at either end."""
    first, end = among.start, among.stop
    while first < end and np.ptp(lines[first]) <= UNIFORM:
        first += 1
    while first < end and np.ptp(lines[end - 1]) <= UNIFORM:
        end -= 1
    return slice(first, end)


def _cut(sides: tuple[int, ...]) -> list[int]:
    """Pixels to cut at both ends of each side: to whole cells of a grid, so that a frame of a few pixels changes nothing."""
    if min(sides) <= 8 * LEAST_CUT:
        return [0 for _ in sides]
    cell = 2
    while cell * GRID_CELLS <= max(sides):
        cell *= 2
    return [(side - (side - 2 * LEAST_CUT) // cell * cell) // 2 for side in sides]


def _margins(exposed: slice, side: int, cut: int) -> tuple[tuple[int, int], tuple[int, int]]:
    """Pixels at both ends of a side into which the mask is continued, and those beyond: a frame of more than a few pixels."""
    frame = exposed.start, side - exposed.stop
    thin = [pixels if pixels <= LEAST_CUT else 0 for pixels in frame]
    return (cut + thin[0], cut + thin[1]), (frame[0] - thin[0], frame[1] - thin[1])


# --- the working image ------------------------------------------------------------------------------------------------


def _weights(pixels: int, cells: int) -> sparse.csr_matrix:
    """Overlap of each cell with each pixel, in units of 1/cells pixel: whole numbers, int32 [cells, pixels]."""
    pixel = np.arange(pixels)
    first, last = pixel * cells // pixels, ((pixel + 1) * cells - 1) // pixels
    in_first = np.where(first == last, cells, (first + 1) * pixels - pixel * cells)
    values = np.concatenate([in_first, cells - in_first]).astype(np.int32)
    place = (np.concatenate([first, last]), np.concatenate([pixel, pixel]))
    return sparse.csr_matrix((values, place), shape=(cells, pixels))


def _reduced(image: np.ndarray, side: int = WORKING_SIDE) -> np.ndarray:
    """Area means of whole numbers [H, W], rounded down to sixteenths: int64, at most so many on the longer side."""
    longest = max(image.shape)
    if longest <= side:
        return image.astype(np.int64) * SCALE
    height, width = (max(1, (2 * pixels * side + longest) // (2 * longest)) for pixels in image.shape)
    rows = _weights(image.shape[0], height) @ image.astype(np.int32)
    sums = (_weights(image.shape[1], width).astype(np.int64) @ rows.T.astype(np.int64)).T
    return sums * SCALE // image.size


def _enlarged(mask: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """The working mask bool at full size: a pixel whose centre lies on the line between two cells counts with either."""
    for axis in (0, 1):
        cells, pixels = mask.shape[axis], shape[axis]
        centre = (2 * np.arange(pixels) + 1) * cells
        before, after = np.maximum(-(-centre // (2 * pixels)) - 1, 0), np.minimum(centre // (2 * pixels), cells - 1)
        mask = mask.take(before, axis) | mask.take(after, axis)
    return mask


def _smoothed(image: np.ndarray) -> np.ndarray:
    """Box means, rounded down, of int [H, W]; the edge is repeated."""
    side = SMOOTHING
    sums = np.pad(np.pad(image, side // 2, mode="edge").cumsum(axis=0).cumsum(axis=1), ((1, 0), (1, 0)))
    return (sums[side:, side:] - sums[:-side, side:] - sums[side:, :-side] + sums[:-side, :-side]) // side**2


def _equalised(image: np.ndarray, shown: np.ndarray) -> np.ndarray:
    """int16 [H, W], 0 … RANKS − 1: the share of the shown pixels (bool [H, W]) that are darker; equal ones share the middle."""
    counts = np.bincount(image[shown], minlength=256)
    middle = 2 * counts.cumsum() - counts
    return (middle * RANKS // (2 * counts.sum() + 1)).astype(np.int16)[image]


# --- collimation ------------------------------------------------------------------------------------------------------


def _bands(grey: np.ndarray) -> list[np.ndarray]:
    """Flat bands with a straight inner edge, for the top, right, bottom and left side: bool [H, W] each, often empty."""
    low, high = _extent(grey)
    tolerance = max(2 * SCALE, (high - low) // 40)
    bands = []
    for turn in range(4):
        turned = np.rot90(grey, turn)
        mirrored = _band_from_corner(turned[:, ::-1], tolerance)[:, ::-1]
        bands.append(np.rot90(_band_from_corner(turned, tolerance) | mirrored, -turn))
    return bands


def _band_from_corner(grey: np.ndarray, tolerance: int) -> np.ndarray:
    """The band along the top whose grey is that of the upper left corner, bool [H, W]."""
    height, width = grey.shape
    band = np.zeros(grey.shape, dtype=bool)
    flat = np.abs(grey - np.sort(grey[:3, :3].ravel())[grey[:3, :3].size // 2]) <= tolerance
    depth = np.where(flat.all(axis=0), height, np.argmin(flat, axis=0))
    shallow = np.flatnonzero(depth <= height // DEEPEST_BAND)
    if not shallow.size or shallow[0] > width // 4:
        return band
    start = int(shallow[0])
    ends = np.flatnonzero((depth[start:] == 0) | (depth[start:] > height // DEEPEST_BAND))
    depth = depth[start : start + int(ends[0])] if ends.size else depth[start:]
    if depth.size < 16 or not _straight(depth):
        return band
    band[:, start : start + depth.size] = np.arange(height)[:, None] < depth
    return band


def _straight(depth: np.ndarray) -> bool:
    """Whether depths int [n] lie within two pixels of the line through the medians of the first and the last quarter."""
    quarter, last = depth.size // 4, depth.size - depth.size // 4
    first, end = (int(np.sort(part)[quarter // 2]) for part in (depth[:quarter], depth[last:]))
    off = (depth - first) * last - (end - first) * (np.arange(depth.size) - quarter // 2)
    return bool(np.median(depth) >= 2 and np.count_nonzero(np.abs(off) <= 2 * last) * 20 >= 19 * depth.size)


# --- air and body -----------------------------------------------------------------------------------------------------


def _working_mask(ranks: np.ndarray, shown: np.ndarray, bands: list[np.ndarray]) -> np.ndarray:
    """The body in the working image int [H, W], 0 … LEVELS − 1: bool [H, W]. `shown`: what is no band.

    Twice: what the first pass takes for the body says where the chest is, and paths start in all of it.
    """
    borders = _borders(bands)
    chest = chest_ellipse(ranks.shape, CHEST) & shown
    opened = ndimage.grey_opening(ranks, size=(THIN, THIN))
    floods = [ndimage.label((opened <= level) & shown) for level in range(LEVELS)]
    mask = _tidied(shown & ~_air(ranks, _passes(floods, chest), shown, borders))
    if mask.any():
        rows, columns = (slice(at[0], at[-1] + 1) for at in map(np.flatnonzero, (mask.any(axis=1), mask.any(axis=0))))
        chest[rows, columns] |= chest_ellipse(mask[rows, columns].shape) & mask[rows, columns]
        mask = _tidied(shown & ~_air(ranks, _passes(floods, chest), shown, borders)) & shown
    return mask | (ndimage.binary_dilation(mask, SQUARE, iterations=3) & ~shown & ~np.logical_or.reduce(bands))


def _borders(bands: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Pixels, bool [H, W] each, at the top; at the left or the right; in the lower corners.

    Air around a patient meets the left or the right, a windpipe or a lung that is cut at the top does not.
    """
    at = []
    for turn, band in enumerate(bands):
        side = np.zeros_like(band)
        np.rot90(side, turn)[0] = True
        at.append(side | ndimage.binary_dilation(band, iterations=4) if band.any() else side)
    corners = np.zeros_like(at[0])
    corners[-1, [0, -1]] = True
    return at[0], at[1] | at[3], corners


def _passes(floods: list[tuple[np.ndarray, int]], chest: np.ndarray) -> np.ndarray:
    """int [H, W]: the brightest level that a path from the chest must cross, the darkest path taken; LEVELS where none is.

    `floods`: for each level the components of what is no brighter, labelled from 1, int [H, W], and their number. This is
    grey-level reconstruction by erosion (Vincent 1993), level by level.
    """
    passes = np.full(chest.shape, LEVELS, dtype=np.int8)
    for labels, count in floods:
        kept = np.zeros(count + 1, dtype=np.int8)
        kept[labels[chest]] = 1
        kept[0] = 0
        passes -= kept[labels]
    return passes


def _connected(mask: np.ndarray, seeds: np.ndarray) -> np.ndarray:
    """The 4-connected components of a mask bool [H, W] that hold a seed."""
    labels, count = ndimage.label(mask)
    kept = np.zeros(count + 1, dtype=bool)
    kept[labels[seeds]] = True
    kept[0] = False
    return kept[labels]


def _air(ranks: np.ndarray, passes: np.ndarray, shown: np.ndarray, borders: tuple[np.ndarray, ...]) -> np.ndarray:
    """Dark regions at the borders, parted from the chest by something brighter: bool [H, W]."""
    top, sides, corners = borders
    labels, _ = ndimage.label(shown & (passes > ranks), SQUARE)
    air = np.zeros(ranks.shape, dtype=bool)
    for number, box in enumerate(ndimage.find_objects(labels), 1):
        region = labels[box] == number
        if not (region & sides[box]).any():
            continue
        levels = ranks[box][region]
        floor = int(np.sort(levels)[levels.size // 20])
        wall = int(passes[box][region].max())
        if wall - floor < LEAST_WALL:
            continue
        height, width = region.shape
        if (region & top[box]).any():
            is_air = floor <= AIR
        elif (region & corners[box]).any():
            is_air = floor <= AIR and 2 * width <= height  # beside a patient air is upright
        else:
            is_air = floor <= SIDE_AIR and width * SIDE_REACH <= ranks.shape[1]
        if is_air:
            air[box] |= _connected(region & (2 * ranks[box] <= floor + wall), (top | sides)[box])
    return air


def _tidied(mask: np.ndarray) -> np.ndarray:
    """The largest component, opened and closed: a marker at the edge does not hang on to it, a windpipe does not cut it.

    Padded, so that the border of the image does not eat into it.
    """
    mask = _largest(ndimage.binary_opening(np.pad(mask, 4, mode="edge"), CROSS, iterations=2)[4:-4, 4:-4])
    closed: np.ndarray = ndimage.binary_closing(np.pad(mask, 12, mode="edge"), CROSS, iterations=6)[12:-12, 12:-12]
    return ndimage.binary_fill_holes(closed)


def _largest(mask: np.ndarray) -> np.ndarray:
    """Largest 4-connected component; all of them if several are equally large, so that a flipped image has no other."""
    labels, count = ndimage.label(mask)
    if not count:
        return mask
    sizes = np.bincount(labels.ravel(), minlength=count + 1)
    sizes[0] = 0
    return (sizes == sizes.max())[labels]
