//! What makes the surface a hand's: displaced detail and painted albedo, both functions of the rest-pose position, so that
//! they are smooth over the surface and do not depend on the pose.
//!
//! Left hands are mirrored in x first, so one set of rules serves both; their seeds differ.

use super::random::Noise;
use crate::anatomy::{JOINTS, Side};
use crate::hand::HandModel;
use nalgebra::Vector3;

/// A joint line across a finger: where, along which finger, how wide the finger is there.
struct Knuckle {
    centre: Vector3<f64>,
    along: Vector3<f64>,
    strength: f64,
}

/// The nail of a finger: an ellipse on the back near the tip.
struct Nail {
    centre: Vector3<f64>,
    along: Vector3<f64>,
    across: Vector3<f64>,
    up: Vector3<f64>,
    half_length: f64,
    half_width: f64,
}

/// Detail and colour of one hand.
pub(crate) struct Skin {
    mirror: f64,
    noises: [Noise; 8],
    knuckles: Vec<Knuckle>,
    nails: Vec<Nail>,
    /// Knuckle of the middle finger and the wrist: the frame of the back and the palm.
    middle: Vector3<f64>,
    wrist: Vector3<f64>,
}

/// Joint chains of the model: index, middle, pinky, ring, thumb, with the tip that ends each.
const FINGERS: [([usize; 3], usize); 5] =
    [([1, 2, 3], 1), ([4, 5, 6], 2), ([7, 8, 9], 4), ([10, 11, 12], 3), ([13, 14, 15], 0)];

fn smooth(edge0: f64, edge1: f64, x: f64) -> f64 {
    let t = ((x - edge0) / (edge1 - edge0)).clamp(0.0, 1.0);
    t * t * (3.0 - 2.0 * t)
}

fn gauss(x: f64, sigma: f64) -> f64 {
    (-0.5 * (x / sigma).powi(2)).exp()
}

impl Skin {
    /// `rest_vertices` (V×3) and `rest_joints` belong to the shaped model in the flat rest pose.
    pub(crate) fn new(
        model: &HandModel,
        rest_vertices: &[[f64; 3]],
        rest_joints: &[[f64; 3]; JOINTS],
        seed: u64,
    ) -> Self {
        let mirror = if model.side == Side::Left { -1.0 } else { 1.0 };
        let right = |p: [f64; 3]| Vector3::new(mirror * p[0], p[1], p[2]);
        let joint = |j: usize| right(rest_joints[j]);
        let vertices: Vec<Vector3<f64>> = rest_vertices.iter().map(|&p| right(p)).collect();
        let mut knuckles = Vec::new();
        let mut nails = Vec::new();
        for (chain, tip) in FINGERS {
            let end = right(rest_vertices[model.tips[tip] as usize]);
            let thumb = chain[0] == 13;
            for (k, &j) in chain.iter().enumerate() {
                let next = chain.get(k + 1).map_or(end, |&n| joint(n));
                let along = (next - joint(j)).normalize();
                let strength = if k == 0 { 0.35 } else { 1.0 };
                if !(thumb && k == 0) {
                    knuckles.push(Knuckle { centre: joint(j), along, strength });
                }
            }
            nails.push(nail(&vertices, joint(chain[2]), end, thumb));
        }
        let name = |what: &str| Noise::new(seed, &format!("{what} {}", model.side));
        let noises = ["bump", "fine", "wrinkle", "tone", "mottle", "vein", "freckle", "crease"].map(name);
        Self { mirror, noises, knuckles, nails, middle: joint(4), wrist: joint(0) }
    }

    fn own(&self, rest: [f64; 3]) -> Vector3<f64> {
        Vector3::new(self.mirror * rest[0], rest[1], rest[2])
    }

    /// Noise number `k` with bumps of `wavelength` metres.
    fn noise(&self, k: usize, p: Vector3<f64>, wavelength: f64) -> f64 {
        // One period of gradient noise spans about two cells.
        self.noises[k].at(p * (2.0 / wavelength))
    }

    /// Displacement along the normal in metres at a rest-pose position with its rest-pose normal; within ±1.2 mm.
    pub(crate) fn displacement(&self, rest: [f64; 3], rest_normal: [f64; 3]) -> f64 {
        let p = self.own(rest);
        let back = smooth(-0.3, 0.3, rest_normal[1]);
        let mut mm = 1.1 * self.noise(0, p, 0.015) + 0.36 * self.noise(0, p, 0.009) + 0.13 * self.noise(1, p, 0.005);
        mm += 0.05 * self.noise(1, p, 0.003);
        for k in &self.knuckles {
            let d = p - k.centre;
            if d.norm() > 0.02 {
                continue;
            }
            let warp = 0.0008 * self.noise(2, p, 0.008);
            let s = d.dot(&k.along) + warp;
            // Back: a cushion of transverse wrinkles, 3.2 mm apart. Palm side: two deep creases.
            let near = 1.6 * gauss(d.norm(), 0.0085) * gauss(s, 0.0042);
            let wrinkles =
                0.3 * near * (std::f64::consts::TAU * s / 0.0032).cos() * (0.7 + 0.5 * self.noise(2, p, 0.006));
            let folds = -0.55 * (gauss(s - 0.0011, 0.0007) + 0.7 * gauss(s + 0.0017, 0.0007));
            mm += k.strength * (back * wrinkles + (1.0 - back) * folds * gauss(d.norm(), 0.011));
        }
        // Veins stand out on the back, palm lines cut in.
        mm += 0.45 * self.vein(p) * smooth(0.2, 0.7, rest_normal[1]);
        mm -= 0.5 * self.palm_lines(p) * smooth(0.1, 0.5, -rest_normal[1]);
        let nail = self.nail(p, rest_normal);
        // The nail plate is smooth and a little sunk at its rim.
        mm = mm * (1.0 - nail.0) - 0.25 * nail.1;
        1e-3 * mm.clamp(-1.2, 1.2)
    }

    /// Albedo, sRGB-encoded, 0..1.
    pub(crate) fn albedo(&self, rest: [f64; 3], rest_normal: [f64; 3]) -> [f64; 3] {
        let p = self.own(rest);
        let back = smooth(-0.35, 0.35, rest_normal[1]);
        let dorsal = Vector3::new(0.72, 0.545, 0.455);
        let palmar = Vector3::new(0.79, 0.60, 0.535);
        let mut c = palmar.lerp(&dorsal, back);
        let tone = 0.055 * self.noise(3, p, 0.045) + 0.03 * self.noise(3, p, 0.02);
        let mottle = 0.045 * self.noise(4, p, 0.009) + 0.025 * self.noise(4, p, 0.0035);
        c *= 1.0 + tone + mottle;
        // Blood shows as red patches.
        let red = smooth(-0.1, 0.7, self.noise(4, p, 0.014)) * 0.035 * (1.3 - back);
        c += Vector3::new(0.4 * red, -red, -0.8 * red);
        for k in &self.knuckles {
            let d = p - k.centre;
            let near = k.strength.max(0.6) * gauss(d.norm(), 0.0085);
            c += near * back * Vector3::new(-0.02, -0.075, -0.065);
            let s = d.dot(&k.along) + 0.0008 * self.noise(2, p, 0.008);
            let folds = (gauss(s - 0.0011, 0.0006) + 0.7 * gauss(s + 0.0017, 0.0006)) * gauss(d.norm(), 0.011);
            let wrinkles = 0.5 + 0.5 * (std::f64::consts::TAU * s / 0.0032).cos();
            c *= 1.0
                - k.strength
                    * ((1.0 - back) * 0.22 * folds
                        + back * 0.13 * (1.0 - wrinkles) * gauss(d.norm(), 0.009) * gauss(s, 0.0042));
        }
        let vein = self.vein(p) * smooth(0.15, 0.6, rest_normal[1]);
        c += vein * Vector3::new(-0.055, -0.022, -0.004);
        c *= 1.0 - 0.28 * self.palm_lines(p) * smooth(0.1, 0.5, -rest_normal[1]);
        let freckle = self.freckles(p) * smooth(-0.2, 0.3, rest_normal[1]);
        c = c.lerp(&Vector3::new(0.47, 0.30, 0.21), 0.75 * freckle);
        let (plate, rim, moon) = self.nail(p, rest_normal);
        c = c.lerp(&Vector3::new(0.86, 0.68, 0.64), 0.9 * plate);
        c = c.lerp(&Vector3::new(0.92, 0.84, 0.80), 0.8 * moon);
        c *= 1.0 - 0.22 * rim;
        c.map(|v| v.clamp(0.05, 0.95)).into()
    }

    /// 0..1 on the veins of the back: ridges of warped noise, only between wrist and knuckles.
    fn vein(&self, p: Vector3<f64>) -> f64 {
        // Stretched along the hand, so veins run towards the fingers.
        let q = Vector3::new(p.x * 0.28, p.y * 0.3, p.z) + Vector3::repeat(0.003 * self.noise(5, p, 0.03));
        let ridge = self.noise(5, q, 0.032).abs();
        let here = smooth(self.middle.x + 0.004, self.middle.x + 0.02, p.x)
            * (1.0 - smooth(-0.025, 0.0, p.x - self.wrist.x - 0.02));
        here * (1.0 - smooth(0.0, 0.13, ridge)) * smooth(-0.25, 0.25, self.noise(3, p, 0.04))
    }

    /// 0..1 on the three lines of the palm and some fine ones.
    fn palm_lines(&self, p: Vector3<f64>) -> f64 {
        let x = p.x - self.middle.x;
        let z = p.z - self.middle.z + 0.0015 * self.noise(7, p, 0.02);
        let line = |distance: f64, from: f64, to: f64, t: f64| {
            gauss(distance, 0.0008) * smooth(from, from + 0.006, t) * (1.0 - smooth(to - 0.008, to, t))
        };
        let heart = line(x - 0.012 - 7.0 * (z + 0.008).powi(2) + 0.12 * z, -0.04, 0.016, z);
        let head = line(x - 0.024 + 0.32 * z, -0.034, 0.03, z);
        let around = ((x - 0.065).powi(2) + (z - 0.034).powi(2)).sqrt();
        let life = line(around - 0.036, -0.024, 0.028, z);
        let fine = 0.35 * (1.0 - smooth(0.0, 0.05, self.noise(7, p + Vector3::repeat(0.3), 0.02).abs()));
        (heart + head + life + fine).min(1.0)
    }

    /// 0..1 on freckles: one in every other cell of 8 mm, 0.5-1.1 mm in radius.
    #[expect(clippy::cast_possible_truncation, reason = "cells near the origin")]
    fn freckles(&self, p: Vector3<f64>) -> f64 {
        const CELL: f64 = 0.008;
        let base = (p / CELL).map(f64::floor);
        let mut most = 0.0_f64;
        for i in 0..27_i64 {
            let offset = [i % 3 - 1, i / 3 % 3 - 1, i / 9 - 1];
            let cell = [0, 1, 2].map(|a| base[a] as i64 + offset[a]);
            let bits = self.noises[6].cell_bits(cell);
            let part = |shift: u32| f64::from((bits >> shift & 0xff) as u8) / 255.0;
            if part(0) < 0.5 {
                continue;
            }
            #[expect(clippy::cast_precision_loss, reason = "cells near the origin")]
            let centre =
                Vector3::new(cell[0] as f64 + part(8), cell[1] as f64 + part(16), cell[2] as f64 + part(24)) * CELL;
            let radius = 0.0005 + 0.0006 * part(32);
            most = most.max((0.4 + 0.6 * part(40)) * (1.0 - smooth(0.6 * radius, 1.3 * radius, (p - centre).norm())));
        }
        most
    }

    /// (plate, rim, half moon), each 0..1, of the nail at this place.
    fn nail(&self, p: Vector3<f64>, rest_normal: [f64; 3]) -> (f64, f64, f64) {
        let n = Vector3::new(self.mirror * rest_normal[0], rest_normal[1], rest_normal[2]);
        let mut out = (0.0, 0.0, 0.0);
        for nail in &self.nails {
            let d = p - nail.centre;
            if d.norm() > 0.013 {
                continue;
            }
            let (s, t) = (d.dot(&nail.along) / nail.half_length, d.dot(&nail.across) / nail.half_width);
            // A rounded rectangle.
            let r = (s.powi(4) + t.powi(4)).powf(0.25);
            let facing = smooth(0.1, 0.35, n.dot(&nail.up));
            let plate = facing * (1.0 - smooth(0.88, 1.0, r));
            let rim = facing * gauss(r - 1.02, 0.07);
            let moon = plate * (1.0 - smooth(0.3, 0.4, ((s + 1.0).powi(2) + (0.6_f64 * t).powi(2)).sqrt()));
            out = (plate, rim, moon);
        }
        out
    }
}

/// The nail of the finger whose last joint and tip are given: straight above the axis, as wide as the finger there.
fn nail(vertices: &[Vector3<f64>], joint: Vector3<f64>, tip: Vector3<f64>, thumb: bool) -> Nail {
    let along = (tip - joint).normalize();
    let upward = if thumb { Vector3::new(-0.55, 0.62, 0.25) } else { Vector3::y() };
    let up = (upward - along * upward.dot(&along)).normalize();
    let across = along.cross(&up);
    let length = (tip - joint).norm();
    let middle = tip - along * (0.36 * length);
    // The finger's half width and height around the nail's middle.
    let around = || {
        vertices.iter().map(move |v| v - middle).filter(move |d| d.dot(&along).abs() < 0.2 * length && d.norm() < 0.014)
    };
    let half_width = around().map(|d| d.dot(&across).abs()).fold(0.004, f64::max);
    let height = around().map(|d| d.dot(&up)).fold(0.003, f64::max);
    Nail { centre: middle + up * height, along, across, up, half_length: 0.27 * length, half_width: 0.66 * half_width }
}
