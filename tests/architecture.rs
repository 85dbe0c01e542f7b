//! Holds the layers: what may import what, where foreign crates may be named, and how shaders and files are laid out.
//! The sources are read as text; every rule is also tried on a made-up source that breaks it.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Rows of modules, lowest first. A module may import every lower row, and of its own row what [`SAME_ROW`] names.
const ROWS: [&[&str]; 7] = [
    &["anatomy", "camera", "files", "mesh", "safetensors"],
    &["capture", "detect", "hand"],
    &["gpu"],
    &["raster", "shading", "energy", "neural", "optimise", "posing"],
    &["fitting", "regressor", "synthetic", "texture"],
    &["pipeline", "preset", "export", "metrics"],
    &["cli", "studio"],
];

/// Imports within a row: (who, whom, why).
const SAME_ROW: [(&str, &str, &str); 12] = [
    ("detect", "capture", "the keypoints it finds"),
    ("shading", "raster", "the geometry buffer"),
    ("energy", "raster", "the geometry buffer"),
    ("neural", "raster", "the geometry buffer"),
    ("neural", "shading", "the shaded colour it begins at"),
    ("neural", "optimise", "its steps"),
    ("fitting", "regressor", "a start"),
    ("regressor", "synthetic", "random numbers"),
    ("pipeline", "preset", "how to fit"),
    ("pipeline", "export", "the writer of results"),
    ("pipeline", "metrics", "columns of views.csv"),
    ("export", "pipeline", "the run folder and its result types"),
];

/// Modules that a module of a row may not import although their row is lower.
const NOT_DOWNWARD: [(&str, &str); 3] = [("gpu", "capture"), ("gpu", "detect"), ("gpu", "hand")];

/// Helpers that serve everywhere and import nothing of ours.
const FREE: [&str; 1] = ["kernel_checks"];

/// Foreign crates: (crate, places that may name it). A place is a folder with `/` at its end, or a file.
const FOREIGN: [(&str, &[&str]); 13] = [
    ("bevy", &["studio/"]),
    ("bevy_egui", &["studio/"]),
    ("bevy_mikktspace", &["texture/relief.rs"]),
    ("bevy_panorbit_camera", &["studio/"]),
    ("egui", &["studio/"]),
    ("egui_plot", &["studio/"]),
    ("rfd", &["studio/"]),
    ("clap", &["cli/", "main.rs"]),
    ("wgpu", &["gpu/"]),
    ("candle_core", &["regressor/train/"]),
    ("tract_core", &["detect/network.rs", "metrics/lpips/network.rs"]),
    ("uvunwrap", &["hand/mano/layout.rs"]),
    ("anyhow", &["cli/", "studio/", "studio.rs", "main.rs"]),
];

/// Macros that print: only the command line speaks.
const PRINTING: [&str; 5] = ["println!", "eprintln!", "print!", "eprint!", "dbg!"];
const MAY_PRINT: [&str; 2] = ["cli/", "main.rs"];

/// Lines of a source file that nobody should have to hold in mind at once.
const MAX_LINES: usize = 600;

/// What stands before code that only tests see.
const TEST_MARK: &str = "#[cfg(test)]";

/// One offence, with where it is.
type Offences = BTreeSet<String>;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// All files with this ending below `folder`, as paths relative to it with `/`, sorted.
fn files(folder: &Path, ending: &str) -> Vec<(String, String)> {
    fn walk(at: &Path, ending: &str, found: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(at).unwrap_or_else(|e| panic!("{}: {e}", at.display())) {
            let path = entry.expect("a readable folder entry").path();
            if path.is_dir() {
                walk(&path, ending, found);
            } else if path.extension().is_some_and(|e| e == ending) {
                found.push(path);
            }
        }
    }
    let mut found = Vec::new();
    walk(folder, ending, &mut found);
    found.sort();
    found
        .into_iter()
        .map(|path| {
            let relative = path.strip_prefix(folder).expect("found below it").to_string_lossy().replace('\\', "/");
            let text = fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
            (relative, text)
        })
        .collect()
}

/// The code of a source: comments, strings and the body of `#[cfg(test)]` items blanked out, line breaks kept.
fn code(text: &str) -> String {
    without_tests(&without_comments_and_strings(text))
}

fn without_comments_and_strings(text: &str) -> String {
    let bytes: Vec<char> = text.chars().collect();
    let mut out = String::with_capacity(text.len());
    let mut i = 0;
    let at = |i: usize| bytes.get(i).copied().unwrap_or('\0');
    while i < bytes.len() {
        let before = if i == 0 { '\0' } else { at(i - 1) };
        let raw_hashes = (at(i) == 'r' && !before.is_alphanumeric() && before != '_')
            .then(|| (i + 1..).take_while(|&k| at(k) == '#').count())
            .filter(|hashes| at(i + 1 + hashes) == '"');
        if at(i) == '/' && at(i + 1) == '/' {
            while i < bytes.len() && at(i) != '\n' {
                i += 1;
            }
        } else if at(i) == '/' && at(i + 1) == '*' {
            let mut depth = 0;
            loop {
                if at(i) == '/' && at(i + 1) == '*' {
                    depth += 1;
                    i += 2;
                } else if at(i) == '*' && at(i + 1) == '/' {
                    depth -= 1;
                    i += 2;
                } else {
                    if at(i) == '\n' {
                        out.push('\n');
                    }
                    i += 1;
                }
                if depth == 0 || i >= bytes.len() {
                    break;
                }
            }
        } else if let Some(hashes) = raw_hashes {
            let end: Vec<char> = std::iter::once('"').chain(std::iter::repeat_n('#', hashes)).collect();
            i += hashes + 2;
            while i < bytes.len() && !bytes[i..].starts_with(&end) {
                if at(i) == '\n' {
                    out.push('\n');
                }
                i += 1;
            }
            i += end.len();
            out.push_str("\"\"");
        } else if at(i) == '"' {
            i += 1;
            while i < bytes.len() && at(i) != '"' {
                if at(i) == '\n' {
                    out.push('\n');
                }
                i += if at(i) == '\\' && at(i + 1) != '\n' { 2 } else { 1 };
            }
            i += 1;
            out.push_str("\"\"");
        } else if at(i) == '\'' && (at(i + 2) == '\'' || at(i + 1) == '\\') {
            // A character; lifetimes have no second quote there.
            i += if at(i + 1) == '\\' { 2 } else { 1 };
            while i < bytes.len() && (at(i) != '\'' || at(i - 1) == '\'') && at(i) != '\n' {
                i += 1;
            }
            i += 1;
            out.push_str("' '");
        } else {
            out.push(at(i));
            i += 1;
        }
    }
    out
}

/// Blanks the item after each `#[cfg(test)]`: up to its closing brace, or its `;` when it has none.
fn without_tests(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(start) = rest.find(TEST_MARK) {
        out.push_str(&rest[..start]);
        let mut depth = 0_usize;
        let mut end = rest.len();
        for (i, c) in rest.char_indices().skip_while(|(i, _)| *i < start + TEST_MARK.len()) {
            match c {
                '{' => depth += 1,
                '}' if depth <= 1 => {
                    end = i + 1;
                    break;
                }
                '}' => depth -= 1,
                ';' if depth == 0 => {
                    end = i + 1;
                    break;
                }
                _ => {}
            }
        }
        out.extend(rest[start..end].chars().filter(|c| *c == '\n'));
        rest = &rest[end..];
    }
    out + rest
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// Line numbers (from 1) where `word` stands as a path's head or a whole identifier (a macro's `!` belongs to the word).
fn lines_with(code: &str, word: &str) -> Vec<usize> {
    code.lines()
        .enumerate()
        .filter(|(_, line)| {
            line.match_indices(word).any(|(i, _)| {
                let before = line[..i].chars().next_back();
                let after = line[i + word.len()..].chars().next();
                !before.is_some_and(is_word) && (word.ends_with('!') || !after.is_some_and(is_word))
            })
        })
        .map(|(i, _)| i + 1)
        .collect()
}

/// The module of a file: `gpu/device.rs` and `gpu.rs` are of `gpu`.
fn module_of(file: &str) -> &str {
    file.split('/').next().unwrap_or(file).trim_end_matches(".rs")
}

/// Modules of ours that the code names: `crate::x`, `thenar::x`, and each head of `crate::{a, b::c}`.
fn imports(code: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    for root in ["crate::", "thenar::"] {
        for (i, _) in code.match_indices(root) {
            if code[..i].chars().next_back().is_some_and(is_word) {
                continue;
            }
            let line = code[..i].matches('\n').count() + 1;
            let rest = &code[i + root.len()..];
            if let Some(group) = rest.strip_prefix('{') {
                let (mut depth, mut head) = (0_usize, String::new());
                for c in group.chars() {
                    match c {
                        '}' if depth == 0 => break,
                        '{' => depth += 1,
                        '}' => depth -= 1,
                        ',' if depth == 0 => found.push((line, std::mem::take(&mut head))),
                        c if depth == 0 => head.push(c),
                        _ => {}
                    }
                }
                found.push((line, head));
            } else {
                found.push((line, rest.chars().take_while(|c| is_word(*c)).collect()));
            }
        }
    }
    // `head` may be `a::b` or ` a as c`: its first word is the module.
    found
        .into_iter()
        .map(|(line, head)| (line, head.trim_start().chars().take_while(|c| is_word(*c)).collect::<String>()))
        .filter(|(_, head)| head.chars().next().is_some_and(|c| c.is_ascii_lowercase()) && head != "self")
        .collect()
}

fn row_of(module: &str) -> Option<usize> {
    ROWS.iter().position(|row| row.contains(&module))
}

fn may_import(who: &str, whom: &str) -> bool {
    match (row_of(who), row_of(whom)) {
        _ if who == whom || who == "main" || FREE.contains(&whom) => true,
        (Some(_), Some(_)) if SAME_ROW.iter().any(|(a, b, _)| (*a, *b) == (who, whom)) => true,
        (Some(a), Some(b)) => b < a && !NOT_DOWNWARD.contains(&(who, whom)),
        _ => false,
    }
}

fn check_imports(file: &str, code: &str) -> Offences {
    let who = module_of(file);
    imports(code)
        .into_iter()
        .filter(|(_, whom)| !may_import(who, whom) && who != "lib")
        .map(|(line, whom)| format!("src/{file}:{line}: `{who}` may not import `{whom}`"))
        .collect()
}

fn is_at(file: &str, places: &[&str]) -> bool {
    places.iter().any(|place| if place.ends_with('/') { file.starts_with(place) } else { file == *place })
}

fn check_foreign(file: &str, code: &str) -> Offences {
    FOREIGN
        .iter()
        .filter(|(_, places)| !is_at(file, places))
        .flat_map(|(name, _)| {
            lines_with(code, name).into_iter().map(move |line| format!("src/{file}:{line}: `{name}` has no place here"))
        })
        .collect()
}

fn check_printing(file: &str, code: &str) -> Offences {
    if is_at(file, &MAY_PRINT) {
        return Offences::new();
    }
    PRINTING
        .iter()
        .flat_map(|name| lines_with(code, name).into_iter().map(move |line| (name, line)))
        .map(|(name, line)| format!("src/{file}:{line}: `{name}`; return it or use tracing"))
        .collect()
}

/// The core starts no thread and opens no channel (the one-shot channel of a buffer read-back in `gpu` waits for itself;
/// `detect` computes views in parallel and returns when all are done).
fn check_threads(file: &str, code: &str) -> Offences {
    if is_at(file, &["cli/", "studio/", "studio.rs", "main.rs", "gpu/", "detect/mod.rs"]) {
        return Offences::new();
    }
    ["thread::spawn", "thread::Builder", "thread::scope", "mpsc", "crossbeam_channel"]
        .iter()
        .flat_map(|name| lines_with(code, name).into_iter().map(move |line| (name, line)))
        .map(|(name, line)| format!("src/{file}:{line}: `{name}`; the core runs in its caller's thread"))
        .collect()
}

fn check_length(file: &str, text: &str) -> Offences {
    let lines = text.lines().count();
    (lines > MAX_LINES).then(|| format!("{file}: {lines} lines, at most {MAX_LINES}")).into_iter().collect()
}

/// A kernel file has exactly one compute entry point, named like the file; raster passes have their stages; `common/` none.
fn check_shader(file: &str, text: &str) -> Offences {
    let code = without_comments_and_strings(text);
    let stem = file.rsplit('/').next().unwrap_or(file).trim_end_matches(".wgsl");
    let entries: Vec<(&str, &str)> = ["@compute", "@vertex", "@fragment"]
        .into_iter()
        .flat_map(|stage| code.match_indices(stage).map(move |(i, _)| (stage, i)).collect::<Vec<_>>())
        .filter_map(|(stage, i)| {
            let name = code[i..].split_once("fn ")?.1.split(['(', ' ']).next()?;
            Some((stage, name))
        })
        .collect();
    let offence = if file.starts_with("common/") {
        (!entries.is_empty()).then(|| "shared code has no entry point".to_owned())
    } else if entries.iter().any(|(stage, _)| *stage != "@compute") {
        let stages: Vec<&str> = entries.iter().map(|(stage, _)| *stage).collect();
        (stages != ["@vertex", "@fragment"]).then(|| "a raster pass has one vertex and one fragment stage".to_owned())
    } else if entries != [("@compute", stem)] {
        Some(format!("its one entry point is to be `fn {stem}`, found {entries:?}"))
    } else {
        None
    };
    offence.map(|what| format!("shaders/{file}: {what}")).into_iter().collect()
}

/// Files that are modules of tests alone: `#[cfg(test)] mod testing;` in `gpu/mod.rs` makes `gpu/testing.rs` one.
fn test_files(file: &str, text: &str) -> Vec<String> {
    let stem = file.trim_end_matches(".rs");
    let folder = match stem.rsplit_once('/') {
        Some((folder, "mod")) => format!("{folder}/"),
        None if ["lib", "main"].contains(&stem) => String::new(),
        _ => format!("{stem}/"),
    };
    let code = without_comments_and_strings(text);
    code.split(TEST_MARK)
        .skip(1)
        .filter_map(|after| {
            let words: Vec<&str> = after.split(';').next()?.split_whitespace().collect();
            match words[..] {
                [.., "mod", name] if !after.split(';').next()?.contains('{') => Some(name.to_owned()),
                _ => None,
            }
        })
        .flat_map(|name| [format!("{folder}{name}.rs"), format!("{folder}{name}/mod.rs")])
        .collect()
}

fn sources() -> Vec<(String, String)> {
    let sources = files(&root().join("src"), "rs");
    assert!(sources.len() > 10, "the sources were found: {} files", sources.len());
    sources
}

fn assert_none(offences: Offences) {
    assert!(offences.is_empty(), "{}", offences.into_iter().collect::<Vec<_>>().join("\n"));
}

fn over_sources(check: impl Fn(&str, &str) -> Offences) {
    let sources = sources();
    let tests: BTreeSet<String> = sources.iter().flat_map(|(file, text)| test_files(file, text)).collect();
    let shipped = sources.iter().filter(|(file, _)| !tests.contains(file));
    assert_none(shipped.flat_map(|(file, text)| check(file, &code(text))).collect());
}

#[test]
fn every_module_has_a_row() {
    let unknown: Offences = sources()
        .iter()
        .map(|(file, _)| module_of(file))
        .filter(|m| row_of(m).is_none() && !FREE.contains(m) && !["lib", "main"].contains(m))
        .map(|m| format!("`{m}` is in no row of this test: give it one, and STYLE its line"))
        .collect();
    assert_none(unknown);
}

#[test]
fn imports_go_downwards() {
    over_sources(check_imports);
}

#[test]
fn foreign_crates_stay_in_their_places() {
    over_sources(check_foreign);
}

#[test]
fn the_core_prints_nothing() {
    over_sources(check_printing);
}

#[test]
fn the_core_starts_no_thread() {
    over_sources(check_threads);
}

#[test]
fn files_are_of_readable_length() {
    let shaders = files(&root().join("shaders"), "wgsl");
    assert_none(sources().iter().chain(&shaders).flat_map(|(file, text)| check_length(file, text)).collect());
}

#[test]
fn shaders_are_named_like_their_entry_points() {
    let shaders = files(&root().join("shaders"), "wgsl");
    assert!(!shaders.is_empty(), "the shaders were found");
    assert_none(shaders.iter().flat_map(|(file, text)| check_shader(file, text)).collect());
}

/// The rules at work: each on a source that keeps it and on sources that break it.
mod the_checks_find {
    use super::*;

    #[test]
    fn wrong_imports() {
        let wrong = [
            ("mesh/mod.rs", "use crate::gpu::Buffer;"),
            ("camera.rs", "fn f() { crate::hand::open_hand(); }"),
            ("gpu/mod.rs", "use crate::capture::Capture;"),
            ("raster/mod.rs", "use crate::shading::Light;"),
            ("capture/mod.rs", "use crate::hand::HandModel;"),
            ("fitting/ham.rs", "use crate::pipeline::StepReport;"),
            ("fitting/ham.rs", "use crate::{camera::Camera, export::write_ply};"),
            ("cli/mod.rs", "use crate::studio::run;"),
            ("studio/mod.rs", "use crate::\n    cli::Progress;\nuse crate::cli;"),
            ("metrics.rs", "use crate::export::obj;"),
            ("optimise/adam.rs", "use crate::nowhere;"),
        ];
        for (file, text) in wrong {
            assert_eq!(check_imports(file, &code(text)).len(), 1, "{file}: {text}");
        }
    }

    #[test]
    fn nothing_wrong_with_right_imports() {
        let right = [
            ("cli/run.rs", "use crate::pipeline::Stage;\nuse crate::gpu::GpuError;\nuse super::Exit;"),
            ("fitting/ham.rs", "use crate::{camera::Camera, energy::{photometric, laplacian}, raster};"),
            ("shading/mod.rs", "use crate::raster::GeometryBuffer;"),
            ("mesh/mod.rs", "#[cfg(test)]\nmod tests { use crate::gpu::Gpu; fn f() { if true {} } }"),
            (
                "mesh/mod.rs",
                "// use crate::gpu::Gpu;\n/* use crate::gpu; /* nested */ */\nconst S: &str = \"crate::gpu\";",
            ),
            ("mesh/mod.rs", "const S: &str = r#\"\"crate::gpu\"#;\nconst C: char = '\"';\nconst D: char = '\\'';"),
            ("energy/mod.rs", "#[cfg(test)]\nuse crate::gradcheck::central;\nfn f<'a>(x: &'a str) -> &'a str { x }"),
        ];
        for (file, text) in right {
            assert_eq!(check_imports(file, &code(text)), Offences::new(), "{file}: {text}");
        }
    }

    #[test]
    fn imports_after_a_test_module() {
        let text = "#[cfg(test)]\nmod testing;\n#[cfg(test)]\nmod tests { fn f() {} }\nuse crate::gpu::Gpu;";
        let expected = Offences::from(["src/mesh/mod.rs:5: `mesh` may not import `gpu`".to_owned()]);
        assert_eq!(check_imports("mesh/mod.rs", &code(text)), expected, "the code goes on, and the line is right");
    }

    #[test]
    fn files_of_tests() {
        let text =
            "mod buffer;\n#[cfg(test)]\npub mod testing;\n#[cfg(test)]\nmod tests { fn f() { g(); } }\nmod kernel;";
        assert_eq!(test_files("gpu/mod.rs", text), ["gpu/testing.rs", "gpu/testing/mod.rs"], "beside a mod.rs");
        assert_eq!(test_files("lib.rs", "#[cfg(test)]\nmod gradcheck;")[0], "gradcheck.rs", "beside lib.rs");
        assert_eq!(test_files("hand/mano.rs", "#[cfg(test)]\nmod tests;")[0], "hand/mano/tests.rs", "below a file");
        assert!(test_files("lib.rs", "mod gpu;\n// #[cfg(test)]\nmod mesh;").is_empty(), "shipped modules");
    }

    #[test]
    fn foreign_crates_out_of_place() {
        for (file, text) in [
            ("pipeline/mod.rs", "use bevy::prelude::Mesh;"),
            ("cli/mod.rs", "fn f(ui: &mut egui::Ui) {}"),
            ("gpu/mod.rs", "use clap::Parser;"),
            ("raster/mod.rs", "fn f(b: &wgpu::Buffer) {}"),
            ("capture/mod.rs", "fn f() -> anyhow::Result<()> { Ok(()) }"),
            ("detect/mod.rs", "use tract_core::internal::Tensor;"),
        ] {
            assert_eq!(check_foreign(file, &code(text)).len(), 1, "{file}: {text}");
        }
        for (file, text) in [
            ("studio/mod.rs", "use bevy::prelude::Mesh;"),
            ("gpu/mod.rs", "use wgpu::Buffer;"),
            ("main.rs", "use clap::Parser;"),
            ("cli/mod.rs", "use anyhow::Context;"),
            ("mesh/mod.rs", "fn wgpu_free() {}"),
        ] {
            assert_eq!(check_foreign(file, &code(text)), Offences::new(), "{file}: {text}");
        }
    }

    #[test]
    fn printing_and_threads_in_the_core() {
        assert_eq!(check_printing("fitting/ham.rs", &code("fn f() { println!(\"x\"); }")).len(), 1, "println");
        assert_eq!(check_printing("fitting/ham.rs", &code("fn f() { std::eprintln!(\"x\"); }")).len(), 1, "by path");
        assert_eq!(check_printing("cli/mod.rs", &code("fn f() { println!(\"x\"); }")), Offences::new(), "the cli may");
        assert_eq!(check_printing("mesh/mod.rs", &code("fn f() { \"println!\"; }")), Offences::new(), "a string");
        assert_eq!(
            check_threads("fitting/ham.rs", &code("use std::thread; fn f() { thread::spawn(g); }")).len(),
            1,
            "thread"
        );
        assert_eq!(check_threads("pipeline/mod.rs", &code("use crossbeam_channel::bounded;")).len(), 1, "channel");
        assert_eq!(
            check_threads("studio/worker.rs", &code("use crossbeam_channel::bounded;")),
            Offences::new(),
            "studio"
        );
    }

    #[test]
    fn long_files() {
        assert_eq!(check_length("x.rs", &"\n".repeat(MAX_LINES + 1)).len(), 1, "one line too long");
        assert_eq!(check_length("x.rs", &"\n".repeat(MAX_LINES)), Offences::new(), "just right");
    }

    #[test]
    fn misnamed_shaders() {
        let kernel = |name: &str| {
            format!("@compute @workgroup_size(64)\nfn {name}(@builtin(global_invocation_id) id: vec3u) {{}}")
        };
        assert_eq!(check_shader("optimise/adam.wgsl", &kernel("adam")), Offences::new(), "named like the file");
        assert_eq!(check_shader("optimise/adam.wgsl", &kernel("adamw")).len(), 1, "another name");
        assert_eq!(check_shader("optimise/adam.wgsl", &(kernel("adam") + &kernel("sum"))).len(), 1, "two kernels");
        assert_eq!(check_shader("optimise/adam.wgsl", "fn adam() {}").len(), 1, "no entry point");
        assert_eq!(check_shader("optimise/adam.wgsl", "// @compute fn adam() {}").len(), 1, "only a comment");
        assert_eq!(check_shader("common/index.wgsl", "fn flat_index() {}"), Offences::new(), "shared code");
        assert_eq!(check_shader("common/index.wgsl", &kernel("index")).len(), 1, "shared code with an entry point");
        let pass = "@vertex fn vs() -> V {}\n@fragment fn fs() -> F {}";
        assert_eq!(check_shader("raster/ids.wgsl", pass), Offences::new(), "a raster pass");
        assert_eq!(check_shader("raster/ids.wgsl", "@vertex fn vs() -> V {}").len(), 1, "half a raster pass");
    }
}

/// Relative targets of Markdown links in `text`, without what follows `#`.
fn links(text: &str) -> Vec<&str> {
    let ends = text.match_indices("](").filter_map(|(at, _)| text[at + 2..].split_once(')').map(|(target, _)| target));
    ends.filter(|t| !t.contains("://") && !t.starts_with(['#', '<']))
        .map(|t| t.split_once('#').map_or(t, |(file, _)| file))
        .collect()
}

#[test]
fn links_in_the_documentation_lead_somewhere() {
    let mut checked = 0;
    for folder in ["", "docs", "scenes", "mano", "shaders", "assets", "benches"] {
        let Ok(entries) = fs::read_dir(root().join(folder)) else { continue };
        for path in entries.map(|e| e.expect("a readable folder entry").path()) {
            if path.extension().is_none_or(|e| e != "md") {
                continue;
            }
            let text = fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
            for target in links(&text) {
                assert!(
                    path.with_file_name(target).exists(),
                    "{} links to {target}, which is not there",
                    path.display()
                );
                checked += 1;
            }
        }
    }
    assert!(checked > 5, "links are found: {checked}");
    assert_eq!(links("[a](b/c.md#d), [e](https://f), [g](#h)"), ["b/c.md"], "only files of ours");
}
