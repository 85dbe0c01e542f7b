//! How good a result is: images (PSNR three ways, SSIM, FLIP, LPIPS, `IoU`), surfaces (point to surface both ways, F-scores,
//! normals), joints; and without any truth, how sound a mesh is (flipped triangles, spikes, intersections).
//!
//! Images are rows of RGB values in 0..1, sRGB-encoded. PSNR of identical images is infinite, which JSON writes as null.

mod flip;
mod image;
mod lpips;
mod motion;
#[cfg(test)]
mod reference;
mod report;
mod soundness;
mod surface;

pub use flip::{PIXELS_PER_DEGREE, flip_map, flip_over};
pub use image::{Picture, bounding_box, gain, iou, legacy_psnr, mask_of, psnr, psnr_three_ways, ssim, ssim_on_mask};
pub use lpips::{Lpips, LpipsError, Weights};
pub use motion::{MotionFrames, MotionScore};
pub use report::{
    Comparison, Evaluation, HandMeshScore, ImageScore, Measures, MeshScore, RefinedScore, ShadingScore, Shared,
    SurfaceScore, ViewMeans, ViewScore, rendered,
};
pub use soundness::score_meshes;
pub use surface::{ReferenceSurface, SurfaceSample, SurfaceSamples, WristCut, joint_mean_mm, score};

/// Image pairs with values of others (scikit-image, the package `lpips`), outside the project; `None` where they are not at
/// hand.
#[cfg(test)]
fn fixtures() -> Option<std::path::PathBuf> {
    let shared = std::env::var_os("THENAR_SHARED").map_or_else(
        || std::path::PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../shared")),
        std::path::PathBuf::from,
    );
    let folder = shared.join("fixtures/metrics");
    folder.join("reference.json").exists().then_some(folder)
}
