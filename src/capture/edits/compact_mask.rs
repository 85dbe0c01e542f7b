//! A mask as lengths of runs: a painted 1280×1024 mask of two hands takes some ten kilobytes instead of 1.3 MB, so that a
//! history of hundreds of brush strokes stays small.

use image::{GrayImage, Luma};
use sha2::{Digest, Sha256};

/// A mask of two values, row by row: so many pixels of background, so many of hand, and so on; the first may be 0.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CompactMask {
    width: u32,
    height: u32,
    runs: Vec<u32>,
}

impl CompactMask {
    /// Pixels above 127 are hand.
    #[must_use]
    pub fn new(mask: &GrayImage) -> Self {
        let mut runs = Vec::new();
        let (mut hand, mut length) = (false, 0_u32);
        for &value in mask.as_raw() {
            if (value > 127) != hand {
                runs.push(length);
                (hand, length) = (!hand, 0);
            }
            length += 1;
        }
        runs.push(length);
        Self { width: mask.width(), height: mask.height(), runs }
    }

    /// Width and height in pixels.
    #[must_use]
    pub const fn size(&self) -> (u32, u32) {
        (self.width, self.height)
    }

    /// The mask: 255 hand, 0 background.
    #[must_use]
    pub fn image(&self) -> GrayImage {
        let mut image = GrayImage::new(self.width, self.height);
        let mut pixels = image.pixels_mut();
        let mut value = 0;
        for &run in &self.runs {
            for pixel in pixels.by_ref().take(run as usize) {
                *pixel = Luma([value]);
            }
            value = 255 - value;
        }
        image
    }

    /// Bytes it takes in memory.
    #[must_use]
    pub const fn bytes(&self) -> usize {
        size_of::<Self>() + self.runs.capacity() * size_of::<u32>()
    }

    /// SHA-256 of what it shows, 64 hexadecimal digits.
    #[must_use]
    pub fn hash(&self) -> String {
        let mut hasher = Sha256::new();
        for number in [self.width, self.height].iter().chain(&self.runs) {
            hasher.update(number.to_le_bytes());
        }
        format!("{:x}", hasher.finalize())
    }
}
