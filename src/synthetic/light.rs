//! Light of second-order spherical harmonics as in the published model: `irradiance(n) = c · basis(n)`, colour =
//! irradiance × albedo in the sRGB-encoded space.

use super::random::Random;
use crate::shading::sh_basis;
use nalgebra::Vector3;

/// Irradiance of a light for a unit normal.
#[must_use]
pub fn irradiance(light: &[f64; 9], n: [f64; 3]) -> f64 {
    light.iter().zip(sh_basis(n)).map(|(c, b)| c * b).sum()
}

/// A key light high in front and to one side, a fill from the other side and a little from everywhere, projected onto the
/// nine terms (clamped-cosine lobe, bands 0-2). `forward` and `up` are world directions.
pub(crate) fn make(forward: Vector3<f64>, up: Vector3<f64>, seed: u64) -> [f64; 9] {
    let mut random = Random::new(seed, "light");
    let right = forward.cross(&up);
    let side = if random.unit() < 0.5 { -1.0 } else { 1.0 };
    let mut light = [0.0; 9];
    light[0] = 0.52 + random.range(-0.03, 0.03);
    let mut add = |direction: Vector3<f64>, strength: f64| {
        let d = direction.normalize();
        // max(0, n·d) ≈ 1/4 + n·d/2 + 5/32 (3 (n·d)² − 1), in the basis above.
        light[0] += strength * 0.25;
        light[1] += strength * 0.5 * d.y;
        light[2] += strength * 0.5 * d.z;
        light[3] += strength * 0.5 * d.x;
        let second = strength * 15.0 / 32.0;
        light[4] += second * 2.0 * d.x * d.y;
        light[5] += second * 2.0 * d.y * d.z;
        light[6] += second * (2.0 * d.z * d.z - d.x * d.x - d.y * d.y) / 6.0;
        light[7] += second * 2.0 * d.z * d.x;
        light[8] += second * (d.x * d.x - d.y * d.y) / 2.0;
    };
    add(forward + up * random.range(0.7, 1.1) + right * (side * random.range(0.5, 0.9)), 0.5);
    add(forward * 0.3 - right * side + up * random.range(-0.2, 0.2), 0.24);
    light
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_projection_matches_the_clamped_cosine() {
        let light = make(Vector3::z(), -Vector3::y(), 3);
        let mut random = Random::new(1, "normals");
        let (mut low, mut high) = (f64::MAX, f64::MIN);
        for _ in 0..2000 {
            let n = Vector3::new(random.normal(), random.normal(), random.normal()).normalize();
            let r = irradiance(&light, n.into());
            low = low.min(r);
            high = high.max(r);
        }
        assert!(low > 0.35 && high < 1.25, "irradiance {low}..{high} neither dark nor burnt out");
        assert!(high / low > 1.5, "and it has a direction");
        // A single lobe towards the light equals 1/4 + 1/2 + 5/16 in three terms.
        let sum = |d: Vector3<f64>| {
            let t = d.z;
            0.25 + 0.5 * t + 5.0 / 32.0 * (3.0 * t * t - 1.0)
        };
        let basis = sh_basis([0.0, 0.6, 0.8]);
        let value = 0.25 + 0.5 * basis[2] + 15.0 / 32.0 * basis[6] / 6.0 * 2.0;
        assert!((value - sum(Vector3::new(0.0, 0.6, 0.8))).abs() < 1e-12, "the second band is {value}");
    }
}
