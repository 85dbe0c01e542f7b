//! Kernels of the published screen-space network, checked; no stage runs them yet, so that this is seen by tests only.
//!
//! # The network as released (FMHR `models/unet.py`, `UNet(284, 3, 2, 0)`)
//! Inputs as `paper`'s, a pixel each. Five sizes of 32, 64, 128, 256, 512 channels. A block is two 3×3 convolutions; the first
//! is a partial one (Liu et al. 2018) which, since no mask reaches it, only grows sums at the image's border; on the way down
//! a batch normalisation stands behind each, and `ReLU` behind all. Down: 2×2 means, a block. Up: bilinear, a 3×3 convolution
//! to half the channels, the skip behind them, a block without normalisation. Then 1×1 to RGB and a sigmoid.
//!
//! # What is here
//! Convolution (partial or not), halving and doubling, forward and backward. Channels come last, in fours, so that a 1×1
//! convolution is `neural/linear`. Skips cost no copy: the layer that is skipped writes into the wider image at once
//! (`y_stride`, `y_first`), which `halve` reads, and `halve_grad` adds to what came back along the skip.
//!
//! # What is not
//! Batch normalisation, and everything that would run this.

mod checks;
mod reference;

pub(crate) use checks::UNET_CHECKS;
