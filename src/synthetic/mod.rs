//! A capture with a known answer: the open hand in a seeded pose, with displaced detail, painted albedo and SH light, seen
//! by cameras like those of the real rig.
//!
//! `make` stays in memory; [`crate::export::write_scene`] turns the result into an FMHR folder plus `ground_truth/`. The
//! same settings give the same bytes on every machine with the same floating-point library.

mod hands;
mod keypoints;
mod light;
mod motion;
mod random;
mod render;
mod rig;
mod skin;

pub use light::irradiance;
pub(crate) use random::Random;

use crate::anatomy::{KEYPOINTS, Side};
use crate::capture::{Capture, View};
use crate::hand::{HandError, HandModel, HandParameters};
use nalgebra::Vector3;

/// Which hands a scene shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SynthHands {
    /// One right hand.
    Right,
    /// One left hand.
    Left,
    /// Both, about 12 cm apart.
    Both,
}

impl SynthHands {
    /// The sides in the order left, right.
    #[must_use]
    pub fn sides(self) -> &'static [Side] {
        match self {
            Self::Right => &[Side::Right],
            Self::Left => &[Side::Left],
            Self::Both => &Side::BOTH,
        }
    }
}

/// How to make a scene.
#[derive(Clone, Debug, PartialEq)]
pub struct SynthSettings {
    /// Which hands.
    pub hands: SynthHands,
    /// Number of cameras, 2 to 64.
    pub views: usize,
    /// Image size (width, height) in pixels, 64 to 8192 each.
    pub size: (u32, u32),
    /// Seed of everything random.
    pub seed: u64,
    /// Seed of the hands themselves, shape and skin: captures of one person have the same; `None` = `seed`.
    pub person: Option<u64>,
    /// Frame of a moving hand, [`FRAMES_PER_SECOND`]; 0 is the pose of a capture that stands still. Cameras, hands and light
    /// are those of all frames, the keypoints' noise is the frame's own.
    pub frame: u32,
    /// Standard deviation of Gaussian noise on every keypoint coordinate, pixels.
    pub noise_px: f64,
    /// Fraction of keypoints replaced by a wrong place 40-200 px away (at 1280 px width), 0 to 1.
    pub outliers: f64,
    /// Number of views whose left and right labels are exchanged.
    pub swaps: usize,
    /// Loop subdivisions of the model, 0 to 4.
    pub level: u32,
    /// Samples per pixel along each axis, 1 to 4.
    pub supersample: u32,
    /// Standard deviation of each view's RGB gain around 1.
    pub exposure: f64,
    /// Scale of the displaced detail; 1 = up to about 1 mm, 0 = the bare model.
    pub detail: f64,
    /// Strength of a highlight that depends on where the camera is; 0 = none, skin of albedo and light alone.
    pub gloss: f64,
}

impl Default for SynthSettings {
    fn default() -> Self {
        Self {
            hands: SynthHands::Both,
            views: 16,
            size: (1280, 1024),
            seed: 1,
            person: None,
            frame: 0,
            noise_px: 0.0,
            outliers: 0.0,
            swaps: 0,
            level: 3,
            supersample: 2,
            exposure: 0.03,
            detail: 1.0,
            gloss: 0.0,
        }
    }
}

/// The true hand.
#[derive(Clone, Debug)]
pub struct TrueHand {
    /// Side.
    pub side: Side,
    /// The parameters the base mesh was posed with.
    pub parameters: HandParameters,
    /// The model.
    pub model: HandModel,
    /// The 21 joints, world metres, MediaPipe order.
    pub joints: [[f64; 3]; KEYPOINTS],
    /// Detailed surface, world metres (V×3).
    pub positions: Vec<[f64; 3]>,
    /// Unit normals of the detailed surface (V×3).
    pub normals: Vec<[f64; 3]>,
    /// Albedo, sRGB-encoded, 0..1 (V×3).
    pub albedo: Vec<[f64; 3]>,
    /// Triangles of the detailed surface (F×3), outward.
    pub faces: Vec<[u32; 3]>,
    /// UV coordinates (T×2), v up.
    pub uvs: Vec<[f64; 2]>,
    /// UV index of each face corner (F×3).
    pub uv_faces: Vec<[u32; 3]>,
}

/// A capture and everything that is true about it.
#[derive(Clone, Debug)]
pub struct SyntheticScene {
    /// How it was made.
    pub settings: SynthSettings,
    /// What the reconstruction sees; keypoints carry the settings' noise, outliers and swaps.
    pub capture: Capture,
    /// The hands, left before right.
    pub hands: Vec<TrueHand>,
    /// SH coefficients of the light in world space (see [`crate::shading::sh_basis`]), the same for all views.
    pub light: [f64; 9],
    /// RGB gain of each view.
    pub gains: Vec<[f64; 3]>,
    /// Views whose labels are exchanged.
    pub swapped_views: Vec<usize>,
    /// Replaced keypoints as (view, true side, keypoint).
    pub outliers: Vec<(usize, Side, usize)>,
}

/// Why a scene cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum SynthError {
    /// A setting out of range.
    #[error("{name} is {value}; it must be {allowed}")]
    Setting {
        /// Name of the setting.
        name: &'static str,
        /// Its value.
        value: String,
        /// What is allowed.
        allowed: &'static str,
    },
    /// The hand model cannot be read.
    #[error(transparent)]
    Hand(#[from] HandError),
}

/// Frames of a moving hand in a second.
pub const FRAMES_PER_SECOND: f64 = 30.0;

impl SynthSettings {
    /// Seed of shape and skin.
    pub(crate) fn person_seed(&self) -> u64 {
        self.person.unwrap_or(self.seed)
    }

    /// Checks the ranges stated at the fields.
    ///
    /// # Errors
    /// [`SynthError::Setting`] for the first value out of range.
    pub fn check(&self) -> Result<(), SynthError> {
        let wrong = |name, value: String, allowed| Err(SynthError::Setting { name, value, allowed });
        let sized = |n: u32| (64..=8192).contains(&n);
        if !(2..=64).contains(&self.views) {
            return wrong("views", self.views.to_string(), "2 to 64");
        }
        if !(sized(self.size.0) && sized(self.size.1)) {
            return wrong("size", format!("{}x{}", self.size.0, self.size.1), "64 to 8192 pixels each way");
        }
        if !(self.noise_px >= 0.0 && self.noise_px.is_finite()) {
            return wrong("noise-px", self.noise_px.to_string(), "0 or more");
        }
        if !(0.0..=1.0).contains(&self.outliers) {
            return wrong("outliers", self.outliers.to_string(), "a fraction from 0 to 1");
        }
        if self.swaps > self.views {
            return wrong("swaps", self.swaps.to_string(), "at most the number of views");
        }
        if self.level > 4 {
            return wrong("level", self.level.to_string(), "0 to 4");
        }
        if !(1..=4).contains(&self.supersample) {
            return wrong("supersample", self.supersample.to_string(), "1 to 4");
        }
        if !(0.0..=0.2).contains(&self.exposure) {
            return wrong("exposure", self.exposure.to_string(), "0 to 0.2");
        }
        if !(0.0..=2.0).contains(&self.detail) {
            return wrong("detail", self.detail.to_string(), "0 to 2");
        }
        if !(0.0..=1.0).contains(&self.gloss) {
            return wrong("gloss", self.gloss.to_string(), "0 to 1");
        }
        Ok(())
    }
}

/// Makes a scene.
///
/// # Errors
/// [`SynthError`] for settings out of range or a damaged hand asset.
pub fn make(settings: &SynthSettings) -> Result<SyntheticScene, SynthError> {
    make_telling(settings, |_, _| {})
}

/// As [`make`]; tells after each photograph how many of how many are made.
///
/// # Errors
/// As [`make`].
pub fn make_telling(
    settings: &SynthSettings,
    mut tell: impl FnMut(usize, usize),
) -> Result<SyntheticScene, SynthError> {
    settings.check()?;
    let rig = rig::make(settings.views, settings.size, settings.seed);
    let hands = hands::make(settings, &rig)?;
    let light = light::make(rig.forward, rig.up, settings.seed);
    let mut random = Random::new(settings.seed, "exposure");
    let gains: Vec<[f64; 3]> = rig
        .cameras
        .iter()
        .map(|_| {
            let common = settings.exposure * random.normal().clamp(-2.0, 2.0);
            [(); 3].map(|()| 1.0 + common + 0.4 * settings.exposure * random.normal().clamp(-2.0, 2.0))
        })
        .collect();
    let detections = keypoints::make(settings, &rig.cameras, &hands);
    let scene = render::Scene::new(&hands, &light);
    let views = rig
        .cameras
        .iter()
        .zip(detections.views)
        .enumerate()
        .map(|(i, (camera, keypoints))| {
            let (image, mask) = scene.photograph(camera, gains[i], settings, i);
            tell(i + 1, settings.views);
            View { name: format!("{i:02}"), camera: camera.clone(), image, mask: Some(mask), keypoints }
        })
        .collect();
    let capture = Capture {
        name: format!("synthetic {}", settings.seed),
        root: std::path::PathBuf::new(),
        format: "synthetic",
        views,
        metres_per_unit: UNIT_M,
        inferences: Vec::new(),
        options: crate::capture::OpenOptions::default(),
        warnings: Vec::new(),
        edits: std::sync::Arc::default(),
        hash: String::new(),
    };
    let (swapped_views, outliers) = (detections.swapped, detections.outliers);
    Ok(SyntheticScene { settings: settings.clone(), capture, hands, light, gains, swapped_views, outliers })
}

/// Metres per unit of the normalised frame that the written folder states (as in the real capture).
pub const UNIT_M: f64 = 0.639_155;

impl SyntheticScene {
    /// Centre of the normalised frame that the written folder states: the mean of all true joints, world metres.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "at most 42 joints")]
    pub fn centre(&self) -> [f64; 3] {
        let joints: Vec<Vector3<f64>> = self.hands.iter().flat_map(|h| h.joints.map(Vector3::from)).collect();
        (joints.iter().sum::<Vector3<f64>>() / joints.len().max(1) as f64).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn small() -> SynthSettings {
        SynthSettings { views: 4, size: (160, 128), level: 1, ..SynthSettings::default() }
    }

    #[test]
    fn the_same_seed_gives_the_same_bytes_and_another_does_not() {
        let a = make(&small()).expect("a scene");
        let b = make(&small()).expect("a scene");
        let c = make(&SynthSettings { seed: 2, ..small() }).expect("a scene");
        for (va, vb) in a.capture.views.iter().zip(&b.capture.views) {
            assert_eq!(va.image, vb.image, "image {} repeats", va.name);
            assert_eq!(va.mask, vb.mask, "mask {} repeats", va.name);
            assert_eq!(va.keypoints, vb.keypoints, "keypoints of {} repeat", va.name);
        }
        assert_eq!(a.hands[1].positions, b.hands[1].positions, "the surface repeats");
        assert_ne!(a.capture.views[0].image, c.capture.views[0].image, "another seed, another picture");
    }

    #[test]
    fn hands_are_in_the_picture_and_masks_lie_on_them() {
        let scene = make(&small()).expect("a scene");
        for view in &scene.capture.views {
            let mask = view.mask.as_ref().expect("a mask");
            let inside = mask.pixels().filter(|p| p.0[0] > 0).count();
            assert!((160 * 128 / 40..160 * 128 / 3).contains(&inside), "{inside} px of hand in view {}", view.name);
            let (mut on, mut all) = (0, 0);
            for k in view.keypoints.iter().flatten() {
                for [x, y] in k.px {
                    assert!(x > 2.0 && y > 2.0 && x < 158.0 && y < 126.0, "{x}, {y} is in the picture");
                    all += 1;
                    #[expect(clippy::cast_possible_truncation, reason = "in the picture, as just checked")]
                    let pixel = mask.get_pixel(x as u32, y as u32);
                    on += usize::from(pixel.0[0] > 0);
                }
            }
            assert!(on * 10 >= all * 8, "{on} of {all} keypoints lie on the mask of view {}", view.name);
        }
    }

    #[test]
    fn noise_outliers_and_swaps_do_what_they_say() {
        let clean = make(&small()).expect("a scene");
        let dirty = make(&SynthSettings { noise_px: 1.0, outliers: 0.1, swaps: 1, ..small() }).expect("a scene");
        assert_eq!(dirty.swapped_views.len(), 1, "one view is swapped");
        assert!((5..30).contains(&dirty.outliers.len()), "{} outliers of 168", dirty.outliers.len());
        let mut near = 0;
        for (v, (a, b)) in clean.capture.views.iter().zip(&dirty.capture.views).enumerate() {
            for side in Side::BOTH {
                let claimed = if dirty.swapped_views.contains(&v) { 1 - side.index() } else { side.index() };
                let (a, b) = (a.keypoints[side.index()].as_ref(), b.keypoints[claimed].as_ref());
                let (a, b) = (a.expect("seen"), b.expect("seen"));
                for k in 0..KEYPOINTS {
                    let d = (a.px[k][0] - b.px[k][0]).hypot(a.px[k][1] - b.px[k][1]);
                    let lies = dirty.outliers.contains(&(v, side, k));
                    assert!(if lies { d >= 4.9 } else { d < 5.0 }, "keypoint {k} moved {d} px, outlier: {lies}");
                    near += usize::from(!lies);
                }
            }
        }
        assert_eq!(near + dirty.outliers.len(), 168, "every keypoint was looked at");
    }

    #[test]
    fn gloss_adds_light_where_it_mirrors_the_lamp_and_nothing_elsewhere() {
        let dull = make(&small()).expect("a scene");
        let glossy = make(&SynthSettings { gloss: 0.3, ..small() }).expect("a scene");
        let (mut same, mut brighter) = (0, 0);
        for (a, b) in dull.capture.views.iter().zip(&glossy.capture.views) {
            assert_eq!(a.mask, b.mask, "the same hands");
            for (a, b) in a.image.pixels().zip(b.image.pixels()) {
                assert!((0..3).all(|k| b.0[k] >= a.0[k]), "light is added");
                same += usize::from(a == b);
                brighter += usize::from(b.0[1] > a.0[1] + 12);
            }
        }
        assert!(brighter > 50 && brighter < same, "a part of the skin shines: {brighter} of {same}");
    }

    #[test]
    fn settings_out_of_range_are_refused_by_name() {
        let refused = |s: SynthSettings| make(&s).err().map(|e| e.to_string()).unwrap_or_default();
        assert!(refused(SynthSettings { views: 1, ..small() }).starts_with("views is 1"), "too few views");
        assert!(refused(SynthSettings { outliers: 1.5, ..small() }).starts_with("outliers"), "a fraction");
        assert!(refused(SynthSettings { noise_px: f64::NAN, ..small() }).starts_with("noise-px"), "not a number");
        assert!(refused(SynthSettings { size: (10, 10), ..small() }).starts_with("size"), "too small");
        assert!(refused(SynthSettings { gloss: 2.0, ..small() }).starts_with("gloss"), "more than white");
    }
}
