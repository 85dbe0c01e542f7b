use super::*;
use crate::camera::testing::turned as view;

const AROUND: &str = r#"{ "cameras": [
    { "position": [0, 0, -1], "look_at": [0, 0, 0], "fov_deg": 30 },
    { "position": [1, 0, 0], "look_at": [0, 0, 0], "fov_deg": 30 },
    { "position": [0, 0, 1], "look_at": [0, 0, 0], "fov_deg": 40 },
    { "position": [-1, 0, 0], "look_at": [0, 0, 0], "fov_deg": 30 } ], "closed": CLOSED }"#;

fn around(closed: bool) -> CameraPath {
    CameraPath::parse(&AROUND.replace("CLOSED", &closed.to_string()), &[], 4.0).expect("a path")
}

#[test]
fn a_view_of_the_capture_is_met_exactly() {
    let json = r#"{ "cameras": [{ "view": 0 }, { "position": [0, 0, -1], "look_at": [0, 0, 0], "fov_deg": 30 }] }"#;
    let path = CameraPath::parse(json, &[view()], 2.0).expect("a path");
    let met = path.camera(0.0, (640, 480));
    assert!((met.k - view().k).norm() < 1e-9 && (met.rotation - view().rotation).norm() < 1e-9, "{met:?}");
    assert!((met.translation - view().translation).norm() < 1e-9, "{met:?}");
    let half = path.camera(0.0, (320, 240));
    assert!((half.k - view().scaled(0.5).k).norm() < 1e-9, "at half size: {half:?}");
    let end = path.camera(1.0, (640, 480));
    assert!((end.centre() - Vector3::new(0.0, 0.0, -1.0)).norm() < 1e-9, "and the last one");
    assert!((end.rotation - Matrix3::identity()).norm() < 1e-9, "it looks along +z with −y up: {}", end.rotation);
    let one = CameraPath::parse(r#"{ "cameras": [{ "view": 0 }] }"#, &[view()], 2.0).expect("a path");
    assert!((one.camera(0.7, (640, 480)).k - view().k).norm() < 1e-9, "a single camera stands still");
}

#[test]
fn the_way_is_smooth_through_every_camera() {
    for closed in [false, true] {
        let path = around(closed);
        let steps = 4000;
        let at = |i: i32| path.camera(f64::from(i) / f64::from(steps), (640, 480));
        let mut last: Option<(Vector3<f64>, Vector3<f64>)> = None;
        for i in 0..steps {
            let (a, b) = (at(i), at(i + 1));
            let turn = UnitQuaternion::from_rotation_matrix(&Rotation3::from_matrix_unchecked(
                b.rotation * a.rotation.transpose(),
            ));
            let (turn, motion) = (turn.scaled_axis(), b.centre() - a.centre());
            if let Some((turn_before, motion_before)) = last {
                // A jerk is a change of the pace between two steps; paces here are about 1e-3 a step.
                assert!((turn - turn_before).norm() < 2e-5, "{closed}, {i}: turn {turn_before} to {turn}");
                assert!((motion - motion_before).norm() < 2e-5, "{closed}, {i}: {motion_before} to {motion}");
            }
            last = Some((turn, motion));
            let off = a.rotation * a.rotation.transpose() - Matrix3::identity();
            assert!(off.norm() < 1e-9, "a rotation");
        }
        let keys = if closed { 4.0 } else { 3.0 };
        let second = path.camera(1.0 / keys, (640, 480));
        assert!((second.centre() - Vector3::new(1.0, 0.0, 0.0)).norm() < 1e-9, "the second camera is met");
        let tele = path.camera(2.0 / keys, (640, 480));
        assert!(tele.k[(0, 0)] < second.k[(0, 0)], "its lens as well");
        let ends = (path.camera(0.0, (64, 48)), path.camera(1.0, (64, 48)));
        assert_eq!((ends.0.centre() - ends.1.centre()).norm() < 1e-9, closed, "a closed path comes back");
    }
    // The seam of a closed path is as smooth as the rest.
    let path = around(true);
    let pace = |a: f64, b: f64| path.camera(b, (64, 48)).centre() - path.camera(a, (64, 48)).centre();
    assert!((pace(0.0, 1e-4) - pace(1.0 - 1e-4, 1.0)).norm() < 1e-6, "no jerk at the seam");
}

#[test]
fn times_are_kept() {
    let json = r#"{ "cameras": [
        { "position": [0, 0, -1], "look_at": [0, 0, 0], "fov_deg": 30, "seconds": 1 },
        { "position": [0.5, 0, -1], "look_at": [0, 0, 0], "fov_deg": 30, "seconds": 2 },
        { "position": [1, 0, -1], "look_at": [0, 0, 0], "fov_deg": 30, "seconds": 5 } ] }"#;
    let path = CameraPath::parse(json, &[], 99.0).expect("a path");
    assert!((path.seconds() - 4.0).abs() < 1e-12, "from the first to the last");
    let x = |part: f64| path.camera(part, (64, 48)).centre().x;
    assert!((x(0.25) - 0.5).abs() < 1e-9 && (x(1.0) - 1.0).abs() < 1e-9, "each at its time");
}

#[test]
fn what_is_wrong_is_said() {
    let good = r#""position": [0, 0, -1], "look_at": [0, 0, 0], "fov_deg": 30"#;
    for (json, words) in [
        ("", "no camera path"),
        (r#"{"cameras": []}"#, "0 cameras"),
        (r#"{"cameras": [{"view": 7}]}"#, "no view 7"),
        (r#"{"cameras": [{"view": 0, "position": [0, 0, 0]}]}"#, "give `view`"),
        (r#"{"cameras": [{"position": [0, 0, 0], "look_at": [0, 0, 0], "fov_deg": 30}]}"#, "where the camera is"),
        (r#"{"cameras": [{"position": [0, 1, 0], "look_at": [0, 0, 0], "fov_deg": 30}]}"#, "along the way"),
        (r#"{"cameras": [{"position": [0, 0, -1], "look_at": [0, 0, 0]}]}"#, "`fov_deg` is missing"),
        (r#"{"cameras": [{"position": [0, 0, -1], "look_at": [0, 0, 0], "fov_deg": 300}]}"#, "not between"),
        (
            r#"{"cameras": [{"rotation": [[1,0,0],[0,1,0],[0,0,2]], "translation": [0,0,1], "fov_deg": 30}]}"#,
            "no rotation",
        ),
        (r#"{"cameras": [{"zoom": 3}]}"#, "unknown field"),
        (&format!(r#"{{"cameras": [{{{good}, "seconds": 1}}, {{{good}}}]}}"#), "1 of 2"),
        (&format!(r#"{{"cameras": [{{{good}, "seconds": 1}}, {{{good}, "seconds": 1}}]}}"#), "later"),
    ] {
        let error = CameraPath::parse(json, &[view()], 1.0).expect_err(json);
        assert!(error.contains(words), "`{words}` in `{error}`");
    }
}
