"""Where a model's files are on this machine. Reads the file system only: no network, and nothing is loaded."""

import re
from pathlib import Path

from medattn.base.errors import InputError
from medattn.base.json_files import read_object

CONFIG = "config.json"
ADAPTER = "adapter_config.json"
WEIGHTS, WEIGHTS_INDEX = "model.safetensors", "model.safetensors.index.json"
WEIGHT_FILE = re.compile(r"[^./\\\0][^/\\\0]*\.safetensors")  # a plain name: no folder, nothing hidden
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
    wanted += weight_files(directory)
    return sorted(name for name in wanted if not (directory / name).is_file())


def weight_files(directory: Path) -> list[str]:
    """Names of the weight files that are loaded: the one, as the library prefers it, or those of the index; sorted."""
    if (directory / WEIGHTS_INDEX).is_file() and not (directory / WEIGHTS).is_file():
        return sorted(set(weight_map(directory / WEIGHTS_INDEX).values()))
    return [WEIGHTS]


def weight_map(index: Path) -> dict[str, str]:
    """Tensor -> weight file, as an index says. Raises InputError for a file that is not beside it, where it is pinned."""
    named = read_object(index).get("weight_map")
    if not isinstance(named, dict) or not named or not all(isinstance(name, str) for name in named.values()):
        raise InputError(f"{index} is not an index of weight files: restore it")
    for tensor, name in named.items():
        if not WEIGHT_FILE.fullmatch(name):
            raise InputError(
                f"{index}: weight_map has {name!r} for {tensor}, expected the name of a .safetensors file in the same"
                " directory: restore it"
            )
    return named


def _check_layout(directory: Path) -> None:
    """Raise InputError for an adapter, and for a linked folder, below which nothing is pinned."""
    if (directory / ADAPTER).exists():
        raise InputError(
            f"{directory / ADAPTER}: this is an adapter (LoRA), not a whole model: merge it into its base model"
            " (merge_and_unload) and save that, or remove the adapter's files"
        )
    for path in sorted(directory.rglob("*")):
        if path.is_symlink() and path.is_dir():
            raise InputError(
                f"{path} is a link to a folder, and what lies there is not pinned: put the files here, or remove it"
            )


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
        _check_layout(location)
        if missing := missing_files(location):
            raise InputError(f"model {location} is not complete: {', '.join(missing)} missing: restore the directory")
        return location
    directory = snapshot(location, revision)
    missing = [] if directory is None else missing_files(directory)
    if directory is None or missing:
        raise not_here(location, revision, missing)
    _check_layout(directory)
    return directory
