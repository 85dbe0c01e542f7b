//! The visibility pass on the device (shader `raster/visibility`); its twin is [`super::cpu`].

/// Shader name.
pub const NAME: &str = "raster/visibility";

#[cfg(test)]
pub(crate) mod tests {
    #![expect(clippy::cast_possible_truncation, reason = "small test data; f32 is what the GPU gets")]

    use crate::gpu::testing::{self, Edit, KernelTest};
    use crate::gpu::{Buffer, IdRaster, IdTarget};
    use crate::kernel_checks::KernelCheck;
    use crate::raster::ViewRegion;
    use crate::shading::testing::Scene;
    use std::mem::offset_of;

    /// Ring 1.
    #[test]
    fn view_layout_matches() {
        testing::assert_layout(
            super::NAME,
            "View",
            size_of::<ViewRegion>(),
            &[
                ("clip_from_world", offset_of!(ViewRegion, clip_from_world)),
                ("pixel_row_0", offset_of!(ViewRegion, pixel_from_world)),
                ("pixel_row_1", offset_of!(ViewRegion, pixel_from_world) + 16),
                ("pixel_row_2", offset_of!(ViewRegion, pixel_from_world) + 32),
                ("width", offset_of!(ViewRegion, width)),
                ("height", offset_of!(ViewRegion, height)),
                ("light", offset_of!(ViewRegion, light)),
                ("geometry", offset_of!(ViewRegion, geometry)),
            ],
        );
    }

    pub(crate) const CHECKS: &[KernelCheck] = &[KernelCheck {
        kernel: super::NAME,
        difference,
        edits: &[
            ("drawn[at + 3u]", "drawn[at + 3u] + 1u"),
            // A shift of one pixel.
            ("vec4<f32>(positions[corner].xyz, 1.0)", "vec4<f32>(positions[corner].xyz + vec3<f32>(0.0024), 1.0)"),
        ],
        gradient: None,
    }];

    /// Hardware and brute force see the same triangles, but for a pixel within rounding of an edge.
    fn difference(edit: Option<Edit>) -> Option<f64> {
        let test = KernelTest::new(edit)?;
        let scene = Scene::new();
        let b = scene.upload(test.gpu());
        let raster = IdRaster::from_text(test.gpu(), super::NAME, &test.source(super::NAME)).expect("compiles");
        let target = IdTarget::new(test.gpu(), 128, 64).expect("small");
        let drawn: Vec<[u32; 4]> = (1..).zip(&scene.faces).map(|(id, f)| [f[0], f[1], f[2], id]).collect();
        let drawn = test.storage(&drawn);
        let bound = raster.bind(&[("view", &b.view), ("positions", &b.positions), ("drawn", &drawn)]).expect("binds");
        let arguments = Buffer::arguments(test.gpu(), "draw", 4).expect("small");
        arguments.write(test.gpu(), &[3 * scene.faces.len() as u32, 1, 0, 0]);
        let ids = test.zeros(scene.ids.len());
        let mut recorder = test.gpu().recorder("test");
        let size = (scene.view.width, scene.view.height);
        recorder.raster(&raster, &target, &bound, size, &arguments, &ids);
        recorder.submit().expect("runs");
        let differing = test.read::<u32>(&ids).iter().zip(&scene.ids).filter(|(a, b)| a != b).count();
        Some(differing as f64)
    }
}
