//! The user's weights for LPIPS, read from a file.

use super::PipelineError;
use crate::export::ExportError;
use crate::metrics::{Lpips, Weights};
use crate::safetensors;
use std::path::Path;

/// Largest weights file that is read; `AlexNet`'s convolutions take 10 MB.
const MAX_BYTES: u64 = 256 << 20;

/// Reads weights for LPIPS: the state of the Python package `lpips` in the format safetensors, as
/// `scripts/lpips_weights.py` writes it.
///
/// # Errors
/// [`ExportError::Format`] for a file that is not there or holds something else.
pub fn read_lpips(path: &Path) -> Result<Lpips, PipelineError> {
    let format = |problem: String| ExportError::Format { path: path.to_owned(), problem };
    let unreadable = |e: std::io::Error| format(format!("cannot be read: {e}"));
    let length = std::fs::metadata(path).map_err(unreadable)?.len();
    if length > MAX_BYTES {
        return Err(format(format!("is no file of weights: it has {length} bytes, at most {MAX_BYTES}")).into());
    }
    let bytes = std::fs::read(path).map_err(unreadable)?;
    let tensors = safetensors::from_bytes(&bytes).map_err(format)?;
    let weights = tensors.into_iter().map(|(name, t)| (name, Weights { shape: t.shape, values: t.data }));
    Ok(Lpips::from_tensors(weights.collect()).map_err(|e| format(e.to_string()))?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::Picture;
    use crate::safetensors::Tensor;
    use std::collections::BTreeMap;

    /// A network of the right form with one channel a layer.
    fn smallest() -> BTreeMap<String, Tensor> {
        let convolutions = ["net.slice1.0", "net.slice2.3", "net.slice3.6", "net.slice4.8", "net.slice5.10"];
        let mut tensors = BTreeMap::new();
        for (k, (name, size)) in convolutions.into_iter().zip([11, 5, 3, 3, 3]).enumerate() {
            let input = if k == 0 { 3 } else { 1 };
            let mut put = |name: String, shape: Vec<usize>, value: f32| {
                let data = vec![value; shape.iter().product()];
                tensors.insert(name, Tensor { shape, data });
            };
            put(format!("{name}.weight"), vec![1, input, size, size], 0.01);
            put(format!("{name}.bias"), vec![1], 0.1);
            put(format!("lin{k}.model.1.weight"), vec![1, 1, 1, 1], 0.5);
        }
        tensors
    }

    #[test]
    fn a_file_is_read_and_what_is_none_is_refused_by_name() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("alex.safetensors");
        let mut tensors = smallest();
        std::fs::write(&path, safetensors::to_bytes(&tensors).expect("a file")).expect("written");
        let grey = |v: f64| Picture { width: 40, height: 40, rgb: vec![[v; 3]; 1600] };
        let distance = read_lpips(&path).expect("weights").distance(&grey(0.2), &grey(0.2)).expect("runs");
        assert_eq!(distance, Some(0.0), "ready to run");
        let refused = |path: &Path, words: &str| {
            let problem = read_lpips(path).expect_err(words);
            assert!(matches!(problem, PipelineError::Files(ExportError::Format { .. })), "input, not a failure");
            let text = problem.to_string();
            assert!(text.contains(words) && text.contains("alex"), "`{words}` and the file in: {text}");
        };
        refused(&path.with_file_name("alex-is-not-there"), "cannot be read");
        tensors.remove("lin2.model.1.weight");
        std::fs::write(&path, safetensors::to_bytes(&tensors).expect("a file")).expect("written");
        refused(&path, "there is no `lin2.model.1.weight`");
        std::fs::write(&path, b"PK no such format").expect("written");
        refused(&path, "is cut short");
    }
}
