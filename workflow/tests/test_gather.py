"""The table, the page and the links."""

from __future__ import annotations

from pathlib import Path

import attempts
import files
import gather
import plan


def job(name: str, digit: str) -> plan.Job:
    return plan.Job(name, digit * 16, f"/captures/{name}", (), ((f"/captures/{name}", "00"),), ("thenar",), "thenar 1")


def write_record(layout: plan.Layout, one: plan.Job, state: str, code: int, message: str) -> None:
    value = {"name": one.name, "key": one.key, "state": state, "code": code, "message": message}
    files.write_json(layout.record(one.id), value)


def test_every_state_has_its_row(tmp_path: Path) -> None:
    layout = plan.Layout(tmp_path)
    done, refused, failed, waiting = (
        job(n, d) for n, d in (("room", "1"), ("bad", "2"), ("hall", "3"), ("later", "4"))
    )
    plan.Plan([done, refused, failed, waiting], [("nowhere", "/x", "no such <folder>")]).write(layout)
    write_record(layout, done, "done", 0, "")
    write_record(layout, refused, "refused", 3, 'holds "no" capture')
    layout.run(done.id).mkdir(parents=True)
    views = "view,psnr_shared_db,iou,flags\n0,30.0,0.9,\n1,10.0,0.1,mask-not-trusted\n2,32.0,,held-out\n"
    (layout.run(done.id) / "views.csv").write_text(views)
    attempts.note(layout.attempts(done.id), attempts.Attempt(1.0, 2.0, -9, False, "a"))
    attempts.note(layout.attempts(done.id), attempts.Attempt(2.0, 3.5, 0, True, "b"))
    attempts.note(layout.attempts(failed.id), attempts.Attempt(1.0, 2.0, 5, False, "a"))
    with layout.attempts(failed.id).open("a") as file:
        file.write('{"began": 1')  # cut by a kill
    layout.log(failed.id).parent.mkdir(parents=True)
    layout.log(failed.id).write_text("working\nerror: lost the GPU\n\n")

    rest = gather.gather(tmp_path)
    assert {row.capture for row in rest} == {"bad", "hall", "later", "nowhere"}
    assert (tmp_path / "summary.csv").read_text().splitlines() == [
        "capture,state,exit_code,attempts,seconds,views,psnr_shared_db,iou,run,message",
        'bad,refused,3,0,0.0,,,,,"holds ""no"" capture"',
        "hall,failed,5,1,2.0,,,,runs/hall.3333333333333333,error: lost the GPU",
        "later,waiting,,0,0.0,,,,,",
        "nowhere,refused,,0,0.0,,,,,no such <folder>",
        "room,done,0,2,5.5,3,31.00,0.9000,runs/room.1111111111111111,",
    ]
    page = (tmp_path / "report.html").read_text()
    assert "1 done, 2 refused, 1 failed, 1 waiting" in page and "no such &lt;folder&gt;" in page
    assert (tmp_path / "results/room/views.csv").read_text() == views
    assert "http" not in page.replace('lang="en"', ""), "the page needs nothing else"


def test_links_follow_the_plan(tmp_path: Path) -> None:
    layout = plan.Layout(tmp_path)
    for digit in "12":
        one = job("room", digit)
        plan.Plan([one], []).write(layout)
        write_record(layout, one, "done", 0, "")
        layout.run(one.id).mkdir(parents=True)
        (layout.run(one.id) / "mesh_right.ply").write_text(digit)
        assert gather.gather(tmp_path) == []
        assert (tmp_path / "results/room/mesh_right.ply").read_text() == digit
    plan.Plan([job("hall", "3")], []).write(layout)
    gather.gather(tmp_path)
    assert list((tmp_path / "results").iterdir()) == [], "what is not done has no link"
