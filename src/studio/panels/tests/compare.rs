//! The compare panel, and the network in the 3D view.

use super::*;
use crate::studio::backend::{Look, RunViews};
use crate::studio::picture::Picture;
use crate::studio::testing::{NETWORK_BLUE, test_camera};
use crate::studio::ui_state::{CompareMode, Shading};
use crate::studio::worker::NetworkFrame;

/// A finished run with a network.
fn with_network() -> Bench {
    let mut bench = Bench::finished();
    bench.session.on_event(Event::Views(RunViews { has_network: true, ..RunViews::default() }));
    bench
}

fn middle(bench: &Bench) -> egui::Pos2 {
    let tag = bench.texts.iter().find(|(t, _)| t.starts_with("render")).map(|(_, r)| r.center()).expect("a picture");
    tag - vec2(20.0, 40.0)
}

fn wheel(bench: &mut Bench, at: egui::Pos2, by: f32) {
    bench.frame(vec![Input::PointerMoved(at)]);
    let event = Input::MouseWheel {
        unit: egui::MouseWheelUnit::Point,
        delta: vec2(0.0, by),
        phase: egui::TouchPhase::Move,
        modifiers: Modifiers::NONE,
    };
    bench.frame(vec![event]);
    // The wheel is smoothed over several frames.
    for _ in 0..40 {
        bench.frame(Vec::new());
    }
}

#[test]
fn all_ways_to_compare_show_scores_and_what_is_compared() {
    let mut bench = Bench::finished();
    bench.size = vec2(1600.0, 1000.0);
    for mode in CompareMode::ALL {
        bench.session.ui.compare = mode;
        bench.settle();
        for words in ["PSNR", "SSIM", "IoU"] {
            assert!(bench.says(words), "{}: `{words}` is on screen", mode.name());
        }
        let said = if mode == CompareMode::Difference { "|photograph − shaded|" } else { "render · shaded" };
        assert!(bench.says(said), "{}: {said}", mode.name());
    }
    bench.session.ui.compare = CompareMode::Overlay;
    bench.session.ui.opacity = 0.25;
    bench.settle();
    assert!(bench.says("render · shaded 25 %"), "how opaque");
    bench.session.ui.compare = CompareMode::Wipe;
    // A label that would be cut is its last word alone; where even that has no room there is none.
    let mut labels = Vec::new();
    for height in (800_u16..=1000).rev().step_by(10).map(f32::from) {
        bench.size = vec2(1.6 * height, height);
        bench.settle();
        labels.push(bench.texts.iter().find(|(t, _)| t.ends_with("shaded")).map(|(t, _)| t.clone()));
    }
    // The parameters below made as high as they can be.
    bench.session.ui.layout_mut().resize(&[0, 2], &[(0, 1.0), (1, 9.0)]);
    bench.settle();
    labels.push(bench.texts.iter().find(|(t, _)| t.ends_with("shaded")).map(|(t, _)| t.clone()));
    labels.dedup();
    let expected = [Some("render · shaded".to_owned()), Some("shaded".to_owned()), None];
    assert_eq!(labels, expected, "as the picture becomes narrower");
}

#[test]
fn the_wheel_looks_closer_in_both_pictures_and_the_button_back() {
    let mut bench = Bench::finished();
    bench.size = vec2(1600.0, 1000.0);
    bench.session.ui.compare = CompareMode::Side;
    bench.settle();
    let at = middle(&bench);
    wheel(&mut bench, at, 200.0);
    let closer = bench.session.ui.closer;
    assert!(closer > 1.3, "closer: {closer}");
    let before = bench.session.ui.looked_at.expect("somewhere");
    bench.frame(vec![Input::PointerMoved(at)]);
    let button = |pressed| Input::PointerButton {
        pos: at,
        button: egui::PointerButton::Primary,
        pressed,
        modifiers: Modifiers::NONE,
    };
    bench.frame(vec![button(true)]);
    bench.frame(vec![Input::PointerMoved(at + vec2(3.0, 0.0))]);
    bench.frame(vec![button(false)]);
    let after = bench.session.ui.looked_at.expect("somewhere");
    assert!(after[0] < before[0], "dragged to the right, what lay to the left comes into view: {before:?} {after:?}");
    bench.click("↺");
    bench.settle();
    assert_eq!((bench.session.ui.closer, bench.session.ui.looked_at), (1.0, None), "all of it again");
    wheel(&mut bench, at, -300.0);
    assert_eq!(bench.session.ui.closer, 1.0, "never farther than the whole");
}

#[test]
fn another_look_is_asked_for_and_a_network_that_is_not_there_is_not() {
    let mut bench = Bench::finished();
    bench.session.ui.look = Look::Albedo;
    let wanted = bench.session.wants_picture().expect("the albedo is asked for");
    assert_eq!(wanted.look, Look::Albedo, "as chosen");
    assert!(bench.session.picture().is_none(), "the shaded picture is not passed off as the albedo");
    let rgba = vec![255; 320 * 256 * 4];
    let made = crate::pipeline::ViewPicture { view: wanted.view, width: 320, height: 256, rgba, without_gain: false };
    let view = bench.session.capture.as_ref().and_then(|c| c.views.first().cloned());
    let of = (wanted.snapshot.step, Look::Albedo);
    bench.session.on_picture(Picture::new(made, view.as_ref(), of, Duration::ZERO, true));
    bench.settle();
    assert!(bench.says("render · albedo"), "it says what it is");
    assert!(!bench.says("PSNR"), "an albedo is not scored against a photograph");
    bench.session.ui.look = Look::Neural;
    assert_eq!(bench.session.look(), Look::Shaded, "there is no network");
    let mut bench = with_network();
    bench.session.ui.look = Look::Neural;
    assert_eq!(bench.session.wants_picture().map(|w| w.look), Some(Look::Neural), "and here there is one");
}

#[test]
fn the_network_is_painted_over_the_mesh_and_without_one_the_reason_is_said() {
    let mut bench = with_network();
    bench.key(Key::Num4, Modifiers::NONE);
    let camera = test_camera(1, 4);
    bench.session.look_from(Some(camera.clone()));
    let request = bench.session.wants_network().expect("a picture is asked for");
    assert!(request.camera.width_px <= camera.width_px && request.poses.is_none(), "of what is seen");
    assert!(bench.session.wants_network().is_none(), "one at a time");
    let (width, height) = (request.camera.width_px, request.camera.height_px);
    let rgba = NETWORK_BLUE.repeat((width * height) as usize);
    let frame = NetworkFrame { width, height, rgba, cost: Duration::from_secs(2) };
    bench.session.on_network(Ok(frame));
    assert!(bench.session.network_frame().is_some(), "it is shown");
    bench.settle();
    assert!(bench.says("2000 ms"), "with what it took");
    bench.session.look_from(Some(test_camera(2, 4)));
    assert!(bench.session.network_frame().is_none(), "a slow picture is not shown where the camera no longer is");
    assert!(bench.session.neural_waits(), "the next one waits for the camera to rest");

    bench.session.look_from(Some(test_camera(3, 4)));
    assert!(bench.session.wants_network().is_some(), "a small one is asked for on the way");
    bench.session.on_network(Err("the file is damaged".to_owned()));
    bench.settle();
    assert!(
        bench.says("the file is damaged") && bench.says("Shown: albedo"),
        "an error is said, and the mesh is shown"
    );

    let mut bench = Bench::finished();
    bench.session.ui.shading = Shading::Neural;
    bench.session.look_from(Some(camera));
    assert!(bench.session.wants_network().is_none(), "nothing is asked of a run without network");
    bench.settle();
    assert!(bench.says("this run has no network") && bench.says("Shown: albedo"), "and it says why");
    let mut scrubbed = with_network();
    scrubbed.session.ui.shading = Shading::Neural;
    let _ = scrubbed.session.apply(Action::Scrub(0));
    let why = scrubbed.session.why_not_neural().expect("a reason");
    assert!(why.contains("last step") || why.contains("no mesh"), "{why}");
}

#[test]
fn the_network_is_trained_when_asked_for_in_a_new_run_and_on_a_finished_one() {
    let mut bench = Bench::opened();
    bench.settle();
    bench.click_exactly("Neural renderer");
    assert!(bench.session.train_network, "ticked");
    bench.settle();
    let Some(Effect::Send(Command::Start(request))) = bench.session.apply(Action::Start) else { panic!("a start") };
    assert!(request.neural, "and asked for");
    let mut bench = Bench::finished();
    bench.settle();
    assert_eq!(bench.click_exactly("Train it on this run"), [Action::TrainNetwork], "one click on a finished run");
    let Some(Effect::Send(Command::Resume(request))) = bench.session.apply(Action::TrainNetwork) else {
        panic!("it goes on")
    };
    assert!(request.neural, "with the network");
    let mut bench = with_network();
    assert!(bench.session.apply(Action::TrainNetwork).is_none(), "one is enough");
    assert!(bench.session.why_not_train().is_some_and(|w| w.contains("already")), "and it says so");
}
