"""The exposed field of a radiograph: what a frame, padding and collimation leave."""

import numpy as np

from medattn.measures.working_image import SCALE, extent

UNIFORM = 2  # grey levels: lines along a side that vary by no more are a frame, not film
LEAST_CUT = 4  # pixels at each border, at least, that are not looked at (scanning lines, what JPEG leaves of a frame)
GRID_CELLS = 57  # cells of the grid to which the rest is cut, at most, and at least half as many
DEEPEST_BAND = 3  # a band along a side takes at most one in so many of the image


def exposed_field(image: np.ndarray) -> tuple[slice, slice]:
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


def cuts_of(sides: tuple[int, ...]) -> list[int]:
    """Pixels to cut at both ends of each side: to whole cells of a grid, so that a frame of a few pixels changes nothing."""
    if min(sides) <= 8 * LEAST_CUT:
        return [0 for _ in sides]
    cell = 2
    while cell * GRID_CELLS <= max(sides):
        cell *= 2
    return [(side - (side - 2 * LEAST_CUT) // cell * cell) // 2 for side in sides]


def margins(exposed: slice, side: int, cut: int) -> tuple[tuple[int, int], tuple[int, int]]:
    """Pixels at both ends of a side into which the mask is continued, and those beyond: a frame of more than a few pixels."""
    frame = exposed.start, side - exposed.stop
    thin = [pixels if pixels <= LEAST_CUT else 0 for pixels in frame]
    return (cut + thin[0], cut + thin[1]), (frame[0] - thin[0], frame[1] - thin[1])


# --- collimation ------------------------------------------------------------------------------------------------------


def bands_of(grey: np.ndarray) -> list[np.ndarray]:
    """Flat bands with a straight inner edge, for the top, right, bottom and left side: bool [H, W] each, often empty."""
    low, high = extent(grey)
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
