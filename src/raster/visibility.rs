//! The visibility pass on the device (shader `raster/visibility`); its twin is [`super::cpu`].

/// Shader name.
pub const NAME: &str = "raster/visibility";

#[cfg(test)]
mod tests {
    #![expect(clippy::cast_possible_truncation, reason = "small test data; f32 is what the GPU gets")]

    use crate::gpu::{Buffer, IdRaster, IdTarget, testing};
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

    fn gpu_ids(scene: &Scene) -> Option<Vec<u32>> {
        let gpu = testing::gpu()?;
        let b = scene.upload(&gpu);
        let raster = IdRaster::new(&gpu, super::NAME).expect("compiles");
        let target = IdTarget::new(&gpu, 128, 64).expect("small");
        let bound = raster.bind(&[("view", &b.view), ("positions", &b.positions), ("faces", &b.faces)]).expect("binds");
        let ids = Buffer::zeros(&gpu, "ids", u64::from(scene.view.pixels()) * 4).expect("small");
        let mut recorder = gpu.recorder("test");
        let size = (scene.view.width, scene.view.height);
        recorder.raster(&raster, &target, &bound, size, scene.faces.len() as u32, &ids);
        recorder.submit().expect("runs");
        Some(gpu.read(&ids).expect("reads"))
    }

    /// Ring 3: hardware and brute force see the same triangles, but for pixels within rounding of an edge.
    #[test]
    fn hardware_sees_what_brute_force_sees() {
        let scene = Scene::new();
        let Some(ids) = gpu_ids(&scene) else { return };
        let differing = ids.iter().zip(&scene.ids).filter(|(a, b)| a != b).count();
        assert!(differing <= 1, "{differing} of {} pixels differ", ids.len());
    }

    /// The comparison notices a shift of one pixel.
    #[test]
    fn a_shifted_camera_is_caught() {
        let mut scene = Scene::new();
        let expected = scene.ids.clone();
        for column in 0..4 {
            scene.view.clip_from_world[column][0] += scene.view.clip_from_world[column][3] * 2.0 / 64.0;
        }
        let Some(ids) = gpu_ids(&scene) else { return };
        let differing = ids.iter().zip(&expected).filter(|(a, b)| a != b).count();
        assert!(differing > 20, "a shift of one pixel must be seen ({differing})");
    }
}
