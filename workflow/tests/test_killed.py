"""Twelve small captures and a broken one, two at a time, killed at random and started again: the results of an undisturbed run.

With the real engine and the real thenar, whose path is in THENAR. Without it these tests are skipped, unless REQUIRE_THENAR is
set.
"""

from __future__ import annotations

import os
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from conftest import MakeCapture
from engine import config, differences, disturbed, results, run, table

import attempts

_CAPTURES = 12
# A reconstruction of about a second of computing that still goes through every stage.
_SMALL: dict[str, Any] = {
    "preset": "draft",
    "set": {"ham.level": 1, "ham.albedo_epochs": 3, "ham.shape_epochs": 6, "ham.colour_epochs": 2},
    "arguments": ["--hands", "right"],
}
_SEED = int(os.environ.get("KILL_SEED", "7"))


def thenar() -> str:
    path = os.environ.get("THENAR", "")
    if not path:
        if os.environ.get("REQUIRE_THENAR"):
            pytest.fail("THENAR is not set")
        pytest.skip("THENAR is not set: path of the program")
    return path


def undisturbed(folder: Path, settings: dict[str, Any]) -> dict[str, bytes]:
    folder.mkdir()
    run(folder, settings)
    return results(folder / "out")


def test_killed_at_random_ends_with_the_same_bytes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    program = thenar()
    captures = tmp_path / "captures"
    (captures / "broken" / "img").mkdir(parents=True)

    def synth(seed: int) -> None:
        words = [program, "synth", captures / f"s{seed:02}", "--hands", "right", "--views", "4", "--size", "128x96"]
        subprocess.run([*map(str, words), "--seed", str(seed)], check=True, capture_output=True)

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(synth, range(_CAPTURES)))
    settings = config(program=program, captures=[f"{captures}/*"], retries=1, **_SMALL)

    began = [time.monotonic()]
    whole = undisturbed(tmp_path / "whole", settings)
    began.append(time.monotonic())
    meshes = [name for name in whole if name.endswith("mesh_right.ply")]
    assert len(meshes) == _CAPTURES, sorted(whole)
    assert len({whole[name] for name in meshes}) == _CAPTURES, "every capture has a mesh of its own"

    (tmp_path / "cut").mkdir()
    report = disturbed(tmp_path / "cut", settings, seed=_SEED, kills=5, most_s=2.0)
    spans = (began[1] - began[0], time.monotonic() - began[1])
    disturbance = f"undisturbed {spans[0]:.0f} s; disturbed {spans[1]:.0f} s, {', '.join(report.kills)}"
    assert len(report.kills) >= 4, f"the workflow was over before it could be disturbed: {report.kills}"
    assert report.code == 1, "the broken capture tells in the end"
    rows = table(tmp_path / "cut/out")
    assert rows["broken"]["state"] == "refused" and "holds no capture" in rows["broken"]["message"]
    assert [row["state"] for name, row in rows.items() if name != "broken"] == ["done"] * _CAPTURES
    assert differences(whole, results(tmp_path / "cut/out")) == []
    with capsys.disabled():
        print(f"\n{disturbance}\n{_overhead(tmp_path / 'whole')}")


def _overhead(folder: Path) -> str:
    """How long the workflow was busy with other things than reconstructing, by job."""
    tried = [a for path in (folder / "out/attempts").iterdir() for a in attempts.read(path)]
    busy_s = sum(a.seconds for a in tried)
    span_s = max(a.began + a.seconds for a in tried) - min(a.began for a in tried)
    beyond_s = (2 * span_s - busy_s) / len(tried)
    return f"{len(tried)} jobs, two at a time: {busy_s:.1f} s of thenar in {span_s:.1f} s, {beyond_s:.2f} s a job beyond it"


def test_the_harness_finds_what_a_kill_changes(
    capture: MakeCapture, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a program that forgets what it had when it is cut off, the same harness must find differences."""
    for number in range(3):
        capture(f"c{number}", slow=2)
    monkeypatch.setenv("FAKE_CARELESS", "1")
    settings = config(captures=[f"{tmp_path}/captures/*"])
    whole = undisturbed(tmp_path / "whole", settings)
    (tmp_path / "cut").mkdir()
    report = disturbed(tmp_path / "cut", settings, seed=_SEED, kills=2, most_s=0.5, kinds=("all", "interrupt"))
    assert report.code == 0 and report.kills, report
    found = differences(whole, results(tmp_path / "cut/out"))
    assert found and all(name.endswith("mesh_right.ply") for name in found), found


def test_the_comparison_sees_a_byte_and_a_missing_file(capture: MakeCapture, tmp_path: Path) -> None:
    capture("room")
    whole = undisturbed(tmp_path / "whole", config(captures=[f"{tmp_path}/captures/*"]))
    out = tmp_path / "whole/out"
    (mesh,) = out.glob("runs/*/mesh_right.ply")
    content = mesh.read_bytes()
    mesh.write_bytes(content[:-2] + b"!\n")
    assert differences(whole, results(out)) == ["results/room/mesh_right.ply"]
    mesh.unlink()
    assert differences(whole, results(out)) == ["results/room/mesh_right.ply"]
    mesh.write_bytes(content)
    (mesh.parent / "log.txt").write_text(str(time.time()))
    assert differences(whole, results(out)) == [], "wall times do not count"
