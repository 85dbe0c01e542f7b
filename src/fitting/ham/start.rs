//! Starting values of light and albedo, on the CPU in `f64`: least squares of the grey image per view, then the mean of
//! image over irradiance.
//!
//! Published: `c` from least squares of the grey image, `ρ = mean(image / r)`. Ours also splits each view's exposure and
//! colour into an RGB gain with mean one over the rig, so that lights of different cameras can be compared.

use super::target::Target;
use crate::raster::ViewRegion;
use crate::raster::reference::{RefMesh, RefView, dot, mix};
use crate::shading::{LIGHT_STRIDE, sh_basis};
use nalgebra::{SMatrix, SVector};

/// A view's target, its triangle ids and its packed pixels; `None` for a view that is not used.
pub type Look<'a> = Option<(&'a Target, &'a [u32], &'a [u32])>;

/// Lights of all views and one albedo for all vertices.
#[derive(Clone, Debug)]
pub struct Start {
    /// Twelve numbers a view; views without pixels get the mean.
    pub lights: Vec<[f64; LIGHT_STRIDE]>,
    /// RGB.
    pub albedo: [f64; 3],
}

/// Brightest channel of the mean albedo of skin, sRGB-encoded: fixes the factor that light and albedo share.
const SKIN_ALBEDO: f64 = 0.75;

type M9 = SMatrix<f64, 9, 9>;
type V9 = SVector<f64, 9>;

/// Per view: basis functions and colours of the pixels that show the hand.
struct Samples {
    basis: Vec<[f64; 9]>,
    colours: Vec<[f64; 3]>,
}

fn samples(target: &Target, ids: &[u32], packed: &[u32], mesh: &RefMesh<'_>, normals: &[[f64; 3]]) -> Samples {
    let view = RefView::from(&ViewRegion::new(&target.camera, 0, false));
    let mut out = Samples { basis: Vec::new(), colours: Vec::new() };
    for (pixel, &id) in ids.iter().enumerate() {
        let coverage = packed[pixel] >> 24;
        if id == 0 || coverage < 128 {
            continue;
        }
        let face = mesh.faces[id as usize - 1];
        let b = view.barycentric(mesh, id as usize - 1, view.pixel_centre(pixel));
        let m = mix(b.lambda, face.map(|v| normals[v as usize]));
        let size = dot(m, m).sqrt();
        if size < 1e-6 {
            continue;
        }
        out.basis.push(sh_basis(m.map(|x| x / size)));
        out.colours.push(target.colours[pixel].map(f64::from));
    }
    out
}

/// Fits the start from what each view shows. `packed` are the targets' pixels (coverage 255 = unknown counts as hand here).
#[must_use]
#[expect(clippy::cast_precision_loss, reason = "pixel counts are small")]
pub fn start(targets: &[Look<'_>], mesh: &RefMesh<'_>, normals: &[[f64; 3]]) -> Start {
    let all: Vec<Option<Samples>> = targets
        .iter()
        .map(|t| {
            t.map(|(target, ids, packed)| samples(target, ids, packed, mesh, normals)).filter(|s| s.basis.len() > 50)
        })
        .collect();
    let mut coefficients: Vec<Option<V9>> = Vec::new();
    let mut exposure = Vec::new();
    let mut colour = Vec::new();
    for s in &all {
        let Some(s) = s else {
            coefficients.push(None);
            exposure.push(1.0);
            colour.push([1.0; 3]);
            continue;
        };
        let (mut ata, mut atb) = (M9::zeros(), V9::zeros());
        for (b, c) in s.basis.iter().zip(&s.colours) {
            let b = V9::from(*b);
            ata += b * b.transpose();
            atb += b * ((c[0] + c[1] + c[2]) / 3.0);
        }
        // A view sees half of all normals, so the directions it cannot tell apart are held down a little.
        let n = s.basis.len() as f64;
        for k in 1..9 {
            ata[(k, k)] += 1e-3 * n;
        }
        let c = ata.cholesky().map_or_else(|| V9::from_fn(|i, _| if i == 0 { 0.5 } else { 0.0 }), |l| l.solve(&atb));
        let irradiance = |b: &[f64; 9]| c.iter().zip(b).map(|(c, b)| c * b).sum::<f64>();
        exposure.push((s.basis.iter().map(irradiance).sum::<f64>() / n).max(1e-3));
        let mut ratio = [0.0; 3];
        for (b, x) in s.basis.iter().zip(&s.colours) {
            let r = irradiance(b).max(0.05);
            for k in 0..3 {
                ratio[k] += x[k] / r / n;
            }
        }
        colour.push(ratio);
        coefficients.push(Some(c));
    }
    let used: Vec<usize> = (0..all.len()).filter(|v| all[*v].is_some()).collect();
    let count = used.len().max(1) as f64;
    let mean_exposure = used.iter().map(|&v| exposure[v]).sum::<f64>() / count;
    let albedo = [0, 1, 2].map(|k| (used.iter().map(|&v| colour[v][k]).sum::<f64>() / count).clamp(0.05, 1.5));
    // Light and albedo are known up to a common factor: the brightest channel of the mean albedo is put where skin is.
    let to_skin = SKIN_ALBEDO / albedo.iter().copied().fold(1e-3, f64::max);
    let gain = |v: usize| [0, 1, 2].map(|k| (exposure[v] / mean_exposure * colour[v][k] / albedo[k]).clamp(0.05, 20.0));
    let lights: Vec<[f64; LIGHT_STRIDE]> = (0..all.len())
        .map(|v| {
            let mut light = [0.0; LIGHT_STRIDE];
            let Some(c) = coefficients[v] else { return light };
            for k in 0..9 {
                light[k] = c[k] * mean_exposure / exposure[v] / to_skin;
            }
            light[9..].copy_from_slice(&gain(v));
            light
        })
        .collect();
    let mean = mean_light(&lights, &used);
    let lights = (0..all.len()).map(|v| if all[v].is_some() { lights[v] } else { mean }).collect();
    Start { lights, albedo: albedo.map(|a| a * to_skin) }
}

/// The rig's mean light in world space with unit gains: what a held-out view is lit by.
#[must_use]
#[expect(clippy::cast_precision_loss, reason = "few views")]
pub fn mean_light(lights: &[[f64; LIGHT_STRIDE]], used: &[usize]) -> [f64; LIGHT_STRIDE] {
    let mut out = [0.0; LIGHT_STRIDE];
    for &v in used {
        for k in 0..9 {
            out[k] += lights[v][k] / used.len().max(1) as f64;
        }
    }
    out[9..].fill(1.0);
    out
}
