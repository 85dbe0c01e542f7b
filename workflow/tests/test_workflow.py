"""The real engine with a stand-in for thenar: what is retried, skipped, reported, and how it ends."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from conftest import MakeCapture
from engine import WORKFLOW, config, run, table

# The scripts need Python alone, and the program is what the configuration names (which may be a container).
_LINTS_THAT_DO_NOT_APPLY = {"Specify a conda environment or container for each rule."}


def test_failures_and_refusals_stop_nobody_and_done_work_is_skipped(capture: MakeCapture, tmp_path: Path) -> None:
    capture("fine")
    capture("shaky", fail=2)
    capture("hopeless", fail=9)
    (capture("broken") / "image").unlink()
    settings = config(captures=["captures/*", "nowhere"], retries=2)
    first = run(tmp_path, settings)
    assert first.returncode == 1, first.stderr
    rows = table(tmp_path / "out")
    states = {name: (row["state"], row["exit_code"], row["attempts"]) for name, row in rows.items()}
    assert states == {
        "broken": ("refused", "3", "1"),
        "fine": ("done", "0", "1"),
        "hopeless": ("failed", "5", "3"),
        "nowhere": ("refused", "", "0"),
        "shaky": ("done", "0", "3"),
    }
    assert rows["hopeless"]["message"] == "error: out of memory, try 3"
    assert rows["fine"]["psnr_shared_db"] == "31.00"

    (tmp_path / "captures/hopeless/fail").write_text("0")  # another input
    (tmp_path / "captures/broken/image").write_text("pixels")
    second = run(tmp_path, config(captures=["captures/*"]))
    assert second.returncode == 0, second.stderr
    tries = {name: row["attempts"] for name, row in table(tmp_path / "out").items()}
    assert tries == {"broken": "1", "fine": "1", "hopeless": "1", "shaky": "3"}, "done work is not touched"

    third = run(tmp_path, config(captures=["captures/*"], set={"ham.level": 1}), "--dry-run")
    assert third.returncode == 0 and third.stdout.count("rule reconstruct:") == 4, "other settings are other work"
    fourth = run(tmp_path, config(captures=["captures/*"]), "--dry-run")
    assert fourth.stdout.count("rule reconstruct:") == 0


def test_wrong_configuration_is_an_error_that_names_the_key(capture: MakeCapture, tmp_path: Path) -> None:
    capture("room")
    wrong = run(tmp_path, {**config(captures=["captures/*"]), "presett": "draft"})
    assert wrong.returncode == 1 and "presett" in wrong.stdout + wrong.stderr
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("profile", ["local", "slurm", "kubernetes"])
def test_profiles_agree_on_what_keeps_results_safe(profile: str) -> None:
    import yaml

    options = yaml.safe_load((WORKFLOW / "profiles" / profile / "config.yaml").read_text())
    expected = {"keep-going": True, "nolock": True, "ignore-incomplete": True, "rerun-triggers": ["mtime"]}
    assert {name: options.get(name) for name in expected} == expected


def test_lint(capture: MakeCapture, tmp_path: Path) -> None:
    capture("room")
    found = run(tmp_path, config(captures=["captures/*"]), "--lint")
    lines = (found.stdout + found.stderr).splitlines()
    titles = {line.strip(" *:") for line in lines if line.startswith("    * ")}
    assert titles == _LINTS_THAT_DO_NOT_APPLY, found.stderr


@pytest.mark.parametrize(
    "tool", [["snakefmt", "--check", "Snakefile", "plan.smk"], ["black", "--check", "-q", "."], ["mypy"]]
)
def test_style_and_types(tool: list[str]) -> None:
    done = subprocess.run([sys.executable, "-m", *tool], cwd=WORKFLOW, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
