//! A camera that moves: a JSON file with a few cameras, and all that lies between them.
//!
//! ```json
//! { "closed": false,
//!   "cameras": [
//!     { "view": 3 },
//!     { "position": [0.1, -0.2, 0.3], "look_at": [0, 0, 0.8], "up": [0, -1, 0], "fov_deg": 30, "seconds": 2.5 },
//!     { "rotation": [[1,0,0],[0,1,0],[0,0,1]], "translation": [0, 0, 0.9], "fov_deg": 25, "seconds": 4 } ] }
//! ```
//!
//! Positions are in capture metres. A camera is one of the capture's (`view`), or looks from a place to another, or is given
//! as camera from capture (OpenCV: x right, y down, z forward). `fov_deg` is the vertical opening. `seconds`, when it is
//! reached, is given for all or for none; without it the times between cameras are equal.
//!
//! Rotations run through Shoemake's spherical quadrangles ("squad"), which are slerps of slerps: through every camera, and
//! without a jerk there. Centres and lenses run through cubic Hermite splines with the tangents of Catmull and Rom.

use crate::camera::Camera;
use nalgebra::{Matrix3, Rotation3, SVector, UnitQuaternion, Vector3};
use serde::Deserialize;

/// Cameras beyond these are no path made by hand, and no file that should be held in memory.
const MAX_CAMERAS: usize = 10_000;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    cameras: Vec<Entry>,
    #[serde(default)]
    closed: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    view: Option<usize>,
    position: Option<[f64; 3]>,
    look_at: Option<[f64; 3]>,
    up: Option<[f64; 3]>,
    rotation: Option<[[f64; 3]; 3]>,
    translation: Option<[f64; 3]>,
    fov_deg: Option<f64>,
    seconds: Option<f64>,
}

/// A camera without its picture's size: centre, orientation, and the lens in picture heights (focal lengths, principal point
/// from the middle).
#[derive(Clone, Debug)]
struct Key {
    centre: Vector3<f64>,
    rotation: UnitQuaternion<f64>,
    lens: SVector<f64, 4>,
    at: f64,
}

/// A path through cameras.
#[derive(Clone, Debug)]
pub struct CameraPath {
    /// At least one; ascending in time; of a closed path the first one again at the end.
    keys: Vec<Key>,
    closed: bool,
}

impl CameraPath {
    /// Reads a path; `views` are the cameras that it may name by their numbers, `seconds` is how long it takes if its cameras
    /// have no times.
    ///
    /// # Errors
    /// What is wrong with the file, in words.
    pub fn parse(json: &str, views: &[Camera], seconds: f64) -> Result<Self, String> {
        let file: File = serde_json::from_str(json).map_err(|e| format!("is no camera path: {e}"))?;
        let count = file.cameras.len();
        if count == 0 || count > MAX_CAMERAS {
            return Err(format!("has {count} cameras; 1 to {MAX_CAMERAS} are possible"));
        }
        let timed = file.cameras.iter().filter(|c| c.seconds.is_some()).count();
        if timed != 0 && timed != count {
            return Err(format!("gives `seconds` for {timed} of {count} cameras; give it for all or for none"));
        }
        let steps = if file.closed { count } else { count - 1 }.max(1);
        let mut keys: Vec<Key> = Vec::with_capacity(count + 1);
        for (i, entry) in file.cameras.iter().enumerate() {
            let mut key = entry.key(views).map_err(|problem| format!("camera {i}: {problem}"))?;
            #[expect(clippy::cast_precision_loss, reason = "at most ten thousand")]
            let even = seconds * i as f64 / steps as f64;
            key.at = entry.seconds.unwrap_or(even);
            if let Some(last) = keys.last() {
                if timed != 0 && (!key.at.is_finite() || key.at <= last.at) {
                    return Err(format!("camera {i}: `seconds` must be later than that of the camera before"));
                }
                // Of the two quaternions of a rotation the one that is nearer to the last.
                if key.rotation.coords.dot(&last.rotation.coords) < 0.0 {
                    key.rotation = UnitQuaternion::new_unchecked(-key.rotation.into_inner());
                }
            }
            keys.push(key);
        }
        if file.closed && count > 1 {
            let (first, last) = (keys[0].clone(), keys[count - 1].at);
            // The way back takes as long as the others in the mean.
            #[expect(clippy::cast_precision_loss, reason = "at most ten thousand")]
            let mean = (last - first.at) / (count - 1) as f64;
            let turned = first.rotation.coords.dot(&keys[count - 1].rotation.coords) < 0.0;
            let rotation =
                if turned { UnitQuaternion::new_unchecked(-first.rotation.into_inner()) } else { first.rotation };
            keys.push(Key { at: last + mean, rotation, ..first });
        }
        Ok(Self { keys, closed: file.closed && count > 1 })
    }

    /// How long it takes, seconds; zero for a single camera.
    #[must_use]
    pub fn seconds(&self) -> f64 {
        self.keys.last().map_or(0.0, |k| k.at) - self.keys.first().map_or(0.0, |k| k.at)
    }

    /// Whether it ends where it begins.
    #[must_use]
    pub const fn closed(&self) -> bool {
        self.closed
    }

    /// The camera at a part of the path from 0 to 1, for a picture of `size_px` (width, height).
    #[must_use]
    pub fn camera(&self, part: f64, size_px: (u32, u32)) -> Camera {
        let first = self.keys.first().map_or(0.0, |k| k.at);
        let at = first + part.clamp(0.0, 1.0) * self.seconds();
        let next =
            self.keys.iter().position(|k| k.at > at).unwrap_or(self.keys.len()).clamp(1, self.keys.len().max(2) - 1);
        let i = next - 1;
        let Some(b) = self.keys.get(next) else {
            return self.keys.first().map_or_else(|| pinhole(&Key::default(), size_px), |only| pinhole(only, size_px));
        };
        let a = &self.keys[i];
        let t = ((at - a.at) / (b.at - a.at)).clamp(0.0, 1.0);
        let control = |k: usize| self.control(k);
        let along = a.rotation.slerp(&b.rotation, t);
        let inner = nearer(control(i), &a.rotation).slerp(&nearer(control(next), &a.rotation), t);
        let rotation = along.slerp(&nearer(inner, &along), 2.0 * t * (1.0 - t));
        // Slerps of slerps drift a little off the unit sphere.
        let rotation = UnitQuaternion::new_normalize(rotation.into_inner());
        let step = b.at - a.at;
        let centre =
            hermite(a.centre, b.centre, self.slope(i, |k| k.centre) * step, self.slope(next, |k| k.centre) * step, t);
        let lens = hermite(a.lens, b.lens, self.slope(i, |k| k.lens) * step, self.slope(next, |k| k.lens) * step, t);
        pinhole(&Key { centre, rotation, lens, at }, size_px)
    }

    /// Keys before and after one, around the seam of a closed path.
    fn neighbours(&self, i: usize) -> (&Key, &Key) {
        let last = self.keys.len() - 1;
        let before = if i > 0 {
            i - 1
        } else if self.closed {
            last - 1
        } else {
            0
        };
        let after = if i < last {
            i + 1
        } else if self.closed {
            1
        } else {
            last
        };
        (&self.keys[before], &self.keys[after])
    }

    /// Shoemake's control point of a key.
    fn control(&self, i: usize) -> UnitQuaternion<f64> {
        let (before, after) = self.neighbours(i);
        let own = self.keys[i].rotation;
        let step = |to: &UnitQuaternion<f64>| (own.inverse() * nearer(*to, &own)).scaled_axis();
        own * UnitQuaternion::from_scaled_axis((step(&before.rotation) + step(&after.rotation)) * -0.25)
    }

    /// Change a second at a key: from the key before to the one after it.
    fn slope<const N: usize>(&self, i: usize, of: impl Fn(&Key) -> SVector<f64, N>) -> SVector<f64, N> {
        let (before, after) = self.neighbours(i);
        let own = &self.keys[i];
        // Across the seam of a closed path the neighbour's clock is another one.
        let back = if before.at < own.at { own.at - before.at } else { self.seam(before, own) };
        let ahead = if after.at > own.at { after.at - own.at } else { self.seam(own, after) };
        let seconds = back + ahead;
        if seconds > 0.0 { (of(after) - of(before)) / seconds } else { SVector::zeros() }
    }

    /// Seconds between keys on both sides of the seam; zero at the end of an open path.
    fn seam(&self, a: &Key, b: &Key) -> f64 {
        if self.closed { (b.at - a.at).rem_euclid(self.seconds().max(1e-12)) } else { 0.0 }
    }
}

impl Default for Key {
    fn default() -> Self {
        let lens = SVector::from([1.0, 1.0, 0.0, 0.0]);
        Self { centre: Vector3::zeros(), rotation: UnitQuaternion::identity(), lens, at: 0.0 }
    }
}

/// The quaternion of the same rotation that is nearer to another.
fn nearer(q: UnitQuaternion<f64>, to: &UnitQuaternion<f64>) -> UnitQuaternion<f64> {
    if q.coords.dot(&to.coords) < 0.0 { UnitQuaternion::new_unchecked(-q.into_inner()) } else { q }
}

fn hermite<const N: usize>(
    a: SVector<f64, N>,
    b: SVector<f64, N>,
    from_a: SVector<f64, N>,
    to_b: SVector<f64, N>,
    t: f64,
) -> SVector<f64, N> {
    let (t2, t3) = (t * t, t * t * t);
    a * (2.0 * t3 - 3.0 * t2 + 1.0) + from_a * (t3 - 2.0 * t2 + t) + b * (3.0 * t2 - 2.0 * t3) + to_b * (t3 - t2)
}

fn pinhole(key: &Key, (width, height): (u32, u32)) -> Camera {
    let h = f64::from(height);
    let [fx, fy, x, y] = key.lens.into();
    // A spline may overshoot; a lens may not vanish.
    let (fx, fy) = (fx.max(0.05) * h, fy.max(0.05) * h);
    let rotation = key.rotation.to_rotation_matrix().into_inner();
    Camera {
        width_px: width,
        height_px: height,
        k: Matrix3::new(fx, 0.0, 0.5 * f64::from(width) + x * h, 0.0, fy, 0.5 * h + y * h, 0.0, 0.0, 1.0),
        rotation,
        translation: -(rotation * key.centre),
    }
}

impl Entry {
    fn key(&self, views: &[Camera]) -> Result<Key, String> {
        let lens = || match self.fov_deg {
            Some(fov) if (1.0..=150.0).contains(&fov) => {
                let focal = 0.5 / (0.5 * fov.to_radians()).tan();
                Ok(SVector::from([focal, focal, 0.0, 0.0]))
            }
            Some(fov) => Err(format!("`fov_deg` {fov} is not between 1 and 150")),
            None => Err("`fov_deg` is missing".to_owned()),
        };
        let key = match (self.view, self.position, self.look_at, self.rotation, self.translation) {
            (Some(view), None, None, None, None) => {
                let last = views.len().saturating_sub(1);
                let camera = views.get(view).ok_or_else(|| format!("there is no view {view}, the last is {last}"))?;
                let (w, h) = (f64::from(camera.width_px), f64::from(camera.height_px));
                let k = &camera.k;
                let own =
                    SVector::from([k[(0, 0)] / h, k[(1, 1)] / h, (k[(0, 2)] - 0.5 * w) / h, (k[(1, 2)] - 0.5 * h) / h]);
                let lens = if self.fov_deg.is_some() { lens()? } else { own };
                Key { centre: camera.centre(), rotation: quaternion(camera.rotation), lens, at: 0.0 }
            }
            (None, Some(position), Some(look_at), None, None) => {
                let (centre, up) = (Vector3::from(position), Vector3::from(self.up.unwrap_or([0.0, -1.0, 0.0])));
                let forward = (Vector3::from(look_at) - centre).try_normalize(1e-9);
                let forward = forward.ok_or("`look_at` is where the camera is")?;
                let right = forward.cross(&up).try_normalize(1e-6).ok_or("`up` is along the way it looks")?;
                let down = forward.cross(&right);
                let rotation = Matrix3::from_rows(&[right.transpose(), down.transpose(), forward.transpose()]);
                Key { centre, rotation: quaternion(rotation), lens: lens()?, at: 0.0 }
            }
            (None, None, None, Some(rows), Some(translation)) => {
                let rotation = Matrix3::from_fn(|r, c| rows[r][c]);
                if (rotation * rotation.transpose() - Matrix3::identity()).norm() > 1e-3 || rotation.determinant() < 0.0
                {
                    return Err("`rotation` is no rotation".to_owned());
                }
                let centre = -(rotation.transpose() * Vector3::from(translation));
                Key { centre, rotation: quaternion(rotation), lens: lens()?, at: 0.0 }
            }
            _ => {
                return Err("give `view`, or `position` and `look_at`, or `rotation` and `translation`".to_owned());
            }
        };
        if key.centre.iter().chain(key.lens.iter()).chain(key.rotation.coords.iter()).all(|v| v.is_finite()) {
            Ok(key)
        } else {
            Err("a number is not finite".to_owned())
        }
    }
}

fn quaternion(rotation: Matrix3<f64>) -> UnitQuaternion<f64> {
    UnitQuaternion::from_rotation_matrix(&Rotation3::from_matrix_unchecked(rotation))
}

#[cfg(test)]
mod tests;
