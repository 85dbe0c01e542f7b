//! Photometric L1 and silhouette squared error (kernel `energy/image_loss`). One invocation a pixel.
//!
//! The absolute value is `√(r² + s²) − s`: squared below the softness `s`, where noise is, so that a mean is found and not
//! one of two medians; absolute above, where highlights are. A channel that the camera has clipped says nothing against a
//! render that is brighter.
//!
//! A target pixel packs RGB and coverage in four bytes: coverage 0..=254 is 0..1, 255 means unknown (bad mask, forearm).
//! Where it is known, the silhouette term is `(α − m)²` and colours count where `m > 1/2`; where it is unknown, colours
//! count only where the render covers the pixel fully.

use bytemuck::{Pod, Zeroable};

/// Kernel name.
pub const NAME: &str = "energy/image_loss";
/// Coverage byte for "unknown".
pub const UNKNOWN: u8 = 255;

/// Uniform of the kernel.
#[repr(C)]
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
pub struct ImageLossParams {
    /// Weight of one channel's absolute difference.
    pub photometric: f32,
    /// Weight of one pixel's squared coverage difference.
    pub silhouette: f32,
    /// First record in the partial sums.
    pub partial_offset: u32,
    /// Below this difference of a channel the photometric term is squared; above zero.
    pub softness: f32,
    /// Photographs are clipped from here on; above 1: never.
    pub clipped: f32,
    /// Padding.
    pub pad: [u32; 3],
}

/// CPU twin.
pub mod reference {
    use super::ImageLossParams;

    /// `(photometric, silhouette)` and the gradient to the antialiased colours.
    #[must_use]
    pub fn image_loss(params: &ImageLossParams, smooth: &[[f64; 4]], targets: &[u32]) -> ([f64; 2], Vec<[f64; 4]>) {
        let [photometric, silhouette, softness, clipped] =
            [params.photometric, params.silhouette, params.softness, params.clipped].map(f64::from);
        let mut value = [0.0; 2];
        let grad = smooth
            .iter()
            .zip(targets)
            .map(|(c, packed)| {
                let bytes = packed.to_le_bytes().map(f64::from);
                let known = bytes[3] < 255.0;
                let m = bytes[3] / 254.0;
                let mut g = [0.0; 4];
                if if known { m > 0.5 } else { c[3] > 0.999 } {
                    for k in 0..3 {
                        let photo = bytes[k] / 255.0;
                        let residual = c[k] - photo;
                        if photo >= clipped && residual > 0.0 {
                            continue;
                        }
                        let size = residual.hypot(softness);
                        value[0] += photometric * (size - softness);
                        g[k] = photometric * residual / size;
                    }
                }
                if known {
                    let miss = c[3] - m;
                    value[1] += silhouette * miss * miss;
                    g[3] = 2.0 * silhouette * miss;
                }
                g
            })
            .collect();
        (value, grad)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    #![expect(clippy::cast_possible_truncation, reason = "small test data; f32 is what the GPU gets")]

    use super::*;
    use crate::gpu::testing::{self, Edit, KernelTest};
    use crate::kernel_checks::KernelCheck;
    use crate::shading::testing::{Scene, central_difference, worst_difference};
    use std::mem::offset_of;

    pub(crate) const CHECKS: &[KernelCheck] = &[KernelCheck {
        kernel: NAME,
        difference,
        edits: &[
            ("2.0 * params.silhouette", "1.9 * params.silhouette"),
            ("params.photometric * residual / size", "params.photometric * sign(residual)"),
            ("(apart > vec3<f32>(0.0))", "(apart > vec3<f32>(1.0))"),
            ("size - params.softness", "size"),
            ("c.w > 0.999", "c.w > 0.5"),
            ("m > 0.5", "m > 0.8"),
            ("255.0 / 254.0", "1.0"),
            ("i < 64u", "i < 63u"),
        ],
        gradient: Some(gradient),
    }];

    const PARAMS: ImageLossParams = ImageLossParams {
        photometric: 1.5,
        silhouette: 4.0,
        partial_offset: 4,
        softness: 0.05,
        clipped: 0.75,
        pad: [0; 3],
    };

    fn targets(scene: &Scene) -> Vec<u32> {
        (0..scene.ids.len() as u32)
            .map(|i| i.wrapping_mul(2_654_435_761) | if i % 5 == 0 { 0xff00_0000 } else { 0 })
            .collect()
    }

    fn colours(scene: &Scene) -> Vec<[f64; 4]> {
        scene
            .random_pixels(7)
            .iter()
            .map(|p| [p[0].abs(), p[1].abs(), p[2].abs(), if p[3] > 0.0 { 1.0 } else { -p[3] }])
            .collect()
    }

    #[test]
    fn layout_matches() {
        testing::assert_layout(
            NAME,
            "ImageLossParams",
            size_of::<ImageLossParams>(),
            &[
                ("photometric", offset_of!(ImageLossParams, photometric)),
                ("silhouette", offset_of!(ImageLossParams, silhouette)),
                ("partial_offset", offset_of!(ImageLossParams, partial_offset)),
                ("softness", offset_of!(ImageLossParams, softness)),
                ("clipped", offset_of!(ImageLossParams, clipped)),
                ("pad0", offset_of!(ImageLossParams, pad)),
                ("pad1", offset_of!(ImageLossParams, pad) + 4),
                ("pad2", offset_of!(ImageLossParams, pad) + 8),
            ],
        );
    }

    fn gradient(factor: f64) -> f64 {
        let scene = Scene::new();
        let (targets, colours) = (targets(&scene), colours(&scene));
        let (_, grad) = reference::image_loss(&PARAMS, &colours, &targets);
        let mut worst = 0.0_f64;
        for pixel in (0..colours.len()).step_by(11) {
            for k in 0..4 {
                // A clipped channel has a kink where the render meets it.
                if k < 3 && (colours[pixel][k] - f64::from(targets[pixel].to_le_bytes()[k]) / 255.0).abs() < 1e-5 {
                    continue;
                }
                // The threshold on full coverage is a kink by design; coverage lanes stay below it.
                if k == 3 && colours[pixel][3] > 0.99 && targets[pixel] >> 24 == 255 {
                    continue;
                }
                let numeric = central_difference(1e-7, |h| {
                    let mut c = colours.clone();
                    c[pixel][k] += h;
                    let (v, _) = reference::image_loss(&PARAMS, &c[pixel..=pixel], &targets[pixel..=pixel]);
                    v[0] + v[1]
                });
                worst = worst.max((numeric - factor * grad[pixel][k]).abs() / 1e-5);
            }
        }
        worst
    }

    fn difference(edit: Option<Edit>) -> Option<f64> {
        let test = KernelTest::new(edit)?;
        let scene = Scene::new();
        let (targets, colours) = (targets(&scene), colours(&scene));
        let (value, grad) = reference::image_loss(&PARAMS, &colours, &targets);
        let b = scene.upload(test.gpu());
        let out = test.zeros(colours.len() * 4);
        let partials = test.zeros(colours.len().div_ceil(64) * 2 + 4);
        let buffers = [
            ("view", &b.view),
            ("params", &test.uniform(&PARAMS)),
            ("smooth_colours", &b.pixels(test.gpu(), &colours)),
            ("targets", &test.storage(&targets)),
            ("smooth_grad", &out),
            ("partials", &partials),
        ];
        test.run(NAME, &[&buffers], colours.len());
        let records = test.read::<f32>(&partials);
        let sums = records[4..].chunks(2).fold([0.0; 2], |s, r| [s[0] + r[0], s[1] + r[1]]);
        let worst = worst_difference(&sums, &value).max(worst_difference(&test.read(&out), grad.as_flattened()));
        Some(worst / 1e-4)
    }
}
