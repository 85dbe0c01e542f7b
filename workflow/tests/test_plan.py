"""What becomes a job, and what its key depends on."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
import yaml
from conftest import MakeCapture
from engine import FAKE, WORKFLOW, config
from snakemake.exceptions import WorkflowError
from snakemake.utils import validate

import plan


def make(captures: list[Any], **values: Any) -> plan.Plan:
    settings = config(captures=captures, **values)
    validate(settings, str(WORKFLOW / "schemas/config.schema.yaml"))
    return plan.make(settings)


def key(captures: list[Any], **values: Any) -> str:
    (job,) = make(captures, **values).jobs
    return job.key


def test_key_is_of_contents_and_settings_not_of_times(capture: MakeCapture, monkeypatch: pytest.MonkeyPatch) -> None:
    room = capture("room")
    one = [str(room)]
    first = key(one)
    os.utime(room / "image", (1, 1))
    (room / ".hidden").write_text("of the desktop")
    assert key(one) == first, "times and hidden files do not count"
    assert key(one, threads=7, retries=3, output="elsewhere") == first, "nor does how it is run"

    others = [
        key(one, preset="draft"),
        key(one, set={"ham.level": 1}),
        key(one, set={"ham.level": 2}),
        key(one, arguments=["--hands", "right"]),
        key([{"path": str(room), "arguments": ["--hands", "left"]}]),
    ]
    (room / "image").write_text("other pixels")
    others.append(key(one))
    (room / "image").rename(room / "picture")
    others.append(key(one))
    (room / "picture").rename(room / "image")
    (room / "image").write_text("pixels of room")
    assert key(one) == first, "back to what it was"
    monkeypatch.setenv("FAKE_VERSION", "thenar 9.9.10")
    others.append(key(one))
    monkeypatch.delenv("FAKE_VERSION")
    monkeypatch.setenv("FAKE_PRESET", "(the same name, other settings)")
    others.append(key(one))
    assert len({first, *others}) == len(others) + 1, "each of these is another key"


def test_files_that_arguments_name_count_by_their_contents(capture: MakeCapture, tmp_path: Path) -> None:
    room = [str(capture("room"))]
    preset, model = tmp_path / "mine.ron", tmp_path / "model"
    preset.write_text("(a)")
    model.mkdir()
    (model / "MANO_LEFT.pkl").write_text("left")
    words = {"preset": str(preset), "arguments": [f"--hand-model={model}", "--hold-out", 3]}
    (job,) = make(room, **words).jobs
    assert [path for path, _ in job.inputs] == [*room, str(preset), str(model)]
    assert job.arguments[-4:] == ("--hand-model", str(model), "--hold-out", "3")
    preset.rename(tmp_path / "renamed.ron")
    assert key(room, **{**words, "preset": str(tmp_path / "renamed.ron")}) == job.key, "the name does not count"
    (model / "MANO_LEFT.pkl").write_text("other")
    assert key(room, **{**words, "preset": str(tmp_path / "renamed.ron")}) != job.key


def test_patterns_frames_and_names(capture: MakeCapture, tmp_path: Path) -> None:
    for name in ("a/0001", "a/0002", "b/room", "c/room", "c/odd name"):
        capture(name)
    (tmp_path / "captures/a/notes.txt").write_text("no folder")
    found = make([str(tmp_path / "captures/a/*"), str(tmp_path / "captures/[bc]/*"), str(tmp_path / "nowhere")])
    assert [job.name for job in found.jobs] == ["a-0001", "a-0002", "room", "odd_name", "room-2"]
    ((name, path, why),) = found.missing
    assert (name, path) == ("nowhere", str(tmp_path / "nowhere")) and "No such file" in why


def test_wrong_configurations_are_refused(capture: MakeCapture, tmp_path: Path) -> None:
    room = [str(capture("room"))]
    wrong: dict[str, Any]
    for wrong in ({"captures": []}, {"captures": room, "preste": "draft"}, {"captures": room, "retries": -1}, {}):
        with pytest.raises(WorkflowError):
            validate(wrong, str(WORKFLOW / "schemas/config.schema.yaml"))
    for arguments in (["--resume"], ["--output=x"], ["-o", "x"], ["--progress", "json"]):
        with pytest.raises(plan.PlanError, match="set by the workflow itself"):
            make(room, arguments=arguments)
    with pytest.raises(plan.PlanError, match="cannot be started"):
        make(room, program=str(tmp_path / "no_such_program"))
    with pytest.raises(plan.PlanError, match="ended with 2"):
        make(room, preset="unknown")


def test_the_example_is_valid() -> None:
    example = yaml.safe_load((WORKFLOW / "config.example.yaml").read_text())
    validate(example, str(WORKFLOW / "schemas/config.schema.yaml"))


def test_a_second_workflow_is_kept_off(capture: MakeCapture, tmp_path: Path) -> None:
    settings = config(captures=[str(capture("room"))], output=str(tmp_path / "out"))
    validate(settings, str(WORKFLOW / "schemas/config.schema.yaml"))
    first, held = plan.begin(settings, dry=False)
    with pytest.raises(plan.PlanError, match="another workflow"):
        plan.begin(settings, dry=False)
    assert plan.begin(settings, dry=True)[0] == first, "looking is allowed"
    assert held is not None
    held.close()
    assert plan.begin(settings, dry=False)[0] == first == plan.read_plan(tmp_path / "out/plan.json")
    assert FAKE.exists()
