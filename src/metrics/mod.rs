//! How good a result is: images (PSNR three ways, SSIM, `IoU`), surfaces (point to surface both ways, F-scores), joints.
//!
//! Images are rows of RGB values in 0..1, sRGB-encoded. PSNR of identical images is infinite, which JSON writes as null.

mod defects;
mod distance;
mod image;
mod intersect;
mod report;
mod surface;

pub use defects::{LONG_EDGE, MeshDefects, SHARP_TURN_DEG, score_meshes};
pub use distance::{ClosestPoint, SurfaceIndex, closest_on_triangle};
pub use image::{Picture, bounding_box, gain, iou, mask_of, psnr, psnr_three_ways, ssim, ssim_on_mask};
pub use intersect::{intersecting_each_other, self_intersecting, triangles_meet};
pub use report::{Comparison, Evaluation, HandMeshScore, MeshScore, RefinedScore, SurfaceScore, ViewMeans, ViewScore};
pub use surface::{ReferenceSurface, SurfaceSample, SurfaceSamples, WristCut, joint_mean_mm, score};
