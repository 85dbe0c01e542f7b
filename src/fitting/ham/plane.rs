//! Planes of numbers, one a pixel: what pictures are compared on.

/// One number a pixel, row by row.
pub(super) struct Plane {
    pub width: usize,
    pub height: usize,
    pub values: Vec<f32>,
}

impl Plane {
    /// Means of blocks of `by` × `by` pixels of a picture of this size.
    pub(super) fn reduced(size: [usize; 2], by: usize, value: impl Fn(usize) -> f32) -> Self {
        let [width, _] = size;
        let [w, h] = size.map(|s| s / by);
        #[expect(clippy::cast_precision_loss, reason = "a handful of pixels")]
        let share = 1.0 / (by * by) as f32;
        let values = (0..w * h)
            .map(|i| {
                let (x, y) = (i % w * by, i / w * by);
                (0..by * by).map(|k| value((y + k / by) * width + x + k % by)).sum::<f32>() * share
            })
            .collect();
        Self { width: w, height: h, values }
    }

    /// Convolved with a Gaussian of this width in pixels; the border repeats.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a small radius")]
    pub(super) fn blurred(mut self, sigma_px: f64) -> Self {
        let radius = (3.0 * sigma_px).ceil() as usize;
        let raw: Vec<f64> = (0..=radius).map(|i| (-0.5 * (i as f64 / sigma_px).powi(2)).exp()).collect();
        let sum = 2.0 * raw.iter().sum::<f64>() - raw[0];
        let taps: Vec<f32> = raw.iter().map(|w| (w / sum) as f32).collect();
        let (w, h) = (self.width, self.height);
        let mut across = vec![0.0; w * h];
        for (row, out) in self.values.chunks_exact(w).zip(across.chunks_exact_mut(w)) {
            for (x, out) in out.iter_mut().enumerate() {
                *out = row[x] * taps[0];
                for (k, tap) in taps.iter().enumerate().skip(1) {
                    *out += (row[x.saturating_sub(k)] + row[(x + k).min(w - 1)]) * tap;
                }
            }
        }
        for y in 0..h {
            let out = &mut self.values[y * w..(y + 1) * w];
            for (out, v) in out.iter_mut().zip(&across[y * w..]) {
                *out = v * taps[0];
            }
            for (k, tap) in taps.iter().enumerate().skip(1) {
                let (above, below) = (y.saturating_sub(k) * w, (y + k).min(h - 1) * w);
                for (x, out) in out.iter_mut().enumerate() {
                    *out += (across[above + x] + across[below + x]) * tap;
                }
            }
        }
        self
    }

    /// Central differences at a pixel that is not at the border.
    pub(super) fn slope(&self, i: usize) -> [f64; 2] {
        let half = |a: usize, b: usize| 0.5 * (f64::from(self.values[a]) - f64::from(self.values[b]));
        [half(i + 1, i - 1), half(i + self.width, i - self.width)]
    }

    /// Whether a pixel has neighbours on all sides.
    pub(super) const fn is_interior(&self, i: usize) -> bool {
        let (x, y) = (i % self.width, i / self.width);
        x > 0 && y > 0 && x + 1 < self.width && y + 1 < self.height
    }
}
