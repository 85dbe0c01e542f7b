//! Where this program keeps what is the user's own, and reading what nobody has vouched for.

use std::io::Read;
use std::path::{Path, PathBuf};

/// A folder of the user's that is for one kind of files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum UserFolder {
    /// What can be made again.
    Cache,
    /// What was fetched or made once and is read again.
    Data,
    /// Choices.
    #[cfg_attr(not(feature = "studio"), allow(dead_code, reason = "the window's"))]
    Settings,
}

impl UserFolder {
    /// The program's folder in it, which may not exist yet; `None` where the system names no place. Names that are no absolute
    /// paths are passed over, as the XDG base directory specification has it.
    pub(crate) fn path(self) -> Option<PathBuf> {
        let of = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
        let (named, below_home, on_mac, on_windows) = match self {
            Self::Cache => ("XDG_CACHE_HOME", ".cache", "Library/Caches", "LOCALAPPDATA"),
            Self::Data => ("XDG_DATA_HOME", ".local/share", "Library/Application Support", "LOCALAPPDATA"),
            Self::Settings => ("XDG_CONFIG_HOME", ".config", "Library/Application Support", "APPDATA"),
        };
        // Scripts and tests move the cache by its variable on all systems.
        let named = if self == Self::Cache || cfg!(not(any(windows, target_os = "macos"))) { of(named) } else { None };
        let base = named.or_else(|| {
            if cfg!(windows) {
                of(on_windows)
            } else {
                of("HOME").map(|home| home.join(if cfg!(target_os = "macos") { on_mac } else { below_home }))
            }
        });
        Some(base?.join("thenar"))
    }
}

/// The bytes of a file that has `most` at the most; `None` of a larger one, of which it is not read to the end.
///
/// # Errors
/// The system's.
pub(crate) fn read_at_most(path: &Path, most: u64) -> std::io::Result<Option<Vec<u8>>> {
    let file = std::fs::File::open(path)?;
    let length = file.metadata()?.len();
    if length > most {
        return Ok(None);
    }
    // It may grow, or not know its length; otherwise the memory is taken once, with a byte more that finds the end.
    let mut bytes = Vec::with_capacity(usize::try_from(length).unwrap_or(0).saturating_add(1));
    file.take(most + 1).read_to_end(&mut bytes)?;
    Ok((bytes.len() as u64 <= most).then_some(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_read_up_to_their_limit() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("five");
        std::fs::write(&path, b"12345").expect("writes");
        assert_eq!(read_at_most(&path, 5).expect("reads").as_deref(), Some(&b"12345"[..]), "all of it");
        assert_eq!(read_at_most(&path, 4).expect("reads"), None, "more than is read");
        assert!(read_at_most(&folder.path().join("none"), 4).is_err(), "there is none");
    }

    #[test]
    fn each_kind_has_a_folder_of_its_own_and_an_absolute_one() {
        let found = [UserFolder::Cache, UserFolder::Data, UserFolder::Settings].map(UserFolder::path);
        for path in found.iter().flatten() {
            assert!(path.is_absolute() && path.ends_with("thenar"), "{path:?}");
        }
        assert!(
            found[0].is_none() || (found[0] != found[1] && found[0] != found[2]),
            "caches may be deleted: {found:?}"
        );
    }
}
