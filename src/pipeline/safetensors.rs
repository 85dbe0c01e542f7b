//! Files in the safetensors format, as far as we need it: flat lists of 32-bit floats with shapes.
//!
//! Layout (huggingface/safetensors, README "Format"): the header's length as `u64` little-endian; a JSON object with `dtype`,
//! `shape` and `data_offsets` (from the end of the header) of each tensor, filled up with spaces to a multiple of eight; the
//! data without gaps. Written here rather than by the crate of that name, which would switch on another feature of a crate
//! that Bevy is built on.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// One tensor: its shape and its numbers.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Tensor {
    pub shape: Vec<usize>,
    pub data: Vec<f32>,
}

#[derive(Serialize, Deserialize)]
struct Entry {
    dtype: String,
    shape: Vec<usize>,
    data_offsets: [usize; 2],
}

/// The file's bytes, tensors in the order of their names.
pub(super) fn to_bytes(tensors: &BTreeMap<String, Tensor>) -> Result<Vec<u8>, serde_json::Error> {
    let mut at = 0;
    let mut header = BTreeMap::new();
    for (name, tensor) in tensors {
        let end = at + 4 * tensor.data.len();
        let entry = Entry { dtype: "F32".to_owned(), shape: tensor.shape.clone(), data_offsets: [at, end] };
        header.insert(name.as_str(), entry);
        at = end;
    }
    let mut json = serde_json::to_vec(&header)?;
    json.resize(json.len().next_multiple_of(8), b' ');
    let mut out = (json.len() as u64).to_le_bytes().to_vec();
    out.extend(json);
    for x in tensors.values().flat_map(|t| &t.data) {
        out.extend(x.to_le_bytes());
    }
    Ok(out)
}

/// The tensors of a file; what is wrong with it otherwise.
pub(super) fn from_bytes(bytes: &[u8]) -> Result<BTreeMap<String, Tensor>, String> {
    let (length, rest) = bytes.split_first_chunk::<8>().ok_or("is cut short")?;
    let length = usize::try_from(u64::from_le_bytes(*length)).map_err(|_| "has a header that is too long")?;
    let (json, data) = rest.split_at_checked(length).ok_or("is cut short")?;
    let mut header: BTreeMap<String, serde_json::Value> =
        serde_json::from_slice(json).map_err(|e| format!("has a header that cannot be read: {e}"))?;
    // Free text that other programs may leave.
    header.remove("__metadata__");
    let mut tensors = BTreeMap::new();
    for (name, value) in header {
        let entry: Entry = serde_json::from_value(value).map_err(|e| format!("has a bad entry `{name}`: {e}"))?;
        if entry.dtype != "F32" {
            return Err(format!("has `{name}` in the format {}, not F32", entry.dtype));
        }
        let [from, to] = entry.data_offsets;
        let part = data.get(from..to).ok_or_else(|| format!("is cut short in `{name}`"))?;
        let count = entry.shape.iter().try_fold(1_usize, |n, x| n.checked_mul(*x));
        if count.and_then(|n| n.checked_mul(4)) != Some(part.len()) {
            return Err(format!("has another number of values in `{name}` than its shape says"));
        }
        let data = part.chunks_exact(4).map(|c| f32::from_le_bytes([c[0], c[1], c[2], c[3]])).collect();
        tensors.insert(name, Tensor { shape: entry.shape, data });
    }
    Ok(tensors)
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
    fn files_that_lie_are_refused() {
        let bytes = to_bytes(&sample()).expect("plain data");
        for cut in 0..bytes.len() {
            assert!(from_bytes(&bytes[..cut]).is_err(), "cut after {cut} bytes");
        }
        let with_header = |json: &str| [&(json.len() as u64).to_le_bytes()[..], json.as_bytes(), &[0; 8]].concat();
        for json in [
            r#"{"a":{"dtype":"F32","shape":[3],"data_offsets":[0,8]}}"#,
            r#"{"a":{"dtype":"F16","shape":[4],"data_offsets":[0,8]}}"#,
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
