//! Cameras refined by what they show: the rendered hands are held against each photograph, and the camera is turned and
//! shifted until both fall on each other.
//!
//! Calibrations of real rigs are off by some pixels at the hands; averaged over views, that much is lost of albedo and
//! shape. As in colour map optimisation (Zhou and Koltun 2014) cameras and surface take turns: with the surface still, each
//! camera's six numbers follow by Gauss-Newton on the differences of colours inside the hands and of coverage at their
//! outlines (Lucas and Kanade 1981, on smoothed pictures), with the prior that the pose stage has about cameras, and with
//! three gains as nuisances, so that exposure moves no camera.
//!
//! All cameras together could move along with the hands: their common motion is taken out ([`without_common_motion`]).

use super::plane::Plane;
use crate::camera::{Camera, CameraMove};
use nalgebra::{SMatrix, SVector, Vector3};

/// Turn 3, centre 3, gains 3.
const UNKNOWNS: usize = 9;
/// Pictures are reduced by this and then smoothed: what is off by a few pixels must still overlap.
const REDUCE: usize = 2;
/// Width of the smoothing, reduced pixels.
const BLUR_PX: f64 = 1.2;
/// Neighbouring pixels err alike (texture that is not fitted yet, highlights): they count as a part of themselves.
const INDEPENDENT: f64 = 0.01;
/// Standard deviation of blurred coverage; a shift by one reduced pixel makes a third.
const COVERAGE_SIGMA: f64 = 0.08;
/// Least scale of colour differences that counts as noise.
const COLOUR_SIGMA: f64 = 0.015;
/// Standard deviation of a gain.
const GAIN_SIGMA: f64 = 0.2;

/// How far cameras may be off: standard deviations.
#[derive(Clone, Copy, Debug)]
pub(super) struct Prior {
    /// About each axis, radians.
    pub turn_rad: f64,
    /// Along each axis, metres.
    pub centre_m: f64,
}

/// A view as it is rendered and as it was photographed; lists have one entry a pixel of the region.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sight<'a> {
    /// Camera of the region, as it is now.
    pub camera: &'a Camera,
    /// Premultiplied RGBA, antialiased.
    pub rendered: &'a [[f32; 4]],
    /// Target pixels of the image loss.
    pub target: &'a [u32],
    /// Depth of the surface, metres; 0 where there is none.
    pub depth_m: &'a [f32],
}

/// A step of a camera.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Step {
    pub by: CameraMove,
    /// How far it moves what is seen of the surface, pixels of the region (root mean square).
    pub shift_px: f64,
}

/// The step that comes to a camera which was moved by `so_far` already; `None` when the view tells nothing.
pub(super) fn align(sight: &Sight<'_>, so_far: &CameraMove, prior: &Prior) -> Option<Step> {
    let system = system(sight)?;
    let mut hessian = system.hessian * INDEPENDENT;
    let mut gradient = system.gradient * INDEPENDENT;
    let moved = [so_far.turn_rad, so_far.centre_m].concat();
    for i in 0..UNKNOWNS {
        let (sigma, now) = match i {
            0..3 => (prior.turn_rad, moved[i]),
            3..6 => (prior.centre_m, moved[i]),
            _ => (GAIN_SIGMA, 0.0),
        };
        hessian[(i, i)] += sigma.powi(-2);
        gradient[i] += now * sigma.powi(-2);
    }
    let step = -hessian.cholesky()?.solve(&gradient);
    let part = |from: usize| [step[from], step[from + 1], step[from + 2]];
    let by = CameraMove { turn_rad: part(0), centre_m: part(3) };
    let shift = step.fixed_rows::<6>(0).into_owned();
    let shift_px = REDUCE as f64 * shift.dot(&(system.motion * shift)).max(0.0).sqrt();
    step.iter().all(|x| x.is_finite()).then_some(Step { by, shift_px })
}

struct System {
    hessian: SMatrix<f64, UNKNOWNS, UNKNOWNS>,
    gradient: SVector<f64, UNKNOWNS>,
    /// Mean over the surface of the squared shift of its pixels by turn and centre.
    motion: SMatrix<f64, 6, 6>,
}

fn system(sight: &Sight<'_>) -> Option<System> {
    let (width, height) = (sight.camera.width_px as usize, sight.camera.height_px as usize);
    if width / REDUCE < 8 || height / REDUCE < 8 {
        return None;
    }
    #[expect(clippy::cast_precision_loss, reason = "a small factor")]
    let camera = sight.camera.scaled(1.0 / REDUCE as f64);
    let k_inverse = camera.k.try_inverse()?;
    // The surface's point behind a pixel, camera axes.
    let point = |p: [f64; 2], depth_m: f64| k_inverse * Vector3::new(p[0], p[1], 1.0) * depth_m;
    let bytes = |i: usize| sight.target[i].to_le_bytes();
    let known = |i: usize| bytes(i)[3] < 255;
    let inside = |i: usize| known(i) && bytes(i)[3] > 241 && sight.rendered[i][3] > 0.999;
    let plane = |value: &dyn Fn(usize) -> f32| Plane::reduced([width, height], REDUCE, value).blurred(BLUR_PX);
    let flag = |b: bool| f32::from(u8::from(b));
    let inner = plane(&|i| flag(inside(i)));
    let sure = plane(&|i| flag(known(i)));
    let colours = [0, 1, 2].map(|k| {
        let rendered = plane(&|i| sight.rendered[i][k]);
        let apart = |i: usize| sight.rendered[i][k] - f32::from(bytes(i)[k]) / 255.0;
        (rendered, plane(&|i| if inside(i) { apart(i) } else { 0.0 }))
    });
    let coverage = plane(&|i| sight.rendered[i][3]);
    let missed = plane(&|i| if known(i) { sight.rendered[i][3] - f32::from(bytes(i)[3]) / 254.0 } else { 0.0 });
    let depths = Plane::reduced([width, height], REDUCE, |i| sight.depth_m[i]);
    let full = Plane::reduced([width, height], REDUCE, |i| flag(sight.depth_m[i] > 0.0));
    let depth = |i: usize| f64::from(depths.values[i]) / f64::from(full.values[i]);
    let covered: Vec<usize> = (0..full.values.len()).filter(|i| full.values[*i] > 0.0).collect();
    if covered.len() < 200 {
        return None;
    }
    let mean_depth = covered.iter().map(|i| depth(*i)).sum::<f64>() / covered.len() as f64;

    let w = inner.width;
    let pixels: Vec<usize> = (0..inner.values.len()).filter(|i| inner.is_interior(*i)).collect();
    let sigma = noise(&pixels, &inner, &colours);
    let mut out = System { hessian: SMatrix::zeros(), gradient: SVector::zeros(), motion: SMatrix::zeros() };
    for &i in &covered {
        let p = [(i % w) as f64 + 0.5, (i / w) as f64 + 0.5];
        for row in camera.pixel_by_move(&point(p, depth(i)), p) {
            out.motion.syger(1.0 / covered.len() as f64, &row, &row, 1.0);
        }
    }
    out.motion.fill_upper_triangle_with_lower_triangle();
    let mut add = |row: &SVector<f64, UNKNOWNS>, residual: f64, sigma: f64| {
        // Geman-McClure beyond three sigma: highlights and what hides the hands are no motion.
        let square = (residual / (3.0 * sigma)).powi(2);
        let weight = (1.0 + square).powi(-2) / (sigma * sigma);
        out.hessian.syger(weight, row, row, 1.0);
        out.gradient.axpy(weight * residual, row, 1.0);
    };
    for &i in &pixels {
        let colour = inner.values[i] > 0.99;
        let edge = sure.values[i] > 0.99 && coverage.values[i] > 0.02 && coverage.values[i] < 0.98;
        if !colour && !edge {
            continue;
        }
        let p = [(i % w) as f64 + 0.5, (i / w) as f64 + 0.5];
        let depth = if full.values[i] > 0.0 { depth(i) } else { mean_depth };
        let by_move = camera.pixel_by_move(&point(p, depth), p);
        // What is drawn moves along with the pixel of its point, so a picture at one place changes against its slope.
        let along = |slope: [f64; 2]| -(by_move[0] * slope[0] + by_move[1] * slope[1]);
        if colour {
            for (k, (rendered, apart)) in colours.iter().enumerate() {
                let mut row = SVector::<f64, UNKNOWNS>::zeros();
                row.fixed_rows_mut::<6>(0).copy_from(&along(rendered.slope(i)));
                row[6 + k] = f64::from(rendered.values[i]);
                add(&row, f64::from(apart.values[i]), sigma);
            }
        }
        if edge {
            let mut row = SVector::<f64, UNKNOWNS>::zeros();
            row.fixed_rows_mut::<6>(0).copy_from(&along(coverage.slope(i)));
            add(&row, f64::from(missed.values[i]), COVERAGE_SIGMA);
        }
    }
    out.hessian.fill_upper_triangle_with_lower_triangle();
    Some(out)
}

/// Scale of the colour differences inside, exposure taken out: from their median.
fn noise(pixels: &[usize], inner: &Plane, colours: &[(Plane, Plane); 3]) -> f64 {
    let inside: Vec<usize> = pixels.iter().copied().filter(|i| inner.values[*i] > 0.99).collect();
    let mut sizes: Vec<f64> = Vec::with_capacity(3 * inside.len());
    for (rendered, apart) in colours {
        let at = |i: &usize| (f64::from(rendered.values[*i]), f64::from(apart.values[*i]));
        let (mut both, mut square) = (0.0, 1e-9);
        for (c, d) in inside.iter().map(at) {
            both += c * d;
            square += c * c;
        }
        sizes.extend(inside.iter().map(at).map(|(c, d)| (d - both / square * c).abs()));
    }
    if sizes.is_empty() {
        return COLOUR_SIGMA;
    }
    let middle = sizes.len() / 2;
    let (_, median, _) = sizes.select_nth_unstable_by(middle, f64::total_cmp);
    (*median / 0.6745).max(COLOUR_SIGMA)
}

/// Takes the motion that all cameras have in common out of their moves: it is one of the hands, at whose `middle` the rest
/// is zero in the mean. `moves` come with the cameras as they are.
pub(super) fn without_common_motion(moves: &mut [(&Camera, CameraMove)], middle: &Vector3<f64>) {
    // A turn ω and a way c of a camera displace the points it sees like a motion u(x) = ω_w × (x − C) − c of the world.
    let seen = |camera: &Camera, by: &CameraMove| {
        let turn = camera.rotation.transpose() * Vector3::from(by.turn_rad);
        (turn, turn.cross(&(middle - camera.centre())) - Vector3::from(by.centre_m))
    };
    let count = moves.len().max(1) as f64;
    let (mut turn, mut way) = (Vector3::zeros(), Vector3::zeros());
    for (camera, by) in moves.iter() {
        let (t, u) = seen(camera, by);
        turn += t / count;
        way += u / count;
    }
    for (camera, by) in moves.iter_mut() {
        let (t, u) = seen(camera, by);
        let left = t - turn;
        by.turn_rad = (camera.rotation * left).into();
        by.centre_m = (left.cross(&(middle - camera.centre())) - (u - way)).into();
    }
}

#[cfg(test)]
mod tests;
