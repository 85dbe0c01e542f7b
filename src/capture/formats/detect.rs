//! Which formats a folder, or a single file, holds: by content, with the reason.

use super::{Format, colmap, deephandmesh, easymocap, interhand, kalibr, opencv, scene, transforms};
use crate::capture::source::Source;

/// Larger files are not looked into: calibrations are small.
const MAX_LOOK_BYTES: u64 = 8 << 20;

/// A calibration that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::capture) struct Candidate {
    pub(in crate::capture) format: Format,
    /// Its files relative to the source's root; the first stands for it in messages.
    pub(in crate::capture) files: Vec<String>,
    /// What it was told by, as in "found by …".
    pub(in crate::capture) reason: String,
}

impl Candidate {
    fn new(format: Format, files: Vec<String>, reason: impl Into<String>) -> Self {
        Self { format, files, reason: reason.into() }
    }
}

/// Everything that could be the calibration of the folder, or of the one file `only`.
pub(in crate::capture) fn candidates(source: &Source, only: Option<&str>) -> Vec<Candidate> {
    let mut found = match only {
        Some(name) => by_ending(source, name),
        None => in_folder(source),
    };
    let top = match only {
        Some(name) => vec![name.to_owned()],
        None => source.files("", &["yml", "yaml", "json"]).unwrap_or_default(),
    };
    // Files of the layout with one camera each, and files that may be damaged ones of it: those are read, too, so that
    // their cameras are missed aloud.
    let (mut single, mut suspects) = (Vec::new(), Vec::new());
    for name in top {
        let known = transforms::FILES.contains(&name.as_str()) || easymocap::FILES.contains(&name.as_str());
        if known && only.is_none() {
            continue;
        }
        let Some(text) = source.peek(&name, MAX_LOOK_BYTES) else { continue };
        let tree = super::tree::Tree::parse(&text).ok();
        let what = tree.as_ref().and_then(opencv::recognise);
        match what {
            _ if tree.as_ref().is_some_and(kalibr::recognise) => {
                let reason = format!("by `cam0` with a camera_model in {name}");
                found.push(Candidate::new(Format::Kalibr, vec![name], reason));
            }
            Some(opencv::ONE_CAMERA) => single.push(name),
            Some(what) => {
                let reason = format!("by {what} in {name}");
                found.push(Candidate::new(Format::OpenCv, vec![name], reason));
            }
            None if text.trim().is_empty() || text.starts_with("%YAML") || text.contains("opencv-matrix") => {
                suspects.push(name);
            }
            None => {}
        }
    }
    if !single.is_empty() {
        single.extend(suspects);
        single.sort();
        let reason = format!("by a camera matrix in {}", single.join(", "));
        found.push(Candidate::new(Format::OpenCv, single, reason));
    }
    found
}

fn in_folder(source: &Source) -> Vec<Candidate> {
    let mut found = Vec::new();
    if source.is_file("camera/param.npz") {
        found.push(Candidate::new(Format::Fmhr, vec!["camera/param.npz".into()], "by camera/param.npz"));
    }
    let cameras = interhand::find(source);
    if !cameras.is_empty() {
        let reason = format!("by {}", cameras.join(", "));
        found.push(Candidate::new(Format::InterHand, cameras, reason));
    }
    for name in source.files("", &["txt", ""]).unwrap_or_default() {
        if source.peek(&name, MAX_LOOK_BYTES).is_some_and(|text| deephandmesh::recognise(&text)) {
            found.push(Candidate::new(
                Format::DeepHandMesh,
                vec![name.clone()],
                format!("by blocks of K and [R | t] in {name}"),
            ));
        }
    }
    if let Some((folder, ending)) = colmap::find(source) {
        let files = vec![format!("{folder}cameras.{ending}"), format!("{folder}images.{ending}")];
        let reason = format!("by {}", files.join(" and "));
        found.push(Candidate::new(Format::Colmap, files, reason));
    }
    if let Some(name) = transforms::FILES.into_iter().find(|name| source.is_file(name)) {
        found.push(Candidate::new(Format::Transforms, vec![name.into()], format!("by {name}")));
    }
    if easymocap::FILES.iter().all(|name| source.is_file(name)) {
        let files = easymocap::FILES.map(String::from).to_vec();
        found.push(Candidate::new(Format::EasyMocap, files, "by intri.yml and extri.yml"));
    }
    if source.is_file(scene::FILE) {
        found.push(Candidate::new(Format::Scene, vec![scene::FILE.into()], "by scene.ron"));
    }
    found
}

/// A single file whose name or beginning tells the format.
fn by_ending(source: &Source, name: &str) -> Vec<Candidate> {
    let ending = name.rsplit_once('.').map_or(String::new(), |(_, e)| e.to_ascii_lowercase());
    let one = |format, reason: &str| vec![Candidate::new(format, vec![name.to_owned()], reason.to_owned())];
    let text = || source.peek(name, MAX_LOOK_BYTES).unwrap_or_default();
    match ending.as_str() {
        "npz" => one(Format::Fmhr, "by its ending .npz"),
        "ron" => one(Format::Scene, "by its ending .ron"),
        "json" if text().contains("\"transform_matrix\"") => one(Format::Transforms, "by `transform_matrix` in it"),
        "yml" | "yaml" if easymocap::FILES.contains(&name) => {
            vec![Candidate::new(
                Format::EasyMocap,
                easymocap::FILES.map(String::from).to_vec(),
                "by intri.yml and extri.yml",
            )]
        }
        "bin" | "txt" if ["cameras.", "images."].iter().any(|n| name.starts_with(n)) => {
            let files = vec![format!("cameras.{ending}"), format!("images.{ending}")];
            vec![Candidate::new(Format::Colmap, files, "by its name")]
        }
        _ if deephandmesh::recognise(&text()) => one(Format::DeepHandMesh, "by blocks of K and [R | t]"),
        _ => Vec::new(),
    }
}
