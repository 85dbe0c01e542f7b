"""What tests share."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

import pytest


class MakeCapture(Protocol):
    """Makes a capture for the stand-in: a folder with an image and files that say what shall happen."""

    def __call__(self, name: str, **what: object) -> Path: ...


@pytest.fixture
def capture(tmp_path: Path) -> MakeCapture:
    """Captures in `tmp_path/captures`."""

    def make(name: str, **what: object) -> Path:
        folder = tmp_path / "captures" / name
        folder.mkdir(parents=True)
        (folder / "image").write_text(f"pixels of {name}")
        for file, content in what.items():
            (folder / file).write_text(str(content))
        return folder

    return make
