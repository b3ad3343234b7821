"""Where a model's files are on this machine. Reads the file system only: no network, and nothing is loaded."""

import json
from pathlib import Path

from medattn.base.errors import InputError

CONFIG = "config.json"
WEIGHTS, WEIGHTS_INDEX = "model.safetensors", "model.safetensors.index.json"
IMAGE_TOKENS = 256  # of an image: a 16 x 16 grid
PROCESSOR = ("processor_config.json", "preprocessor_config.json")  # either holds the image steps


def snapshot(name: str, revision: str | None) -> Path | None:
    """The directory of a Hugging Face model in the local cache (revision None: its main branch); None if not there.

    Raises InputError if `name` is not a Hugging Face name.
    """
    from huggingface_hub import try_to_load_from_cache
    from huggingface_hub.errors import HFValidationError

    try:
        found = try_to_load_from_cache(name, CONFIG, revision=revision)
    except HFValidationError:
        raise InputError(f"model {name} is neither a directory nor a Hugging Face name (owner/name): fix it") from None
    return Path(found).parent if isinstance(found, str) else None


def missing_files(directory: Path) -> list[str]:
    """Names of the files without which a model directory cannot be loaded, and which are not there; sorted.

    Weights are one file, or an index with every file it names. A link into the cache that leads nowhere is missing, too.
    """
    wanted = [CONFIG, "tokenizer.json"]
    if not any((directory / name).is_file() for name in PROCESSOR):
        wanted.append(PROCESSOR[0])
    if (directory / WEIGHTS_INDEX).is_file():
        wanted += _parts(directory / WEIGHTS_INDEX)
    else:
        wanted.append(WEIGHTS)
    return sorted(name for name in wanted if not (directory / name).is_file())


def _parts(index: Path) -> set[str]:
    try:
        return set(json.loads(index.read_bytes())["weight_map"].values())
    except (ValueError, KeyError, TypeError, AttributeError):
        raise InputError(f"{index} is not an index of weight files: restore it") from None


def not_here(name: str, revision: str | None, missing: list[str] | None = None) -> InputError:
    """The error for a Hugging Face model that is not, or not completely, on this machine; says what fetches it."""
    lacks = f" ({', '.join(missing)} missing)" if missing else ""
    return InputError(
        f"model {name} (revision {revision or 'main'}) is not on this machine{lacks}, and nothing is fetched during a run."
        " Fetch it once; if it is gated, accept its terms on its page first:\n"
        "  hf auth login\n"
        f"  hf download {name}{f' --revision {revision}' if revision else ''}"
    )


def local_directory(location: str | Path, revision: str | None) -> Path:
    """The complete model directory that `location` (a directory, or a Hugging Face name) means. Raises InputError."""
    if isinstance(location, Path):
        if missing := missing_files(location):
            raise InputError(f"model {location} is not complete: {', '.join(missing)} missing: restore the directory")
        return location
    directory = snapshot(location, revision)
    missing = [] if directory is None else missing_files(directory)
    if directory is None or missing:
        raise not_here(location, revision, missing)
    return directory


def check_config(path: Path) -> None:
    """Raise InputError unless a model's config.json says IMAGE_TOKENS image tokens."""
    try:
        tokens = json.loads(path.read_bytes()).get("mm_tokens_per_image")
    except FileNotFoundError:
        raise InputError(f"{path} not found: the model directory is not complete; restore it") from None
    except (ValueError, AttributeError) as error:
        raise InputError(f"{path} is not a JSON object: {error}; restore it") from None
    if tokens != IMAGE_TOKENS:
        raise InputError(
            f"{path}: mm_tokens_per_image is {tokens!r}, expected {IMAGE_TOKENS} (a 16 x 16 grid): set model.id to a Gemma 3"
            " vision-language model such as MedGemma-4b"
        )
