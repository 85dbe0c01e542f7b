//! How far each vertex of a result is from the true surface, in colours.

use super::super::finished::wrist_cut;
use super::{FinishedRun, Orbit, PipelineError};
use crate::export::ply;
use crate::export::report::{Cell, Column, ErrorMap, Picture, Row, Table, error_colour};
use crate::mesh::TriMesh;
use crate::metrics::{ReferenceSurface, SurfaceScore};
use crate::pipeline::picture::{PictureMaker, over};
use std::path::Path;

/// Grey of what is not measured.
const UNMEASURED: [f32; 3] = [0.62, 0.62, 0.62];
/// Ends of scales.
const SCALES_MM: [f64; 9] = [0.25, 0.5, 1.0, 2.0, 3.0, 5.0, 10.0, 20.0, 50.0];

/// Distances of vertices from the true surface.
pub(super) struct VertexErrors {
    /// Millimetres of each vertex of each hand, in the order of the mesh; negative below the wrist cut.
    pub hands: Vec<Vec<f32>>,
    /// The end of the scale: 95 % of the vertices are below it.
    pub most_mm: f64,
}

impl FinishedRun {
    /// # Errors
    /// When the ground truth cannot be read.
    pub(super) fn vertex_errors(&self, truth: &Path) -> Result<VertexErrors, PipelineError> {
        let mut hands = Vec::new();
        for hand in self.hands() {
            let real = ply::read(&truth.join(format!("mesh_{}.ply", hand.side)))?;
            let real = TriMesh { positions: real.positions, faces: real.faces };
            let cut = wrist_cut(&real);
            let surface = ReferenceSurface::new(&real);
            let error = |p: &[f64; 3]| {
                let kept = cut.as_ref().is_none_or(|c| c.keeps(*p));
                let found = surface.closest(*p).filter(|_| kept);
                found.map_or(-1.0, |(point, _)| crate::fitting::ham::to_f32(point.distance * 1e3))
            };
            hands.push(hand.positions.iter().map(error).collect::<Vec<f32>>());
        }
        Ok(VertexErrors { most_mm: scale_mm(&hands), hands })
    }

    /// Pictures from four sides.
    pub(super) fn error_map(
        &self,
        maker: &mut PictureMaker,
        orbit: &Orbit,
        errors: &VertexErrors,
        score: &SurfaceScore,
    ) -> Result<ErrorMap, PipelineError> {
        let colour = |e: &f32| {
            if *e < 0.0 {
                return UNMEASURED;
            }
            error_colour(f64::from(*e) / errors.most_mm).map(crate::fitting::ham::to_f32)
        };
        let colours: Vec<[f32; 3]> = errors.hands.iter().flatten().map(colour).collect();
        let mut pictures = Vec::new();
        for (name, quarter) in [("the front", 0.0), ("the right", 1.0), ("the back", 2.0), ("the left", 3.0)] {
            let camera = orbit.still(quarter * std::f64::consts::FRAC_PI_2, 0.25, (480, 400));
            let pixels = maker.render(
                &super::Surface { albedo: &colours, ..(&self.vertices).into() },
                &self.mesh.topology.faces,
                &camera,
                &soft_light(&camera),
                super::PictureMode::Shaded,
            )?;
            let alt = format!(
                "Distance from the true surface seen from {name}: {:.2} mm in the mean, 95 % below {:.2} mm",
                score.p2s_mean_mm, score.p2s_p95_mm
            );
            pictures.push(Picture { image: over(&pixels, &camera, |_| super::GROUND), alt });
        }
        Ok(ErrorMap { pictures, most_mm: errors.most_mm, numbers: numbers(score) })
    }
}

/// A light that leaves colours nearly as they are, so that they can be read off the scale, and still shows the shape.
fn soft_light(camera: &crate::camera::Camera) -> [f64; crate::shading::LIGHT_STRIDE] {
    let towards = -camera.rotation.row(2);
    [0.86, 0.14 * towards[1], 0.14 * towards[2], 0.14 * towards[0], 0.0, 0.0, 0.0, 0.0, 0.0, 1.0, 1.0, 1.0]
}

/// The smallest round scale that 95 % of what is measured fits.
fn scale_mm(hands: &[Vec<f32>]) -> f64 {
    let mut measured: Vec<f32> = hands.iter().flatten().copied().filter(|e| *e >= 0.0).collect();
    measured.sort_by(f32::total_cmp);
    let p95 = measured.get(measured.len() * 95 / 100).copied().map_or(0.0, f64::from);
    SCALES_MM.into_iter().find(|s| *s >= p95).unwrap_or(100.0)
}

fn numbers(s: &SurfaceScore) -> Table {
    let row = |name: &str, value: Option<f64>, digits: usize, unit: &str| Row {
        cells: vec![name.into(), Cell::number(value, digits), unit.into()],
        marked: false,
    };
    Table {
        caption: "Over the hands above the wrist cut; areas are weights".to_owned(),
        columns: vec![Column::text("What", ""), Column::number("Value", ""), Column::text("Unit", "")],
        rows: vec![
            row("result to truth, mean", Some(s.p2s_mean_mm), 3, "mm"),
            row("result to truth, median", Some(s.p2s_median_mm), 3, "mm"),
            row("result to truth, 95 %", Some(s.p2s_p95_mm), 3, "mm"),
            row("truth to result, mean", Some(s.s2p_mean_mm), 3, "mm"),
            row("within 1 mm of each other (F1)", Some(s.f1mm), 3, ""),
            row("within 2 mm of each other (F2)", Some(s.f2mm), 3, ""),
            row("between normals, mean", Some(s.normal_mean_deg), 2, "°"),
            row("between normals, median", Some(s.normal_median_deg), 2, "°"),
            row("joints, mean", s.joint_mean_mm, 3, "mm"),
        ],
        foot: Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_scale_is_round_and_ignores_what_is_not_measured() {
        let errors: Vec<f32> = (0..100_u8).map(|i| f32::from(i) * 0.01).collect();
        assert!((scale_mm(&[errors.clone(), vec![-1.0; 500]]) - 1.0).abs() < 1e-9, "0.95 mm fit 1 mm");
        assert!((scale_mm(&[errors.iter().map(|e| e * 0.2).collect()]) - 0.25).abs() < 1e-9, "finer");
        assert!((scale_mm(&[]) - 0.25).abs() < 1e-9, "nothing measured");
    }
}
