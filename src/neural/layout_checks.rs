//! Ring 1 of the neural kernels' checks: uniforms are laid out as in the WGSL; and how samples are spread.

use super::layout::{EncodeParams, GatherParams, LayerParams, kernel};
use super::reference;
use crate::gpu::testing;
use std::mem::offset_of;

#[test]
fn layouts_match() {
    for name in [kernel::GATHER, kernel::GATHER_GRAD] {
        testing::assert_layout(
            name,
            "GatherParams",
            size_of::<GatherParams>(),
            &[
                ("rotation_0", 0),
                ("rotation_1", 16),
                ("rotation_2", 32),
                ("rest", offset_of!(GatherParams, rest)),
                ("light_0", offset_of!(GatherParams, light)),
                ("light_1", offset_of!(GatherParams, light) + 16),
                ("light_2", offset_of!(GatherParams, light) + 32),
                ("samples", offset_of!(GatherParams, samples)),
                ("first", offset_of!(GatherParams, first)),
                ("start", offset_of!(GatherParams, start)),
                ("sampled", offset_of!(GatherParams, sampled)),
                ("seed", offset_of!(GatherParams, seed)),
                ("least", offset_of!(GatherParams, least)),
                ("weight", offset_of!(GatherParams, weight)),
                ("pad0", offset_of!(GatherParams, pad)),
            ],
        );
    }
    for name in [kernel::ENCODE_COMPACT, kernel::ENCODE_PAPER, kernel::ENCODE_COMPACT_GRAD, kernel::ENCODE_PAPER_GRAD] {
        testing::assert_layout(
            name,
            "EncodeParams",
            size_of::<EncodeParams>(),
            &[
                ("rows", offset_of!(EncodeParams, rows)),
                ("seed", offset_of!(EncodeParams, seed)),
                ("dropped", offset_of!(EncodeParams, dropped)),
                ("octaves", offset_of!(EncodeParams, octaves)),
                ("basis", offset_of!(EncodeParams, basis)),
            ],
        );
    }
    for name in [kernel::LINEAR, kernel::LINEAR_GRAD, kernel::WEIGHT_GRAD] {
        testing::assert_layout(
            name,
            "LayerParams",
            size_of::<LayerParams>(),
            &[
                ("rows", offset_of!(LayerParams, rows)),
                ("inputs", offset_of!(LayerParams, inputs)),
                ("outputs", offset_of!(LayerParams, outputs)),
                ("weights", offset_of!(LayerParams, weights)),
                ("cut", offset_of!(LayerParams, cut)),
                ("first", offset_of!(LayerParams, first)),
                ("chunk", offset_of!(LayerParams, chunk)),
                ("pad0", offset_of!(LayerParams, pad)),
            ],
        );
    }
    let four = |name: &str, kind: &str, members: [&str; 4]| {
        let members: Vec<(&str, usize)> = members.iter().enumerate().map(|(i, m)| (*m, 4 * i)).collect();
        testing::assert_layout(name, kind, 16, &members);
    };
    four(kernel::SUM_WEIGHTS, "SumWeightsParams", ["count", "numbers", "offset", "scale"]);
    four(kernel::COLOUR_LOSS, "ColourLossParams", ["rows", "kind", "softness", "clipped"]);
    four(kernel::SCATTER, "ScatterParams", ["rows", "inputs", "first", "features"]);
    four(kernel::UNPACK, "UnpackFeaturesParams", ["scale", "decay", "pad0", "pad1"]);
    for name in [kernel::ENCODE_GUIDE, kernel::ENCODE_GUIDE_GRAD] {
        four(name, "GuideParams", ["rows", "kind", "weight", "pad0"]);
    }
    four(kernel::COMPOSE, "ComposeParams", ["samples", "start", "kind", "pad0"]);
}

/// Parts of the list follow on each other, so that every pixel has the same chance, without a product that leaves 32 bits.
#[test]
fn samples_are_spread_over_the_list_and_change_with_the_seed() {
    for (count, samples) in [(1_310_720, 8192), (100, 512), (8193, 8192), (1, 512)] {
        let picks: Vec<u32> = (0..samples).map(|i| reference::chosen(1, count, samples, i)).collect();
        assert!(picks.iter().all(|p| *p < count), "within the list");
        assert!(picks.is_sorted(), "in order");
        let last = picks[samples as usize - 1];
        assert!(last + 1 + count / samples >= count, "up to its end: {last} of {count}");
        if count > samples {
            let other: Vec<u32> = (0..samples).map(|i| reference::chosen(2, count, samples, i)).collect();
            assert!(count < 2 * samples || picks != other, "by the seed");
        }
    }
}
