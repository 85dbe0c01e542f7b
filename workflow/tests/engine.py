"""The real engine in tests: starting it, disturbing it, and what it leaves."""

from __future__ import annotations

import csv
import json
import os
import random
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import files
import psutil

WORKFLOW = Path(__file__).resolve().parent.parent
FAKE = Path(__file__).with_name("fake_thenar.py")


def config(**values: Any) -> dict[str, Any]:
    """A configuration for the stand-in."""
    return {"program": str(FAKE), "threads": 1, "retries": 0, **values}


def command(folder: Path, settings: dict[str, Any], *arguments: str) -> list[str]:
    """The command line that docs/cluster.md shows, two jobs at a time."""
    files.write_json(folder / "config.json", settings)
    profile = WORKFLOW / "profiles" / "local"
    words = [sys.executable, "-m", "snakemake", "--snakefile", WORKFLOW / "Snakefile", "--profile", profile]
    return [str(w) for w in (*words, "--configfile", folder / "config.json", "--cores", "2", *arguments)]


def run(folder: Path, settings: dict[str, Any], *arguments: str) -> subprocess.CompletedProcess[str]:
    """Runs the workflow in a folder, undisturbed."""
    return subprocess.run(
        command(folder, settings, *arguments), cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, text=True
    )


def table(out: Path) -> dict[str, dict[str, str]]:
    """Rows of the summary by capture."""
    with (out / "summary.csv").open(newline="") as file:
        return {row["capture"]: row for row in csv.DictReader(file)}


# Wall times are in the table, in the metrics and in log.txt; the checkpoint counts seconds of computing.
_TIMES_IN_TABLE = ("attempts", "seconds")
_TIMED = ("log.txt", "checkpoint")


def results(out: Path) -> dict[str, bytes]:
    """All that must not depend on what happened on the way, by name: the table and every file of every finished run.

    Left out is what carries wall times: the columns and files above, and `t` of each line of metrics.jsonl.
    """
    rows = {name: {k: v for k, v in row.items() if k not in _TIMES_IN_TABLE} for name, row in table(out).items()}
    found = {f"row {name}": json.dumps(row).encode() for name, row in rows.items()}
    for path in sorted((out / "records").iterdir()):
        found[path.relative_to(out).as_posix()] = path.read_bytes()
    for link in sorted((out / "results").iterdir()):
        for path in sorted(p for p in link.resolve().rglob("*") if p.is_file()):
            name = f"results/{link.name}/{path.relative_to(link.resolve()).as_posix()}"
            if path.name == "metrics.jsonl":
                lines = [json.loads(line) for line in path.read_text().splitlines()]
                found[name] = json.dumps([{k: v for k, v in line.items() if k != "t"} for line in lines]).encode()
            elif path.name not in _TIMED:
                found[name] = path.read_bytes()
    return found


def differences(one: dict[str, bytes], other: dict[str, bytes]) -> list[str]:
    """Names of what is missing on a side or differs."""
    return sorted(name for name in one.keys() | other.keys() if one.get(name) != other.get(name))


@dataclass
class Disturbance:
    """What was done to a workflow."""

    code: int = 0
    """How the last, undisturbed start ended."""
    said: str = ""
    kills: list[str] = field(default_factory=list)
    """One word a kill that hit while a reconstruction was under way."""


KINDS = ("all", "head", "interrupt", "terminate", "program")


def disturbed(
    folder: Path, settings: dict[str, Any], seed: int, kills: int, most_s: float, kinds: tuple[str, ...] = KINDS
) -> Disturbance:
    """Kills the workflow `kills` times while reconstructions run, each a random time after one has begun, then lets it finish.

    In random order, every kind once before any comes again: everything at once, as when power fails; the head alone, so that
    jobs go on without it and meet those that the next head starts; a request to stop, from a terminal (jobs save and end) or to
    the head alone (jobs under way come to their end); one reconstruction, as when memory runs out, which the engine tries again.
    """
    rng = random.Random(seed)
    order = [kind for _ in range(0, kills, len(kinds)) for kind in rng.sample(kinds, len(kinds))][:kills]
    report = Disturbance()
    head: subprocess.Popen[bytes] | None = None
    for kind in order:
        if head is None or head.poll() is not None:
            head = _start(folder, settings)
        under_way = _wait_for_work(head, folder)
        time.sleep(rng.uniform(0.0, most_s))
        if head.poll() is None and under_way:
            report.kills.append(kind)
            _strike(head, folder, kind)
    if head is not None and head.poll() is None:  # the last one was of a program
        head.wait()
    done = run(folder, settings)
    report.code, report.said = done.returncode, done.stdout + done.stderr
    return report


def _start(folder: Path, settings: dict[str, Any]) -> subprocess.Popen[bytes]:
    none = subprocess.DEVNULL
    return subprocess.Popen(
        command(folder, settings),
        cwd=folder,
        stdin=none,
        stdout=none,
        stderr=none,
        start_new_session=True,
        preexec_fn=_as_from_a_terminal,
    )


def _as_from_a_terminal() -> None:
    """Ctrl-C counts: a shell that was started in the background has it ignored, and all that it starts inherits that."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def _wait_for_work(head: subprocess.Popen[bytes], folder: Path) -> bool:
    """Until a reconstruction that this head has started writes its run folder, or the head has ended."""
    while head.poll() is None:
        if _programs(head, folder):
            return True
        time.sleep(0.01)
    return False


def _programs(head: subprocess.Popen[bytes], folder: Path) -> list[psutil.Process]:
    """Reconstructions of this head that write already."""
    found = []
    for child in _descendants(head):
        try:
            words = child.cmdline()
        except psutil.Error:
            continue
        if "reconstruct" in words and "-o" in words:
            run_folder = folder / words[words.index("-o") + 1]
            if run_folder.is_dir() and any(run_folder.iterdir()):
                found.append(child)
    return found


def _descendants(head: subprocess.Popen[bytes]) -> list[psutil.Process]:
    try:
        return list(psutil.Process(head.pid).children(recursive=True))
    except psutil.Error:
        return []


def _strike(head: subprocess.Popen[bytes], folder: Path, kind: str) -> None:
    family = _descendants(head)
    if kind == "program":
        _kill(_programs(head, folder)[:1])
        return
    if kind == "interrupt":  # as a terminal does it: to the whole foreground group
        os.killpg(head.pid, signal.SIGINT)
    elif kind == "terminate":
        head.terminate()
    else:
        head.kill()
        _kill(family if kind == "all" else [])
    head.wait()


def _kill(processes: list[psutil.Process]) -> None:
    for process in processes:
        try:
            process.kill()
        except psutil.Error:
            continue
