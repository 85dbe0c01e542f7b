//! Seeded randomness: `SplitMix64` (Steele, Lea, Flood 2014) and smooth gradient noise (Perlin 2002) over it.

use nalgebra::Vector3;

/// `SplitMix64`: one 64-bit state, equal on every machine.
#[derive(Clone, Debug)]
pub(crate) struct Random {
    state: u64,
}

/// The finishing steps of `SplitMix64`: a good mix of all bits.
fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

impl Random {
    /// A stream for one purpose: streams of different `purpose` are independent.
    pub(crate) fn new(seed: u64, purpose: &str) -> Self {
        let state = purpose.bytes().fold(mix(seed.wrapping_add(0x9e37_79b9_7f4a_7c15)), |s, b| mix(s ^ u64::from(b)));
        Self { state }
    }

    /// 64 random bits.
    pub(crate) fn bits(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mix(self.state)
    }

    /// Uniform in `[0, 1)`.
    #[expect(clippy::cast_precision_loss, reason = "53 bits fit a double")]
    pub(crate) fn unit(&mut self) -> f64 {
        (self.bits() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// Uniform in `[low, high)`.
    pub(crate) fn range(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.unit()
    }

    /// Standard normal (Box and Muller).
    pub(crate) fn normal(&mut self) -> f64 {
        let u = 1.0 - self.unit();
        (-2.0 * u.ln()).sqrt() * (std::f64::consts::TAU * self.unit()).cos()
    }
}

/// Gradient noise over space, about −1..1, zero mean, one bump per unit.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Noise {
    seed: u64,
}

impl Noise {
    /// A field of its own for every seed and purpose.
    pub(crate) fn new(seed: u64, purpose: &str) -> Self {
        Self { seed: Random::new(seed, purpose).bits() }
    }

    /// Random bits of a lattice cell.
    #[expect(clippy::cast_sign_loss, reason = "only the bits matter")]
    pub(crate) fn cell_bits(&self, cell: [i64; 3]) -> u64 {
        cell.iter().fold(self.seed, |s, &c| mix(s ^ (c as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15)))
    }

    /// The noise at a point.
    #[expect(clippy::cast_possible_truncation, reason = "points are near the origin")]
    pub(crate) fn at(&self, p: Vector3<f64>) -> f64 {
        let base = p.map(f64::floor);
        let f = p - base;
        let fade = f.map(|t| t * t * t * (t * (t * 6.0 - 15.0) + 10.0));
        let cell = [base.x as i64, base.y as i64, base.z as i64];
        let mut sum = 0.0;
        for corner in 0..8_u8 {
            let o = [corner & 1, corner >> 1 & 1, corner >> 2 & 1];
            let bits = self.cell_bits([0, 1, 2].map(|i| cell[i] + i64::from(o[i])));
            let mut weight = 1.0;
            let mut dot = 0.0;
            for axis in 0..3 {
                let along = f64::from(o[axis]);
                weight *= if o[axis] == 1 { fade[axis] } else { 1.0 - fade[axis] };
                // A gradient from the cube −1..1; the spread is as good as a sphere's here.
                let g = f64::from((bits >> (axis * 16) & 0xffff) as u16) / 32767.5 - 1.0;
                dot += g * (f[axis] - along);
            }
            sum += weight * dot;
        }
        1.6 * sum
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_repeat_and_differ() {
        let draw = |seed, purpose| Random::new(seed, purpose).bits();
        assert_eq!(draw(1, "a"), draw(1, "a"), "same seed, same bits");
        assert_ne!(draw(1, "a"), draw(2, "a"), "another seed, other bits");
        assert_ne!(draw(1, "a"), draw(1, "b"), "another purpose, other bits");
    }

    #[test]
    fn normals_have_mean_zero_and_deviation_one() {
        let mut r = Random::new(3, "test");
        let n = 20_000;
        let v: Vec<f64> = (0..n).map(|_| r.normal()).collect();
        let mean = v.iter().sum::<f64>() / f64::from(n);
        let var = v.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / f64::from(n);
        assert!(mean.abs() < 0.03 && (var - 1.0).abs() < 0.05, "mean {mean}, variance {var}");
    }

    #[test]
    fn noise_is_smooth_and_centred() {
        let noise = Noise::new(5, "test");
        let mut r = Random::new(6, "points");
        let (mut sum, mut square, mut steepest) = (0.0, 0.0, 0.0_f64);
        for _ in 0..5000 {
            let p = Vector3::new(r.range(-9.0, 9.0), r.range(-9.0, 9.0), r.range(-9.0, 9.0));
            let v = noise.at(p);
            sum += v;
            square += v * v;
            steepest = steepest.max((noise.at(p + Vector3::new(1e-4, 0.0, 0.0)) - v).abs() / 1e-4);
        }
        let rms = (square / 5000.0).sqrt();
        assert!((sum / 5000.0).abs() < 0.05 && (0.2..0.6).contains(&rms), "mean {}, rms {rms}", sum / 5000.0);
        assert!(steepest < 12.0, "slope {steepest} a unit");
    }
}
