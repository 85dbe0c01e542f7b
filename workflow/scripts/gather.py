"""One table of all captures: `summary.csv`, `report.html`, and links `results/NAME` to the finished runs.

Ends with 0 when every capture is done, else with 4, as `thenar batch` does.
"""

from __future__ import annotations

import argparse
import csv
import html
import io
import os
import sys
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import attempts
import files
from plan import Job, Layout, Plan, read_plan

_NOT_ALL_DONE = 4


@dataclass(frozen=True)
class Row:
    """What is known of one capture. Figures are means over the views whose masks are trusted, as in `thenar batch`."""

    capture: str
    state: str
    """done, refused (the input cannot be used), failed, or waiting."""
    exit_code: int | None
    attempts: int
    """Processes that were started for it and came to an end."""
    seconds: float
    """Sum over them."""
    views: int | None
    psnr_shared_db: float | None
    iou: float | None
    run: str
    message: str


def rows(plan: Plan, layout: Layout) -> list[Row]:
    """One row a capture, in order of their names."""
    found = [_row(job, layout) for job in plan.jobs]
    found += [Row(name, "refused", None, 0, 0.0, None, None, None, "", why) for name, _, why in plan.missing]
    return sorted(found, key=lambda row: row.capture)


def _row(job: Job, layout: Layout) -> Row:
    tried = attempts.read(layout.attempts(job.id))
    seconds = round(float(sum(attempt.seconds for attempt in tried)), 1)
    record = files.read_json(layout.record(job.id))
    run = os.path.relpath(layout.run(job.id), layout.out)
    if record is not None and record["state"] == "done":
        views, psnr_db, iou = _figures(layout.run(job.id) / "views.csv")
        return Row(job.name, "done", 0, len(tried), seconds, views, psnr_db, iou, run, "")
    if record is not None:
        return Row(job.name, "refused", record["code"], len(tried), seconds, None, None, None, "", record["message"])
    if tried:
        message = attempts.last_words(layout.log(job.id))
        return Row(job.name, "failed", tried[-1].code, len(tried), seconds, None, None, None, run, message)
    return Row(job.name, "waiting", None, 0, 0.0, None, None, None, "", "")


def _figures(views: Path) -> tuple[int | None, float | None, float | None]:
    """Number of views, mean PSNR where mask and render meet, mean IoU."""
    try:
        with views.open(newline="") as file:
            table = list(csv.DictReader(file))
    except OSError:
        return None, None, None
    trusted = [row for row in table if "mask-not-trusted" not in row.get("flags", "")]

    def mean(name: str) -> float | None:
        values = [float(row[name]) for row in trusted if row.get(name)]
        return sum(values) / len(values) if values else None

    return len(table), mean("psnr_shared_db"), mean("iou")


_DIGITS = {"psnr_shared_db": 2, "iou": 4, "seconds": 1}


def _cells(row: Row) -> list[str]:
    def cell(name: str, value: object) -> str:
        if value is None:
            return ""
        return f"{value:.{_DIGITS[name]}f}" if isinstance(value, float) else str(value)

    return [cell(name, value) for name, value in asdict(row).items()]


def to_csv(table: list[Row]) -> str:
    """The table for programs."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(field.name for field in fields(Row))
    writer.writerows(_cells(row) for row in table)
    return text.getvalue()


_STYLE = """
:root { color-scheme: light dark; --line: #8883; --done: #2a7d4f; --bad: #b3392f; --wait: #7a7a7a }
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 72rem; padding: 0 1rem }
h1 { font-size: 1.4rem; margin: 0 } p { margin: .3rem 0 1.2rem }
table { border-collapse: collapse; width: 100% }
th, td { text-align: left; padding: .35rem .7rem; border-bottom: 1px solid var(--line); vertical-align: top }
th { font-weight: 600; position: sticky; top: 0; background: Canvas }
td.number, th.number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap }
td.capture { white-space: nowrap } td.state { font-weight: 600 } tr.done .state { color: var(--done) }
tr.refused .state, tr.failed .state { color: var(--bad) } tr.waiting .state { color: var(--wait) }
td.message { overflow-wrap: anywhere }
"""
_HEADINGS = {
    "capture": "Capture",
    "state": "State",
    "views": "Views",
    "psnr_shared_db": "PSNR dB",
    "iou": "IoU",
    "attempts": "Tries",
    "seconds": "Seconds",
    "message": "What it said",
}
_TEXT = ("capture", "state", "message")


def to_html(table: list[Row]) -> str:
    """The table for the eye: one page that needs nothing else. What is not done stands first."""
    counts = {state: sum(row.state == state for row in table) for state in ("done", "refused", "failed", "waiting")}
    said = ", ".join(f"{count} {state}" for state, count in counts.items() if count) or "no captures"
    body = "".join(_line(row) for row in sorted(table, key=lambda row: row.state == "done"))
    head = "".join(
        f'<th class="{"text" if name in _TEXT else "number"}">{title}</th>' for name, title in _HEADINGS.items()
    )
    return (
        f'<!doctype html>\n<html lang="en"><meta charset="utf-8"><title>thenar: {said}</title>\n'
        '<meta name="viewport" content="width=device-width">\n'
        f"<style>{_STYLE}</style>\n<h1>Reconstructions: {said}</h1>\n"
        f"<p>{sum(row.seconds for row in table) / 3600:.2f} hours of reconstruction. PSNR where masks and rendered hands "
        "meet, and the silhouettes' IoU: means over the views whose masks are trusted.</p>\n"
        f"<table><thead><tr>{head}</tr></thead>\n<tbody>\n{body}</tbody></table>\n</html>\n"
    )


def _line(row: Row) -> str:
    cells = dict(zip((field.name for field in fields(Row)), map(html.escape, _cells(row))))
    if row.state == "done":
        cells["capture"] = f'<a href="results/{cells["capture"]}/">{cells["capture"]}</a>'
    classes = {name: name if name in _TEXT else "number" for name in _HEADINGS}
    return (
        f'<tr class="{row.state}">'
        + "".join(f'<td class="{classes[n]}">{cells[n]}</td>' for n in _HEADINGS)
        + "</tr>\n"
    )


def _link(table: list[Row], layout: Layout) -> None:
    """`results/NAME` leads to the run of the present plan; what is not done has no link."""
    results = layout.out / "results"
    results.mkdir(parents=True, exist_ok=True)
    wanted = {row.capture: os.path.join("..", row.run) for row in table if row.state == "done"}
    for link in list(results.iterdir()):
        if link.is_symlink() and wanted.get(link.name) != os.readlink(link):
            link.unlink()
    for name, target in wanted.items():
        if not (results / name).is_symlink():
            (results / name).symlink_to(target)


def gather(output: Path) -> list[Row]:
    """Writes it all; rows that are not done come back."""
    layout = Layout(output)
    table = rows(read_plan(layout.plan), layout)
    _link(table, layout)
    files.write(output / "summary.csv", to_csv(table))
    files.write(output / "report.html", to_html(table))
    return [row for row in table if row.state != "done"]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("output", type=Path)
    output = parser.parse_args().output
    open_rows = gather(output)
    for row in open_rows:
        print(f"{row.capture}: {row.state}: {row.message}")
    print(f"{output / 'summary.csv'}, {output / 'report.html'}")
    return _NOT_ALL_DONE if open_rows else 0


if __name__ == "__main__":
    sys.exit(main())
