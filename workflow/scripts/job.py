"""One job: `thenar reconstruct`, from where it was cut off if it was, then the record that it is done.

Ends with 0 when there is a record (done, or refused because the input cannot be used), else with the code of thenar, so that
the engine tries again. May be killed at any moment and started any number of times, also twice at once.
"""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from types import FrameType
from typing import IO

import attempts
import files
from plan import Job, Layout, read_job

# Exit codes of thenar after which another try ends the same way: called wrongly, input that cannot be used.
_FINAL = (2, 3)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("spec", type=Path, help="OUT/jobs/ID.json")
    parser.add_argument(
        "--stamp", type=Path, required=True, help="what the engine expects: the record, or a copy elsewhere"
    )
    parser.add_argument("--threads", type=int, default=0, help="of processors; 0: all there are")
    args = parser.parse_args()
    job = read_job(args.spec)
    if job is None:
        return _say(f"{args.spec} is not there: start the workflow again", 1)
    layout = Layout(args.spec.parent.parent)
    # A killed workflow leaves its thenar running; whoever comes next waits here until that has ended. The lock is handed to
    # thenar, so it lasts as long as the last of the two.
    held = files.lock(layout.lock(job.id), wait=True)
    if layout.record(job.id).exists():
        return _finish(job, layout, args.stamp)
    if not _unchanged(job):
        return _say(f"{job.name}: its files have changed since the workflow began: start it again", 1)
    code = _reconstruct(job, layout, args.threads, held)
    if code == 0 and not _unchanged(job):
        shutil.rmtree(layout.run(job.id))
        return _say(f"{job.name}: its files changed while they were read: start the workflow again", 1)
    if code == 0 or code in _FINAL:
        message = "" if code == 0 else attempts.last_words(layout.log(job.id))
        state = "refused" if code else "done"
        record = {"name": job.name, "key": job.key, "state": state, "code": code, "message": message}
        files.write_json(layout.record(job.id), record)
        return _finish(job, layout, args.stamp)
    how = f"killed by signal {-code}" if code < 0 else f"exit code {code}"
    return _say(f"{job.name}: {how}: {attempts.last_words(layout.log(job.id))}", code if 0 < code < 256 else 1)


def _finish(job: Job, layout: Layout, stamp: Path) -> int:
    """What a record means to the engine.

    Where the engine keeps files of its own, apart from ours (Kubernetes), a refusal leaves no stamp but counts as a failure: the
    next start takes back refusals among our files, but cannot do so among the engine's.
    """
    record = files.read_json(layout.record(job.id))
    refused = record["state"] == "refused"
    if refused:
        _say(f"{job.name}: {record['message']}", 0)
    if stamp.resolve() != layout.record(job.id).resolve():
        if refused:
            return int(record["code"])
        files.write_json(stamp, record)
    return 0


def _say(message: str, code: int) -> int:
    print(message, file=sys.stderr)
    return code


def _unchanged(job: Job) -> bool:
    try:
        return all(files.sha256_of(Path(path)) == digest for path, digest in job.inputs)
    except OSError:
        return False


def _reconstruct(job: Job, layout: Layout, threads: int, held: IO[str] | None) -> int:
    """Runs thenar to its end; the code is negative when a signal ended it."""
    run = layout.run(job.id)
    resume = (run / "checkpoint").exists()
    files.wait_for(run / "log.txt")  # a container's thenar, which has not got our lock, or the studio
    if run.exists() and not resume:
        shutil.rmtree(run)  # cut off in its first seconds
    command = [*job.program, "reconstruct", job.capture, "-o", str(run), *job.arguments, "--progress", "none"]
    environment = dict(os.environ)
    if threads > 0:
        # The software driver and the thread pool would take every core of the machine, not those this job was given.
        for name in ("LP_NUM_THREADS", "RAYON_NUM_THREADS"):
            environment.setdefault(name, str(threads))
    log = layout.log(job.id)
    for parent in (run.parent, log.parent):
        parent.mkdir(parents=True, exist_ok=True)
    began, clock = time.time(), time.monotonic()
    with log.open("a") as said:
        # In a process group of its own: it hears of a stop from us, once. The second signal would end it without saving.
        child = subprocess.Popen(
            command + ["--resume"] * resume,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=said,
            pass_fds=[held.fileno()] if held else [],
            process_group=0,
        )
        _forward_first_signal(child)
        code = child.wait()
    seconds = round(time.monotonic() - clock, 3)
    attempt = attempts.Attempt(round(began, 3), seconds, code, resume, socket.gethostname())
    attempts.note(layout.attempts(job.id), attempt)
    return code


def _forward_first_signal(child: subprocess.Popen[bytes]) -> None:
    told = False

    def forward(_signal: int, _frame: FrameType | None) -> None:
        nonlocal told
        if not told:
            told = True
            child.send_signal(signal.SIGTERM)

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, forward)


if __name__ == "__main__":
    sys.exit(main())
