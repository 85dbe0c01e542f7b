//! What the desktop does for us: folder dialogs and its file manager, and whether they are there.
//!
//! On Linux `rfd` asks the desktop portal over D-Bus, then `zenity`; when neither answers it says so on the log only, and
//! its answer is that of a dialog that was closed. The window must tell the two apart.

use std::path::{Path, PathBuf};
use std::time::Duration;

/// Nobody closes a dialog sooner after asking for it.
const QUICKEST: Duration = Duration::from_millis(250);

/// True when a dialog that ended without a folder after this time was seen by somebody.
pub(super) fn was_shown(took: Duration) -> bool {
    !cfg!(target_os = "linux") || seen(took, on_path("zenity"), has_portal())
}

const fn seen(took: Duration, zenity: bool, portal: bool) -> bool {
    took.as_millis() >= QUICKEST.as_millis() && (zenity || portal)
}

fn on_path(program: &str) -> bool {
    std::env::var_os("PATH").is_some_and(|path| std::env::split_paths(&path).any(|dir| dir.join(program).is_file()))
}

/// The portal's service file is where D-Bus looks for it; in a sandbox it is outside.
fn has_portal() -> bool {
    let dirs = std::env::var_os("XDG_DATA_DIRS").filter(|v| !v.is_empty());
    let dirs = dirs.unwrap_or_else(|| "/usr/local/share:/usr/share:/run/current-system/sw/share".into());
    let service = |dir: PathBuf| dir.join("dbus-1/services/org.freedesktop.portal.Desktop.service").is_file();
    Path::new("/.flatpak-info").exists() || std::env::split_paths(&dirs).any(service)
}

/// Shows a folder in the file manager; false when there is none.
pub(super) fn reveal(folder: &Path) -> bool {
    let program = if cfg!(target_os = "macos") {
        "open"
    } else if cfg!(windows) {
        "explorer"
    } else {
        "xdg-open"
    };
    let status = std::process::Command::new(program).arg(folder).status();
    // Explorer answers 1 whatever it did.
    status.is_ok_and(|s| s.success() || cfg!(windows))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_that_nobody_can_have_given_is_no_cancel() {
        let long = Duration::from_secs(2);
        assert!(seen(long, true, false) && seen(long, false, true), "somebody closed it");
        assert!(!seen(Duration::from_millis(3), true, true), "too soon: the tool failed");
        assert!(!seen(Duration::from_secs(25), false, false), "D-Bus waited for a portal that is not there");
    }

    #[test]
    fn programs_are_looked_for_where_the_shell_does() {
        assert!(!on_path("thenar-no-such-program"), "not there");
        #[cfg(unix)]
        assert!(on_path("sh"), "there");
    }
}
