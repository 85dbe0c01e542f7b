//! How brightness falls off from the middle of the pictures: one number for the rig, whose cameras have one kind of lens.
//!
//! With gains `g` of each view and channel as nuisances, `Σ (photo − g (1 + k r²) rendered)²` over pixels of hands that are not
//! clipped is least. For a given `k` gains follow in closed form from five sums; `k` is found by golden section.

/// Standard deviation of `k`.
const SIGMA: f64 = 0.1;
/// No lens is worse than this.
const MOST: f64 = 0.5;
/// Neighbouring pixels err alike, and albedo that was fitted without `k` speaks against it: weight of a pixel over its noise.
const WEIGHT: f64 = 0.01 / (0.03 * 0.03);

/// Sums of one view and channel over its pixels, with `c` the rendered colour, `p` the photograph's, `q = r²`.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Sums {
    cc: f64,
    ccq: f64,
    ccqq: f64,
    pc: f64,
    pcq: f64,
    pp: f64,
}

impl Sums {
    /// Adds a pixel.
    pub(super) fn add(&mut self, rendered: f64, photo: f64, radius_squared: f64) {
        let (c, p, q) = (rendered, photo, radius_squared);
        self.cc += c * c;
        self.ccq += c * c * q;
        self.ccqq += c * c * q * q;
        self.pc += p * c;
        self.pcq += p * c * q;
        self.pp += p * p;
    }

    /// What is left of the squares with the best gain.
    fn left(&self, k: f64) -> f64 {
        let square = self.cc + 2.0 * k * self.ccq + k * k * self.ccqq;
        if square > 1e-12 { self.pp - (self.pc + k * self.pcq).powi(2) / square } else { self.pp }
    }
}

/// The best `k` for the views' sums.
pub(super) fn falloff(sums: &[Sums]) -> f64 {
    let cost = |k: f64| WEIGHT * sums.iter().map(|s| s.left(k)).sum::<f64>() + (k / SIGMA).powi(2);
    let golden = 0.5 * (5.0_f64.sqrt() - 1.0);
    let (mut low, mut high) = (-MOST, MOST);
    for _ in 0..40 {
        let reach = golden * (high - low);
        let (a, b) = (high - reach, low + reach);
        if cost(a) < cost(b) {
            high = b;
        } else {
            low = a;
        }
    }
    0.5 * (low + high)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn views(k: f64, count: usize) -> Vec<Sums> {
        let pixel = |v: usize, i: usize| {
            let c = 0.4 + 0.2 * (0.37 * (i + 11 * v) as f64).sin();
            let q = 0.6 * (0.5 + 0.5 * (0.011 * (i * (v + 1)) as f64).sin());
            (c, (0.8 + 0.1 * v as f64) * c * (1.0 + k * q), q)
        };
        (0..count)
            .map(|v| {
                let mut sums = Sums::default();
                for i in 0..40_000 {
                    let (c, p, q) = pixel(v, i);
                    sums.add(c, p, q);
                }
                sums
            })
            .collect()
    }

    #[test]
    fn the_falloff_of_a_rig_is_found_whatever_its_gains() {
        for k in [-0.22, 0.0, 0.08] {
            let found = falloff(&views(k, 3));
            assert!((found - k).abs() < 0.01, "{found}, not {k}");
        }
        assert!(falloff(&[]).abs() < 1e-6, "none without a view");
    }
}
