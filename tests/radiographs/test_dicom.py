"""DICOM files are shown as PS3.3 C.11 says; the oracle is arithmetic by hand, and pydicom's own functions where they agree."""

import contextlib
import hashlib
import io
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.pixels import apply_modality_lut, apply_windowing
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    RLELossless,
    generate_uid,
)
from pydicom.uid import DigitalXRayImageStorageForPresentation as DX_STORAGE

from medattn.base.errors import InputError
from medattn.radiographs.image_files import ImageFileError, open_image
from tests.conftest import sha256

RAMP = np.arange(4096, dtype=np.uint16).reshape(32, 128)  # every 12-bit value once


def dicom(pixels: np.ndarray, bits: int = 12, syntax=ExplicitVRLittleEndian, **elements: object) -> Dataset:
    """A grey image with the given stored values, and other elements as the test wants them; None leaves one out."""
    made = Dataset()
    made.file_meta = FileMetaDataset()
    made.file_meta.MediaStorageSOPClassUID = made.SOPClassUID = DX_STORAGE
    made.file_meta.MediaStorageSOPInstanceUID = made.SOPInstanceUID = generate_uid(entropy_srcs=["test"])
    made.file_meta.TransferSyntaxUID = syntax
    made.Rows, made.Columns = pixels.shape[:2]
    made.SamplesPerPixel, made.PhotometricInterpretation = 1, "MONOCHROME2"
    made.BitsAllocated, made.BitsStored, made.HighBit = 8 * pixels.itemsize, bits, bits - 1
    made.PixelRepresentation = int(pixels.dtype.kind == "i")
    made.add_new(0x7FE00010, "OW", pixels.astype(pixels.dtype.newbyteorder("<" if syntax.is_little_endian else ">")).tobytes())
    for name, value in elements.items():
        if value is None:
            delattr(made, name)
        else:
            setattr(made, name, value)
    return made


def table(entries: list[int], first: int, bits: int, **elements: object) -> list[Dataset]:
    """A LUT sequence of one item, each entry in two bytes."""
    item = Dataset()
    item.LUTDescriptor = [len(entries) % 2**16, first, bits]
    item["LUTDescriptor"].VR = "SS" if first < 0 else "US"
    item.add_new(0x00283006, "OW", np.array(entries, dtype="<u2").tobytes())
    for name, value in elements.items():
        setattr(item, name, value)
    return [item]


def content_of(made: Dataset) -> bytes:
    buffer = io.BytesIO()
    made.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()


def opened(folder: Path, made: Dataset | bytes, name: str = "radiograph.dcm") -> np.ndarray:
    """uint8 [height, width] as open_image gives it."""
    content = made if isinstance(made, bytes) else content_of(made)
    (folder / name).write_bytes(content)
    image = open_image(folder, name, hashlib.sha256(content).hexdigest())
    assert image.mode == "L"
    return np.asarray(image)


def refusal(folder: Path, made: Dataset | bytes) -> str:
    with pytest.raises(ImageFileError) as caught:
        opened(folder, made)
    return str(caught.value)


def test_a_window_over_twelve_bits_maps_its_ends_to_black_and_white(tmp_path):
    pixels = np.array([[0, 16, 2040, 4080, 4095]], np.uint16)
    shown = opened(tmp_path, dicom(pixels, WindowCenter=2040.5, WindowWidth=4081))
    assert shown.tolist() == [[0, 1, 128, 255, 255]]  # 2040 / 4080 * 255 = 127.5, rounded to even


def test_a_linear_window_follows_the_standards_formula(tmp_path):
    """C.11.2.1.2.1: below c - 0.5 - (w-1)/2 black, above it white, ((x - (c - 0.5)) / (w-1) + 0.5) between."""
    centre, width = 1200, 600
    lower, upper = centre - 0.5 - (width - 1) / 2, centre - 0.5 + (width - 1) / 2
    x = RAMP.astype(float)
    between = ((x - (centre - 0.5)) / (width - 1) + 0.5) * 255
    expected = np.where(x <= lower, 0, np.where(x > upper, 255, between))
    shown = opened(tmp_path, dicom(RAMP, WindowCenter=centre, WindowWidth=width))
    assert (shown == np.rint(expected)).all()
    assert 0 < (shown == 0).sum() < shown.size and len(np.unique(shown)) == 256


@pytest.mark.parametrize("function", ["LINEAR", "LINEAR_EXACT", "SIGMOID"])
def test_every_window_function_agrees_with_pydicoms(tmp_path, function):
    made = dicom(RAMP, WindowCenter=1500, WindowWidth=700, VOILUTFunction=function)
    expected = apply_windowing(RAMP, made) / 4095 * 255  # pydicom maps onto the stored range
    assert (np.abs(opened(tmp_path, made) - expected) <= 0.5 + 1e-9).all()


def test_an_exact_window_differs_from_a_linear_one_by_half_a_value(tmp_path):
    pixels = np.array([[0, 1, 2]], np.uint16)
    assert opened(tmp_path, dicom(pixels, WindowCenter=1, WindowWidth=2, VOILUTFunction="LINEAR_EXACT")).tolist() == [
        [0, 128, 255]
    ]
    assert opened(tmp_path, dicom(pixels, WindowCenter=1, WindowWidth=2)).tolist() == [[0, 255, 255]]


def test_a_window_of_width_one_is_a_threshold(tmp_path):
    pixels = np.array([[999, 1000, 1001]], np.uint16)
    assert opened(tmp_path, dicom(pixels, WindowCenter=1000, WindowWidth=1)).tolist() == [[0, 255, 255]]


def test_the_first_of_several_windows_counts(tmp_path):
    one = opened(tmp_path, dicom(RAMP, WindowCenter=1000, WindowWidth=500))
    both = opened(tmp_path, dicom(RAMP, WindowCenter=[1000, 2000], WindowWidth=[500, 4000]))
    assert (one == both).all()


def test_monochrome1_is_the_negative_of_monochrome2(tmp_path):
    window = {"WindowCenter": 2040.5, "WindowWidth": 4081}
    pixels = np.array([[0, 16, 32, 4064, 4080]], np.uint16)
    assert opened(tmp_path, dicom(pixels, **window)).tolist() == [[0, 1, 2, 254, 255]]
    negative = opened(tmp_path, dicom(pixels, **window, PhotometricInterpretation="MONOCHROME1"))
    assert negative.tolist() == [[255, 254, 253, 1, 0]]


def test_rescale_comes_before_the_window(tmp_path):
    pixels = np.array([[0, 100, 200, 300, 400]], np.uint16)
    made = dicom(pixels, RescaleSlope=2, RescaleIntercept=-1000, WindowCenter=-799.5, WindowWidth=401)
    assert opened(tmp_path, made).tolist() == [[0, 128, 255, 255, 255]]  # -1000, -800, -600 on -1000 to -600


def test_sixteen_bit_values_keep_their_order_and_range(tmp_path):
    pixels = np.array([[0, 257, 32896, 65535]], np.uint16)
    shown = opened(tmp_path, dicom(pixels, 16, WindowCenter=32768, WindowWidth=65536))
    assert shown.tolist() == [[0, 1, 128, 255]]


def test_signed_values_are_read_as_signed(tmp_path):
    pixels = np.array([[-1024, 0, 1024]], np.int16)
    assert opened(tmp_path, dicom(pixels, 16)).tolist() == [[0, 128, 255]]


def test_eight_bit_values_stay_as_they_are_under_their_full_window(tmp_path):
    pixels = np.arange(256, dtype=np.uint8).reshape(16, 16)
    assert (opened(tmp_path, dicom(pixels, 8, WindowCenter=128, WindowWidth=256)) == pixels).all()


def test_without_a_window_the_darkest_pixel_is_black_and_the_brightest_white(tmp_path):
    pixels = np.array([[1000, 1100, 1255]], np.uint16)
    assert opened(tmp_path, dicom(pixels)).tolist() == [[0, 100, 255]]
    assert opened(tmp_path, dicom(pixels, PhotometricInterpretation="MONOCHROME1")).tolist() == [[255, 155, 0]]


def test_an_image_of_one_value_without_a_window_is_black(tmp_path):
    assert opened(tmp_path, dicom(np.full((2, 2), 77, np.uint16))).tolist() == [[0, 0], [0, 0]]


def test_a_voi_lut_maps_values_and_repeats_its_ends(tmp_path):
    pixels = np.array([[0, 10, 11, 12, 13, 4000]], np.uint16)
    made = dicom(pixels, VOILUTSequence=table([0, 341, 2730, 4095], 10, 12))
    expected = np.rint(np.array([[0, 0, 341, 2730, 4095, 4095]]) / 4095 * 255)
    assert opened(tmp_path, made).tolist() == expected.tolist() == [[0, 0, 21, 170, 255, 255]]


def test_a_voi_lut_comes_before_a_window(tmp_path):
    made = dicom(np.array([[0, 1]], np.uint16), VOILUTSequence=table([4095, 0], 0, 12), WindowCenter=1, WindowWidth=2)
    assert opened(tmp_path, made).tolist() == [[255, 0]]


@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, ImplicitVRLittleEndian])
def test_a_long_voi_lut_of_eight_bits_is_not_folded(tmp_path, syntax):
    """4096 entries of 8 bits: an index kept in 8 bits would wrap every 256 values."""
    made = dicom(RAMP, syntax=syntax, VOILUTSequence=table([value // 16 for value in range(4096)], 0, 8))
    assert (opened(tmp_path, made) == RAMP // 16).all()


def test_a_voi_lut_packed_in_single_bytes_is_read(tmp_path):
    item = table([0], 0, 8)
    item[0].LUTDescriptor = [4, 0, 8]
    item[0].LUTData = bytes([0, 50, 100, 255])
    assert opened(tmp_path, dicom(np.array([[0, 1, 2, 3]], np.uint16), VOILUTSequence=item)).tolist() == [[0, 50, 100, 255]]


def test_a_voi_lut_of_65536_entries_says_zero(tmp_path):
    entries = list(range(2**16))
    made = dicom(np.array([[0, 257, 65535]], np.uint16), 16, VOILUTSequence=table(entries, 0, 16))
    assert opened(tmp_path, made).tolist() == [[0, 1, 255]]


def test_a_voi_lut_may_start_below_zero_after_rescale(tmp_path):
    made = dicom(
        np.array([[0, 1, 2]], np.int16), 16, RescaleSlope=1, RescaleIntercept=-2, VOILUTSequence=table([0, 51, 255], -2, 8)
    )
    assert opened(tmp_path, made).tolist() == [[0, 51, 255]]


def test_a_modality_lut_comes_before_the_window(tmp_path):
    pixels = np.array([[0, 1, 2, 3]], np.uint16)
    lut = table([1000, 0, 500, 1000], 0, 16, ModalityLUTType="US")
    made = dicom(pixels, ModalityLUTSequence=lut, WindowCenter=500.5, WindowWidth=1001)
    assert apply_modality_lut(pixels, made).tolist() == [[1000, 0, 500, 1000]]
    assert opened(tmp_path, made).tolist() == [[255, 0, 128, 255]]


def test_the_byte_order_of_the_file_holds_for_a_lut_too(tmp_path):
    item = table([0], 0, 12)
    item[0].LUTDescriptor = [3, 0, 12]
    item[0].LUTData = np.array([0, 2730, 4095], dtype=">u2").tobytes()
    made = dicom(np.array([[0, 1, 2]], np.uint16), syntax=ExplicitVRBigEndian, VOILUTSequence=item)
    assert opened(tmp_path, made).tolist() == [[0, 170, 255]]


def test_bits_above_the_stored_ones_are_not_part_of_the_value(tmp_path):
    pixels = np.array([[0, 2040, 4080]], np.uint16) | 0x8000  # an overlay, as old scanners kept it
    assert opened(tmp_path, dicom(pixels, WindowCenter=2040.5, WindowWidth=4081)).tolist() == [[0, 128, 255]]


def test_run_length_encoding_is_read(tmp_path):
    made = dicom(RAMP, WindowCenter=2040.5, WindowWidth=4081)
    plain = opened(tmp_path, made)
    made.compress(RLELossless)
    assert (opened(tmp_path, made) == plain).all()


def test_a_dicom_file_is_known_by_its_bytes_too(tmp_path):
    made = dicom(RAMP, WindowCenter=2040.5, WindowWidth=4081)
    assert (opened(tmp_path, made, "radiograph") == opened(tmp_path, made)).all()


def test_a_study_may_pin_a_dicom_file_by_the_hash_of_its_bytes(tmp_path):
    opened(tmp_path, dicom(RAMP))
    with pytest.raises(ImageFileError, match=r"has sha256 [0-9a-f]{64}, the table pins 'something else'"):
        open_image(tmp_path, "radiograph.dcm", "something else")


def test_without_pydicom_the_message_says_what_to_install(tmp_path, monkeypatch):
    (tmp_path / "radiograph.dcm").write_bytes(content_of(dicom(RAMP)))
    monkeypatch.setitem(sys.modules, "pydicom", None)
    with pytest.raises(InputError, match=r"^an image is a DICOM file, pydicom reads it: `pip install 'medattn\[dicom\]'`$"):
        open_image(tmp_path, "radiograph.dcm", sha256(tmp_path / "radiograph.dcm"))


def test_other_images_are_opened_without_pydicom(tmp_path, monkeypatch):
    buffer = io.BytesIO()
    Image.fromarray(np.arange(256, dtype=np.uint8).reshape(16, 16)).save(buffer, "PNG")
    monkeypatch.setitem(sys.modules, "pydicom", None)
    assert opened(tmp_path, buffer.getvalue(), "radiograph.png").shape == (16, 16)


def test_colour_is_refused(tmp_path):
    made = dicom(np.zeros((4, 5, 3), np.uint8), 8, SamplesPerPixel=3, PhotometricInterpretation="RGB", PlanarConfiguration=0)
    assert "holds 1 frame(s) of RGB, expected one of MONOCHROME1 or MONOCHROME2: convert it" in refusal(tmp_path, made)


def test_several_frames_are_refused(tmp_path):
    made = dicom(np.zeros((2, 4, 5), np.uint16), Rows=4, Columns=5, NumberOfFrames=2)
    assert "holds 2 frame(s) of MONOCHROME2, expected one" in refusal(tmp_path, made)


FILM = np.tile(np.arange(0, 4096, 16, dtype=np.uint16), (64, 1))  # 12 bits, 256 columns
HOT = np.where(np.arange(FILM.size).reshape(FILM.shape) == 0, 4095, FILM // 8).astype(np.uint16)
MANY_HOT = FILM // 8
MANY_HOT[0, :32] = np.linspace(512, 4095, 32)
UNNAMED = np.where(np.arange(64)[:, None] < 20, -32768, FILM.astype(np.int16)).astype(np.int16)
MISLEADING = {
    "a VOI LUT of 12 bits that says 16": (
        FILM, {"VOILUTSequence": table(list(range(4096)), 0, 16)},
        "the descriptor of its VOI LUT says 16 bits, its entries go to 4095 only, which are 12 bits",
    ),
    "a VOI LUT of 12 bits that says 13": (
        FILM, {"VOILUTSequence": table(list(range(4096)), 0, 13)},
        "the descriptor of its VOI LUT says 13 bits, its entries go to 4095 only, which are 12 bits",
    ),
    "a VOI LUT of zeros": (FILM, {"VOILUTSequence": table([0] * 4096, 0, 12)}, "its entries go to 0 only, which are 1 bits"),
    "one hot pixel": (HOT, {}, "it has no window, its darkest value becomes black"),
    "one dead pixel": (4095 - HOT, {}, "within 32 of 255 grey levels: hot or dead pixels"),
    "one hot pixel in a negative": (HOT, {"PhotometricInterpretation": "MONOCHROME1"}, "within 32 of 255 grey levels"),
    "hot pixels of many values": (MANY_HOT, {}, "within 32 of 255 grey levels"),
    "padding that is not named": (UNNAMED, {"BitsStored": 16, "HighBit": 15}, "padding that PixelPaddingValue does not name"),
    "padding that is named wrong": (UNNAMED, {"BitsStored": 16, "HighBit": 15, "PixelPaddingValue": 0}, "within 28 of 255"),
}  # fmt: skip


@pytest.mark.parametrize("pixels, elements, said", MISLEADING.values(), ids=MISLEADING)
def test_a_header_that_would_show_a_radiograph_nearly_black_is_refused_with_what_to_do(tmp_path, pixels, elements, said):
    message = refusal(tmp_path, dicom(pixels, **elements))
    assert said in message and str(tmp_path / "radiograph.dcm") in message
    assert "convert it with a window of your own" in message and "damaged" not in message


def test_a_hot_pixel_does_no_harm_where_a_window_is_given(tmp_path):
    shown = opened(tmp_path, dicom(HOT, WindowCenter=256, WindowWidth=512))
    assert shown[5, 255] - int(shown[5, 0]) > 250


def test_a_voi_lut_shorter_than_the_values_repeats_its_ends_and_an_empty_one_leaves_the_window(tmp_path):
    shown = opened(tmp_path, dicom(FILM, VOILUTSequence=table(list(range(256)), 0, 8)))
    assert (shown == np.minimum(FILM, 255)).all()
    window = {"WindowCenter": 2048, "WindowWidth": 4096}
    assert (opened(tmp_path, dicom(FILM, VOILUTSequence=[], **window)) == opened(tmp_path, dicom(FILM, **window))).all()


PADDING = {
    "one value": (np.uint16, 0, 0, None),
    "a value above the image's": (np.uint16, 4095, 4095, None),
    "signed": (np.int16, -2000, -2000, None),
    "signed, written as an unsigned number": (np.int16, -2000, 63536, None),
    "a range": (np.int16, (-2000, -1024), -2000, -1024),
    "a range the other way round": (np.int16, (-2000, -1024), -1024, -2000),
    "a range up to the image's values": (np.uint16, (0, 50), 0, 60),
}


@pytest.mark.parametrize("colour", ["MONOCHROME1", "MONOCHROME2"])
@pytest.mark.parametrize("kind, stored, value, limit", PADDING.values(), ids=PADDING)
def test_padding_is_black_and_has_no_part_in_what_the_other_pixels_show(tmp_path, colour, kind, stored, value, limit):
    """Two rows of padding above a ramp from 100 to 355, without a window: the ramp alone becomes 0 to 255."""
    ramp = np.tile(np.arange(100, 356, dtype=kind), (6, 1))
    pixels = np.vstack([np.tile(np.resize(np.array(stored, dtype=kind), 256), (2, 1)), ramp])
    made = dicom(pixels, 16, PhotometricInterpretation=colour)
    signed = kind is np.int16 and value < 32768
    for tag, element in ((0x00280120, value), (0x00280121, limit)):
        if element is not None:
            made.add_new(tag, "SS" if signed else "US", element)
    shown = opened(tmp_path, made)
    assert (shown[:2] == 0).all()
    assert (shown[2:] == (np.arange(256) if colour == "MONOCHROME2" else np.arange(256)[::-1])).all()


def test_padding_is_black_under_a_window_too(tmp_path):
    made = dicom(np.array([[4095, 0, 2040, 4080]], np.uint16), PixelPaddingValue=4095, WindowCenter=2040.5, WindowWidth=4081)
    assert opened(tmp_path, made).tolist() == [[0, 0, 128, 255]]


def test_an_image_of_padding_alone_is_black(tmp_path):
    assert not opened(tmp_path, dicom(np.full((4, 5), 7, np.uint16), PixelPaddingValue=7)).any()


def test_signed_values_of_twelve_bits_are_read_as_signed(tmp_path):
    assert opened(tmp_path, dicom(np.array([[-2048, 0, 2047]], np.int16))).tolist() == [[0, 128, 255]]


DAMAGED = {
    "truncated pixels": lambda content: content[:-4000],
    "truncated header": lambda content: content[:300],
    "preamble only": lambda content: content[:132],
    "no DICOM": lambda content: b"no DICOM file" * 100,
    "no dicom prefix": lambda content: content[:128] + b"MCID" + content[132:],
}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("spoil", DAMAGED.values(), ids=DAMAGED)
def test_damage_is_named(tmp_path, spoil):
    message = refusal(tmp_path, spoil(content_of(dicom(RAMP))))
    assert str(tmp_path / "radiograph.dcm") in message and "cannot be decoded" in message and "restore the file" in message


WRONG = {
    "no pixels": {"PixelData": None},
    "no photometric interpretation": {"PhotometricInterpretation": None},
    "no bits": {"BitsAllocated": None},
    "window of no width": {"WindowCenter": 5, "WindowWidth": 0},
    "window narrower than a value": {"WindowCenter": 5, "WindowWidth": 0.5},
    "rescale by no number": {"RescaleSlope": "nan", "RescaleIntercept": 0},
    "padding that is no number": {"PixelPaddingValue": [0, 5]},
    "unknown window function": {"WindowCenter": 5, "WindowWidth": 5, "VOILUTFunction": "CUBIC"},
    "table shorter than it says": {"VOILUTSequence": table([1, 2], 0, 12, LUTDescriptor=[300, 0, 12])},
    "table with more than its bits hold": {"VOILUTSequence": table([1, 5000], 0, 12)},
}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("elements", WRONG.values(), ids=WRONG)
def test_a_header_that_cannot_be_followed_is_refused(tmp_path, elements):
    assert "cannot be decoded" in refusal(tmp_path, dicom(RAMP, **elements))


@pytest.mark.filterwarnings("ignore")
def test_any_single_damaged_header_byte_gives_an_image_or_a_named_refusal(tmp_path):
    content = content_of(dicom(RAMP, WindowCenter=2040.5, WindowWidth=4081, VOILUTSequence=table([1, 2], 0, 12)))
    for index in range(128, len(content) - 2 * RAMP.size):
        spoilt = content[:index] + bytes([content[index] ^ 0xFF]) + content[index + 1 :]
        with contextlib.suppress(ImageFileError):
            opened(tmp_path, spoilt)


def test_a_file_that_unpacks_to_more_than_a_radiograph_is_refused_before_it_is_unpacked(tmp_path):
    pixels = np.zeros((16, 16), dtype=np.uint16)
    huge = content_of(dicom(pixels, Rows=65_000, Columns=65_000))
    deflated = dicom(np.zeros((4000, 4000), dtype=np.uint16), syntax=DeflatedExplicitVRLittleEndian)
    for content, said in ((huge, "too large to be a radiograph"), (content_of(deflated), "it is deflated")):
        (tmp_path / "image.dcm").write_bytes(content)
        with pytest.raises(ImageFileError, match=said):
            open_image(tmp_path, "image.dcm", sha256(tmp_path / "image.dcm"))
