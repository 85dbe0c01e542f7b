//! What `evaluate --json` prints. Field names are a contract.

use super::flip::flip_over;
use super::image::{Picture, bounding_box, gain, iou, legacy_psnr, psnr, psnr_three_ways, ssim_on_mask};
use super::lpips::{Lpips, LpipsError};
use crate::anatomy::Side;
use serde::{Deserialize, Serialize};

/// A photograph and a render to be compared.
#[derive(Clone, Copy, Debug)]
pub struct Comparison<'a> {
    /// The photograph.
    pub photo: &'a Picture,
    /// The render, black where nothing is rendered, before any gain.
    pub render: &'a Picture,
    /// Where the hand is in the photograph.
    pub mask: &'a [bool],
    /// Share of each pixel that the render covers; where it is more than half, a hand is rendered.
    pub coverage: &'a [f32],
    /// The gain to apply; `None` fits one in closed form inside mask ∩ render.
    pub gain: Option<[f64; 3]>,
}

/// Which costly numbers are wanted beside PSNR, SSIM and `IoU`.
#[derive(Clone, Copy, Debug, Default)]
pub struct Measures<'a> {
    /// FLIP and the column `legacy`.
    pub perceptual: bool,
    /// LPIPS, with the user's weights.
    pub lpips: Option<&'a Lpips>,
}

/// A comparison where mask and render meet.
#[derive(Clone, Debug)]
pub struct Shared {
    /// Where they meet.
    pub both: Vec<bool>,
    /// The gain that was applied.
    pub gain: [f64; 3],
    /// The render with it.
    pub render: Picture,
    /// PSNR there, dB; `None` where they do not meet.
    pub psnr_db: Option<f64>,
}

impl Comparison<'_> {
    /// What is compared where mask and render meet. A pixel at an outline shows the hand and what is behind it, which is not
    /// rendered: only the hand's share of the photograph counts.
    ///
    /// # Panics
    /// When sizes differ.
    #[must_use]
    pub fn shared(&self) -> Shared {
        let both: Vec<bool> = self.mask.iter().zip(rendered(self.coverage)).map(|(&m, r)| m && r).collect();
        let hidden = self.photo.covered(self.coverage);
        let gain = self.gain.unwrap_or_else(|| gain(&hidden, self.render, &both));
        let render = self.render.with_gain(gain);
        let psnr_db = psnr(&hidden, &render, Some(&both));
        Shared { both, gain, render, psnr_db }
    }

    /// The numbers of one rendered view. The photograph is cut out by its mask (black outside), so that union and full
    /// frame count silhouette errors and not the room; only `legacy` leaves it whole, see [`legacy_psnr`].
    ///
    /// # Errors
    /// Only from LPIPS.
    ///
    /// # Panics
    /// When sizes differ.
    pub fn score(&self, measures: &Measures<'_>) -> Result<ShadingScore, LpipsError> {
        let rendered = rendered(self.coverage);
        let Shared { both, gain, render, psnr_db: psnr_shared } = self.shared();
        let rgb = self.photo.rgb.iter().zip(self.mask).map(|(&p, &m)| if m { p } else { [0.0; 3] }).collect();
        let photo = Picture { rgb, ..*self.photo };
        let [psnr_mask, psnr_union, psnr_full] = psnr_three_ways(&photo, &render, self.mask, &rendered);
        let mut image = ImageScore {
            psnr_mask,
            psnr_union,
            psnr_full,
            psnr_shared,
            ssim: ssim_on_mask(&photo, &render, self.mask),
            iou: Some(iou(self.mask, &rendered)),
            ..ImageScore::default()
        };
        if measures.perceptual {
            let shown: Vec<bool> = self.mask.iter().zip(&rendered).map(|(&m, &r)| m || r).collect();
            [image.flip, image.flip_shared] = flip_over(&photo, &render, &shown, [self.mask, &both]);
            image.legacy = legacy_psnr(self.photo, &render, &rendered);
        }
        if let (Some(lpips), Some(region)) = (measures.lpips, bounding_box(self.mask, photo.width)) {
            image.lpips = lpips.distance(&photo.crop(region), &render.crop(region))?;
        }
        Ok(ShadingScore { image, gain })
    }
}

/// Where a render that covers so much of each pixel shows a hand.
#[must_use]
pub fn rendered(coverage: &[f32]) -> Vec<bool> {
    coverage.iter().map(|a| *a > 0.5).collect()
}

/// How rendered images compare with photographs: the numbers of one view, or their means over several.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ImageScore {
    /// PSNR in dB over the mask.
    pub psnr_mask: Option<f64>,
    /// PSNR in dB over mask ∪ render.
    pub psnr_union: Option<f64>,
    /// PSNR in dB over the full frame.
    pub psnr_full: Option<f64>,
    /// PSNR in dB over mask ∩ render: the surface without the silhouette (masks of real captures include the forearm). Of a
    /// pixel that the render covers in part, only that part of the photograph is compared: the rest is background.
    #[serde(default)]
    pub psnr_shared: Option<f64>,
    /// SSIM on the mask's bounding box.
    pub ssim: Option<f64>,
    /// Silhouette intersection over union.
    pub iou: Option<f64>,
    /// FLIP, mean over the mask; 0 is no visible difference. Absent when it was not asked for, as the next three.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub flip: Option<f64>,
    /// FLIP, mean over mask ∩ render.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub flip_shared: Option<f64>,
    /// LPIPS on the mask's bounding box; only with the user's weights.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lpips: Option<f64>,
    /// "PSNR" as the authors' released code computes it, which is not in dB; for comparison with their numbers alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub legacy: Option<f64>,
}

impl ImageScore {
    /// Means of the numbers there are; images without a number do not count, and an infinite PSNR makes an infinite mean.
    #[must_use]
    pub fn mean<'a>(images: impl Iterator<Item = &'a Self> + Clone) -> Self {
        let mean = |pick: fn(&Self) -> Option<f64>| mean_of(images.clone().map(pick));
        Self {
            psnr_mask: mean(|v| v.psnr_mask),
            psnr_union: mean(|v| v.psnr_union),
            psnr_full: mean(|v| v.psnr_full),
            psnr_shared: mean(|v| v.psnr_shared),
            ssim: mean(|v| v.ssim),
            iou: mean(|v| v.iou),
            flip: mean(|v| v.flip),
            flip_shared: mean(|v| v.flip_shared),
            lpips: mean(|v| v.lpips),
            legacy: mean(|v| v.legacy),
        }
    }
}

fn mean_of(values: impl Iterator<Item = Option<f64>>) -> Option<f64> {
    let (sum, count) = values.flatten().fold((0.0, 0.0), |(s, n), v| (s + v, n + 1.0));
    (count > 0.0).then(|| sum / count)
}

/// One way of shading a view, scored.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ShadingScore {
    /// Its numbers.
    #[serde(flatten)]
    pub image: ImageScore,
    /// RGB gain that was fitted or is in the picture already.
    pub gain: [f64; 3],
}

/// Scores of one view.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ViewScore {
    /// Name of the view.
    pub name: String,
    /// True when no stage saw it.
    pub held_out: bool,
    /// By light and albedo; in the same object as the name.
    #[serde(flatten)]
    pub shaded: ShadingScore,
    /// By the neural renderer; absent when the run has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub neural: Option<ShadingScore>,
    /// Median distance between detected and projected joints, pixels.
    pub reprojection_px_median: Option<f64>,
    /// Whether the mask agreed with the model; null when nobody asked.
    #[serde(default)]
    pub mask_trusted: Option<bool>,
    /// The same against the mask as the run used it; absent when masks were left as they are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refined: Option<RefinedScore>,
}

/// Scores against a mask that was judged and mended, without its forearm.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct RefinedScore {
    /// `trusted`, `cleaned`, `rebuilt` or `ignored`; an ignored mask has no scores.
    pub verdict: String,
    /// PSNR in dB over the mask.
    pub psnr_mask: Option<f64>,
    /// PSNR in dB over mask ∩ render.
    pub psnr_shared: Option<f64>,
    /// Silhouette intersection over union.
    pub iou: Option<f64>,
}

/// Means of the numbers of several views.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ViewMeans {
    /// By light and albedo; in the same object as the rest.
    #[serde(flatten)]
    pub shaded: ImageScore,
    /// By the neural renderer; absent when the run has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub neural: Option<ImageScore>,
    /// Median reprojection in pixels (mean of the views' medians).
    pub reprojection_px_median: Option<f64>,
}

/// Distances between the result's surface and the true one, over the hand above the wrist cut.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SurfaceScore {
    /// Result → truth, mean, millimetres.
    pub p2s_mean_mm: f64,
    /// Result → truth, median.
    pub p2s_median_mm: f64,
    /// Result → truth, 95th percentile.
    pub p2s_p95_mm: f64,
    /// Truth → result, mean.
    pub s2p_mean_mm: f64,
    /// Harmonic mean of the shares of both surfaces within 1 mm of the other.
    pub f1mm: f64,
    /// The same within 2 mm.
    pub f2mm: f64,
    /// Angle between the normals of the result and of the truth at the nearest point, mean over the result, degrees.
    #[serde(default)]
    pub normal_mean_deg: f64,
    /// Median of that angle.
    #[serde(default)]
    pub normal_median_deg: f64,
    /// 95th percentile of that angle.
    #[serde(default)]
    pub normal_p95_deg: f64,
    /// Mean distance of corresponding joints, millimetres; null without joints.
    pub joint_mean_mm: Option<f64>,
}

/// Shares of unsound triangles, see [`crate::mesh::MeshDefects`]; over all hands, then for each.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct MeshScore {
    /// Triangles whose normal is against those around, percent.
    pub flipped_percent: f64,
    /// Triangles that poke out, are drawn out, or make a knife's edge, percent.
    pub spikes_percent: f64,
    /// Triangles that cut through another one of the same hand, percent.
    pub self_intersecting_percent: f64,
    /// Triangles that cut through the other hand, percent; null with one hand.
    pub in_other_hand_percent: Option<f64>,
    /// The same for each hand.
    pub hands: Vec<HandMeshScore>,
}

/// Shares of unsound triangles of one hand.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HandMeshScore {
    /// Side.
    pub side: Side,
    /// Number of triangles, of which the others are shares.
    pub triangles: usize,
    /// Triangles whose normal is against those around, percent.
    pub flipped_percent: f64,
    /// Triangles that poke out, are drawn out, or make a knife's edge, percent.
    pub spikes_percent: f64,
    /// Triangles that cut through another one of the same hand, percent.
    pub self_intersecting_percent: f64,
    /// Triangles that cut through the other hand, percent; null with one hand.
    pub in_other_hand_percent: Option<f64>,
}

/// Everything `evaluate` knows.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Evaluation {
    /// One row a view.
    pub views: Vec<ViewScore>,
    /// Means over the fitted views.
    pub mean: ViewMeans,
    /// Means over the held-out views (all null when there are none).
    pub held_out: ViewMeans,
    /// How sound the meshes are.
    #[serde(default)]
    pub mesh: MeshScore,
    /// Only with ground truth.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub surface: Option<SurfaceScore>,
}

impl ViewMeans {
    /// Means over the given views.
    #[must_use]
    pub fn over<'a>(views: impl Iterator<Item = &'a ViewScore> + Clone) -> Self {
        let neural = views.clone().filter_map(|v| v.neural.as_ref().map(|n| &n.image));
        Self {
            shaded: ImageScore::mean(views.clone().map(|v| &v.shaded.image)),
            neural: neural.clone().next().is_some().then(|| ImageScore::mean(neural)),
            reprojection_px_median: mean_of(views.map(|v| v.reprojection_px_median)),
        }
    }
}

impl RefinedScore {
    /// How many fitted views have a mask that was used, and the means over them; `None` when there are none.
    #[must_use]
    pub fn means(views: &[ViewScore]) -> Option<(usize, ImageScore)> {
        let used: Vec<ImageScore> = views
            .iter()
            .filter(|v| !v.held_out)
            .filter_map(|v| v.refined.as_ref().filter(|r| r.iou.is_some()))
            .map(|r| ImageScore {
                psnr_mask: r.psnr_mask,
                psnr_shared: r.psnr_shared,
                iou: r.iou,
                ..ImageScore::default()
            })
            .collect();
        (!used.is_empty()).then(|| (used.len(), ImageScore::mean(used.iter())))
    }
}

impl Evaluation {
    /// Adds the means to the rows.
    #[must_use]
    pub fn new(views: Vec<ViewScore>, mesh: MeshScore, surface: Option<SurfaceScore>) -> Self {
        let mean = ViewMeans::over(views.iter().filter(|v| !v.held_out));
        let held_out = ViewMeans::over(views.iter().filter(|v| v.held_out));
        Self { views, mean, held_out, mesh, surface }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_view_is_scored_on_the_cut_out_hand_after_its_gain() {
        let (width, height) = (16, 16);
        let mask: Vec<bool> = (0..256).map(|i| i % 16 < 12 && i / 16 < 12).collect();
        let level = |i: usize| 0.2 + 0.002 * (i % 97) as f64;
        let render =
            Picture { width, height, rgb: (0..256).map(|i| if mask[i] { [level(i); 3] } else { [0.0; 3] }).collect() };
        let rgb = (0..256).map(|i| if mask[i] { [level(i) * 1.2; 3] } else { [0.9; 3] }).collect();
        let photo = Picture { width, height, rgb };
        let view = Comparison { photo: &photo, render: &render, mask: &mask, coverage: &whole(&mask), gain: None };
        let basics = Measures::default();
        let fitted = view.score(&basics).expect("no weights to go wrong");
        assert!((fitted.gain[1] - 1.2).abs() < 1e-12, "the gain is found");
        let ImageScore { psnr_full, ssim, iou, flip, legacy, .. } = fitted.image;
        assert!(psnr_full.is_some_and(|p| p > 200.0), "then all agrees and the room does not count");
        assert!(ssim.is_some_and(|s| s > 0.999_999) && iou == Some(1.0), "{ssim:?}, {iou:?}");
        assert_eq!((flip, legacy), (None, None), "what was not asked for");
        let plain = Comparison { gain: Some([1.0; 3]), ..view };
        let plain = plain.score(&Measures { perceptual: true, ..basics }).expect("no weights").image;
        assert!(plain.psnr_mask.is_some_and(|p| p < 30.0), "without the gain it does not: {plain:?}");
        assert!(plain.flip.is_some_and(|f| f > 0.02) && plain.flip == plain.flip_shared, "and is seen: {plain:?}");
    }

    /// A render without partly covered pixels.
    fn whole(rendered: &[bool]) -> Vec<f32> {
        rendered.iter().map(|r| f32::from(u8::from(*r))).collect()
    }

    /// A pixel that the hand covers by three quarters shows a quarter of what is behind it, which is no error of the hand's
    /// colour.
    #[test]
    fn what_is_behind_an_outline_does_not_count() {
        let photo = Picture { width: 2, height: 1, rgb: vec![[0.6; 3], [0.75 * 0.6 + 0.25 * 1.0; 3]] };
        let coverage = [1.0, 0.75];
        let at = |hand: f64| Picture { rgb: vec![[hand; 3], [0.75 * hand; 3]], ..photo };
        let shared = |render: &Picture, gain| {
            let view = Comparison { photo: &photo, render, mask: &[true; 2], coverage: &coverage, gain };
            view.score(&Measures::default()).expect("no weights").image.psnr_shared.expect("a number")
        };
        // The hand's own share of the second pixel: 0.75 (0.7 - 0.6), as the wall behind it is 0.4 brighter.
        let expected = -10.0 * (0.5_f64 * 0.075 * 0.075).log10();
        assert!((shared(&at(0.6), Some([1.0; 3])) - expected).abs() < 1e-9, "only the covered share is compared");
        assert!(shared(&at(0.3), None) > 20.0, "and a gain is fitted to it");
    }

    /// The mask holds a forearm that is not rendered, the render pokes out on the other side.
    #[test]
    fn each_number_has_its_own_pixels() {
        let (width, height) = (60, 40);
        let at = |from: usize, to: usize| (0..width * height).map(|i| (from..to).contains(&(i % width))).collect();
        let (mask, rendered): (Vec<bool>, Vec<bool>) = (at(0, 40), at(20, 50));
        let photo = Picture { width, height, rgb: vec![[0.6; 3]; width * height] };
        let colour = |r: &bool| if *r { [0.5; 3] } else { [0.0; 3] };
        let render = Picture { rgb: rendered.iter().map(colour).collect(), ..photo };
        let gain = Some([1.0; 3]);
        let view = Comparison { photo: &photo, render: &render, mask: &mask, coverage: &whole(&rendered), gain };
        let s = view.score(&Measures { perceptual: true, lpips: None }).expect("no weights").image;
        let is = |found: Option<f64>, expected: f64| found.is_some_and(|f| (f - expected).abs() < 1e-9);
        assert!(is(s.psnr_shared, 20.0), "the surface alone: an error of 0.1: {s:?}");
        assert!(is(s.legacy, 28.0), "the rendered pixels and the whole photograph, 28 for 20: {s:?}");
        let mask_error = (20.0 * 0.36 + 20.0 * 0.01) / 40.0;
        assert!(is(s.psnr_mask, -10.0 * f64::log10(mask_error)), "the forearm is missing: {s:?}");
        assert!(s.flip > s.flip_shared, "which is seen, too: {s:?}");
    }

    #[test]
    fn fields_are_those_of_the_contract_and_means_keep_held_out_views_apart() {
        let view = |name: &str, held_out, psnr| ViewScore {
            name: name.into(),
            held_out,
            shaded: ShadingScore {
                image: ImageScore { psnr_mask: Some(psnr), ..ImageScore::default() },
                ..ShadingScore::default()
            },
            ..ViewScore::default()
        };
        let rows = vec![view("00", false, 30.0), view("01", false, 32.0), view("02", true, 20.0)];
        let evaluation = Evaluation::new(rows, MeshScore::default(), Some(SurfaceScore::default()));
        let json = serde_json::to_value(&evaluation).expect("JSON");
        assert_eq!(json["mean"]["psnr_mask"], 31.0, "fitted views");
        assert_eq!(json["held_out"]["psnr_mask"], 20.0, "held-out views");
        assert!(json["mean"]["ssim"].is_null(), "no number, no mean");
        let keys = |v: &serde_json::Value| v.as_object().expect("an object").keys().cloned().collect::<Vec<_>>();
        let mut view_keys = keys(&json["views"][0]);
        view_keys.sort();
        let mut expected = [
            "name",
            "held_out",
            "psnr_mask",
            "psnr_union",
            "psnr_full",
            "ssim",
            "iou",
            "reprojection_px_median",
            "gain",
            // Beyond the contract: what real masks need, which include the forearm or are wrong.
            "psnr_shared",
            "mask_trusted",
        ];
        expected.sort_unstable();
        assert_eq!(view_keys, expected, "a view's fields");
        let mut surface_keys = keys(&json["surface"]);
        surface_keys.sort();
        let mut expected = [
            "p2s_mean_mm",
            "p2s_median_mm",
            "p2s_p95_mm",
            "s2p_mean_mm",
            "f1mm",
            "f2mm",
            "joint_mean_mm",
            // Beyond the contract.
            "normal_mean_deg",
            "normal_median_deg",
            "normal_p95_deg",
        ];
        expected.sort_unstable();
        assert_eq!(surface_keys, expected, "the surface's fields");
        assert!(json["mean"].get("neural").is_none(), "no neural renderer, no column");
        let without = serde_json::to_value(Evaluation::new(vec![], MeshScore::default(), None)).expect("JSON");
        assert!(without.get("surface").is_none(), "no ground truth, no surface");
    }
    #[test]
    fn a_second_shading_stands_beside_the_first_and_comes_back_from_json() {
        let image = |psnr: f64, lpips| ImageScore {
            psnr_mask: Some(psnr),
            psnr_shared: Some(psnr + 1.0),
            flip: Some(0.1),
            lpips,
            ..ImageScore::default()
        };
        let view = |name: &str, held_out, psnr: f64| ViewScore {
            name: name.into(),
            held_out,
            shaded: ShadingScore { image: image(psnr, None), gain: [1.0; 3] },
            neural: Some(ShadingScore { image: image(psnr + 2.0, Some(0.25)), gain: [1.1; 3] }),
            ..ViewScore::default()
        };
        let rows = vec![view("00", false, 30.0), view("01", false, 32.0), view("02", true, 20.0)];
        let evaluation = Evaluation::new(rows, MeshScore::default(), None);
        let json = serde_json::to_value(&evaluation).expect("JSON");
        assert_eq!(json["views"][0]["psnr_mask"], 30.0, "shaded as before");
        assert_eq!(json["views"][0]["neural"]["psnr_mask"], 32.0, "neural inside");
        assert_eq!(json["views"][0]["neural"]["gain"][0], 1.1, "with its own gain");
        assert!(json["views"][0].get("lpips").is_none(), "no LPIPS, no column");
        assert_eq!(json["views"][0]["neural"]["lpips"], 0.25, "where it is, it is");
        assert_eq!(json["mean"]["neural"]["psnr_shared"], 34.0, "means over fitted views");
        assert_eq!(json["held_out"]["neural"]["psnr_mask"], 22.0, "and over held-out views");
        assert_eq!(serde_json::from_value::<Evaluation>(json).expect("an evaluation"), evaluation, "there and back");
    }
}
