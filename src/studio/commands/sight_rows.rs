//! Commands about what is seen: in the 3D view, in the list of views, in the compare panel.

use super::table::{Id, opened, plain, shift};
use super::{Entry, Menu};
use crate::studio::session::{Action, Framed, Measure, Session};
use crate::studio::ui_state::{CompareMode, Shading};
use egui::Key;

fn shade(session: &mut Session, shading: Shading) -> Option<Action> {
    session.ui.shading = shading;
    None
}

fn compare(session: &mut Session, mode: CompareMode) -> Option<Action> {
    session.ui.compare = mode;
    None
}

fn judge(session: &mut Session, measure: Measure) -> Option<Action> {
    session.ui.measure = measure;
    None
}

fn with_measure(session: &Session) -> Option<String> {
    let nothing = || session.worst_view().is_none().then(|| "No view was measured yet".to_owned());
    opened(session).or_else(nothing)
}

/// The rows.
pub(super) const ROWS: [Entry; 34] = [
    Entry::new(Id::Albedo, Menu::View, "albedo", "Albedo", "The colour of the skin without light")
        .keys(&[plain(Key::Num1)])
        .when(opened)
        .on(|s| s.ui.shading == Shading::Albedo)
        .does(|s| shade(s, Shading::Albedo)),
    Entry::new(Id::Clay, Menu::View, "clay", "Clay", "The surface alone, in grey under a lamp")
        .keys(&[plain(Key::Num2)])
        .when(opened)
        .on(|s| s.ui.shading == Shading::Clay)
        .does(|s| shade(s, Shading::Clay)),
    Entry::new(Id::Normals, Menu::View, "normals", "Normals", "The directions of the surface as colours")
        .keys(&[plain(Key::Num3)])
        .when(opened)
        .on(|s| s.ui.shading == Shading::Normals)
        .does(|s| shade(s, Shading::Normals)),
    Entry::new(
        Id::Neural,
        Menu::View,
        "neural",
        "Neural",
        "As a photograph, by the network of the run; the albedo where there is none",
    )
    .keys(&[plain(Key::Num4)])
    .when(opened)
    .on(|s| s.ui.shading == Shading::Neural)
    .does(|s| shade(s, Shading::Neural)),
    Entry::new(Id::Lit, Menu::View, "lit", "Lit", "The albedo under the light of the capture (spherical harmonics)")
        .keys(&[plain(Key::Num5)])
        .when(opened)
        .on(|s| s.ui.shading == Shading::Lit)
        .does(|s| shade(s, Shading::Lit)),
    Entry::new(Id::Wire, Menu::View, "wire", "Wire", "The edges of the triangles")
        .keys(&[plain(Key::Num6)])
        .when(opened)
        .on(|s| s.ui.shading == Shading::Wire)
        .does(|s| shade(s, Shading::Wire)),
    Entry::new(
        Id::Coverage,
        Menu::View,
        "coverage",
        "Coverage",
        "How many of the fitted views see each place of the surface, as colours with their legend",
    )
    .keys(&[plain(Key::Num7)])
    .when(opened)
    .on(|s| s.ui.shading == Shading::Coverage)
    .does(|s| shade(s, Shading::Coverage)),
    Entry::new(
        Id::Displacement,
        Menu::View,
        "moved",
        "Moved",
        "How far HAM has moved the surface in or out from the hand model's, as colours in millimetres",
    )
    .keys(&[plain(Key::Num8)])
    .when(opened)
    .on(|s| s.ui.shading == Shading::Displacement)
    .does(|s| shade(s, Shading::Displacement)),
    Entry::new(Id::Cameras, Menu::View, "cameras", "Cameras", "Frustums and thumbnails")
        .keys(&[plain(Key::V)])
        .ruled()
        .when(opened)
        .on(|s| s.ui.show_cameras)
        .does(|s| {
            s.ui.show_cameras = !s.ui.show_cameras;
            None
        }),
    Entry::new(
        Id::Residuals,
        Menu::View,
        "residuals",
        "Error",
        "Colour the cameras by what the list of views is judged by: residual, PSNR or IoU",
    )
    .when(opened)
    .on(|s| s.ui.show_residuals)
    .does(|s| {
        s.ui.show_residuals = !s.ui.show_residuals;
        None
    }),
    Entry::new(Id::Hands, Menu::View, "hand-meshes", "Hands", "The meshes").when(opened).on(|s| s.ui.show_hands).does(
        |s| {
            s.ui.show_hands = !s.ui.show_hands;
            None
        },
    ),
    Entry::new(Id::Joints, Menu::View, "joints", "Joints", "Triangulated 3D joints")
        .keys(&[plain(Key::J)])
        .when(opened)
        .on(|s| s.ui.show_joints)
        .does(|s| {
            s.ui.show_joints = !s.ui.show_joints;
            None
        }),
    Entry::new(Id::Grid, Menu::View, "grid", "Grid", "Grid of 10 cm squares through the middle of the capture")
        .when(opened)
        .on(|s| s.ui.show_grid)
        .does(|s| {
            s.ui.show_grid = !s.ui.show_grid;
            None
        }),
    Entry::new(Id::FrameHands, Menu::View, "frame-hands", "Frame the hands", "See the hands as large as they fit")
        .keys(&[plain(Key::F)])
        .ruled()
        .when(opened)
        .does(|_| Some(Action::Frame(Framed::Hands))),
    Entry::new(Id::FrameAll, Menu::View, "frame-everything", "Frame everything", "See all cameras")
        .keys(&[shift(Key::F)])
        .when(opened)
        .does(|_| Some(Action::Frame(Framed::Everything))),
    Entry::new(
        Id::LookThrough,
        Menu::View,
        "look-through",
        "Look through the camera",
        "See the hands as the selected camera saw them",
    )
    .keys(&[plain(Key::Enter)])
    .when(opened)
    .does(|s| Some(Action::FlyTo(s.selected))),
    Entry::new(Id::PreviousView, Menu::View, "previous-view", "Previous view", "Select the view before")
        .keys(&[plain(Key::OpenBracket)])
        .when(opened)
        .does(|_| Some(Action::SelectBy(-1))),
    Entry::new(Id::NextView, Menu::View, "next-view", "Next view", "Select the view after")
        .keys(&[plain(Key::CloseBracket)])
        .when(opened)
        .does(|_| Some(Action::SelectBy(1))),
    Entry::new(Id::FirstView, Menu::View, "first-view", "First view", "Select the first view of the list")
        .keys(&[plain(Key::OpenCurlyBracket)])
        .when(opened)
        .does(|_| Some(Action::SelectEnd(false))),
    Entry::new(Id::LastView, Menu::View, "last-view", "Last view", "Select the last view of the list")
        .keys(&[plain(Key::CloseCurlyBracket)])
        .when(opened)
        .does(|_| Some(Action::SelectEnd(true))),
    Entry::new(Id::WorstView, Menu::View, "worst-view", "Worst view", "Select the view that is judged the worst")
        .keys(&[plain(Key::W)])
        .ruled()
        .when(with_measure)
        .does(|s| s.worst_view().map(Action::Select)),
    Entry::new(
        Id::WorstFirst,
        Menu::View,
        "worst-first",
        "List the worst views first",
        "Sort the views by what they are judged by",
    )
    .keys(&[plain(Key::S)])
    .when(opened)
    .on(|s| s.ui.worst_first)
    .does(|s| {
        s.ui.worst_first = !s.ui.worst_first;
        None
    }),
    Entry::new(
        Id::ByResidual,
        Menu::View,
        "judge-by-residual",
        "Judge by residual",
        "Distance of the keypoints from the joints, pixels",
    )
    .when(opened)
    .on(|s| s.ui.measure == Measure::Residual)
    .does(|s| judge(s, Measure::Residual)),
    Entry::new(
        Id::ByPsnr,
        Menu::View,
        "judge-by-psnr",
        "Judge by PSNR",
        "Likeness over the pixels that are rendered and in the mask, dB",
    )
    .when(opened)
    .on(|s| s.ui.measure == Measure::Psnr)
    .does(|s| judge(s, Measure::Psnr)),
    Entry::new(
        Id::ByIou,
        Menu::View,
        "judge-by-iou",
        "Judge by IoU",
        "Overlap of the rendered silhouette with the mask",
    )
    .when(opened)
    .on(|s| s.ui.measure == Measure::Iou)
    .does(|s| judge(s, Measure::Iou)),
    Entry::new(Id::Wipe, Menu::Compare, "wipe", "Wipe", "A handle divides photograph and render")
        .when(opened)
        .on(|s| s.ui.compare == CompareMode::Wipe)
        .does(|s| compare(s, CompareMode::Wipe)),
    Entry::new(Id::Side, Menu::Compare, "side-by-side", "Side", "Photograph and render beside each other")
        .when(opened)
        .on(|s| s.ui.compare == CompareMode::Side)
        .does(|s| compare(s, CompareMode::Side)),
    Entry::new(
        Id::Difference,
        Menu::Compare,
        "difference",
        "Difference",
        "Where photograph and render differ, as heat",
    )
    .keys(&[plain(Key::O)])
    .when(opened)
    .on(|s| s.ui.compare == CompareMode::Difference)
    .does(|s| compare(s, CompareMode::Difference)),
    Entry::new(Id::Overlay, Menu::Compare, "overlay", "Overlay", "The render over the photograph, more or less opaque")
        .when(opened)
        .on(|s| s.ui.compare == CompareMode::Overlay)
        .does(|s| compare(s, CompareMode::Overlay)),
    Entry::new(Id::NextCompare, Menu::Compare, "next-compare", "Next way to compare", "Wipe, side, difference, …")
        .keys(&[plain(Key::C)])
        .when(opened)
        .does(|s| {
            let at = CompareMode::ALL.iter().position(|m| *m == s.ui.compare).unwrap_or(0);
            compare(s, CompareMode::ALL[(at + 1) % CompareMode::ALL.len()])
        }),
    Entry::new(
        Id::PhotographAlone,
        Menu::Compare,
        "photograph-alone",
        "Photograph alone",
        "The photograph in place of the render, to blink between them",
    )
    .keys(&[plain(Key::G)])
    .held()
    .ruled()
    .when(opened)
    .on(|s| s.ui.photograph_alone)
    .does(|s| {
        s.ui.photograph_alone = !s.ui.photograph_alone;
        None
    }),
    Entry::new(
        Id::ZoomToHands,
        Menu::Compare,
        "zoom-to-hands",
        "Zoom to the hands",
        "The part of the picture with the hands, or the whole of it",
    )
    .when(opened)
    .on(|s| s.ui.zoom_to_hands)
    .does(|s| {
        s.ui.zoom_to_hands = !s.ui.zoom_to_hands;
        None
    }),
    Entry::new(
        Id::WholePicture,
        Menu::Compare,
        "compare-unzoomed",
        "Zoom back out",
        "All of the picture (or of the hands) again, in both pictures",
    )
    .when(|s| opened(s).or_else(|| (s.ui.closer <= 1.0).then(|| "It is not zoomed in".to_owned())))
    .does(|s| {
        (s.ui.closer, s.ui.looked_at) = (1.0, None);
        None
    }),
    Entry::new(
        Id::Keypoints,
        Menu::Compare,
        "keypoints",
        "Keypoints",
        "What the detector saw in the photograph, drawn over it",
    )
    .when(opened)
    .on(|s| s.ui.show_keypoints)
    .does(|s| {
        s.ui.show_keypoints = !s.ui.show_keypoints;
        None
    }),
];
