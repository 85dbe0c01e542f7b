//! COLMAP's binary files: little-endian, counts as 64-bit integers, names ended by a zero byte.

use super::{Image, MODELS, Sensor};
use std::collections::BTreeMap;

/// Bytes not yet read. Nothing is reserved for counts that the bytes do not bear out.
struct Bytes<'a>(&'a [u8]);

impl Bytes<'_> {
    fn take<const N: usize>(&mut self) -> Result<[u8; N], String> {
        let (head, tail) = self.0.split_first_chunk::<N>().ok_or("is truncated")?;
        self.0 = tail;
        Ok(*head)
    }

    fn u64(&mut self) -> Result<u64, String> {
        self.take().map(u64::from_le_bytes)
    }

    fn u32(&mut self) -> Result<u32, String> {
        self.take().map(u32::from_le_bytes)
    }

    fn f64(&mut self) -> Result<f64, String> {
        self.take().map(f64::from_le_bytes)
    }

    fn f64s<const N: usize>(&mut self) -> Result<[f64; N], String> {
        let mut values = [0.0; N];
        for value in &mut values {
            *value = self.f64()?;
        }
        Ok(values)
    }

    fn skip(&mut self, count: u64) -> Result<(), String> {
        let count = usize::try_from(count).ok().filter(|&n| n <= self.0.len()).ok_or("is truncated")?;
        self.0 = &self.0[count..];
        Ok(())
    }

    fn name(&mut self) -> Result<String, String> {
        let end = self.0.iter().position(|&b| b == 0).ok_or("is truncated")?;
        let name = std::str::from_utf8(&self.0[..end]).map_err(|_| "has an image name that is no UTF-8")?.to_owned();
        self.0 = &self.0[end + 1..];
        Ok(name)
    }

    fn end(&self) -> Result<(), String> {
        if self.0.is_empty() { Ok(()) } else { Err(format!("has {} bytes too many", self.0.len())) }
    }
}

pub(super) fn cameras(bytes: &[u8]) -> Result<BTreeMap<u32, Sensor>, String> {
    let mut bytes = Bytes(bytes);
    let mut cameras = BTreeMap::new();
    for _ in 0..bytes.u64()? {
        let id = bytes.u32()?;
        let number = i32::from_le_bytes(bytes.take()?);
        let model = MODELS.iter().find(|m| m.id == number).ok_or_else(|| {
            format!("camera {id} has the model number {number}, which is not supported (0 to 6, 8 and 9 are)")
        })?;
        let (width, height) = (bytes.u64()?, bytes.u64()?);
        let params = (0..model.params).map(|_| bytes.f64()).collect::<Result<_, _>>()?;
        if cameras.insert(id, Sensor { model, width, height, params }).is_some() {
            return Err(format!("has camera {id} twice"));
        }
    }
    bytes.end()?;
    Ok(cameras)
}

pub(super) fn images(bytes: &[u8]) -> Result<Vec<Image>, String> {
    let mut bytes = Bytes(bytes);
    let mut images = Vec::new();
    for _ in 0..bytes.u64()? {
        bytes.u32()?;
        let (quaternion, translation) = (bytes.f64s()?, bytes.f64s()?);
        let (camera, name) = (bytes.u32()?, bytes.name()?);
        // Keypoints: x, y and the id of a point, 24 bytes each.
        let points = bytes.u64()?;
        bytes.skip(points.checked_mul(24).ok_or("is truncated")?)?;
        images.push(Image { quaternion, translation, camera, name });
    }
    bytes.end()?;
    Ok(images)
}

pub(super) fn write_cameras(cameras: &BTreeMap<u32, Sensor>) -> Vec<u8> {
    let mut out = (cameras.len() as u64).to_le_bytes().to_vec();
    for (id, camera) in cameras {
        out.extend(id.to_le_bytes());
        out.extend(camera.model.id.to_le_bytes());
        out.extend(camera.width.to_le_bytes());
        out.extend(camera.height.to_le_bytes());
        out.extend(camera.params.iter().flat_map(|p| p.to_le_bytes()));
    }
    out
}

pub(super) fn write_images(images: &[Image]) -> Vec<u8> {
    let mut out = (images.len() as u64).to_le_bytes().to_vec();
    for image in images {
        out.extend(image.camera.to_le_bytes());
        out.extend(image.quaternion.iter().chain(&image.translation).flat_map(|v| v.to_le_bytes()));
        out.extend(image.camera.to_le_bytes());
        out.extend(image.name.bytes().filter(|&b| b != 0));
        out.push(0);
        out.extend(0_u64.to_le_bytes());
    }
    out
}
