#!/usr/bin/env python3
"""Stands in for thenar where a test is about the workflow alone: `--version`, `presets NAME`, `reconstruct CAPTURE -o RUN …`.

A capture is a folder with `image`; its other files say what happens: `refuse` (code 3), `fail` (holds how often it fails before
it succeeds, with code 5), `slow` (seconds). With FAKE_CARELESS it forgets what it had when it goes on from a checkpoint.
"""

import hashlib
import os
import sys
import time
from pathlib import Path


def reconstruct(capture: Path, run: Path, words: list[str]) -> int:
    if not (capture / "image").exists():
        print(f"error: {capture}: holds no capture", file=sys.stderr)
        return 3
    checkpoint = run / "checkpoint"
    resumed = "--resume" in words
    if run.exists() != resumed or (resumed and not checkpoint.exists()):
        print("error: the run folder is not as it should be", file=sys.stderr)
        return 1
    run.mkdir(parents=True, exist_ok=True)
    tries = int(checkpoint.read_text()) if resumed else 0
    write(checkpoint, str(tries + 1))
    write(run / "log.txt", f"{time.time()}\n")
    if tries < number(capture / "fail"):
        print(f"error: out of memory, try {tries + 1}", file=sys.stderr)
        return 5
    time.sleep(number(capture / "slow"))
    threads = os.environ.get("LP_NUM_THREADS", "")
    careless = f" resumed {resumed}" if os.environ.get("FAKE_CARELESS") else ""
    content = hashlib.sha256((capture / "image").read_bytes()).hexdigest()
    write(run / "mesh_right.ply", f"{content}{careless}\n")
    write(
        run / "views.csv",
        "view,psnr_shared_db,iou,flags\n0,30.0,0.9,\n1,10.0,0.1,mask-not-trusted\n2,32.0,0.8,held-out\n",
    )
    write(run / "metrics.jsonl", f'{{"t": {time.time()}, "total": 1.5}}\n')
    print(f"done with {threads} threads", file=sys.stderr)
    return 0


def write(path: Path, text: str) -> None:
    partial = path.with_name(path.name + ".partial")
    partial.write_text(text)
    partial.replace(path)


def number(path: Path) -> float:
    return float(path.read_text()) if path.exists() else 0.0


def main(words: list[str]) -> int:
    if words == ["--version"]:
        print(os.environ.get("FAKE_VERSION", "thenar 9.9.9"))
        return 0
    if words[0] == "presets":
        print(os.environ.get("FAKE_PRESET", f"(settings of {words[1]})"))
        return 0 if words[1] != "unknown" else 2
    return reconstruct(Path(words[1]), Path(words[words.index("-o") + 1]), words)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
