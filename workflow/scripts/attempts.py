"""What is kept of each process that was started for a job: one line of JSON, and its words in the log."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True)
class Attempt:
    """A process that has come to an end."""

    began: float
    """Seconds since 1970."""
    seconds: float
    """Wall time of thenar alone."""
    code: int
    """Exit code; negative: killed by that signal."""
    resumed: bool
    """From a checkpoint."""
    host: str


def note(path: Path, attempt: Attempt) -> None:
    """Adds a line."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as file:
        file.write(json.dumps(asdict(attempt)) + "\n")


def read(path: Path) -> list[Attempt]:
    """All lines; one that a kill has cut is left out."""
    try:
        lines = path.read_text().splitlines()
    except FileNotFoundError:
        return []
    found = []
    for line in lines:
        try:
            found.append(Attempt(**json.loads(line)))
        except (ValueError, TypeError):
            continue
    return found


def last_words(log: Path) -> str:
    """The last line that was said."""
    try:
        lines = [line.strip() for line in log.read_text(errors="replace").splitlines() if line.strip()]
    except OSError:
        lines = []
    return lines[-1] if lines else "it ended without a word"
