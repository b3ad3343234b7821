"""What a file is, told from its first bytes: for messages, and to know what only pretends to be text."""

PNG = b"\x89PNG\r\n\x1a\n"
KINDS = {
    PNG: "a PNG image", b"\xff\xd8\xff": "a JPEG image", b"\x93NUMPY": "a NumPy array (a grid)", b"%PDF": "a PDF",
    b"PK\3\4": "a zip archive",
    b"\x1f\x8b": "a gzip archive", b"GIF8": "a GIF image", b"II*\0": "a TIFF image", b"MM\0*": "a TIFF image",
}  # fmt: skip


def kind(content: bytes) -> str:
    """What a file is, told from its first bytes."""
    if content[128:132] == b"DICM":
        return "a DICOM image"
    if content[8:10] == b'{"' and int.from_bytes(content[:8], "little") < len(content):
        return "tensors (safetensors: captures, grids or weights)"
    return next((what for magic, what in KINDS.items() if content.startswith(magic)), "a file")
