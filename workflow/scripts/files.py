"""Files: contents as SHA-256, writing whole or not at all, locks that end with their process."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import tempfile
from pathlib import Path
from typing import IO, Any


def sha256_of(path: Path) -> str:
    """SHA-256 of a file's bytes, or of all files in a folder with their names, in order. Links are followed.

    Names that begin with a dot are left out, as file systems and desktops put such files into folders by themselves. Times,
    owners and empty folders do not count. Raises `OSError` when something cannot be read.
    """
    if not path.is_dir():
        with path.open("rb") as content:
            return hashlib.file_digest(content, "sha256").hexdigest()
    whole = hashlib.sha256()
    for name, file in sorted(_files(path, "", ())):
        whole.update(name.encode(errors="surrogateescape") + b"\0")
        whole.update(bytes.fromhex(sha256_of(file)))
    return whole.hexdigest()


def _files(folder: Path, prefix: str, above: tuple[Path, ...]) -> list[tuple[str, Path]]:
    real = folder.resolve()
    if real in above:  # a link to a folder that holds it
        return []
    found: list[tuple[str, Path]] = []
    for entry in folder.iterdir():
        if entry.name.startswith("."):
            continue
        if entry.is_dir():
            found += _files(entry, f"{prefix}{entry.name}/", (*above, real))
        else:
            found.append((prefix + entry.name, entry))
    return found


def write(path: Path, text: str) -> None:
    """Writes a file so that after a crash it is there whole, or is not there, or is as it was."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, partial = tempfile.mkstemp(prefix=".", suffix=".partial", dir=path.parent)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(partial, 0o644)
        os.replace(partial, path)
    except BaseException:
        os.unlink(partial)
        raise


def write_json(path: Path, value: object) -> None:
    """As `write`, always with the same bytes for the same value."""
    write(path, json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False) + "\n")


def read_json(path: Path) -> Any:
    """What `write_json` has written; None when it is not there."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None


def lock(path: Path, *, wait: bool) -> IO[str] | None:
    """An exclusive lock; None when another process has it and we do not wait.

    It holds as long as the returned file, or a copy of it in a child process, is open: no kill leaves it behind.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    file = path.open("w")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except BlockingIOError:
        file.close()
        return None
    return file


def wait_for(path: Path) -> None:
    """Waits while another process has a lock on a file, if there is such a file."""
    if path.exists():
        with path.open("a") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
