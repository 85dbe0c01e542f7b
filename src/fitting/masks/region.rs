//! Pixel sets of a rectangle of an image: distances, connected pieces.

use super::super::distance::{distance_to, signed_distance};
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

    /// Euclidean distance of each pixel to the nearest one of a set, see [`distance_to`].
    pub(super) fn distance_to(&self, set: &[bool]) -> Vec<f64> {
        distance_to(set, self.width)
    }

    /// Distance to the set's outline, see [`signed_distance`].
    pub(super) fn signed_distance(&self, set: &[bool]) -> Vec<f64> {
        signed_distance(set, self.width)
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
    fn pieces_and_spreading() {
        let two = set(|x, y| (x < 4 && y < 4) || (x == 4 && y == 4) || x > 10);
        assert_eq!(REGION.pieces(&two, true).iter().map(Vec::len).collect::<Vec<_>>(), [17, 78], "the corner joins");
        assert_eq!(REGION.pieces(&two, false).len(), 3, "without diagonals it does not");
        let labels = REGION.spread(&two, &[(0, true), (16, false)]);
        assert_eq!((labels[4 * 17 + 4], labels[11], labels[6]), (Some(true), Some(false), None), "each by its seed");
    }
}
