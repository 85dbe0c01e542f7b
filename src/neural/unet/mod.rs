//! The published screen-space network (`neural.kind: unet`): it sees a whole crop of a view, not a pixel at a time.
//!
//! # The network as released (FMHR `models/unet.py`, `UNet(284, 3, 2, 0)`, trained by `train_unet.py`)
//! Inputs as `paper`'s, a pixel each. Five sizes of 32, 64, 128, 256, 512 channels. A block is two 3×3 convolutions; the first
//! is a partial one (Liu et al. 2018) which, since no mask reaches it, only grows sums at the image's border; on the way down
//! a batch normalisation stands behind each, and `ReLU` behind all. Down: 2×2 means, a block. Up: bilinear, a 3×3 convolution
//! to half the channels, the skip behind them, a block without normalisation. Then 1×1 to RGB and a sigmoid.
//!
//! # Where ours differs, on purpose
//! - `neural.unet_width` channels at the largest size, 8 unless it is set; 32 as published. Colours, gains, losses, rates as for
//!   the other networks ([`super`]).
//! - **Normalisation** is by the statistics of the frame, in training and in pictures. So it is in the released evaluation too,
//!   which never leaves training's mode; there steps see sixteen frames, here one, so that a picture is made as it was learned
//!   and no running averages are needed. But only pixels that see something count, at smaller sizes by the part of them that
//!   does: otherwise colours would change with how much background a crop holds.
//! - A crop is the box of the rendered hands with a margin, to the next multiples of 64 and 16; there, the whole image.
//! - What sees nothing is zero. There the ray reaches the background too, and encoded zeros are ones where there is a cosine. One
//!   more input says where the hands are.
//! - The surface stands still: no gradient goes to positions or albedo, so that there is no joint refinement.
//!
//! # Practice
//! [`Unet`] forward and [`UnetGrad`] backward are lists of dispatches ([`steps`]) whose uniforms follow the image's size, up to
//! as many pixels as they were made for. Channels come last, in fours, so that a 1×1 convolution is `neural/linear`. Skips
//! cost no copy: the layer that is skipped writes into the wider image at once (`y_stride`, `y_first`), which `halve` reads, and
//! `halve_grad` adds to what came back along the skip. The inputs, 288 numbers a pixel, are written in four parts, three of
//! which take turns in one place, and again on the way back; the first convolution adds over them. Sums are in fixed order: two
//! runs give the same bytes.

#[cfg(test)]
mod checks;
mod crop;
mod device;
mod grad;
mod layout;
#[cfg(test)]
mod reference;
mod steps;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod whole;

#[cfg(test)]
pub(crate) use checks::UNET_CHECKS;
pub(super) use crop::Crop;
pub(super) use device::Unet;
pub(super) use grad::UnetGrad;
pub(super) use layout::{MOST_WIDE, UnetShape};
