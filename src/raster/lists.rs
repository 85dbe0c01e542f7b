//! Lists without gaps of what is worth a look: triangles that may cover a pixel, pixels that see a triangle, pixels at a
//! silhouette (kernels `raster/cull_triangles`, `cover_masks`, `edge_masks`, then `scan_masks` and `list_triangles` or
//! `list_pixels`).
//!
//! Hands cover a part of their region, silhouettes a thin line of it, and half of all triangles face away or slip between
//! pixel centres. Each is first marked by a bit, one invocation a word of 32; prefix sums over the bits give every item its
//! place in the order of the mesh or the image, so that neither what is drawn first nor what is summed first ever changes;
//! kernels then run over the list by an indirect dispatch. A driver without a GPU runs both sides of every branch, so that
//! an early return in the kernels themselves would save next to nothing there.

use crate::gpu::{Bound, Buffer, Gpu, GpuError, Recorder};

/// Kernel names.
pub const CULL: &str = "raster/cull_triangles";
/// Kernel names.
pub const LIST_TRIANGLES: &str = "raster/list_triangles";
/// Kernel names.
pub const COVER: &str = "raster/cover_masks";
/// Kernel names.
pub const EDGES: &str = "raster/edge_masks";
/// Kernel names.
pub const LIST_PIXELS: &str = "raster/list_pixels";
/// Kernel names.
pub const SCAN: &str = "raster/scan_masks";

/// Byte of the dispatch in the arguments that `raster/scan_masks` writes; the draw comes first.
const DISPATCH: u64 = 16;
/// Words of the arguments: draw 4, dispatch 3, count.
const ARGUMENTS: u64 = 8;

/// Bits of up to `items` items and the prefix sums over them; serves one list after the other.
pub struct Bits {
    /// One bit an item.
    pub masks: Buffer,
    /// Set bits before each word.
    pub offsets: Buffer,
    /// Words in each.
    pub words: u32,
}

impl Bits {
    /// Memory for `items` items.
    ///
    /// # Errors
    /// [`GpuError`] when it does not fit.
    pub fn new(gpu: &Gpu, items: u32) -> Result<Self, GpuError> {
        // As many as the smallest buffer has: kernels go by the length of the buffer.
        let words = items.div_ceil(32).max(4);
        let zeros = |label| Buffer::zeros(gpu, label, u64::from(words) * 4);
        Ok(Self { masks: zeros("masks")?, offsets: zeros("offsets")?, words })
    }
}

/// Arguments of indirect work over one list.
///
/// # Errors
/// [`GpuError`] when it does not fit.
pub fn arguments(gpu: &Gpu) -> Result<Buffer, GpuError> {
    Buffer::arguments(gpu, "arguments", ARGUMENTS)
}

/// Pixels of one region: `(pixel, word)` each.
pub struct PixelList {
    /// Count, a pad, then the entries.
    pub list: Buffer,
    /// Draw, dispatch, count.
    pub arguments: Buffer,
}

impl PixelList {
    /// Memory for all of `pixels` pixels; empty.
    ///
    /// # Errors
    /// [`GpuError`] when it does not fit.
    pub fn new(gpu: &Gpu, pixels: u32) -> Result<Self, GpuError> {
        let list = Buffer::zeros(gpu, "pixel list", 8 + 8 * u64::from(pixels))?;
        Ok(Self { list, arguments: arguments(gpu)? })
    }

    /// Runs a kernel with one invocation an entry.
    pub fn dispatch(&self, recorder: &mut Recorder, bound: &Bound) {
        recorder.dispatch_indirect(bound, &self.arguments, DISPATCH);
    }
}

/// CPU twins; bits are kept as in the words of the device.
pub mod reference {
    use crate::raster::antialias::reference::may_be_edge;
    use crate::raster::reference::{RefMesh, RefView, cross2};

    fn words(items: usize, is_set: impl Fn(usize) -> bool) -> Vec<u32> {
        let mut out = vec![0; items.div_ceil(32).max(4)];
        for i in (0..items).filter(|i| is_set(*i)) {
            out[i / 32] |= 1 << (i % 32);
        }
        out
    }

    /// Triangles that may cover a pixel centre.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "image sizes are small")]
    pub fn cull_triangles(view: &RefView, mesh: &RefMesh<'_>) -> Vec<u32> {
        const MARGIN_PX: f64 = 0.015_625;
        const NEAR: f64 = 0.01;
        words(mesh.faces.len(), |triangle| {
            let h = mesh.faces[triangle].map(|v| view.to_pixel(mesh.positions[v as usize]));
            if h.iter().any(|h| h[2] < NEAR) {
                return true;
            }
            let [a, b, c] = h.map(|h| [h[0] / h[2], h[1] / h[2]]);
            let low = [0, 1].map(|k| a[k].min(b[k]).min(c[k]) - MARGIN_PX);
            let high = [0, 1].map(|k| a[k].max(b[k]).max(c[k]) + MARGIN_PX);
            let area = cross2([b[0] - a[0], b[1] - a[1]], [c[0] - a[0], c[1] - a[1]]);
            let back = area > MARGIN_PX * (high[0] - low[0] + high[1] - low[1]);
            let size = [view.width as f64, view.height as f64];
            let holds_centre = |k: usize| (low[k] - 0.5).ceil().max(0.0) <= (high[k] - 0.5).floor().min(size[k] - 1.0);
            !back && holds_centre(0) && holds_centre(1)
        })
    }

    /// Pixels that see a triangle.
    #[must_use]
    pub fn cover_masks(ids: &[u32]) -> Vec<u32> {
        words(ids.len(), |pixel| ids[pixel] != 0)
    }

    /// Pixels with a neighbour to which a silhouette may lie.
    #[must_use]
    pub fn edge_masks(width: usize, ids: &[u32]) -> Vec<u32> {
        words(ids.len(), |pixel| {
            let x = pixel % width;
            let differs = |other: usize| may_be_edge(ids[pixel], ids[other]);
            (x > 0 && differs(pixel - 1))
                || (x + 1 < width && differs(pixel + 1))
                || (pixel >= width && differs(pixel - width))
                || (pixel + width < ids.len() && differs(pixel + width))
        })
    }

    /// Set bits before each word, and the arguments of a draw and a dispatch over all.
    #[must_use]
    pub fn scan_masks(masks: &[u32]) -> (Vec<u32>, [u32; 8]) {
        let mut total = 0;
        let before = |mask: &u32| {
            let at = total;
            total += mask.count_ones();
            at
        };
        let offsets = masks.iter().map(before).collect();
        let groups = total.div_ceil(64);
        let wide = groups.clamp(1, 65_535);
        let x = if groups == 0 { 0 } else { wide };
        (offsets, [3 * total, 1, 0, 0, x, groups.div_ceil(wide), 1, total])
    }

    fn set_bits(masks: &[u32]) -> impl Iterator<Item = u32> + '_ {
        let bits = |(word, mask): (usize, &u32)| {
            let mask = *mask;
            (0..32).filter(move |k| mask >> k & 1 == 1).map(move |k| u32::try_from(word).unwrap_or(u32::MAX) * 32 + k)
        };
        masks.iter().enumerate().flat_map(bits)
    }

    /// Corners and `triangle + 1` of each set bit.
    #[must_use]
    pub fn list_triangles(masks: &[u32], faces: &[[u32; 3]]) -> Vec<[u32; 4]> {
        let entry = |t: u32| {
            let [a, b, c] = faces[t as usize];
            [a, b, c, t + 1]
        };
        set_bits(masks).map(entry).collect()
    }

    /// `(pixel, word)` of each set bit.
    #[must_use]
    pub fn list_pixels(masks: &[u32], ids: &[u32]) -> Vec<[u32; 2]> {
        set_bits(masks).map(|p| [p, ids[p as usize]]).collect()
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::gpu::testing::{Edit, KernelTest};
    use crate::kernel_checks::KernelCheck;
    use crate::raster::antialias::reference::mark_silhouettes;
    use crate::raster::reference::RefView;
    use crate::shading::testing::{Scene, noise};

    pub(crate) const CHECKS: &[KernelCheck] = &[
        KernelCheck {
            kernel: CULL,
            difference: triangles,
            edits: &[
                ("!back && first.x", "first.x"),
                ("low - 0.5", "low"),
                ("f32(view.height) - 1.0", "f32(view.height) * 0.4"),
                ("1u << (triangle - begin)", "2u << (triangle - begin)"),
            ],
            gradient: None,
        },
        KernelCheck {
            kernel: LIST_TRIANGLES,
            difference: triangles,
            edits: &[("triangle + 1u", "triangle"), ("at += 1u", "at += 2u")],
            gradient: None,
        },
        KernelCheck {
            kernel: SCAN,
            difference: scan,
            edits: &[
                ("i < 256u", "i < 200u"),
                ("(total + 63u) / 64u", "total / 64u"),
                ("var at = sums[local]", "var at = 0u"),
            ],
            gradient: None,
        },
        KernelCheck {
            kernel: COVER,
            difference: pixels,
            edits: &[("ids[begin + k] != 0u", "ids[begin + k] > 1u"), ("k < 32u", "k < 31u")],
            gradient: None,
        },
        KernelCheck {
            kernel: EDGES,
            difference: pixels,
            edits: &[
                ("(own | other) & SILHOUETTE", "own & SILHOUETTE"),
                ("own == 0u || other == 0u || ", ""),
                ("ids[pixel - above]", "own"),
                ("left = own", "left = right"),
                ("select(end, 1u, k < 31u)", "select(0u, 1u, k < 31u)"),
            ],
            gradient: None,
        },
        KernelCheck {
            kernel: LIST_PIXELS,
            difference: pixels,
            edits: &[
                ("at += 1u", "at += 2u"),
                ("ids[pixel]", "ids[pixel] + 1u"),
                ("pixels.count = at", "pixels.count = at + 1u"),
            ],
            gradient: None,
        },
    ];

    fn exact(same: bool) -> f64 {
        if same { 0.0 } else { f64::INFINITY }
    }

    #[expect(clippy::cast_possible_truncation, reason = "small test data; f32 is what the GPU gets")]
    fn triangles(edit: Option<Edit>) -> Option<f64> {
        let test = KernelTest::new(edit)?;
        let scene = Scene::fine();
        let faces = &scene.faces;
        let expected = reference::cull_triangles(&RefView::from(&scene.view), &scene.mesh());
        let kept: u32 = expected.iter().map(|m| m.count_ones()).sum();
        assert!(kept > 300 && (kept as usize) < faces.len() / 2, "{kept} of {} triangles are kept", faces.len());
        let bits = Bits::new(test.gpu(), faces.len() as u32).expect("small");
        let packed: Vec<[u32; 4]> = faces.iter().map(|f| [f[0], f[1], f[2], 0]).collect();
        let packed = test.storage(&packed);
        let buffers = [
            ("view", &test.uniform(&scene.view)),
            ("positions", &test.storage(&crate::shading::testing::pack(&scene.positions))),
            ("faces", &packed),
            ("masks", &bits.masks),
        ];
        test.run(CULL, &[&buffers], bits.words as usize);
        let found: Vec<u32> = test.read(&bits.masks);
        // Single precision may decide otherwise where a triangle's margin ends at a centre.
        let differing: u32 = found.iter().zip(&expected).map(|(a, b)| (a ^ b).count_ones()).sum();

        let (offsets, arguments) = reference::scan_masks(&found);
        bits.offsets.write(test.gpu(), &offsets);
        let drawn = test.zeros(4 * 2 * (faces.len() + 1));
        let buffers = [("masks", &bits.masks), ("offsets", &bits.offsets), ("faces", &packed), ("drawn", &drawn)];
        test.run(LIST_TRIANGLES, &[&buffers], bits.words as usize);
        let listed = reference::list_triangles(&found, faces);
        let same = test.read::<[u32; 4]>(&drawn)[..arguments[7] as usize] == listed;
        Some(exact(same) + f64::from(differing) / 2.0)
    }

    fn random_bits(i: u64) -> u32 {
        u32::try_from(noise(i).to_bits() & 0xffff_ffff).expect("32 bits")
    }

    fn scan(edit: Option<Edit>) -> Option<f64> {
        let test = KernelTest::new(edit)?;
        let mut worst = 0.0_f64;
        // Full enough for many workgroups, and empty.
        for words in [vec![0; 300], (0..3001).map(random_bits).collect::<Vec<u32>>()] {
            let masks = test.storage(&words);
            let offsets = test.zeros(words.len());
            let arguments = arguments(test.gpu()).expect("small");
            test.run(SCAN, &[&[("masks", &masks), ("offsets", &offsets), ("arguments", &arguments)]], 1);
            let expected = reference::scan_masks(&words);
            let same = test.read::<u32>(&offsets) == expected.0 && test.read::<u32>(&arguments) == expected.1;
            worst = worst.max(exact(same));
        }
        Some(worst)
    }

    /// From ids to both lists, in memory that is made for a larger region and was used before.
    fn pixels(edit: Option<Edit>) -> Option<f64> {
        let test = KernelTest::new(edit)?;
        let scene = Scene::new();
        let view = RefView::from(&scene.view);
        let mut marked = mark_silhouettes(&view, &scene.mesh(), &scene.ids);
        // Ends of words and rows, and the id 1.
        for (pixel, word) in [(31, 1), (32, 0), (63, 9 | crate::raster::antialias::SILHOUETTE), (64, 3), (127, 4)] {
            marked[pixel] = word;
        }
        let uniform = test.uniform(&scene.view);
        let ids = test.storage(&marked);
        let count = u32::try_from(marked.len()).expect("small");
        let bits = Bits::new(test.gpu(), count + 1000).expect("small");
        let mut worst = 0.0_f64;
        for (kernel, mut expected) in
            [(COVER, reference::cover_masks(&marked)), (EDGES, reference::edge_masks(view.width, &marked))]
        {
            bits.masks.write(test.gpu(), &vec![u32::MAX; bits.words as usize]);
            expected.resize(bits.words as usize, 0);
            test.run(kernel, &[&[("view", &uniform), ("ids", &ids), ("masks", &bits.masks)]], bits.words as usize);
            let found: Vec<u32> = test.read(&bits.masks);
            worst = worst.max(exact(found == expected));
            bits.masks.write(test.gpu(), &expected);
            bits.offsets.write(test.gpu(), &reference::scan_masks(&expected).0);
            let list = PixelList::new(test.gpu(), count).expect("small");
            let buffers = [("masks", &bits.masks), ("offsets", &bits.offsets), ("ids", &ids), ("pixels", &list.list)];
            test.run(LIST_PIXELS, &[&buffers], bits.words as usize);
            let entries = reference::list_pixels(&expected, &marked);
            assert!(entries.len() > 100, "there is something to list");
            let raw: Vec<[u32; 2]> = test.read(&list.list);
            worst = worst.max(exact(raw[0][0] as usize == entries.len() && raw[1..=entries.len()] == entries));
        }
        Some(worst)
    }

    /// Culling must not change a pixel: every triangle that brute force sees is kept.
    #[test]
    fn what_is_seen_is_kept() {
        let fine = Scene::fine();
        let kept = reference::cull_triangles(&RefView::from(&fine.view), &fine.mesh());
        let seen = &fine.ids;
        assert!(seen.iter().filter(|id| **id != 0).count() > 300, "something is seen");
        for id in seen.iter().filter(|id| **id != 0) {
            let triangle = id - 1;
            assert!(kept[triangle as usize / 32] >> (triangle % 32) & 1 == 1, "triangle {triangle} is seen and culled");
        }
    }
}
