"""Remembers by content what was clean, so that a run without a change has nothing to do."""

import hashlib
import json
import os
from pathlib import Path


class Cache:
    """Keys of clean inputs, in one file. A missing or broken file is an empty cache."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._clean = self._read()
        self._used: set[str] = set()
        self._contents: dict[Path, str] = {}

    def _read(self) -> set[str]:
        try:
            return set(json.loads(self._file.read_text())["clean"])
        except (OSError, ValueError, KeyError, TypeError):
            return set()

    def content_of(self, file: Path) -> str:
        """A digest of a file's content; of a file that is not there, a word of its own."""
        if file not in self._contents:
            try:
                self._contents[file] = hashlib.sha256(file.read_bytes()).hexdigest()
            except OSError:
                self._contents[file] = "missing"
        return self._contents[file]

    def forget_contents(self) -> None:
        """Call this after files were changed."""
        self._contents.clear()

    def is_clean(self, key: str) -> bool:
        if key in self._clean:
            self._used.add(key)
        return key in self._clean

    def add(self, key: str) -> None:
        self._clean.add(key)
        self._used.add(key)

    def save(self, keys_max: int = 20_000) -> None:
        """Writes the cache. Keys that this run did not meet stay while there is room: branches come back."""
        others = sorted(self._clean - self._used)[: max(0, keys_max - len(self._used))]
        self._file.parent.mkdir(parents=True, exist_ok=True)
        new = self._file.with_name(f"{self._file.name}.{os.getpid()}")
        new.write_text(json.dumps({"clean": [*sorted(self._used), *others]}))
        new.replace(self._file)


def key_of(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:24]
