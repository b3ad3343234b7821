"""Where the recorded content of an output can be found: by its hash, so that it does not matter who keeps it.

Looked up in this order: files of the workspace that have been hashed, DVC's cache (hashed when it is read), and the files
that a commit or an archive holds.
"""

import subprocess
import sys
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path

from medattn.base.dvc import DIRECTORY, Entry, hash_content, hash_file, object_path, read_listing
from medattn.base.errors import InputError


class RecordedContent:
    """Content by MD5. temporary: a directory for files that only git or an archive holds."""

    def __init__(self, root: Path, temporary: Path) -> None:
        self._root, self._temporary = root, temporary
        self._files: dict[str, Path] = {}
        self._listings: dict[str, dict[str, str]] = {}
        self._held: dict[str, bytes] = {}
        self._checked: dict[Path, str] = {}

    def add_file(self, hash: str, path: Path) -> None:
        """A file that was hashed."""
        self._files.setdefault(hash, path)

    def add_listing(self, hash: str, files: Mapping[str, str]) -> None:
        """A directory whose files were hashed. files: path inside it -> MD5."""
        self._listings.setdefault(hash, dict(files))

    def hold(self, contents: Mapping[str, bytes]) -> None:
        """Files of a commit or an archive, by path."""
        for content in contents.values():
            self._held.setdefault(hash_content(content), content)

    # --- DVC's cache --------------------------------------------------------------------------------------------------

    @cached_property
    def cache(self) -> Path:
        """Where DVC keeps its objects; the directory need not exist."""
        done = subprocess.run(
            [sys.executable, "-m", "dvc", "cache", "dir"], cwd=self._root, capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise InputError(f"`dvc cache dir` failed: {done.stderr.strip()}")
        return Path(done.stdout.strip())

    def object(self, hash: str) -> Path:
        """The cache's file of a hash, whether it is there or not."""
        return self.cache / object_path(hash)

    def damaged(self, hash: str) -> str | None:
        """What the cache's object hashes to if that is not its name; None if it is sound or not there."""
        path = self.object(hash)
        if not path.is_file():
            return None
        if path not in self._checked:
            self._checked[path] = hash_file(path)
        found = self._checked[path]
        return None if found == hash.removesuffix(DIRECTORY) else found

    # --- by hash ------------------------------------------------------------------------------------------------------

    def file(self, hash: str) -> Path | None:
        """A file with this content; None if nobody here has it."""
        if hash in self._files:
            return self._files[hash]
        if self.object(hash).is_file() and self.damaged(hash) is None:
            return self.object(hash)
        if hash in self._held:
            path = self._temporary / hash
            if not path.exists():
                path.write_bytes(self._held[hash])
            return path
        return None

    def listing(self, hash: str) -> dict[str, str] | None:
        """Path -> MD5 of the files of a directory; None if nobody here knows."""
        if hash not in self._listings and self.object(hash).is_file():
            read = read_listing(self.object(hash).read_bytes(), hash)
            if read is not None:
                self._listings[hash] = read
        return self._listings.get(hash)

    def files_of(self, output: Entry) -> dict[str, str] | None:
        """Path inside the output ("" for the output itself, if it is a file) -> MD5; None if that is not known."""
        return self.listing(output.hash) if output.is_directory else {"": output.hash}
