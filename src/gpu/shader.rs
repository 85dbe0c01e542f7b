//! WGSL sources: embedded, joined by `//#use` lines, optionally read from disk for live editing.
//!
//! A file is a kernel: one entry point named like the file. `//#use common/camera, common/mesh` pulls in other files,
//! each once, before the file that names them. An unknown name is an error, never a warning. With the environment
//! variable `SHADER_DIR` set, files come from that folder instead of the binary.

use super::GpuError;

macro_rules! sources {
    ($($name:literal),* $(,)?) => {
        /// Every WGSL file that ships, by name.
        pub const SOURCES: &[(&str, &str)] = &[$(($name, include_str!(concat!("../../shaders/", $name, ".wgsl")))),*];
    };
}

sources![
    "common/camera",
    "common/convolution",
    "common/crossing",
    "common/encode",
    "common/encode_grad",
    "common/fixed_point",
    "common/gathering",
    "common/guide",
    "common/hand_layer",
    "common/hand_tree",
    "common/hash",
    "common/ids",
    "common/index",
    "common/interpolation",
    "common/joint_frames",
    "common/layer",
    "common/light",
    "common/neighbours",
    "common/neural_colour",
    "common/neural_sample",
    "common/normalisation",
    "common/octaves",
    "common/outer",
    "common/pixel_list",
    "common/resize",
    "common/rotation",
    "common/sh",
    "common/surface",
    "common/weight_block",
    "common/surface_grad",
    "energy/image_loss",
    "energy/laplacian",
    "energy/laplacian_grad",
    "energy/light_prior",
    "energy/shape_prior",
    "fit/damped_step",
    "fit/hand_normal",
    "fit/triangulate",
    "hand/coefficients_grad",
    "hand/joint_moments",
    "hand/pose_joints",
    "hand/pose_joints_grad",
    "hand/skin_vertices",
    "hand/skin_vertices_grad",
    "neural/colour_loss",
    "neural/compose",
    "neural/convolution_weight_grad",
    "neural/convolve",
    "neural/convolve_grad",
    "neural/double",
    "neural/double_grad",
    "neural/encode_compact",
    "neural/encode_compact_grad",
    "neural/encode_guide",
    "neural/encode_guide_grad",
    "neural/encode_paper",
    "neural/encode_paper_grad",
    "neural/encode_part",
    "neural/gather",
    "neural/gather_grad",
    "neural/halve",
    "neural/halve_grad",
    "neural/linear",
    "neural/linear_grad",
    "neural/normalise",
    "neural/normalise_grad",
    "neural/normalise_sums",
    "neural/scatter_features_grad",
    "neural/statistics",
    "neural/sum_statistics",
    "neural/sum_weights",
    "neural/unpack_features_grad",
    "neural/weight_grad",
    "optimise/adam",
    "optimise/add",
    "optimise/diffuse",
    "optimise/sum",
    "optimise/unpack_grads",
    "raster/antialias",
    "raster/antialias_grad",
    "raster/cover_masks",
    "raster/cull_triangles",
    "raster/edge_masks",
    "raster/interpolate",
    "raster/interpolate_grad",
    "raster/list_pixels",
    "raster/list_triangles",
    "raster/mark_silhouettes",
    "raster/scan_masks",
    "raster/visibility",
    "shading/lighting_grad",
    "shading/shade",
    "shading/shade_grad",
    "shading/vertex_normals",
    "shading/vertex_normals_grad",
];

/// The text of one file, before `//#use` is resolved.
fn raw(name: &str) -> Result<String, GpuError> {
    if let Some(dir) = std::env::var_os("SHADER_DIR") {
        let path = std::path::Path::new(&dir).join(format!("{name}.wgsl"));
        return std::fs::read_to_string(&path)
            .map_err(|e| GpuError::Shader { name: name.to_owned(), message: format!("{}: {e}", path.display()) });
    }
    SOURCES
        .iter()
        .find(|(n, _)| *n == name)
        .map(|(_, text)| (*text).to_owned())
        .ok_or_else(|| GpuError::Shader { name: name.to_owned(), message: "there is no such shader file".to_owned() })
}

/// The full text of a kernel with everything it uses, each file once.
///
/// # Errors
/// [`GpuError::Shader`] for an unknown name.
pub fn source(name: &str) -> Result<String, GpuError> {
    let mut out = String::new();
    let mut seen = Vec::new();
    append(name, &mut seen, &mut out)?;
    Ok(out)
}

fn append(name: &str, seen: &mut Vec<String>, out: &mut String) -> Result<(), GpuError> {
    if seen.iter().any(|s| s == name) {
        return Ok(());
    }
    seen.push(name.to_owned());
    let text = raw(name)?;
    for line in text.lines() {
        if let Some(uses) = line.strip_prefix("//#use ") {
            for used in uses.split(',') {
                append(used.trim(), seen, out)?;
            }
        }
    }
    out.push_str(&text);
    out.push('\n');
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Ring 1 for every file: it resolves as at run time, and naga accepts it.
    #[test]
    fn every_shader_resolves_and_is_valid() {
        let mut kernels = 0;
        // Files in common/ may name variables of the kernels that use them, so they are checked as parts of those.
        for (name, _) in SOURCES.iter().filter(|(name, _)| !name.starts_with("common/")) {
            let text = source(name).expect("known names resolve");
            let module =
                naga::front::wgsl::parse_str(&text).unwrap_or_else(|e| panic!("{name}: {}", e.emit_to_string(&text)));
            naga::valid::Validator::new(naga::valid::ValidationFlags::all(), naga::valid::Capabilities::empty())
                .validate(&module)
                .unwrap_or_else(|e| panic!("{name}: {}", e.emit_to_string(&text)));
            kernels += usize::from(!module.entry_points.is_empty());
        }
        assert!(kernels > 10, "every kernel was looked at ({kernels})");
        for (part, _) in SOURCES.iter().filter(|(name, _)| name.starts_with("common/")) {
            assert!(
                SOURCES.iter().any(|(_, text)| text.lines().any(|l| l.starts_with("//#use ") && l.contains(part))),
                "{part} is used by nobody, so nothing checks it"
            );
        }
    }

    /// The negative of ring 1: a broken file is refused.
    #[test]
    fn unknown_uses_and_invalid_text_are_refused() {
        assert!(source("common/no_such_file").is_err(), "an unknown name is an error");
        assert!(naga::front::wgsl::parse_str("fn broken( {").is_err(), "naga refuses invalid text");
    }

    #[test]
    fn every_shader_file_is_listed() {
        let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("shaders");
        let mut on_disk = Vec::new();
        for dir in std::fs::read_dir(&root).expect("shaders/ exists").flatten() {
            if dir.path().is_dir() {
                for file in std::fs::read_dir(dir.path()).expect("readable").flatten() {
                    let path = file.path();
                    if path.extension().is_some_and(|e| e == "wgsl") {
                        let relative = path.strip_prefix(&root).expect("below shaders/").with_extension("");
                        on_disk.push(relative.to_string_lossy().replace('\\', "/"));
                    }
                }
            }
        }
        for name in on_disk {
            assert!(SOURCES.iter().any(|(n, _)| *n == name), "shaders/{name}.wgsl is not listed in SOURCES");
        }
    }
}
