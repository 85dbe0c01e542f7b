//! Verdicts and rebuilt masks on a synthetic capture, whose masks are known: each mask is spoiled in a way that happens,
//! and the fitted hand is where it should be or 5 mm and 5° off.

use super::{IGNORE, JudgedMask, MaskHand, MaskSettings, MaskUse, edited_mask, judge_mask};
use crate::camera::Camera;
use crate::hand::pose_hand;
use crate::mesh::Topology;
use crate::synthetic::{SynthHands, SynthSettings, SyntheticScene, make};
use image::{GrayImage, Luma, Rgb, RgbImage};
use nalgebra::{Rotation3, Vector2, Vector3};
use std::sync::LazyLock;

static SCENE: LazyLock<SyntheticScene> = LazyLock::new(|| {
    let settings = SynthSettings { hands: SynthHands::Both, views: 3, level: 2, ..SynthSettings::default() };
    make(&settings).expect("a scene")
});

/// A hand as fitted: the true model, moved.
struct Fitted {
    vertices: Vec<[f64; 3]>,
    faces: Vec<[u32; 3]>,
    wrist_loop: Vec<u32>,
    middle_knuckle: [f64; 3],
}

/// The hands `off_mm` and `off_degrees` away from where they are, each in another direction.
fn fitted(off_mm: f64, off_degrees: f64) -> Vec<Fitted> {
    SCENE
        .hands
        .iter()
        .zip([Vector3::new(0.6, -0.7, 0.3), Vector3::new(-0.5, 0.2, 0.8)])
        .map(|(hand, direction)| {
            let posed = pose_hand(&hand.model, &hand.parameters);
            let direction = direction.normalize();
            let axis = nalgebra::Unit::new_normalize(Vector3::new(direction.y, direction.z, direction.x));
            let turn = Rotation3::from_axis_angle(&axis, off_degrees.to_radians());
            let centre = Vector3::from(posed.keypoints[9]);
            let moved = |p: &[f64; 3]| -> [f64; 3] {
                (turn * (Vector3::from(*p) - centre) + centre + direction * off_mm * 1e-3).into()
            };
            Fitted {
                vertices: posed.vertices.iter().map(moved).collect(),
                faces: hand.model.faces.clone(),
                wrist_loop: hand.model.wrist_loop.clone(),
                middle_knuckle: moved(&posed.keypoints[9]),
            }
        })
        .collect()
}

fn hands(fitted: &[Fitted]) -> Vec<MaskHand<'_>> {
    fitted
        .iter()
        .map(|f| MaskHand {
            vertices: &f.vertices,
            faces: &f.faces,
            wrist_loop: &f.wrist_loop,
            middle_knuckle: f.middle_knuckle,
        })
        .collect()
}

struct Case {
    camera: Camera,
    image: RgbImage,
    truth: GrayImage,
}

fn case(view: usize) -> Case {
    let v = &SCENE.capture.views[view];
    Case { camera: v.camera.clone(), image: v.image.clone(), truth: v.mask.clone().expect("a synthetic mask") }
}

fn judge(case: &Case, given: Option<&GrayImage>, fitted: &[Fitted]) -> JudgedMask {
    judge_mask(&case.camera, &case.image, given, &hands(fitted), &MaskSettings::default())
}

fn filter(image: &GrayImage, value: impl Fn(u32, u32) -> bool) -> GrayImage {
    GrayImage::from_fn(image.width(), image.height(), |x, y| Luma([if value(x, y) { 255 } else { 0 }]))
}

/// Intersection over union of the pixels that are 255, where `mask` says anything. What lies beyond the *fitted* wrist is
/// ignored by design, and a fit that is off is off there too; so that ignoring cannot help, it must stay below a tenth.
#[track_caller]
fn iou(mask: &GrayImage, truth: &GrayImage) -> f64 {
    let (mut both, mut any, mut ignored, mut all) = (0.0, 0.0, 0.0, 0.0);
    for (p, q) in mask.pixels().zip(truth.pixels()) {
        let (p, q) = (p.0[0], q.0[0] == 255);
        all += f64::from(u8::from(q));
        ignored += f64::from(u8::from(q && p == IGNORE));
        both += f64::from(u8::from(p == 255 && q));
        any += f64::from(u8::from((p == 255 || q) && p != IGNORE));
    }
    assert!(ignored < 0.1 * all, "{} of the hands are ignored", ignored / all);
    both / any
}

/// A mask of one hand only, the first.
fn first_hand(case: &Case) -> GrayImage {
    let hand = &SCENE.hands[0];
    let seen = crate::raster::cpu::visibility(&hand.positions, &hand.faces, &case.camera);
    filter(&case.truth, |x, y| {
        case.truth.get_pixel(x, y).0[0] > 0 && seen.ids[(y * case.truth.width() + x) as usize] > 0
    })
}

/// Paints a forearm of the hand's colour behind each hand and returns where it is seen.
fn paint_forearms(case: &mut Case) -> GrayImage {
    let mut arms = filter(&case.truth, |_, _| false);
    for hand in fitted(0.0, 0.0) {
        let wrist: Vector3<f64> =
            hand.wrist_loop.iter().map(|&v| Vector3::from(hand.vertices[v as usize])).sum::<Vector3<f64>>()
                / f64::from(u32::try_from(hand.wrist_loop.len()).expect("a short loop"));
        let along = (wrist - Vector3::from(hand.middle_knuckle)).normalize();
        let px = |x: Vector3<f64>| case.camera.project(&x).expect("in front");
        let (from, to) = (px(wrist), px(wrist + along * 0.09));
        let radius = 0.026 * case.camera.focal_px() / case.camera.camera_from_world(&wrist).z;
        let colour = {
            let inside = px(wrist - along * 0.02);
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a pixel of the picture")]
            *case.image.get_pixel(inside.x as u32, inside.y as u32)
        };
        for (x, y, pixel) in case.image.enumerate_pixels_mut() {
            let p = Vector2::new(f64::from(x) + 0.5, f64::from(y) + 0.5);
            let along = (p - from).dot(&(to - from)) / (to - from).norm_squared();
            let t = along.clamp(0.0, 1.0);
            if along > 0.0 && (p - from - (to - from) * t).norm() < radius && case.truth.get_pixel(x, y).0[0] == 0 {
                // A little grain, as skin has.
                let grain = u8::try_from((x * 7 + y * 13) % 9).expect("small");
                *pixel = Rgb(colour.0.map(|c| c.saturating_add(grain)));
                arms.put_pixel(x, y, Luma([255]));
            }
        }
    }
    arms
}

const OFF: [(f64, f64); 2] = [(0.0, 0.0), (5.0, 5.0)];

#[test]
fn a_true_mask_is_trusted_and_stays() {
    for (mm, degrees) in OFF {
        let fitted = fitted(mm, degrees);
        for view in 0..3 {
            let case = case(view);
            let judged = judge(&case, Some(&case.truth), &fitted);
            assert_eq!(judged.report.verdict, MaskUse::Trusted, "view {view}, {mm} mm: {:?}", judged.report);
            let mask = judged.mask.expect("a mask");
            for (p, q) in mask.pixels().zip(case.truth.pixels()) {
                assert!(p == q || (p.0[0] == IGNORE && q.0[0] == 255), "only what is beyond the wrist is ignored");
            }
            let same = iou(&mask, &case.truth);
            assert!(same > 0.97, "view {view}, {mm} mm: next to nothing is ignored, IoU {same}");
        }
    }
}

#[test]
fn an_edited_mask_is_the_users_word_but_for_the_forearm() {
    let mut case = case(1);
    let arms = paint_forearms(&mut case);
    let fitted = fitted(0.0, 0.0);
    // Half of what is hand is missing: judged, such a mask is not left as it is.
    let middle = case.truth.width() / 2;
    let half = filter(&case.truth, |x, y| {
        x < middle && (case.truth.get_pixel(x, y).0[0] > 0 || arms.get_pixel(x, y).0[0] > 0)
    });
    let judged = judge(&case, Some(&half), &fitted);
    assert_ne!(judged.report.verdict, MaskUse::Trusted, "such a mask is not believed: {:?}", judged.report);
    let hands = hands(&fitted);
    let edited = edited_mask(&case.camera, &case.image, &half, &hands, &MaskSettings::default());
    assert_eq!((edited.report.verdict, edited.report.weight), (MaskUse::Edited, 1.0), "{:?}", edited.report);
    let mask = edited.mask.expect("used");
    let mut ignored = 0;
    for (x, y, pixel) in mask.enumerate_pixels() {
        let (given, arm) = (half.get_pixel(x, y).0[0], arms.get_pixel(x, y).0[0] > 0);
        if pixel.0[0] == IGNORE && given == 255 {
            ignored += u32::from(arm);
        } else {
            assert_eq!(pixel.0[0], given, "pixel {x}, {y} is as it was painted");
        }
    }
    let arm = arms.enumerate_pixels().filter(|(x, y, p)| p.0[0] > 0 && half.get_pixel(*x, *y).0[0] > 0).count();
    let arm = u32::try_from(arm).expect("a picture");
    assert!(arm > 0 && ignored > arm / 2, "{ignored} of {arm} pixels of the forearm say nothing");
}

#[test]
fn wrong_masks_are_rebuilt_to_the_truth() {
    type Spoil = fn(&Case) -> Option<GrayImage>;
    let spoiled: [(&str, Spoil); 4] = [
        ("missing", |_| None),
        ("the whole picture", |c| Some(filter(&c.truth, |_, _| true))),
        ("shifted", |c| {
            Some(filter(&c.truth, |x, y| x >= 24 && y >= 18 && c.truth.get_pixel(x - 24, y - 18).0[0] > 0))
        }),
        ("one hand of two", |c| Some(first_hand(c))),
    ];
    for (mm, degrees) in OFF {
        let fitted = fitted(mm, degrees);
        for (name, spoil) in &spoiled {
            for view in 0..3 {
                let case = case(view);
                let judged = judge(&case, spoil(&case).as_ref(), &fitted);
                let label = format!("{name}, view {view}, {mm} mm {degrees}°");
                assert_eq!(judged.report.verdict, MaskUse::Rebuilt, "{label}: {:?}", judged.report);
                let same = iou(&judged.mask.expect("a mask"), &case.truth);
                eprintln!("{label}: IoU {same:.4}");
                assert!(same >= 0.95, "{label}: IoU {same} with the truth");
            }
        }
    }
}

#[test]
fn the_silhouette_alone_would_not_do() {
    // The bar above can be missed: a fit that is off has a silhouette that is off, and a shifted mask is another mask.
    let fitted = fitted(5.0, 5.0);
    let positions: Vec<[f64; 3]> = fitted.iter().flat_map(|f| f.vertices.iter().copied()).collect();
    let start = u32::try_from(fitted[0].vertices.len()).expect("small");
    let faces: Vec<[u32; 3]> =
        fitted[0].faces.iter().copied().chain(fitted[1].faces.iter().map(|f| f.map(|v| v + start))).collect();
    for view in 0..3 {
        let case = case(view);
        let ids = crate::raster::cpu::visibility(&positions, &faces, &case.camera).ids;
        let silhouette = filter(&case.truth, |x, y| ids[(y * case.truth.width() + x) as usize] > 0);
        let same = iou(&silhouette, &case.truth);
        assert!(same < 0.92, "view {view}: the bare silhouette has IoU {same}");
    }
}

#[test]
fn an_arm_is_ignored_and_an_island_dropped() {
    for (mm, degrees) in OFF {
        let fitted = fitted(mm, degrees);
        for view in 0..3 {
            let mut case = case(view);
            let arms = paint_forearms(&mut case);
            let (width, height) = case.truth.dimensions();
            // An island inside the region around the hands, away from hands and arms: one of that region's corners.
            let seen =
                |m: &GrayImage| m.enumerate_pixels().filter(|p| p.2.0[0] > 0).map(|p| (p.0, p.1)).collect::<Vec<_>>();
            let on = seen(&case.truth);
            let low = (on.iter().map(|p| p.0).min().expect("hand"), on.iter().map(|p| p.1).min().expect("hand"));
            let high = (on.iter().map(|p| p.0).max().expect("hand"), on.iter().map(|p| p.1).max().expect("hand"));
            let arm_pixels = seen(&arms);
            let corner = [low, (low.0, high.1), (high.0, low.1), high]
                .into_iter()
                .max_by_key(|c| arm_pixels.iter().map(|p| p.0.abs_diff(c.0).pow(2) + p.1.abs_diff(c.1).pow(2)).min())
                .expect("four corners");
            let in_island = |x: u32, y: u32| {
                x.abs_diff(corner.0) < 9 && y.abs_diff(corner.1) < 9 && case.truth.get_pixel(x, y).0[0] == 0
            };
            let given = filter(&case.truth, |x, y| {
                case.truth.get_pixel(x, y).0[0] > 0 || arms.get_pixel(x, y).0[0] > 0 || in_island(x, y)
            });
            let judged = judge(&case, Some(&given), &fitted);
            let label = format!("view {view}, {mm} mm");
            assert_eq!(judged.report.verdict, MaskUse::Cleaned, "{label}: {:?}", judged.report);
            assert!(judged.report.reason.contains("island"), "{label}: {}", judged.report.reason);
            let mask = judged.mask.expect("a mask");
            let (mut arm, mut as_hand, mut as_background, mut island) = (0.0, 0.0, 0.0, 0);
            for y in 0..height {
                for x in 0..width {
                    let value = mask.get_pixel(x, y).0[0];
                    if arms.get_pixel(x, y).0[0] > 0 {
                        arm += 1.0;
                        as_hand += f64::from(u8::from(value == 255));
                        as_background += f64::from(u8::from(value == 0));
                    }
                    island += u32::from(in_island(x, y) && value == 255);
                }
            }
            eprintln!("{label}: arm {arm} px, as hand {:.3}, as background {:.3}", as_hand / arm, as_background / arm);
            assert!(arm > 2000.0, "{label}: the arms are seen, {arm} px");
            // Where the fitted hand lies over the arm, nobody can tell.
            assert!(
                as_hand < if mm > 0.0 { 0.3 } else { 0.1 } * arm,
                "{label}: {} of the arm would pull at the hand",
                as_hand / arm
            );
            assert!(as_background < 0.02 * arm, "{label}: {} of the arm would push it away", as_background / arm);
            assert_eq!(island, 0, "{label}: the island is gone");
            let same = iou(&mask, &case.truth);
            assert!(same >= 0.95, "{label}: IoU {same} with the hands alone");
        }
    }
}

#[test]
fn a_mask_that_lacks_a_part_gets_it_back() {
    let fitted = fitted(5.0, 5.0);
    // In view 2 the bite takes less than the preset grants (`missed`).
    for view in 0..2 {
        let case = case(view);
        let middle = Vector3::from(fitted[0].middle_knuckle);
        let px = case.camera.project(&middle).expect("in front");
        let bite = |x: u32, y: u32| (f64::from(x) - px.x).hypot(f64::from(y) - px.y) < 34.0;
        let given = filter(&case.truth, |x, y| case.truth.get_pixel(x, y).0[0] > 0 && !bite(x, y));
        let judged = judge(&case, Some(&given), &fitted);
        assert_eq!(judged.report.verdict, MaskUse::Cleaned, "view {view}: {:?}", judged.report);
        let (before, after) = (iou(&given, &case.truth), iou(&judged.mask.expect("a mask"), &case.truth));
        assert!(before < 0.95 && after > 0.97, "view {view}: IoU {before} before, {after} after");
    }
}

#[test]
fn gloves_before_a_green_screen_are_as_good_as_skin() {
    let fitted = fitted(5.0, 5.0);
    let mut case = case(1);
    for (x, y, pixel) in case.image.enumerate_pixels_mut() {
        let [r, g, b] = pixel.0;
        *pixel =
            if case.truth.get_pixel(x, y).0[0] > 0 { Rgb([b, r / 2, r]) } else { Rgb([r, g.saturating_add(110), b]) };
    }
    let judged = judge(&case, None, &fitted);
    assert_eq!(judged.report.verdict, MaskUse::Rebuilt, "{:?}", judged.report);
    let same = iou(&judged.mask.expect("a mask"), &case.truth);
    assert!(same >= 0.95, "IoU {same}");
}

#[test]
fn what_cannot_be_told_apart_is_ignored() {
    let fitted = fitted(5.0, 5.0);
    let mut case = case(1);
    // A wall of the hands' own colours.
    let skin: Vec<Rgb<u8>> = case
        .image
        .enumerate_pixels()
        .filter(|(x, y, _)| case.truth.get_pixel(*x, *y).0[0] > 0)
        .map(|(_, _, p)| *p)
        .collect();
    for (i, (x, y, pixel)) in case.image.enumerate_pixels_mut().enumerate() {
        if case.truth.get_pixel(x, y).0[0] == 0 {
            *pixel = skin[i.wrapping_mul(2_654_435_761) % skin.len()];
        }
    }
    let judged = judge(&case, None, &fitted);
    assert_eq!(judged.report.verdict, MaskUse::Ignored, "{:?}", judged.report);
    assert!(judged.mask.is_none() && judged.report.weight == 0.0, "nothing is used");
    assert!(judged.report.reason.contains("same colours"), "{}", judged.report.reason);
    // A hand that is not in the picture at all.
    let mut away = super::tests::fitted(0.0, 0.0);
    for p in away.iter_mut().flat_map(|f| &mut f.vertices) {
        p[0] += 50.0;
    }
    let judged = judge(&case, Some(&case.truth), &away);
    assert_eq!(judged.report.verdict, MaskUse::Ignored, "{:?}", judged.report);
}

#[test]
fn the_same_input_gives_the_same_bytes() {
    let fitted = fitted(5.0, 5.0);
    let case = case(0);
    let once = judge(&case, None, &fitted);
    assert_eq!(once, judge(&case, None, &fitted), "twice the same");
    assert_ne!(once, judge(&case, None, &super::tests::fitted(0.0, 0.0)), "another fit, another mask");
    // The wrist's rim runs around the open end, as the masks take for granted.
    let topology = Topology::new(fitted[0].vertices.len(), &fitted[0].faces);
    let rim = topology.edges.iter().filter(|e| e.faces[1].is_none()).count();
    assert_eq!(rim, fitted[0].wrist_loop.len(), "one loop");
}

/// A mask that closes a gap through which the wall is seen is right elsewhere: the gap says nothing, and nothing else is lost.
#[test]
fn what_a_good_mask_holds_against_the_colours_says_nothing() {
    let mut case = case(1);
    let fitted = fitted(0.0, 0.0);
    // A patch of the wall well inside the hands, as between two fingers.
    let posed = pose_hand(&SCENE.hands[0].model, &SCENE.hands[0].parameters);
    let middle = case.camera.project(&Vector3::from(posed.keypoints[9])).expect("in front");
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a pixel of the picture")]
    let (cx, cy) = (middle.x as u32, middle.y as u32);
    let patch = |x: u32, y: u32| x.abs_diff(cx) < 6 && y.abs_diff(cy) < 4;
    let wall = *case.image.get_pixel(2, 2);
    for (x, y, pixel) in case.image.enumerate_pixels_mut() {
        if patch(x, y) {
            *pixel = wall;
        }
    }
    let judged = judge(&case, Some(&case.truth), &fitted);
    assert_eq!(judged.report.verdict, MaskUse::Trusted, "{}", judged.report.reason);
    let mask = judged.mask.expect("a mask");
    let silent = |inside: bool| {
        let at = |(x, y, p): (u32, u32, &Luma<u8>)| {
            (patch(x, y) == inside && case.truth.get_pixel(x, y).0[0] == 255).then_some(p.0[0] == IGNORE)
        };
        let all: Vec<bool> = mask.enumerate_pixels().filter_map(at).collect();
        all.iter().filter(|s| **s).count() as f64 / all.len() as f64
    };
    assert!(silent(true) > 0.8, "the patch is believed: {}", silent(true));
    let elsewhere = silent(false);
    let settings = MaskSettings { doubt: 0.0, ..MaskSettings::default() };
    let believed = judge_mask(&case.camera, &case.image, Some(&case.truth), &hands(&fitted), &settings);
    let all = believed.mask.expect("a mask");
    let lost = mask.pixels().zip(all.pixels()).filter(|(a, b)| a != b).count();
    assert!(lost < 150 && elsewhere < 0.1, "{lost} pixels are doubted, and {elsewhere} of the rest says nothing");
    assert_eq!(all.get_pixel(cx, cy).0[0], 255, "without doubt the gap is hand");
    let fitted = hands(&fitted);
    let edited = edited_mask(&case.camera, &case.image, &case.truth, &fitted, &MaskSettings::default());
    assert_eq!(edited.mask.expect("a mask"), all, "what a user has painted is not doubted");
}
