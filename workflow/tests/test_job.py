"""One job: its record, its retries, and what it does when it is not alone or its files change."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from conftest import MakeCapture
from engine import WORKFLOW, config

import attempts
import files
import plan


def prepare(capture: Path, out: Path) -> tuple[plan.Layout, plan.Job]:
    settings = {"set": {}, "arguments": [], "preset": "draft", **config(captures=[str(capture)], output=str(out))}
    planned, held = plan.begin(settings, dry=False)
    assert held is not None
    held.close()
    return plan.Layout(out), planned.jobs[0]


def command(layout: plan.Layout, job: plan.Job, stamp: Path | None = None) -> list[str]:
    words = [
        WORKFLOW / "scripts/job.py",
        layout.spec(job.id),
        "--stamp",
        stamp or layout.record(job.id),
        "--threads",
        3,
    ]
    return [sys.executable, *map(str, words)]


def run(layout: plan.Layout, job: plan.Job) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command(layout, job), capture_output=True, text=True)


def record(layout: plan.Layout, job: plan.Job) -> dict[str, object]:
    value = files.read_json(layout.record(job.id))
    assert isinstance(value, dict)
    return value


def test_done_is_noted_and_not_done_again(capture: MakeCapture, tmp_path: Path) -> None:
    layout, job = prepare(capture("room"), tmp_path / "out")
    assert run(layout, job).returncode == 0
    expected = {"name": "room", "key": job.key, "state": "done", "code": 0, "message": ""}
    assert record(layout, job) == expected, "nothing in it depends on when and how"
    assert "done with 3 threads" in layout.log(job.id).read_text()
    assert run(layout, job).returncode == 0
    assert len(attempts.read(layout.attempts(job.id))) == 1


def test_failures_are_told_and_gone_on_from(capture: MakeCapture, tmp_path: Path) -> None:
    layout, job = prepare(capture("room", fail=1), tmp_path / "out")
    first = run(layout, job)
    assert (first.returncode, first.stderr) == (5, "room: exit code 5: error: out of memory, try 1\n")
    assert not layout.record(job.id).exists()
    assert run(layout, job).returncode == 0
    assert [(a.code, a.resumed) for a in attempts.read(layout.attempts(job.id))] == [(5, False), (0, True)]


def test_what_cannot_be_used_is_refused_once(capture: MakeCapture, tmp_path: Path) -> None:
    folder = capture("room")
    (folder / "image").unlink()
    layout, job = prepare(folder, tmp_path / "out")
    assert run(layout, job).returncode == 0, "the engine need not try again"
    assert record(layout, job)["state"] == "refused" and record(layout, job)["code"] == 3
    again, _ = prepare(folder, tmp_path / "out")
    assert not again.record(job.id).exists(), "the next start gives it another chance"


def test_where_the_engine_keeps_files_elsewhere_only_done_work_leaves_a_stamp(
    capture: MakeCapture, tmp_path: Path
) -> None:
    stamp = tmp_path / "storage/record"
    folder = capture("room")
    layout, job = prepare(folder, tmp_path / "out")
    for _ in range(2):
        assert subprocess.run(command(layout, job, stamp)).returncode == 0
        assert stamp.read_bytes() == layout.record(job.id).read_bytes()
        stamp.unlink()
    (folder / "image").unlink()
    layout, job = prepare(folder, tmp_path / "out")
    for _ in range(2):
        assert subprocess.run(command(layout, job, stamp)).returncode == 3
    assert not stamp.exists()
    assert len(attempts.read(layout.attempts(job.id))) == 1, "the second time it only says so"


def test_cut_off_before_the_first_checkpoint_begins_anew(capture: MakeCapture, tmp_path: Path) -> None:
    layout, job = prepare(capture("room"), tmp_path / "out")
    layout.run(job.id).mkdir(parents=True)
    (layout.run(job.id) / "run.ron").write_text("(")
    assert run(layout, job).returncode == 0
    assert not (layout.run(job.id) / "run.ron").exists()


def test_files_that_change_are_noticed(capture: MakeCapture, tmp_path: Path) -> None:
    folder = capture("room", slow=3)
    layout, job = prepare(folder, tmp_path / "out")
    child = subprocess.Popen(command(layout, job), stderr=subprocess.DEVNULL)
    wait_for(layout.run(job.id) / "checkpoint")
    (folder / "image").write_text("other pixels")
    assert child.wait() == 1
    assert not layout.record(job.id).exists() and not layout.run(job.id).exists(), "what it is of is not known"
    assert "changed since" in run(layout, job).stderr


def test_two_at_once_work_one_after_the_other(capture: MakeCapture, tmp_path: Path) -> None:
    layout, job = prepare(capture("room", slow=1), tmp_path / "out")
    pair = [subprocess.Popen(command(layout, job)) for _ in range(2)]
    assert [child.wait() for child in pair] == [0, 0]
    assert len(attempts.read(layout.attempts(job.id))) == 1


def test_a_killed_job_leaves_its_program_which_the_next_one_waits_for(capture: MakeCapture, tmp_path: Path) -> None:
    layout, job = prepare(capture("room", slow=2), tmp_path / "out")
    child = subprocess.Popen(command(layout, job))
    wait_for(layout.run(job.id) / "checkpoint")
    child.kill()
    child.wait()
    assert files.lock(layout.lock(job.id), wait=False) is None, "the program goes on and holds the lock"
    assert run(layout, job).returncode == 0
    (attempt,) = attempts.read(layout.attempts(job.id))
    assert attempt.resumed, "it went on from what the first had left"


def test_a_stop_is_passed_on_once(capture: MakeCapture, tmp_path: Path) -> None:
    layout, job = prepare(capture("room", slow=30), tmp_path / "out")
    child = subprocess.Popen(command(layout, job), start_new_session=True)
    wait_for(layout.run(job.id) / "checkpoint")
    os.kill(child.pid, signal.SIGINT)
    assert child.wait(timeout=10) != 0
    (attempt,) = attempts.read(layout.attempts(job.id))
    assert attempt.code == -signal.SIGTERM and not layout.record(job.id).exists()


def wait_for(path: Path) -> None:
    until = time.monotonic() + 20
    while not path.exists():
        assert time.monotonic() < until, f"{path} does not come"
        time.sleep(0.02)
