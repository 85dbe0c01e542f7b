//! Letters that the embedded fonts lack: Chinese, Japanese and Korean names of folders and files.
//!
//! A font with all of them weighs 10 MB and more, so none is embedded: one of the system's is used, if there is one, behind
//! the embedded fonts. It is looked for on a thread of its own, by file name in the places where systems keep fonts, and
//! taken only when it can be read and has the letters: egui ends the program over a font that it cannot parse.

use egui::epaint::text::{FontInsert, FontPriority, InsertFontFamily};
use egui::{FontData, FontFamily};
use skrifa::raw::FileRef;
use skrifa::string::StringId;
use skrifa::{FontRef, MetadataProvider as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, mpsc};

/// Beginnings of file names, letters and digits only and in lower case, best first: both of Google's names, Adobe's, the
/// `WenQuanYi` fonts, then what macOS and Windows bring, then Android's old fallback.
const NAMES: [&str; 14] = [
    "notosanscjk",
    "notosanssc",
    "sourcehansans",
    "wqymicrohei",
    "wqyzenhei",
    "hiraginosansgb",
    "pingfang",
    "stheiti",
    "msyh",
    "simsun",
    "yugoth",
    "malgun",
    "droidsansfallback",
    "notoserifcjk",
];
/// Letters that a font must have: 手 (hand), in all three scripts' common stock.
const LETTERS: [char; 1] = ['手'];
/// Folders within folders that are searched.
const DEPTH: usize = 6;
/// The largest file that is read.
const MAX_BYTES: u64 = 128 << 20;

/// Looks for a font on a thread of its own and calls `wake` when it was found. `None` when there is no thread to be had.
pub(super) fn look_for_cjk(wake: Arc<dyn Fn() + Send + Sync>) -> Option<mpsc::Receiver<FontInsert>> {
    let (sender, receiver) = mpsc::sync_channel(1);
    let look = move || match find(&folders(), &LETTERS) {
        Some((path, font)) => {
            tracing::info!("letters of Chinese, Japanese and Korean are from {}", path.display());
            // The window may be gone by now.
            if sender.send(insert(font)).is_ok() {
                wake();
            }
        }
        None => tracing::info!("no font with Chinese, Japanese and Korean letters is installed; they show as boxes"),
    };
    std::thread::Builder::new().name("thenar-fonts".to_owned()).spawn(look).ok()?;
    Some(receiver)
}

fn insert(font: FontData) -> FontInsert {
    let behind = |family| InsertFontFamily { family, priority: FontPriority::Lowest };
    FontInsert::new("cjk", font, vec![behind(FontFamily::Proportional), behind(FontFamily::Monospace)])
}

/// Where systems keep fonts, the user's own first.
fn folders() -> Vec<PathBuf> {
    let variable = |name: &str| std::env::var_os(name).filter(|v| !v.is_empty()).map(PathBuf::from);
    let mut all: Vec<PathBuf> = Vec::new();
    let home = variable("HOME");
    if cfg!(windows) {
        all.extend(variable("LOCALAPPDATA").map(|d| d.join("Microsoft/Windows/Fonts")));
        all.push(variable("WINDIR").unwrap_or_else(|| "C:/Windows".into()).join("Fonts"));
    } else if cfg!(target_os = "macos") {
        all.extend(home.map(|h| h.join("Library/Fonts")));
        all.extend(["/Library/Fonts", "/System/Library/Fonts"].map(PathBuf::from));
    } else {
        all.extend(variable("XDG_DATA_HOME").map(|d| d.join("fonts")));
        all.extend(home.iter().flat_map(|h| [h.join(".local/share/fonts"), h.join(".fonts")]));
        all.extend(["/usr/local/share/fonts", "/usr/share/fonts", "/run/host/fonts"].map(PathBuf::from));
    }
    all
}

/// The first file by the order of [`NAMES`] that can be read and has the letters.
fn find(folders: &[PathBuf], letters: &[char]) -> Option<(PathBuf, FontData)> {
    let mut candidates = Vec::new();
    for folder in folders {
        collect(folder, DEPTH, &mut candidates);
    }
    candidates.sort();
    candidates.into_iter().find_map(|(_, path)| Some((path.clone(), read(&path, letters)?)))
}

/// Files whose names are known, with their ranks.
fn collect(folder: &Path, depth: usize, out: &mut Vec<(usize, PathBuf)>) {
    // What cannot be listed is not searched.
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            if depth > 0 {
                collect(&path, depth - 1, out);
            }
        } else if let Some(rank) = rank(&path) {
            out.push((rank, path));
        }
    }
}

/// Position in [`NAMES`], regular weights before others.
fn rank(path: &Path) -> Option<usize> {
    let ending = path.extension()?.to_str()?.to_lowercase();
    if !["ttf", "ttc", "otf", "otc"].contains(&ending.as_str()) {
        return None;
    }
    let name = path.file_stem()?.to_str()?.to_lowercase();
    let plain: String = name.chars().filter(char::is_ascii_alphanumeric).collect();
    let position = NAMES.iter().position(|n| plain.starts_with(n))?;
    let heavy = ["bold", "light", "black", "thin", "heavy", "bd"].iter().any(|w| plain.contains(w));
    Some(position * 2 + usize::from(heavy))
}

/// The face of a font file that has the letters; in a collection the one for simplified Chinese, if it says so.
fn read(path: &Path, letters: &[char]) -> Option<FontData> {
    if path.metadata().ok()?.len() > MAX_BYTES {
        return None;
    }
    let bytes = std::fs::read(path).ok()?;
    let index = face(&bytes, letters)?;
    Some(FontData { index, ..FontData::from_owned(bytes) })
}

fn face(bytes: &[u8], letters: &[char]) -> Option<u32> {
    let has = |font: &FontRef<'_>| letters.iter().all(|c| font.charmap().map(*c).is_some());
    let named = |font: &FontRef<'_>| {
        let name = font.localized_strings(StringId::FAMILY_NAME).english_or_first();
        name.is_some_and(|n| n.chars().collect::<String>().ends_with(" SC"))
    };
    let faces: Vec<(u32, FontRef<'_>)> = (0..)
        .zip(FileRef::new(bytes).ok()?.fonts())
        .filter_map(|(i, font)| Some((i, font.ok()?)))
        .filter(|(_, font)| has(font))
        .collect();
    faces.iter().find(|(_, font)| named(font)).or_else(|| faces.first()).map(|(i, _)| *i)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_font_is_taken_by_name_and_content_and_broken_ones_are_passed_over() {
        let dir = tempfile::tempdir().expect("a folder");
        let deep = dir.path().join("truetype/wqy");
        std::fs::create_dir_all(&deep).expect("made");
        // The best name, but rubbish: egui would panic over it.
        std::fs::write(dir.path().join("NotoSansCJK-Regular.ttc"), b"this is no font").expect("written");
        let folders = [dir.path().to_owned(), dir.path().join("no such folder")];
        assert!(find(&folders, &['A']).is_none(), "rubbish is not taken");
        let embedded = egui::FontDefinitions::default();
        let bytes = &embedded.font_data["Ubuntu-Light"].font;
        std::fs::write(deep.join("Unrelated.ttf"), bytes).expect("written");
        assert!(find(&folders, &['A']).is_none(), "files of other names are not read");
        std::fs::write(deep.join("wqy-microhei.ttc"), bytes).expect("written");
        let (path, font) = find(&folders, &['A']).expect("a font with A");
        assert_eq!((path, font.index), (deep.join("wqy-microhei.ttc"), 0), "the second name, further down");
        assert!(find(&folders, &['手']).is_none(), "a font without the letters is no help");
        let ctx = egui::Context::default();
        ctx.add_font(insert(font));
        ctx.begin_pass(egui::RawInput::default());
        let _ = ctx.end_pass();
        ctx.begin_pass(egui::RawInput::default());
        let used = ctx.fonts(|f| f.definitions().families[&FontFamily::Proportional].clone());
        let _ = ctx.end_pass();
        assert_eq!(used.last().map(String::as_str), Some("cjk"), "behind the embedded ones: {used:?}");
    }

    #[test]
    fn regular_weights_of_the_best_names_come_first() {
        let of = |name: &str| rank(Path::new(name));
        assert!(of("NotoSansCJK-Regular.ttc") < of("NotoSansCJK-Bold.ttc"), "regular before bold");
        assert!(of("NotoSansCJK-Bold.ttc") < of("wqy-zenhei.ttc"), "better names first");
        assert!(of("Hiragino Sans GB.ttc").is_some() && of("msyh.ttc").is_some(), "macOS and Windows");
        assert_eq!((of("DejaVuSans.ttf"), of("NotoSansCJK.txt")), (None, None), "others are not candidates");
    }
}
