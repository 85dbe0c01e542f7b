//! Edits over a small capture, and files of edits that nobody should trust.

use super::*;
use crate::camera::Camera;
use crate::capture::{OpenOptions, View};
use image::{GrayImage, Luma, RgbImage};
use nalgebra::Matrix3x4;
use std::path::Path;

const SIZE: (u32, u32) = (80, 60);

fn keypoints(from: f64) -> Keypoints {
    let number = |j: usize| f64::from(u32::try_from(j).expect("small"));
    Keypoints::detected(std::array::from_fn(|j| [from + number(j), 20.0 + number(j)]), [0.6; KEYPOINTS])
}

fn capture() -> Capture {
    let p = Matrix3x4::new(100.0, 0.0, 40.0, 0.0, 0.0, 100.0, 30.0, 0.0, 0.0, 0.0, 1.0, 0.0);
    let camera = Camera::from_projection(&p, SIZE.0, SIZE.1).expect("a camera");
    let view = |name: &str, keypoints| View {
        name: name.to_owned(),
        camera: camera.clone(),
        image: RgbImage::new(SIZE.0, SIZE.1),
        mask: Some(GrayImage::from_fn(SIZE.0, SIZE.1, |x, _| Luma([if x < 20 { 255 } else { 0 }]))),
        keypoints,
    };
    Capture {
        name: "small".to_owned(),
        root: "small".into(),
        format: "test",
        views: vec![view("a", [Some(keypoints(1.0)), Some(keypoints(30.0))]), view("b", [None, Some(keypoints(10.0))])],
        metres_per_unit: 1.0,
        inferences: Vec::new(),
        options: OpenOptions::default(),
        warnings: Vec::new(),
        edits: Arc::default(),
        hash: "h".to_owned(),
    }
}

fn edited(change: impl FnOnce(&mut Edits)) -> Result<Capture, EditsError> {
    let mut edits = Edits::default();
    change(&mut edits);
    capture().edited(Arc::new(edits))
}

fn same_views(a: &Capture, b: &Capture) -> bool {
    a.views.iter().zip(&b.views).all(|(a, b)| a.keypoints == b.keypoints && a.mask == b.mask)
}

#[test]
fn no_edits_change_nothing() {
    let (plain, with_none) = (capture(), edited(|_| {}).expect("nothing to refuse"));
    assert!(same_views(&plain, &with_none) && with_none.warnings.is_empty(), "as it was");
    let mut edits = Edits::default();
    edits.change("a", |view| view.swap_sides = true);
    edits.change("a", |view| view.swap_sides = false);
    assert!(edits.views.is_empty() && edits.is_empty(), "what is taken back leaves no trace");
}

#[test]
fn edits_are_applied_where_they_belong_and_the_same_each_time() {
    let change = |edits: &mut Edits| {
        edits.change("a", |view| {
            view.hands[0] = [(8, KeypointEdit::At(44.5, 12.0)), (12, KeypointEdit::Unseen)].into();
            view.swap_sides = true;
        });
        let mask = GrayImage::from_fn(SIZE.0, SIZE.1, |x, y| Luma([if x + y < 50 { 255 } else { 0 }]));
        edits.change("b", |view| view.mask = Some(Arc::new(CompactMask::new(&mask))));
    };
    let (once, again) = (edited(change).expect("sound"), edited(change).expect("sound"));
    assert!(same_views(&once, &again), "the same edits, the same capture");
    let before = capture();
    let [left, right] = &once.views[0].keypoints;
    let (left, right) = (left.as_ref().expect("there"), right.as_ref().expect("there"));
    assert_eq!(Some(left), before.views[0].keypoints[1].as_ref(), "the sides are exchanged, nothing else of that hand");
    assert_eq!((right.px[8], right.confidence[8], right.placed[8]), ([44.5, 12.0], 1.0, true), "placed");
    assert_eq!((right.confidence[12], right.placed[12]), (0.0, false), "unseen");
    let others = (0..KEYPOINTS).filter(|j| ![8, 12].contains(j));
    let old = before.views[0].keypoints[0].as_ref().expect("there");
    for j in others {
        assert_eq!((right.px[j], right.confidence[j], right.placed[j]), (old.px[j], 0.6, false), "keypoint {j} stays");
    }
    let mask = once.views[1].mask.as_ref().expect("there");
    assert_eq!((mask.get_pixel(10, 10).0, mask.get_pixel(40, 40).0), ([255], [0]), "the new mask");
    assert!(
        !once.mask_is_edited(0) && once.mask_is_edited(1) && !before.mask_is_edited(1),
        "and it is known as edited"
    );
    assert_eq!(once.views[0].mask, before.views[0].mask, "the other one stays");
    assert!(matches!(once.edited(Arc::default()), Err(EditsError::Twice)), "edits are not piled up");
}

#[test]
fn what_finds_no_place_is_told_and_what_cannot_be_is_refused() {
    let capture = edited(|edits| {
        edits.change("nowhere", |view| view.swap_sides = true);
        edits.change("b", |view| view.hands[0] = [(3, KeypointEdit::At(1.0, 1.0))].into());
    });
    let warnings: Vec<String> = capture.expect("usable").warnings.iter().map(ToString::to_string).collect();
    assert_eq!(warnings.len(), 2, "{warnings:?}");
    assert!(warnings[0].contains("nowhere") && warnings[1].contains("left"), "{warnings:?}");
    let whole = edited(|edits| {
        let all = (0..KEYPOINTS).map(|j| (j, KeypointEdit::At(5.0, 6.0))).collect();
        edits.change("b", |view| view.hands[0] = all);
    });
    assert!(whole.expect("usable").views[1].keypoints[0].is_some(), "all its keypoints make a hand");
    let at = |x: f64, y: f64| edited(|e| e.change("a", |v| v.hands[1] = [(0, KeypointEdit::At(x, y))].into()));
    assert!(at(-30.0, 100.0).is_ok(), "a little outside of the picture");
    for (x, y) in [(f64::NAN, 1.0), (1.0, f64::INFINITY), (-90.0, 1.0), (1.0, 1e300)] {
        assert!(matches!(at(x, y), Err(EditsError::FarOutside { index: 0, .. })), "{x}, {y}");
    }
    let beyond = edited(|e| e.change("a", |v| v.hands[1] = [(21, KeypointEdit::Unseen)].into()));
    assert!(matches!(beyond, Err(EditsError::NoSuchKeypoint { index: 21, .. })), "a hand has 21");
    let small = Arc::new(CompactMask::new(&GrayImage::new(8, 6)));
    let size = edited(|e| e.change("a", |v| v.mask = Some(small)));
    assert!(matches!(size, Err(EditsError::MaskSize { found: (8, 6), wanted: SIZE, .. })), "a mask of its image");
}

#[test]
fn keypoints_of_a_capture_without_any_wait_until_they_are_found() {
    let mut bare = capture();
    for view in &mut bare.views {
        view.keypoints = [None, None];
    }
    let mut edits = Edits::default();
    edits.change("b", |view| view.hands[1] = [(4, KeypointEdit::At(7.0, 8.0))].into());
    edits.change("a", |view| view.hands[0] = [(4, KeypointEdit::At(7.0, 8.0))].into());
    let bare = bare.edited(Arc::new(edits)).expect("sound");
    assert!(!bare.has_keypoints() && bare.warnings.is_empty(), "nothing to change yet");
    let mut found = [[None, None], [None, Some(keypoints(10.0))]];
    let words = bare.edits.change_found(bare.views.iter().map(|v| v.name.as_str()).zip(&mut found));
    assert_eq!(found[1][1].as_ref().map(|k| (k.px[4], k.placed[4])), Some(([7.0, 8.0], true)), "and then it is");
    assert!(words.len() == 1 && words[0].contains("view a"), "{words:?}");
}

#[test]
fn compact_masks_are_small_and_whole() {
    let hand = |x: u32, y: u32| (f64::from(x) - 640.0).hypot(f64::from(y) - 512.0) < 300.0;
    let mask = GrayImage::from_fn(1280, 1024, |x, y| Luma([if hand(x, y) { 255 } else { 0 }]));
    let compact = CompactMask::new(&mask);
    assert_eq!(compact.image(), mask, "every pixel");
    assert!(compact.bytes() < 20_000, "{} bytes", compact.bytes());
    let inverted = GrayImage::from_fn(1280, 1024, |x, y| Luma([if hand(x, y) { 0 } else { 255 }]));
    let other = CompactMask::new(&inverted);
    assert_eq!(other.image(), inverted, "one that begins with hand");
    assert_ne!(compact.hash(), other.hash(), "told apart");
    assert_eq!(CompactMask::new(&GrayImage::new(3, 2)).image(), GrayImage::new(3, 2), "an empty one");
}

fn read(folder: &Path, text: &str) -> String {
    let path = folder.join("edits.ron");
    std::fs::write(&path, text).expect("written");
    Edits::read(&path).expect_err(text).to_string()
}

#[test]
fn hostile_files_are_refused_with_a_reason() {
    let folder = tempfile::tempdir().expect("a folder");
    let at = folder.path();
    assert!(Edits::read(&at.join("none.ron")).expect_err("missing").to_string().contains("none.ron"), "it is named");
    for text in ["", "(", "{}", "(version: 1, views: [])", "(version: 1, view: {})", "(version: -1)"] {
        assert!(read(at, text).contains("edits.ron"), "`{text}`");
    }
    let newer = read(at, "(version: 99, views: {}, brushes: 3)");
    assert!(newer.contains("version 99"), "{newer}");
    for name in ["/etc/passwd", "../mask.png", "a/../../b.png", "", "a\\\\b.png"] {
        let words = read(at, &format!("(version: 1, views: {{\"a\": (mask: Some(\"{name}\"))}})"));
        assert!(words.contains("no file in its folder"), "`{name}`: {words}");
    }
    std::fs::write(at.join("mask.png"), b"no picture").expect("written");
    let words = read(at, "(version: 1, views: {\"a\": (mask: Some(\"mask.png\"))})");
    assert!(words.contains("mask.png") && words.contains("no PNG"), "{words}");
    // A header that claims 60000×60000 pixels, and no more.
    let mut bomb = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\xea\x60\0\0\xea\x60\x08\0\0\0\0".to_vec();
    bomb.extend([0x89, 0xa4, 0x5b, 0x8e]);
    std::fs::write(at.join("mask.png"), bomb).expect("written");
    let words = read(at, "(version: 1, views: {\"a\": (mask: Some(\"mask.png\"))})");
    assert!(words.contains("mask.png"), "{words}");
}
