//! How exported hands will lie: the axes of the file around the skeleton that is exported, its unit, and how long the hands are.

use super::theme::{self, TEXT, WEAK, WELL, amber, faint};
use crate::anatomy::{KEYPOINT_BONES, Side};
use crate::camera::Camera;
use crate::export::{Frame, apply, gltf_from_capture};
use crate::pipeline::{ExportPlan, PLAUSIBLE_LENGTH_M, Snapshot, hand_length_m};
use crate::studio::backend::ExportRequest;
use crate::studio::session::Session;
use egui::{Align2, Color32, FontId, Pos2, Rect, RichText, Sense, Stroke, Ui, pos2, vec2};
use nalgebra::{Matrix3, Matrix4};

/// Height of the picture, points.
const HEIGHT: f32 = 130.0;
/// Colours of the axes x, y, z.
const AXES: [(&str, Color32); 3] = [
    ("X", Color32::from_rgb(232, 100, 96)),
    ("Y", Color32::from_rgb(122, 200, 96)),
    ("Z", Color32::from_rgb(104, 152, 240)),
];

pub(super) fn show(ui: &mut Ui, session: &Session, request: &ExportRequest) {
    let plan = request.plan("".into());
    let frame = if plan.rest_pose { Frame::Pose } else { plan.frame };
    let (rect, response) = ui.allocate_exact_size(vec2(ui.available_width(), HEIGHT), Sense::hover());
    response.on_hover_text("As from the front of the glTF frame: to the right, up, and obliquely to the viewer");
    ui.painter().rect_filled(rect, 4.0, WELL);
    let cameras: Vec<Camera> = (0..).map_while(|v| session.camera(v).cloned()).collect();
    let shown = session.shown.as_deref();
    let placement = gltf_from_capture(&cameras, middle(shown));
    if let Some(snapshot) = shown.filter(|_| frame != Frame::Pose) {
        skeletons(ui, rect, snapshot, &placement);
    }
    triad(ui, pos2(rect.left() + 46.0, rect.bottom() - 40.0), axes(frame, &placement));
    let (unit, _) = frame.unit();
    ui.label(RichText::new(format!("{} · {unit}", frame.words())).small());
    for words in others(request, &plan, frame) {
        ui.label(RichText::new(words).small().color(faint()));
    }
    for (side, joints) in Side::BOTH.into_iter().zip(shown.map_or([None, None], |s| s.joints)) {
        let Some(joints) = joints else { continue };
        let (words, plausible) = length_words(side, hand_length_m(&joints));
        ui.label(RichText::new(words).small().color(if plausible { faint() } else { amber() }))
            .on_hover_text("From the wrist along the bones to the tip of the middle finger");
    }
}

/// How long a hand is, and whether any hand is.
fn length_words(side: Side, metres: f64) -> (String, bool) {
    let plausible = (PLAUSIBLE_LENGTH_M[0]..=PLAUSIBLE_LENGTH_M[1]).contains(&metres);
    let verdict = if plausible { "plausible" } else { "no hand is: is the capture's unit right?" };
    (format!("{side} hand {:.0} mm, {verdict}", metres * 1e3), plausible)
}

/// Formats that have another frame than the rest, as their readers turn the axes.
fn others(request: &ExportRequest, plan: &ExportPlan, frame: Frame) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    for format in request.formats.iter().filter(|f| !matches!(f.as_str(), "npz" | "bvh" | "maps")) {
        let own = plan.frame_of(format);
        if own != frame {
            let (unit, _) = own.unit();
            found.push(format!("{}: {} · {unit}", format.to_uppercase(), own.words()));
        }
    }
    found
}

/// Where the file's axes point in glTF's frame.
fn axes(frame: Frame, gltf_from_capture: &Matrix4<f64>) -> [[f64; 3]; 3] {
    let file_from_gltf: Matrix3<f64> = match frame {
        Frame::Capture => gltf_from_capture.fixed_view::<3, 3>(0, 0).transpose(),
        other => other.from_gltf().fixed_view::<3, 3>(0, 0) / other.unit().1,
    };
    // The rows, as the inverse of a rotation or mirror is its transpose.
    [0, 1, 2].map(|i| [0, 1, 2].map(|k| file_from_gltf[(i, k)]))
}

/// An oblique drawing: x to the right, y up, z to the viewer.
#[expect(clippy::cast_possible_truncation, reason = "screen positions")]
fn oblique(p: [f64; 3]) -> egui::Vec2 {
    vec2((p[0] - 0.42 * p[2]) as f32, (0.32 * p[2] - p[1]) as f32)
}

fn triad(ui: &Ui, at: Pos2, axes: [[f64; 3]; 3]) {
    let painter = ui.painter();
    for ((name, colour), axis) in AXES.into_iter().zip(axes) {
        let along = oblique(axis) * 30.0;
        painter.line_segment([at, at + along], Stroke::new(2.0, colour));
        painter.circle_filled(at + along, 2.5, colour);
        let place = at + along + along.normalized() * 8.0;
        painter.text(place, Align2::CENTER_CENTER, name, FontId::proportional(10.5), colour);
    }
    painter.circle_filled(at, 2.0, TEXT);
}

/// The middle of the joints, capture metres.
fn middle(snapshot: Option<&Snapshot>) -> [f64; 3] {
    let all: Vec<[f64; 3]> = snapshot.map_or_else(Vec::new, |s| s.joints.iter().flatten().flatten().copied().collect());
    #[expect(clippy::cast_precision_loss, reason = "at most 42 joints")]
    let count = all.len().max(1) as f64;
    [0, 1, 2].map(|k| all.iter().map(|p| p[k]).sum::<f64>() / count)
}

/// The bones as they will lie, as large as there is room beside the axes.
fn skeletons(ui: &Ui, rect: Rect, snapshot: &Snapshot, placement: &Matrix4<f64>) {
    let room = Rect::from_min_max(rect.min + vec2(100.0, 8.0), rect.max - vec2(8.0, 8.0));
    let drawn: Vec<Vec<egui::Vec2>> =
        snapshot.joints.iter().flatten().map(|j| j.iter().map(|p| oblique(apply(placement, *p))).collect()).collect();
    let bounds = drawn.iter().flatten().fold(Rect::NOTHING, |all, p| all.union(Rect::from_pos(p.to_pos2())));
    if !bounds.is_finite() || bounds.size().max_elem() <= 0.0 {
        ui.painter().text(room.center(), Align2::CENTER_CENTER, "no joints yet", FontId::proportional(11.0), WEAK);
        return;
    }
    let scale = (room.width() / bounds.width().max(1e-6)).min(room.height() / bounds.height().max(1e-6));
    let place = |p: egui::Vec2| room.center() + (p.to_pos2() - bounds.center()) * scale;
    for bones in drawn {
        for (a, b) in KEYPOINT_BONES {
            ui.painter().line_segment([place(bones[a]), place(bones[b])], Stroke::new(1.6, theme::ACCENT));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn axes_point_where_files_have_them() {
        let none = Matrix4::identity();
        assert_eq!(axes(Frame::Gltf, &none)[1], [0.0, 1.0, 0.0], "glTF: y up");
        assert_eq!(axes(Frame::Blender, &none)[2], [0.0, 1.0, 0.0], "Blender: z up");
        assert_eq!(axes(Frame::Blender, &none)[1], [0.0, 0.0, -1.0], "and y into the picture");
        let [x, y, z] = axes(Frame::Unreal, &none);
        assert_eq!((x, z), ([0.0, 0.0, 1.0], [0.0, 1.0, 0.0]), "Unreal: z up, x forward");
        let turn = Matrix3::from_rows(&[x, y, z].map(nalgebra::RowVector3::from)).determinant();
        assert!((turn + 1.0).abs() < 1e-12, "left-handed: {turn}");
        // A capture whose y points down and z away, as cameras have it.
        let mut turned = Matrix4::identity();
        (turned[(1, 1)], turned[(2, 2)]) = (-1.0, -1.0);
        assert_eq!(axes(Frame::Capture, &turned)[1], [0.0, -1.0, 0.0], "its y is down");
        assert!(oblique([0.0, 1.0, 0.0]).y < 0.0 && oblique([0.0, 0.0, 1.0]).y > 0.0, "up is up, near is low");
    }

    #[test]
    fn lengths_are_judged() {
        assert_eq!(length_words(Side::Right, 0.186), ("right hand 186 mm, plausible".to_owned(), true));
        let (words, plausible) = length_words(Side::Left, 0.29);
        assert!(!plausible && words.contains("290 mm") && words.contains("unit"), "{words}");
    }

    #[test]
    fn formats_with_axes_of_their_own_are_told() {
        let request = ExportRequest {
            formats: ["rig", "obj", "npz"].map(str::to_owned).to_vec(),
            target: crate::studio::export_target::ExportTarget::Blender,
            ..ExportRequest::default()
        };
        let plan = request.plan("".into());
        let words = others(&request, &plan, plan.frame);
        assert_eq!(words.len(), 1, "{words:?}");
        assert!(words[0].starts_with("RIG: gltf"), "{words:?}");
    }
}
