# Sourced by scripts/run and scripts/test: what a machine needs to build thenar and to show its window.
#
#   setup_environment           cache folders, the Vulkan driver of machines without a GPU
#   setup_packages PACKAGE…     Debian/Ubuntu: installs what is missing of the basic packages and of PACKAGE…
#   dialog_package              prints the package that the window's folder dialogs need, if one is missing
#   setup_rust [COMPONENT…]     a Rust toolchain that is new enough
#   setup_workflow              a Python environment with the workflow engine and its test tools; fails without a network
#   setup_readers               the same with the libraries that read exports
#   setup_browser               Chromium, where no browser is
#   step NAME COMMAND…          runs COMMAND and prints how long it took
#
# Nothing here needs a keyboard, and everything may be run twice: what is there already is left as it is.

# Compiling needs a C linker; the rest are the libraries that the window and wgpu load at run time.
readonly BASIC_PACKAGES=(
    gcc libc6-dev
    libvulkan1 mesa-vulkan-drivers
    libx11-6 libx11-xcb1 libxcursor1 libxi6 libxkbcommon-x11-0
)

say() { printf '==> %s\n' "$*" >&2; }

fail() {
    printf 'error: %s\n' "$*" >&2
    exit 1
}

# Runs a command as root: as it is when we are root, through sudo otherwise.
as_root() {
    if [ "$(id -u)" -eq 0 ]; then
        "$@"
    elif command -v sudo >/dev/null; then
        sudo "$@"
    else
        fail "root is needed for: $* (no sudo here: run that command as root, then start again)"
    fi
}

installed() { dpkg-query -W -f='${db:Status-Status}' "$1" 2>/dev/null | grep -qx installed; }

# What shows the window's folder dialogs: the desktop's portal where there is one, else zenity.
dialog_package() { installed xdg-desktop-portal || echo zenity; }

setup_packages() {
    local missing=() package
    if ! command -v apt-get >/dev/null || ! command -v dpkg-query >/dev/null; then
        say "no apt-get here: README.md says what this system needs; going on with what is there"
        return
    fi
    for package in "${BASIC_PACKAGES[@]}" "$@"; do
        installed "$package" || missing+=("$package")
    done
    [ ${#missing[@]} -gt 0 ] || return 0
    say "installing ${missing[*]}"
    as_root apt-get update -q
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends "${missing[@]}"
}

# `rust-version` of Cargo.toml, e.g. 1.95.
wanted_rust() { sed -n 's/^rust-version = "\(.*\)"/\1/p' Cargo.toml; }

# True when the rustc on the path is at least version $1.
rust_at_least() {
    local have
    have=$(rustc --version 2>/dev/null | cut -d' ' -f2) || return 1
    [ -n "$have" ] && [ "$(printf '%s\n%s\n' "$1" "$have" | sort -V | head -n 1)" = "$1" ]
}

# True when the rustc on the path is a release of version $1 (1.95.0 for 1.95): its lints are the ones we answer to.
rust_is() { rustc --version 2>/dev/null | cut -d' ' -f2 | grep -q "^$1\(\.\|$\)"; }

setup_rust() {
    local wanted component
    wanted=$(wanted_rust)
    if ! command -v cargo >/dev/null && [ -f "$HOME/.cargo/env" ]; then
        # shellcheck source=/dev/null
        . "$HOME/.cargo/env"
    fi
    if ! command -v cargo >/dev/null && ! command -v rustup >/dev/null; then
        setup_packages curl ca-certificates
        command -v curl >/dev/null || fail "Rust $wanted or newer is needed: see https://rustup.rs"
        say "installing Rust through rustup (https://rustup.rs)"
        curl --proto '=https' --tlsv1.2 -sSf https://sh.rustup.rs |
            sh -s -- -y --profile minimal --default-toolchain stable --no-modify-path
        # shellcheck source=/dev/null
        . "$HOME/.cargo/env"
    fi
    if ! rust_at_least "$wanted"; then
        command -v rustup >/dev/null ||
            fail "Rust $wanted or newer is needed, here is $(rustc --version 2>&1): see https://rustup.rs"
        say "installing Rust $wanted beside the one that is here"
        rustup toolchain install "$wanted" --profile minimal
        export RUSTUP_TOOLCHAIN="$wanted"
    fi
    for component in "$@"; do
        if ! cargo "${component/rustfmt/fmt}" --version >/dev/null 2>&1; then
            command -v rustup >/dev/null || fail "cargo ${component/rustfmt/fmt} is missing and there is no rustup to add it"
            rustup component add "$component"
        fi
    done
}

# On a machine without a GPU node the Vulkan loader would try every hardware driver first and complain: name the
# software one. A driver that the user has named stays.
use_software_vulkan() {
    local icd
    [ "$(uname -s)" = Linux ] || return 0
    [ -z "${VK_ICD_FILENAMES:-}${VK_DRIVER_FILES:-}" ] || return 0
    for icd in /dev/dri /dev/nvidia0 /dev/dxg; do
        [ ! -e "$icd" ] || return 0
    done
    for icd in /usr/share/vulkan/icd.d/lvp_icd*.json; do
        if [ -f "$icd" ]; then
            export VK_ICD_FILENAMES="$icd"
            say "no GPU here: using the software Vulkan driver ($icd)"
            return 0
        fi
    done
}

# Cargo tells a stale build by time stamps, and one target folder serves every checkout of this machine: files of a
# checkout that was made before the last build of another one would look up to date. So the roots of our own targets
# are touched whenever the checkout is another one than last time. Dependencies are not affected.
claim_target_folder() {
    local stamp="$CARGO_TARGET_DIR/last-checkout"
    mkdir -p "$CARGO_TARGET_DIR"
    if [ "$(cat "$stamp" 2>/dev/null)" != "$PWD" ]; then
        find src/lib.rs src/main.rs tests benches -maxdepth 1 -name '*.rs' -exec touch {} + 2>/dev/null || true
        printf '%s\n' "$PWD" >"$stamp"
    fi
}

setup_environment() {
    : "${HOME:=$(getent passwd "$(id -u)" | cut -d: -f6)}"
    export HOME
    local cache="${XDG_CACHE_HOME:-$HOME/.cache}/thenar"
    export CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-$cache/target}"
    # The software driver compiles each shader at its first use and keeps the result here.
    export MESA_SHADER_CACHE_DIR="${MESA_SHADER_CACHE_DIR:-$cache/mesa}"
    mkdir -p "$MESA_SHADER_CACHE_DIR"
    if [ -z "${XDG_RUNTIME_DIR:-}" ]; then
        export XDG_RUNTIME_DIR="$cache/runtime"
        mkdir -p "$XDG_RUNTIME_DIR"
        chmod 700 "$XDG_RUNTIME_DIR"
    fi
    use_software_vulkan
    claim_target_folder
}

# A Python environment NAME with the packages of the requirements FILE…, the last of which is installed (it names the others);
# its folder is printed. It is made anew when these or the Python change; a file in it says that it is complete.
python_environment() {
    local name="$1" python folder stamp
    shift
    python=$(command -v python3) || return 1
    "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || return 1
    stamp=$({ "$python" -c 'import sys; print(sys.version, sys.executable)' && cat "$@"; } | sha256sum)
    folder="${XDG_CACHE_HOME:-$HOME/.cache}/thenar/$name/${stamp:0:16}"
    if [ ! -e "$folder/complete" ]; then
        say "installing ${*: -1}"
        rm -rf "${folder%/*}"
        "$python" -m venv "$folder" >&2 &&
            "$folder/bin/python" -m pip install --quiet --disable-pip-version-check --no-compile \
                --requirement "${*: -1}" >&2 &&
            touch "$folder/complete" || return 1
    fi
    printf '%s\n' "$folder"
}

setup_workflow() { python_environment workflow workflow/requirements.txt workflow/requirements-test.txt; }

# The readers that exports are tried with.
setup_readers() { python_environment readers scripts/readers.txt; }

# A browser for the test of reports: 120 MB to download.
setup_browser() {
    command -v chromium >/dev/null || command -v chromium-browser >/dev/null || command -v google-chrome >/dev/null ||
        (setup_packages chromium) >&2
}

# Runs a command with its name before it and its seconds after it; ends the script when it fails.
step() {
    local name="$1" began=$SECONDS
    shift
    say "$name"
    if "$@"; then
        say "$name: ok, $((SECONDS - began)) s"
    else
        local status=$?
        say "$name: FAILED ($status), $((SECONDS - began)) s"
        exit "$status"
    fi
}
