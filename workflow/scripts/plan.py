"""Cuts the configured captures into jobs, each with a key: the hash of all that its result depends on."""

from __future__ import annotations

import glob
import hashlib
import json
import os
import subprocess
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any

import files

# Part of every key: another number makes all work of before unfinished.
_FORMAT = 1
_RESERVED = ("--output", "--resume", "--progress")
# Options of `reconstruct` whose value may be a file or a folder.
_NAMES_FILES = ("--preset", "--hand-model")


class PlanError(Exception):
    """The configuration as a whole cannot be used."""


@dataclass(frozen=True)
class Job:
    """One reconstruction."""

    name: str
    """Of the capture; no two of a plan are alike."""
    key: str
    """16 hexadecimal digits: of contents, settings and program."""
    capture: str
    """Its folder, absolute."""
    arguments: tuple[str, ...]
    """Of `thenar reconstruct`, without capture and run folder."""
    inputs: tuple[tuple[str, str], ...]
    """Every path it reads, the capture first, and the SHA-256 of what lies there."""
    program: tuple[str, ...]
    """How thenar is started."""
    version: str
    """What `thenar --version` says."""

    @property
    def id(self) -> str:
        """Name of its files."""
        return f"{self.name}.{self.key}"


@dataclass(frozen=True)
class Layout:
    """Where things lie in the output folder."""

    out: Path

    def spec(self, job_id: str) -> Path:
        """What is to be done."""
        return self.out / "jobs" / f"{job_id}.json"

    def record(self, job_id: str) -> Path:
        """How it ended; there only when it has come to an end."""
        return self.out / "records" / f"{job_id}.json"

    def attempts(self, job_id: str) -> Path:
        """One line of JSON for each process that was started for it."""
        return self.out / "attempts" / f"{job_id}.jsonl"

    def run(self, job_id: str) -> Path:
        """The run folder."""
        return self.out / "runs" / job_id

    def log(self, job_id: str) -> Path:
        """What its processes said."""
        return self.out / "logs" / f"{job_id}.log"

    def lock(self, job_id: str) -> Path:
        """Held by the one process that works on it."""
        return self.out / "locks" / job_id

    @property
    def plan(self) -> Path:
        """All jobs, and what could not become one."""
        return self.out / "plan.json"


@dataclass(frozen=True)
class Plan:
    """All that is to be done."""

    jobs: list[Job]
    missing: list[tuple[str, str, str]]
    """Name, path and reason of entries that cannot become a job."""

    def write(self, layout: Layout) -> None:
        """Leaves what jobs and summary need on disk."""
        for job in self.jobs:
            spec = layout.spec(job.id)
            if read_job(spec) != job:
                files.write_json(spec, asdict(job))
        files.write_json(layout.plan, {"jobs": [asdict(job) for job in self.jobs], "missing": self.missing})


def _job(value: dict[str, Any]) -> Job:
    tuples: dict[str, Any] = {
        "arguments": tuple(value["arguments"]),
        "program": tuple(value["program"]),
        "inputs": tuple((path, digest) for path, digest in value["inputs"]),
    }
    return Job(**{**value, **tuples})


def read_job(path: Path) -> Job | None:
    """A job that `Plan.write` has written."""
    value = files.read_json(path)
    return None if value is None else _job(value)


def read_plan(path: Path) -> Plan:
    """A plan that `Plan.write` has written."""
    value = files.read_json(path)
    if value is None:
        raise PlanError(f"{path} is not there: the workflow has not been started")
    return Plan([_job(job) for job in value["jobs"]], [(n, p, why) for n, p, why in value["missing"]])


def make(config: dict[str, Any]) -> Plan:
    """The plan of a validated configuration. Reads every capture once, some at a time."""
    program = _program(config["program"])
    version = _say(program, "--version").strip()
    shared = ["--preset", config["preset"]]
    for key, value in config["set"].items():
        shared += ["--set", f"{key}={_word(value)}"]
    shared += [str(word) for word in config["arguments"]]

    jobs: list[Job] = []
    missing: list[tuple[str, str, str]] = []
    entries = _entries(config["captures"])
    hashes = _Hashes([path for path, _ in entries])
    taken: set[str] = set()
    settings: dict[tuple[str, ...], _Settings] = {}
    for path, own in entries:
        name = _name(path, taken)
        arguments = (*shared, *own)
        if arguments not in settings:
            settings[arguments] = _settings(program, arguments)
        given = settings[arguments]
        try:
            digest = hashes.of(path)
        except OSError as e:
            missing.append((name, str(path), f"{e.filename or path}: {e.strerror}"))
            continue
        identity = json.dumps([_FORMAT, digest, given.meaning, version], ensure_ascii=False)
        key = hashlib.sha256(identity.encode(errors="surrogateescape")).hexdigest()[:16]
        inputs = ((str(path), digest), *given.inputs)
        jobs.append(Job(name, key, str(path), given.arguments, inputs, program, version))
    return Plan(jobs, missing)


def begin(config: dict[str, Any], *, dry: bool) -> tuple[Plan, IO[str] | None]:
    """Plans and writes the plan. The file that comes back keeps a second workflow off this output folder.

    Captures that were refused the last time get another chance, as the reason may have lain elsewhere.
    """
    layout = Layout(Path(config["output"]))
    held = files.lock(layout.lock("workflow"), wait=False)
    if held is None and not dry:
        raise PlanError(f"another workflow is at work in {layout.out}")
    plan = make(config)
    if held is not None:
        plan.write(layout)
        for job in plan.jobs:
            record = files.read_json(layout.record(job.id))
            if record is not None and record["state"] != "done":
                layout.record(job.id).unlink()
    return plan, held


class _Hashes:
    """Hashes of captures, computed ahead by some threads."""

    def __init__(self, paths: list[Path]) -> None:
        self._pool = ThreadPoolExecutor(max_workers=min(8, (os.cpu_count() or 1) * 2))
        self._found = {path: self._pool.submit(files.sha256_of, path) for path in paths}

    def of(self, path: Path) -> str:
        """The hash, or the error that reading gave."""
        return self._found[path].result()


def _program(value: str | list[str]) -> tuple[str, ...]:
    words = [value] if isinstance(value, str) else list(value)
    if os.sep in words[0]:  # jobs of a cluster start in the same folder, but nobody should have to rely on it
        words[0] = str(Path(words[0]).expanduser().absolute())
    return tuple(words)


def _say(program: tuple[str, ...], *arguments: str) -> str:
    try:
        done = subprocess.run([*program, *arguments], capture_output=True, text=True, check=True)
    except OSError as e:
        raise PlanError(f"the program cannot be started: {' '.join(program)}: {e.strerror}") from e
    except subprocess.CalledProcessError as e:
        raise PlanError(e.stderr.strip() or f"{' '.join(program)} ended with {e.returncode}") from e
    return done.stdout


def _word(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _entries(configured: list[Any]) -> list[tuple[Path, tuple[str, ...]]]:
    """Captures with their own arguments. Patterns give folders only, sorted; what matches nothing stays, to be reported."""
    found: list[tuple[Path, tuple[str, ...]]] = []
    for entry in configured:
        pattern = entry if isinstance(entry, str) else entry["path"]
        own = () if isinstance(entry, str) else tuple(str(word) for word in entry.get("arguments", []))
        whole = str(Path(pattern).expanduser().absolute())
        folders = sorted(path for path in glob.glob(whole) if os.path.isdir(path))
        found += [(Path(folder), own) for folder in folders or [whole]]
    return found


def _name(path: Path, taken: set[str]) -> str:
    """That of the folder; frames, which are called by a number, get that of the folder above too."""
    base = f"{path.parent.name}-{path.name}" if path.name.isdecimal() else path.name
    base = "".join(c if c.isalnum() or c in "-_+~" else "_" for c in base) or "capture"
    name = next(n for n in (base, *(f"{base}-{i}" for i in range(2, len(taken) + 3))) if n not in taken)
    taken.add(name)
    return name


@dataclass(frozen=True)
class _Settings:
    """Arguments of `reconstruct`, looked at closely."""

    arguments: tuple[str, ...]
    """With absolute paths."""
    inputs: tuple[tuple[str, str], ...]
    """Files that they name, and their hashes."""
    meaning: tuple[str, ...]
    """For the key: contents of files and presets instead of their names."""


def _settings(program: tuple[str, ...], given: tuple[str, ...]) -> _Settings:
    arguments: list[str] = []
    inputs: list[tuple[str, str]] = []
    meaning: list[str] = []
    option = ""
    for word in _words(given):
        if word in _RESERVED or word[:2] == "-o":
            raise PlanError(f"{word} is set by the workflow itself")
        path = Path(os.environ.get("THENAR_MANO", word) if word == "mano" else word).expanduser().absolute()
        meant = word
        if option in _NAMES_FILES and path.exists():
            meant = files.sha256_of(path)
            inputs.append((str(path), meant))
            word = str(path)
        elif option == "--preset":
            # All its settings, so that a program with other ones under the same name is another key.
            meant = _say(program, "presets", word)
        arguments.append(word)
        meaning.append(meant)
        option = word
    return _Settings(tuple(arguments), tuple(inputs), tuple(meaning))


def _words(given: tuple[str, ...]) -> list[str]:
    """`--option=value` as two words."""
    return [part for word in given for part in (word.split("=", 1) if word.startswith("--") else [word])]
