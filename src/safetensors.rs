//! Files in the safetensors format, as far as we need it: flat lists of floats of 32 bits, or of 16 where asked for, with
//! shapes, and free text beside them.
//!
//! Layout (huggingface/safetensors, README "Format"): the header's length as `u64` little-endian; a JSON object with `dtype`,
//! `shape` and `data_offsets` (from the end of the header) of each tensor, filled up with spaces to a multiple of eight; the
//! data without gaps. Written here rather than by the crate of that name, which would switch on another feature of a crate
//! that Bevy is built on.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// One tensor: its shape and its numbers.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Tensor {
    pub(crate) shape: Vec<usize>,
    pub(crate) data: Vec<f32>,
}

#[derive(Serialize, Deserialize)]
struct Entry {
    dtype: String,
    shape: Vec<usize>,
    data_offsets: [usize; 2],
}

/// What is stored beside the tensors: texts by name.
pub(crate) type Metadata = BTreeMap<String, String>;

/// Where free text of other programs and of ours stands in the header.
const METADATA: &str = "__metadata__";

/// The file's bytes, tensors in the order of their names.
pub(crate) fn to_bytes(tensors: &BTreeMap<String, Tensor>) -> Result<Vec<u8>, serde_json::Error> {
    to_bytes_with(tensors, &Metadata::new(), &|_| false)
}

/// The same with texts, and with the tensors that `half` names rounded to 16 bits.
pub(crate) fn to_bytes_with(
    tensors: &BTreeMap<String, Tensor>,
    metadata: &Metadata,
    half: &dyn Fn(&str) -> bool,
) -> Result<Vec<u8>, serde_json::Error> {
    let mut at = 0;
    let mut header: BTreeMap<&str, serde_json::Value> = BTreeMap::new();
    if !metadata.is_empty() {
        header.insert(METADATA, serde_json::to_value(metadata)?);
    }
    for (name, tensor) in tensors {
        let (dtype, bytes) = if half(name) { ("F16", 2) } else { ("F32", 4) };
        let end = at + bytes * tensor.data.len();
        let entry = Entry { dtype: dtype.to_owned(), shape: tensor.shape.clone(), data_offsets: [at, end] };
        header.insert(name.as_str(), serde_json::to_value(entry)?);
        at = end;
    }
    let mut json = serde_json::to_vec(&header)?;
    json.resize(json.len().next_multiple_of(8), b' ');
    let mut out = (json.len() as u64).to_le_bytes().to_vec();
    out.extend(json);
    for (name, tensor) in tensors {
        if half(name) {
            out.extend(tensor.data.iter().flat_map(|x| half_from_single(*x).to_le_bytes()));
        } else {
            out.extend(tensor.data.iter().flat_map(|x| x.to_le_bytes()));
        }
    }
    Ok(out)
}

/// IEEE 754 binary16 of a single, to nearest, ties to even; too large becomes infinite.
fn half_from_single(x: f32) -> u16 {
    let bits = x.to_bits();
    let sign = (bits >> 16 & 0x8000) as u16;
    let magnitude = bits & 0x7fff_ffff;
    if magnitude >= 0x7f80_0000 {
        // Infinite, or no number (of which one bit must stay).
        return sign | 0x7c00 | u16::from(magnitude > 0x7f80_0000) << 9;
    }
    // Fixed point of the half's last bit at this exponent: 2^(e−10), not below 2^−24.
    let exponent = (magnitude >> 23).max(113);
    let mantissa = u64::from(magnitude & 0x7f_ffff | if magnitude >= 0x80_0000 { 0x80_0000 } else { 0 });
    let shift = 13 + exponent - (magnitude >> 23).max(1);
    let (whole, rest) = if shift > 40 { (0, 0) } else { (mantissa >> shift, mantissa & ((1 << shift) - 1)) };
    let tie = 1_u64 << (shift.min(40) - 1);
    let rounded = whole + u64::from(rest > tie || rest == tie && whole & 1 == 1);
    // A carry out of the mantissa raises the exponent by itself.
    let biased = (u64::from(exponent - 113) << 10) + rounded;
    sign | u16::try_from(biased.min(0x7c00)).unwrap_or(0x7c00)
}

/// The single that a half stands for, exactly.
fn single_from_half(half: u16) -> f32 {
    let sign = if half & 0x8000 == 0 { 1.0 } else { -1.0 };
    let (exponent, mantissa) = (i32::from(half >> 10 & 0x1f), f32::from(half & 0x3ff));
    let value = match exponent {
        0 => mantissa * 2.0_f32.powi(-24),
        31 if mantissa == 0.0 => f32::INFINITY,
        31 => f32::NAN,
        _ => (1024.0 + mantissa) * 2.0_f32.powi(exponent - 25),
    };
    sign * value
}

/// The tensors of a file; what is wrong with it otherwise.
pub(crate) fn from_bytes(bytes: &[u8]) -> Result<BTreeMap<String, Tensor>, String> {
    from_bytes_with(bytes).map(|(tensors, _)| tensors)
}

/// The same with the texts beside them.
pub(crate) fn from_bytes_with(bytes: &[u8]) -> Result<(BTreeMap<String, Tensor>, Metadata), String> {
    let (length, rest) = bytes.split_first_chunk::<8>().ok_or("is cut short")?;
    let length = usize::try_from(u64::from_le_bytes(*length)).map_err(|_| "has a header that is too long")?;
    let (json, data) = rest.split_at_checked(length).ok_or("is cut short")?;
    let mut header: BTreeMap<String, serde_json::Value> =
        serde_json::from_slice(json).map_err(|e| format!("has a header that cannot be read: {e}"))?;
    // Free text, of other programs too: what is no text is none of ours.
    let metadata = header.remove(METADATA).and_then(|m| serde_json::from_value(m).ok()).unwrap_or_default();
    let mut tensors = BTreeMap::new();
    for (name, value) in header {
        let entry: Entry = serde_json::from_value(value).map_err(|e| format!("has a bad entry `{name}`: {e}"))?;
        let width = match entry.dtype.as_str() {
            "F32" => 4,
            "F16" => 2,
            other => return Err(format!("has `{name}` in the format {other}, not F32 or F16")),
        };
        let [from, to] = entry.data_offsets;
        let part = data.get(from..to).ok_or_else(|| format!("is cut short in `{name}`"))?;
        let count = entry.shape.iter().try_fold(1_usize, |n, x| n.checked_mul(*x));
        if count.and_then(|n| n.checked_mul(width)) != Some(part.len()) {
            return Err(format!("has another number of values in `{name}` than its shape says"));
        }
        let data = if width == 4 {
            part.as_chunks::<4>().0.iter().map(|c| f32::from_le_bytes(*c)).collect()
        } else {
            part.as_chunks::<2>().0.iter().map(|c| single_from_half(u16::from_le_bytes(*c))).collect()
        };
        tensors.insert(name, Tensor { shape: entry.shape, data });
    }
    Ok((tensors, metadata))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> BTreeMap<String, Tensor> {
        let tensor = |shape: &[usize], data: &[f32]| Tensor { shape: shape.to_vec(), data: data.to_vec() };
        BTreeMap::from([
            ("b".to_owned(), tensor(&[2, 3], &[1.0, 2.0, 3.0, -4.0, f32::MIN_POSITIVE, 6.0])),
            ("a".to_owned(), tensor(&[1], &[0.5])),
            ("none".to_owned(), tensor(&[0, 20], &[])),
        ])
    }

    #[test]
    fn the_bytes_are_those_of_the_format() {
        let bytes = to_bytes(&sample()).expect("plain data");
        let length = usize::try_from(u64::from_le_bytes(bytes[..8].try_into().expect("eight"))).expect("short");
        assert_eq!(length % 8, 0, "data begin at a multiple of eight");
        let json: serde_json::Value = serde_json::from_slice(&bytes[8..8 + length]).expect("JSON and spaces");
        assert_eq!(json["b"]["data_offsets"], serde_json::json!([4, 28]), "offsets from the header's end");
        assert_eq!(json["b"]["dtype"], "F32", "single precision");
        assert_eq!(bytes.len(), 8 + length + 28, "no gaps");
        assert_eq!(from_bytes(&bytes), Ok(sample()), "and they are read back");
    }

    #[test]
    fn halves_are_the_nearest_and_texts_come_back() {
        for half in 0..=u16::MAX {
            let single = single_from_half(half);
            if single.is_nan() {
                assert!(single_from_half(half_from_single(single)).is_nan(), "{half:#06x} stays no number");
            } else {
                assert_eq!(half_from_single(single), half, "{half:#06x} there and back");
            }
        }
        // Between neighbours: to the nearest, ties to the even one; beyond the largest: infinite.
        for (single, half) in [(1.0 + 2.0_f32.powi(-11), 0x3c00), (1.0 + 3.0 * 2.0_f32.powi(-11), 0x3c02)] {
            assert_eq!(half_from_single(single), half, "{single} lies between two");
        }
        assert_eq!(half_from_single(1.0 + 1.01 * 2.0_f32.powi(-11)), 0x3c01, "above the middle");
        assert_eq!([half_from_single(65_519.0), half_from_single(65_520.0)], [0x7bff, 0x7c00], "the largest");
        let tiny = [0.5, 0.51, 1.5].map(|x| half_from_single(x * 2.0_f32.powi(-24)));
        assert_eq!(tiny, [0, 1, 2], "the smallest steps");
        assert_eq!(half_from_single(f32::MIN_POSITIVE / 8.0), 0, "far below them");

        let metadata = Metadata::from([("recipe".to_owned(), "v1 \"quoted\"".to_owned())]);
        let bytes = to_bytes_with(&sample(), &metadata, &|name| name == "b").expect("plain data");
        let (tensors, texts) = from_bytes_with(&bytes).expect("sound");
        assert_eq!(texts, metadata, "the texts");
        assert_eq!(tensors["a"], sample()["a"], "the one in full");
        assert_eq!(tensors["b"].data[..4], sample()["b"].data[..4], "small whole numbers fit a half");
        assert_eq!(tensors["b"].data[4], 0.0, "the tiny one does not");
    }

    #[test]
    fn files_that_lie_are_refused() {
        let bytes = to_bytes(&sample()).expect("plain data");
        for cut in 0..bytes.len() {
            assert!(from_bytes(&bytes[..cut]).is_err(), "cut after {cut} bytes");
        }
        let with_header = |json: &str| [&(json.len() as u64).to_le_bytes()[..], json.as_bytes(), &[0; 8]].concat();
        for json in [
            r#"{"a":{"dtype":"F32","shape":[3],"data_offsets":[0,8]}}"#,
            r#"{"a":{"dtype":"F16","shape":[2],"data_offsets":[0,8]}}"#,
            r#"{"a":{"dtype":"BF16","shape":[4],"data_offsets":[0,8]}}"#,
            r#"{"a":{"dtype":"F32","shape":[2],"data_offsets":[8,0]}}"#,
            r#"{"a":{"dtype":"F32","shape":[4611686018427387904,4],"data_offsets":[0,8]}}"#,
            r#"{"a":1}"#,
            "[]",
        ] {
            assert!(from_bytes(&with_header(json)).is_err(), "{json}");
        }
        let good = with_header(r#"{"__metadata__":{"x":"y"},"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}"#);
        assert!(from_bytes(&good).is_ok(), "free text is passed over");
        assert!(from_bytes(&u64::MAX.to_le_bytes()).is_err(), "an absurd length");
    }
}
