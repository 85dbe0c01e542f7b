//! The part of a view that the network works on: the rendered hands with a margin, pixel by pixel.

use super::layout::SIDES;
use crate::raster::antialias::SILHOUETTE;

/// Pixels around the hands, so that what happens at the border stays away from them.
const MARGIN: u32 = 8;

/// A crop of a region. It may reach beyond it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::neural) struct Crop {
    /// Width and height, multiples of [`SIDES`].
    pub size: [u32; 2],
    /// Of each pixel, line by line, its number in the region and its word; zeros where it sees nothing.
    entries: Vec<[u32; 2]>,
}

impl Crop {
    /// Around what is covered of a region `width` pixels wide; `None` where nothing is.
    pub(in crate::neural) fn around(ids: &[u32], width: u32) -> Option<Self> {
        let covered = |(_, id): &(u32, &u32)| **id & !SILHOUETTE != 0;
        let mut span = [[u32::MAX, 0]; 2];
        for (pixel, _) in (0..).zip(ids).filter(covered) {
            for (span, x) in span.iter_mut().zip([pixel % width, pixel / width]) {
                *span = [span[0].min(x), span[1].max(x)];
            }
        }
        let [across, down] = span;
        if across[0] > across[1] {
            return None;
        }
        // From where, in pixels of the region beyond the margin, so that no number is negative.
        let side = |[low, high]: [u32; 2], multiple: u32| {
            let wanted = high + 1 - low + 2 * MARGIN;
            let size = wanted.next_multiple_of(multiple);
            (size, i64::from(low) - i64::from(MARGIN + (size - wanted) / 2))
        };
        let (sizes, at) = ([side(across, SIDES[0]), side(down, SIDES[1])], |x: i64, size: u32| {
            u32::try_from(x).ok().filter(|x| *x < size)
        });
        let [(columns, left), (lines, top)] = sizes;
        let height = u32::try_from(ids.len()).unwrap_or(0) / width;
        let mut entries = Vec::with_capacity(columns as usize * lines as usize);
        for y in 0..lines {
            for x in 0..columns {
                let pixel = at(left + i64::from(x), width)
                    .zip(at(top + i64::from(y), height))
                    .map(|(x, y)| y * width + x)
                    .filter(|pixel| covered(&(*pixel, &ids[*pixel as usize])));
                entries.push(pixel.map_or([0; 2], |pixel| [pixel, ids[pixel as usize]]));
            }
        }
        Some(Self { size: [columns, lines], entries })
    }

    /// How many pixels.
    pub(in crate::neural) const fn pixels(&self) -> u32 {
        self.size[0] * self.size[1]
    }

    /// As a list of the rasteriser's kind.
    pub(in crate::neural) fn list(&self) -> Vec<[u32; 2]> {
        [&[[self.pixels(), 0]], self.entries.as_slice()].concat()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_crop_holds_what_is_covered_and_its_margin() {
        let (width, height) = (192_u32, 40_u32);
        let mut ids = vec![0_u32; (width * height) as usize];
        // A silhouette's mark alone covers nothing.
        ids[0] = SILHOUETTE;
        assert_eq!(Crop::around(&ids, width), None, "nothing is covered");
        for (x, y) in [(100, 3), (160, 30)] {
            ids[y * width as usize + x] = 7 | SILHOUETTE;
        }
        let crop = Crop::around(&ids, width).expect("two pixels");
        assert_eq!(crop.size, [128, 48], "61 × 28 pixels and the margins");
        let list = crop.list();
        assert_eq!((list[0], list.len()), ([128 * 48, 0], 1 + 128 * 48), "its count and its pixels");
        let found: Vec<(u32, [u32; 2])> = (0..).zip(list[1..].iter().copied()).filter(|(_, e)| e[1] != 0).collect();
        assert_eq!(found.len(), 2, "both are in it");
        for (at, [pixel, word]) in found {
            assert_eq!(word, 7 | SILHOUETTE, "with its word");
            let (x, y) = (at % 128, at / 128);
            assert!((MARGIN..128 - MARGIN).contains(&x) && (MARGIN..48 - MARGIN).contains(&y), "inside the margin");
            // The crop begins at column 67 of the region, and seven lines above it.
            assert_eq!((pixel % width, pixel / width + 7), (67 + x, y), "at its place");
        }
    }
}
