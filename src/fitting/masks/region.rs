//! Pixel sets of a rectangle of an image: distances, connected pieces.

use image::GrayImage;
use std::collections::VecDeque;

/// A rectangle of an image; pixel lists over it are row-major.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Region {
    pub x0: usize,
    pub y0: usize,
    pub width: usize,
    pub height: usize,
}

impl Region {
    /// Number of pixels.
    pub(super) const fn len(&self) -> usize {
        self.width * self.height
    }

    /// The pixels of a mask that are hand.
    pub(super) fn read(&self, mask: &GrayImage) -> Vec<bool> {
        let (raw, stride) = (mask.as_raw(), mask.width() as usize);
        (0..self.height)
            .flat_map(|y| {
                let start = (self.y0 + y) * stride + self.x0;
                raw[start..start + self.width].iter().map(|&v| v > 127)
            })
            .collect()
    }

    /// Calls `visit` for each of the 8 neighbours (4 when `!diagonal`) of a pixel that lie in the region.
    pub(super) fn neighbours(&self, pixel: usize, diagonal: bool, mut visit: impl FnMut(usize)) {
        let (x, y) = (pixel % self.width, pixel / self.width);
        for ny in y.saturating_sub(1)..=(y + 1).min(self.height - 1) {
            for nx in x.saturating_sub(1)..=(x + 1).min(self.width - 1) {
                if (nx, ny) != (x, y) && (diagonal || nx == x || ny == y) {
                    visit(ny * self.width + nx);
                }
            }
        }
    }

    /// True for a pixel on the region's rim.
    pub(super) const fn on_rim(&self, pixel: usize) -> bool {
        let (x, y) = (pixel % self.width, pixel / self.width);
        x == 0 || y == 0 || x + 1 == self.width || y + 1 == self.height
    }

    /// Connected pieces of a set (8 neighbours, or 4), in the order of their first pixels.
    pub(super) fn pieces(&self, set: &[bool], diagonal: bool) -> Vec<Vec<usize>> {
        let mut open = set.to_vec();
        let mut pieces = Vec::new();
        for start in 0..open.len() {
            if !std::mem::replace(&mut open[start], false) {
                continue;
            }
            let mut piece = vec![start];
            let mut at = 0;
            while at < piece.len() {
                self.neighbours(piece[at], diagonal, |next| {
                    if std::mem::replace(&mut open[next], false) {
                        piece.push(next);
                    }
                });
                at += 1;
            }
            pieces.push(piece);
        }
        pieces
    }

    /// Spreads labels from seeds over a set, nearest first (8 neighbours, counted in steps); pixels that no seed reaches
    /// stay `None`. Between equally near seeds the earlier wins.
    pub(super) fn spread(&self, set: &[bool], seeds: &[(usize, bool)]) -> Vec<Option<bool>> {
        let mut labels = vec![None; set.len()];
        let mut queue = VecDeque::new();
        for &(pixel, label) in seeds {
            if set[pixel] && labels[pixel].is_none() {
                labels[pixel] = Some(label);
                queue.push_back(pixel);
            }
        }
        while let Some(pixel) = queue.pop_front() {
            let label = labels[pixel];
            self.neighbours(pixel, true, |next| {
                if set[next] && labels[next].is_none() {
                    labels[next] = label;
                    queue.push_back(next);
                }
            });
        }
        labels
    }

    /// Euclidean distance of each pixel to the nearest one of a set, centre to centre; infinite when the set is empty
    /// (Felzenszwalb & Huttenlocher 2012, "Distance Transforms of Sampled Functions").
    pub(super) fn distance_to(&self, set: &[bool]) -> Vec<f64> {
        let mut squared: Vec<f64> = set.iter().map(|&s| if s { 0.0 } else { f64::INFINITY }).collect();
        let mut envelope = Envelope::new(self.width.max(self.height));
        let mut line = vec![0.0; self.width.max(self.height)];
        for x in 0..self.width {
            for y in 0..self.height {
                line[y] = squared[y * self.width + x];
            }
            envelope.transform(&mut line[..self.height]);
            for y in 0..self.height {
                squared[y * self.width + x] = line[y];
            }
        }
        for row in squared.chunks_exact_mut(self.width) {
            envelope.transform(row);
        }
        squared.into_iter().map(f64::sqrt).collect()
    }

    /// Distance to the set's outline, which runs between pixels: positive inside.
    pub(super) fn signed_distance(&self, set: &[bool]) -> Vec<f64> {
        let outside: Vec<bool> = set.iter().map(|s| !s).collect();
        let (to_set, to_outside) = (self.distance_to(set), self.distance_to(&outside));
        set.iter().zip(to_set.iter().zip(&to_outside)).map(|(&s, (a, b))| if s { b - 0.5 } else { 0.5 - a }).collect()
    }
}

/// Lower envelope of parabolas along a line.
struct Envelope {
    roots: Vec<usize>,
    borders: Vec<f64>,
    heights: Vec<f64>,
}

impl Envelope {
    fn new(size: usize) -> Self {
        Self { roots: vec![0; size], borders: vec![0.0; size + 1], heights: vec![0.0; size] }
    }

    #[expect(clippy::cast_precision_loss, reason = "pixel coordinates are far below 2^52")]
    fn transform(&mut self, line: &mut [f64]) {
        let mut count = 0;
        for (q, &height) in line.iter().enumerate() {
            if height.is_infinite() {
                continue;
            }
            let x = q as f64;
            loop {
                if count == 0 {
                    self.borders[0] = f64::NEG_INFINITY;
                    break;
                }
                let p = self.roots[count - 1] as f64;
                let meet = (height + x * x - self.heights[count - 1] - p * p) / (2.0 * (x - p));
                if meet > self.borders[count - 1] {
                    self.borders[count] = meet;
                    break;
                }
                count -= 1;
            }
            self.roots[count] = q;
            self.heights[count] = height;
            count += 1;
        }
        if count == 0 {
            return;
        }
        let mut k = 0;
        for (q, value) in line.iter_mut().enumerate() {
            let x = q as f64;
            while k + 1 < count && self.borders[k + 1] < x {
                k += 1;
            }
            *value = (x - self.roots[k] as f64).powi(2) + self.heights[k];
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const REGION: Region = Region { x0: 0, y0: 0, width: 17, height: 13 };

    fn set(f: impl Fn(usize, usize) -> bool) -> Vec<bool> {
        (0..REGION.len()).map(|i| f(i % 17, i / 17)).collect()
    }

    #[test]
    fn distances_are_those_of_a_search() {
        let points = set(|x, y| (x * 7 + y * 11) % 29 == 3);
        let found = REGION.distance_to(&points);
        for (i, d) in found.iter().enumerate() {
            let best = (0..REGION.len())
                .filter(|&j| points[j])
                .map(|j| ((i % 17).abs_diff(j % 17) as f64).hypot((i / 17).abs_diff(j / 17) as f64))
                .fold(f64::INFINITY, f64::min);
            assert!((d - best).abs() < 1e-12, "pixel {i}: {d}, by search {best}");
        }
        assert!(REGION.distance_to(&set(|_, _| false))[5].is_infinite(), "no set, no distance");
        let half = REGION.signed_distance(&set(|x, _| x < 8));
        assert_eq!((half[7], half[8], half[0]), (0.5, -0.5, 7.5), "the outline runs between the pixels");
    }

    #[test]
    fn pieces_and_spreading() {
        let two = set(|x, y| (x < 4 && y < 4) || (x == 4 && y == 4) || x > 10);
        assert_eq!(REGION.pieces(&two, true).iter().map(Vec::len).collect::<Vec<_>>(), [17, 78], "the corner joins");
        assert_eq!(REGION.pieces(&two, false).len(), 3, "without diagonals it does not");
        let labels = REGION.spread(&two, &[(0, true), (16, false)]);
        assert_eq!((labels[4 * 17 + 4], labels[11], labels[6]), (Some(true), Some(false), None), "each by its seed");
    }
}
