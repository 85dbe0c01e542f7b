//! How the fit stage works.

use super::FitError;
use serde::{Deserialize, Serialize};

/// Where the fit of a hand begins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FitInit {
    /// What the graph network predicts from the joints; from several poses where there is none for the hand model, or not
    /// all joints are known.
    Gcn,
    /// The model in several degrees of flexion ([`HandFitSettings::start_flexions`]).
    #[default]
    MultiStart,
}

/// How the fit stage works.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct HandFitSettings {
    /// Levenberg-Marquardt iterations on the device, at most: the last of a batch to settle ends them.
    pub iterations: u32,
    /// Further iterations in `f64` for the best start of each hand.
    pub polish_iterations: u32,
    /// Where the fit begins.
    pub init: FitInit,
    /// Start poses as multiples of the mean pose (0 = flat, 1 = relaxed).
    pub start_flexions: Vec<f64>,
    /// Weight of the 3D joints.
    pub joints_weight: f64,
    /// How far a model joint may be from what a detector calls that joint, metres: the standard deviation of the offset that is
    /// estimated for each landmark.
    pub joint_sigma_m: f64,
    /// The same for the wrist: detectors put it about 25 mm nearer to the fingers and to the back of the hand than the joint
    /// about which a hand model turns.
    pub wrist_sigma_m: f64,
    /// The same for the four knuckles at the fingers' base: detectors put them 6 to 10 mm nearer to the wrist than the open
    /// hand has them.
    pub knuckle_sigma_m: f64,
    /// Weight of the 2D reprojections; below 1 because the errors of one detector are alike in all views.
    pub reprojection_weight: f64,
    /// Least keypoint noise that is believed, pixels.
    pub least_noise_px: f64,
    /// Scale of the robust losses, in standard deviations.
    pub robust_scale: f64,
    /// Standard deviation of the pose prior, radians.
    pub pose_sigma_rad: f64,
    /// The same about the bone axis (twist).
    pub twist_sigma_rad: f64,
    /// Standard deviation beyond a joint limit, radians.
    pub limit_sigma_rad: f64,
    /// Weight of the Gaussian on the shape: its inverse variance, in the model's own units.
    pub shape_weight: f64,
    /// Mean of that Gaussian: zero, or a shape that is known from other frames or captures of the same person.
    pub shape_mean: [f64; 10],
    /// Whether a uniform scale is fitted too.
    pub fit_scale: bool,
    /// The scale, or where its fit begins.
    pub scale: f64,
    /// Rounds of the refinement of all hands together: outlines and contacts are collected anew in each; 0 leaves it out.
    pub refine_rounds: u32,
    /// Weight of a vertex on the outline; below 1 because neighbouring vertices tell the same.
    pub silhouette_weight: f64,
    /// Least standard deviation of a mask's edge that is believed, pixels; what is found is used where it is larger.
    pub silhouette_sigma_px: f64,
    /// Standard deviation of the difference in shape of one person's two hands, in units of the shape prior.
    pub shape_tie_sigma: f64,
    /// Standard deviation of the depth to which one hand may be inside the other, metres.
    pub contact_sigma_m: f64,
}

impl Default for HandFitSettings {
    fn default() -> Self {
        Self {
            iterations: 40,
            polish_iterations: 15,
            init: FitInit::default(),
            start_flexions: vec![0.0, 1.0, 2.0],
            joints_weight: 1.0,
            joint_sigma_m: 0.003,
            wrist_sigma_m: 0.02,
            knuckle_sigma_m: 0.008,
            reprojection_weight: 0.1,
            least_noise_px: 0.3,
            robust_scale: 4.0,
            pose_sigma_rad: 0.6,
            twist_sigma_rad: 0.1,
            limit_sigma_rad: 0.03,
            shape_weight: 1.0,
            shape_mean: [0.0; 10],
            fit_scale: false,
            scale: 1.0,
            refine_rounds: 8,
            silhouette_weight: 0.25,
            silhouette_sigma_px: 1.0,
            shape_tie_sigma: 0.5,
            contact_sigma_m: 0.001,
        }
    }
}

/// Refuses settings that make no sense.
pub(super) fn check(settings: &HandFitSettings) -> Result<(), FitError> {
    let positive = [
        ("joint_sigma_m", settings.joint_sigma_m),
        ("wrist_sigma_m", settings.wrist_sigma_m),
        ("knuckle_sigma_m", settings.knuckle_sigma_m),
        ("least_noise_px", settings.least_noise_px),
        ("robust_scale", settings.robust_scale),
        ("pose_sigma_rad", settings.pose_sigma_rad),
        ("twist_sigma_rad", settings.twist_sigma_rad),
        ("limit_sigma_rad", settings.limit_sigma_rad),
        ("silhouette_sigma_px", settings.silhouette_sigma_px),
        ("shape_tie_sigma", settings.shape_tie_sigma),
        ("contact_sigma_m", settings.contact_sigma_m),
        ("scale", settings.scale),
    ];
    if let Some((name, value)) = positive.iter().find(|(_, v)| !v.is_finite() || *v <= 0.0) {
        return Err(FitError::Settings(format!("{name} is {value} and must be positive")));
    }
    if settings.shape_mean.iter().any(|b| !b.is_finite()) {
        return Err(FitError::Settings("shape_mean has values that are not numbers".to_owned()));
    }
    if settings.start_flexions.is_empty() || settings.iterations == 0 {
        return Err(FitError::Settings("at least one start and one iteration are needed".to_owned()));
    }
    Ok(())
}
