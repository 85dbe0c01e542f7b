//! The worker with the test engine.

use super::super::testing::{MorphBackend, test_camera, test_capture};
use super::*;
use crate::camera::Camera;
use crate::capture::Capture;
use crate::pipeline::{Effective, Stage};
use crate::studio::backend::{ExportRequest, Look, ResumeRequest, RunRequest, RunViews};
use std::time::Instant;

fn until(worker: &mut Worker, mut done: impl FnMut(&Event) -> bool) -> Vec<Event> {
    let deadline = Instant::now() + Duration::from_secs(300);
    let mut seen = Vec::new();
    while Instant::now() < deadline {
        match worker.try_event() {
            Some(event) => {
                let stop = done(&event);
                seen.push(event);
                if stop {
                    return seen;
                }
            }
            None => std::thread::sleep(Duration::from_millis(2)),
        }
    }
    panic!("the expected event never came; saw {seen:?}");
}

fn request(capture: Capture) -> Box<RunRequest> {
    Box::new(RunRequest::new(Arc::new(capture), "draft"))
}

fn worker(backend: MorphBackend) -> Worker {
    Worker::start(Arc::new(backend), Arc::new(|| {}), Duration::from_millis(10)).expect("a thread")
}

#[test]
fn every_step_arrives_in_order_even_when_nobody_drains_the_channel() {
    let mut worker = worker(MorphBackend { steps: 3000, ..MorphBackend::default() });
    assert!(worker.send(Command::Start(request(test_capture(3)))), "the worker takes commands");
    // Longer than the channel: the worker must finish without us.
    std::thread::sleep(Duration::from_millis(300));
    let events = until(&mut worker, |e| matches!(e, Event::Finished));
    let steps: Vec<f64> = events.iter().filter_map(|e| if let Event::Step(s) = e { Some(s.t) } else { None }).collect();
    assert!(steps.len() > EVENT_CAPACITY, "more steps than fit: {}", steps.len());
    assert!(steps.windows(2).all(|w| w[0] < w[1]), "in order, none lost or doubled");
    assert_eq!(steps.len(), 3000, "each step once");
}

#[test]
fn pausing_stops_stepping_and_cancelling_says_so() {
    let mut worker =
        worker(MorphBackend { steps: 1_000_000, step_time: Duration::from_millis(1), ..MorphBackend::default() });
    worker.send(Command::Start(request(test_capture(2))));
    until(&mut worker, |e| matches!(e, Event::Step(_)));
    worker.set_paused(true);
    // A step under way ends, however long the machine takes for it.
    let quiet = |worker: &mut Worker| {
        while worker.try_event().is_some() {}
        std::thread::sleep(Duration::from_millis(50));
        worker.try_event().is_none()
    };
    assert!((0..100).any(|_| quiet(&mut worker)), "nothing happens while paused");
    worker.want_snapshot();
    worker.set_paused(true);
    let deadline = Instant::now() + Duration::from_secs(120);
    while worker.snapshots.take().is_none() {
        assert!(Instant::now() < deadline, "snapshots are served while paused");
        std::thread::sleep(Duration::from_millis(2));
    }
    worker.set_paused(false);
    until(&mut worker, |e| matches!(e, Event::Step(_)));
    worker.cancel();
    until(&mut worker, |e| matches!(e, Event::Stopped { resumable: true }));
    std::thread::sleep(Duration::from_millis(20));
    assert!(worker.try_event().is_none(), "no step after the stop");
}

#[test]
fn a_failing_step_keeps_the_worker_alive_and_a_dead_worker_is_reported_once() {
    let mut worker = worker(MorphBackend { steps: 50, fail_at: Some(10), ..MorphBackend::default() });
    worker.send(Command::Start(request(test_capture(2))));
    let events = until(&mut worker, |e| matches!(e, Event::RunFailed { .. }));
    assert_eq!(events.iter().filter(|e| matches!(e, Event::Step(_))).count(), 9, "steps before the failure arrive");
    worker.send(Command::Open("nowhere".into(), Box::default()));
    until(&mut worker, |e| matches!(e, Event::Failed(p) if p.what.contains("nowhere")));

    let mut worker = self::worker(MorphBackend { steps: 50, panic_at: Some(3), ..MorphBackend::default() });
    worker.send(Command::Start(request(test_capture(2))));
    until(&mut worker, |e| matches!(e, Event::RunFailed { problem: p, .. } if p.what.contains("worker thread")));
    assert!(worker.try_event().is_none(), "the death is told once");
}

#[test]
fn a_folder_that_can_be_read_in_several_ways_is_refused_until_one_is_chosen() {
    let mut worker = worker(MorphBackend::default());
    let room = tempfile::tempdir().expect("a folder");
    std::fs::write(room.path().join("ambiguous"), b"").expect("written");
    worker.send(Command::Open(room.path().to_owned(), Box::default()));
    let refused = until(&mut worker, |e| matches!(e, Event::Refused { .. }));
    let Some(Event::Refused { path, mut options, .. }) = refused.into_iter().next_back() else { panic!("refused") };
    assert_eq!(path, room.path(), "it says which");
    options.format = Some(crate::capture::Format::Colmap);
    worker.send(Command::Open(path, Box::new(options.clone())));
    let events = until(&mut worker, |e| matches!(e, Event::Opened { .. }));
    let Some(Event::Opened { capture, .. }) = events.last() else { panic!("opened") };
    assert_eq!(capture.options, options, "read as it was asked for");
}

#[test]
fn a_requested_picture_carries_its_step_and_its_score() {
    let mut worker = worker(MorphBackend { steps: 20, ..MorphBackend::default() });
    let capture = test_capture(2);
    worker.send(Command::Start(request(capture)));
    until(&mut worker, |e| matches!(e, Event::Finished));
    let taken = worker.snapshots.take().expect("the end leaves a snapshot");
    worker.want_picture(ViewRequest { view: 1, snapshot: Arc::clone(&taken.snapshot), look: Look::Shaded });
    let deadline = Instant::now() + Duration::from_secs(120);
    let picture = loop {
        if let Some(picture) = worker.pictures.take() {
            break picture;
        }
        assert!(Instant::now() < deadline, "the picture comes");
        std::thread::sleep(Duration::from_millis(2));
    };
    assert_eq!((picture.view, picture.step), (1, taken.snapshot.step), "it says what it shows");
    assert!(picture.psnr_db.is_some_and(|p| p > 5.0 && p < 99.0), "and how well: {:?}", picture.psnr_db);
}

#[test]
fn cameras_that_the_pose_stage_corrects_and_scores_of_all_views_are_told() {
    let mut worker = worker(MorphBackend { steps: 40, repaired: Some(1), ..MorphBackend::default() });
    let mut capture = test_capture(3);
    capture.views[1].camera.k[(0, 2)] += 30.0;
    let cameras: Vec<Camera> = capture.views.iter().map(|v| v.camera.clone()).collect();
    worker.send(Command::Start(request(capture)));
    let events = until(&mut worker, |e| matches!(e, Event::Finished));
    let views: Vec<&RunViews> =
        events.iter().filter_map(|e| if let Event::Views(v) = e { Some(v) } else { None }).collect();
    assert_eq!(views[0].cameras, cameras, "at first those of the capture");
    let corrected = events
        .iter()
        .skip_while(|e| !matches!(e, Event::StageDone(Stage::Pose, _)))
        .find_map(|e| if let Event::Views(v) = e { Some(v) } else { None });
    assert_eq!(corrected.map(|v| &v.cameras[1]), Some(&test_camera(1, 3)), "the corrected one once pose has ended");
    assert_eq!(views.last().map(|v| v.psnr_db.len()), Some(3), "a score a view at the end");
}

#[test]
fn an_export_takes_its_time_beside_the_run() {
    let settings = MorphBackend {
        steps: 1_000_000,
        step_time: Duration::from_millis(1),
        export_time: Duration::from_secs(1),
        ..MorphBackend::default()
    };
    let mut worker = worker(settings);
    worker.send(Command::Start(request(test_capture(2))));
    until(&mut worker, |e| matches!(e, Event::Step(_)));
    let export = |dir: Option<&str>| ExportRequest {
        formats: vec!["glb".to_owned()],
        dir: dir.map(Into::into),
        ..ExportRequest::default()
    };
    worker.send(Command::Export(export(None), None));
    let events = until(&mut worker, |e| matches!(e, Event::Exported(_)));
    let steps = events.iter().filter(|e| matches!(e, Event::Step(_))).count();
    assert!(steps > 3, "the run goes on while files are written: {steps} steps");
    worker.send(Command::Export(export(Some("/full")), None));
    until(&mut worker, |e| matches!(e, Event::ExportFailed(p) if p.what.contains("no space left")));
}

#[cfg(target_os = "linux")]
#[test]
fn files_are_written_at_the_priority_of_the_window() {
    let nice = || rustix::process::getpriority_process(None).expect("a thread has a nice value");
    let (exporter, jobs) = Exporter::start(Arc::new(|| {})).expect("a thread");
    let (sender, seen) = bounded(1);
    let job = move || {
        sender.send(nice())?;
        Ok(Vec::new())
    };
    // Sent by a thread that gave way, as the worker does.
    let worker = std::thread::Builder::new().spawn(move || {
        priority::give_way_to_the_window();
        jobs.send(Box::new(job)).expect("the exporter listens");
        nice()
    });
    let lowered = worker.expect("a thread").join().expect("it ends");
    assert_eq!(seen.recv_timeout(Duration::from_secs(120)), Ok(nice()), "as the window, not as the worker ({lowered})");
    assert!(lowered > nice() || nice() == 19, "the worker did give way");
    drop(exporter);
}

#[test]
fn a_stopped_run_goes_on_from_its_checkpoint_to_its_end() {
    let settings = MorphBackend { steps: 60, resume_at: Some(25), ..MorphBackend::default() };
    let mut worker = worker(settings.clone());
    let resume = Box::new(ResumeRequest {
        capture: Arc::new(test_capture(2)),
        run_dir: "two_lumps.thenar/runs/1".into(),
        neural: false,
        from: None,
    });
    worker.send(Command::Resume(resume.clone()));
    let events = until(&mut worker, |e| matches!(e, Event::Finished));
    let kept = events.iter().find_map(|e| if let Event::Started { steps, .. } = e { Some(steps.len()) } else { None });
    assert_eq!(kept, Some(25), "the lines so far come with it");
    assert_eq!(
        events.iter().filter(|e| matches!(e, Event::Step(_))).count(),
        35,
        "the rest is computed, nothing twice"
    );
    let mut worker = self::worker(MorphBackend { resume_at: None, ..settings });
    worker.send(Command::Resume(resume));
    let events = until(&mut worker, |e| matches!(e, Event::RunFailed { .. }));
    assert!(
        matches!(events.last(), Some(Event::RunFailed { resumable: true, problem }) if problem.what.contains("damaged")),
        "a failed attempt says why and may be repeated: {events:?}"
    );
}

#[test]
fn a_full_disk_holds_the_run_and_it_goes_on_without_a_loss_once_there_is_room() {
    let room = tempfile::tempdir().expect("a folder");
    let full = room.path().join("full");
    std::fs::write(&full, b"").expect("written");
    let mut worker = worker(MorphBackend { steps: 60, full: Some((25, full.clone())), ..MorphBackend::default() });
    worker.send(Command::Start(request(test_capture(2))));
    let before = until(&mut worker, |e| matches!(e, Event::Blocked(_)));
    let Some(Event::Blocked(problem)) = before.last() else { panic!("blocked") };
    assert!(problem.what.contains(&full.display().to_string()), "the path is named: {problem:?}");
    assert!(problem.meaning.contains("paused"), "{problem:?}");
    until(&mut worker, |e| matches!(e, Event::Held(_)));
    // Going on too early is told again, and nothing is stepped.
    worker.set_paused(false);
    let again = until(&mut worker, |e| matches!(e, Event::Blocked(_)));
    let steps = |events: &[Event]| events.iter().filter(|e| matches!(e, Event::Step(_))).count();
    assert_eq!((steps(&before), steps(&again)), (25, 0), "it stands where it was");
    std::fs::remove_file(&full).expect("room is made");
    worker.set_paused(false);
    let after = until(&mut worker, |e| matches!(e, Event::Finished));
    assert_eq!(steps(&after), 35, "every step once");
}

#[test]
fn a_lost_device_is_opened_again_once_and_a_second_loss_ends_the_run() {
    let lost = |times: u32| MorphBackend {
        steps: 60,
        resume_at: Some(20),
        lost: Some((30, Arc::new(std::sync::atomic::AtomicU32::new(times)))),
        ..MorphBackend::default()
    };
    let mut worker = worker(lost(1));
    worker.send(Command::Start(request(test_capture(2))));
    let events = until(&mut worker, |e| matches!(e, Event::Finished));
    let back = events.iter().find_map(|e| if let Event::DeviceBack { at } = e { Some(*at) } else { None });
    assert_eq!(back, Some(20), "from where it was saved");
    let steps = events.iter().filter(|e| matches!(e, Event::Step(_))).count();
    assert_eq!(steps, 29 + 40, "what was lost is computed again");
    let mut worker = self::worker(lost(2));
    worker.send(Command::Start(request(test_capture(2))));
    let events = until(&mut worker, |e| matches!(e, Event::RunFailed { .. }));
    assert_eq!(events.iter().filter(|e| matches!(e, Event::DeviceBack { .. })).count(), 1, "not for ever");
    assert!(
        matches!(events.last(), Some(Event::RunFailed { problem, .. }) if problem.what.contains("unplugged")),
        "and the reason is told: {events:?}"
    );
}

#[test]
fn a_setting_is_changed_between_steps_and_answered() {
    let mut worker =
        worker(MorphBackend { steps: 1_000_000, step_time: Duration::from_millis(1), ..MorphBackend::default() });
    let change = |key: &str, value| Command::Change { key: key.to_owned(), value };
    worker.send(change("ham.weight_lap", 1.0));
    worker.send(Command::Start(request(test_capture(2))));
    let events = until(&mut worker, |e| matches!(e, Event::Step(_)));
    assert!(!events.iter().any(|e| matches!(e, Event::Changed { .. })), "there was no run to change");
    for (key, wanted) in [("ham.weight_lap", Effective::NextStep), ("ham.shape_epochs", Effective::NextRun)] {
        worker.send(change(key, 3.0));
        let events = until(&mut worker, |e| matches!(e, Event::Changed { .. }));
        let Some(Event::Changed { key: changed, value, effective }) = events.last() else { panic!("changed") };
        assert_eq!((changed.as_str(), *value, *effective), (key, 3.0, wanted), "it says from when on");
    }
    worker.send(change("ham.weight_lap", 1e10));
    until(&mut worker, |e| matches!(e, Event::Failed(p) if p.what.contains("ham.weight_lap")));
    until(&mut worker, |e| matches!(e, Event::Step(_)));
}

#[test]
fn what_is_to_be_kept_is_written_although_the_window_goes_away() {
    let room = tempfile::tempdir().expect("a folder");
    let file = room.path().join("sub/studio.ron");
    let worker =
        worker(MorphBackend { steps: 10_000, step_time: Duration::from_millis(50), ..MorphBackend::default() });
    worker.send(Command::Start(request(test_capture(2))));
    worker.send(Command::SaveSettings { path: file.clone(), text: "(zoom: 1.5)".to_owned() });
    drop(worker);
    assert_eq!(std::fs::read_to_string(&file).expect("is there"), "(zoom: 1.5)", "whole");
}

#[test]
fn a_loss_that_is_no_number_goes_back_to_the_checkpoint_and_waits_for_other_rates() {
    let room = tempfile::tempdir().expect("a folder");
    let settings = MorphBackend { steps: 60, resume_at: Some(40), diverge_at: Some(50), ..MorphBackend::default() };
    let begin = |worker: &Worker| {
        let results = Some(room.path().to_owned());
        worker.send(Command::Start(Box::new(RunRequest { results, ..*request(test_capture(2)) })));
    };
    // Without a checkpoint there is nothing to go back to.
    let mut worker = worker(settings.clone());
    begin(&worker);
    until(&mut worker, |e| matches!(e, Event::RunFailed { resumable: false, .. }));
    std::fs::create_dir_all(room.path().join("1")).expect("made");
    std::fs::write(room.path().join("1/checkpoint"), b"").expect("written");
    let mut worker = self::worker(settings);
    begin(&worker);
    let events = until(&mut worker, |e| matches!(e, Event::Diverged(_)));
    let mut back =
        events.iter().filter_map(|e| if let Event::Started { steps, .. } = e { Some(steps.len()) } else { None });
    assert_eq!(back.next_back(), Some(40), "back where it was saved");
    until(&mut worker, |e| matches!(e, Event::Held(_)));
    assert!(worker.snapshots.take().is_some_and(|t| t.snapshot.step <= 50), "the last good one is still there");
    // The same rates come to the same, smaller ones do not.
    worker.set_paused(false);
    until(&mut worker, |e| matches!(e, Event::Diverged(_)));
    worker.send(Command::Change { key: "ham.rate_delta".to_owned(), value: 5e-5 });
    until(&mut worker, |e| matches!(e, Event::Changed { .. }));
    worker.set_paused(false);
    until(&mut worker, |e| matches!(e, Event::Finished));
}
