//! Every command of the window, in one table: it feeds the menus, the tips of the buttons, the keys, the palette, the sheet
//! of keys and the scripts of the tests, so that none of them can say something else than the others.

mod edit_rows;
mod panel_rows;
mod run_rows;
mod search;
mod sight_rows;
mod table;
mod work_rows;

pub(crate) use search::search;
pub(crate) use table::{Id, TABLE};

use super::session::{Action, Session};
use egui::{Key, KeyboardShortcut, ModifierNames, Modifiers};

/// Where a command is listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Menu {
    /// Captures, runs, files.
    File,
    /// What the next run is given.
    Edit,
    /// The 3D view.
    View,
    /// The compare panel.
    Compare,
    /// Computing, and the snapshots of it.
    Run,
    /// Panels.
    Window,
    /// Keys and commands.
    Help,
}

impl Menu {
    /// All menus from left to right.
    pub(crate) const ALL: [Self; 7] =
        [Self::File, Self::Edit, Self::View, Self::Compare, Self::Run, Self::Window, Self::Help];

    /// Name on screen.
    #[must_use]
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::File => "File",
            Self::Edit => "Edit",
            Self::View => "View",
            Self::Compare => "Compare",
            Self::Run => "Run",
            Self::Window => "Window",
            Self::Help => "Help",
        }
    }
}

/// Something that can be asked of the window.
#[derive(Clone, Copy)]
pub(crate) struct Entry {
    /// Which.
    pub id: Id,
    /// Name in scripts.
    pub word: &'static str,
    /// Where it is listed.
    pub menu: Menu,
    /// Name on screen; with an ellipsis where more is asked before anything happens.
    pub name: &'static str,
    /// Keys that do it, the shown one first.
    pub keys: &'static [KeyboardShortcut],
    /// What it does, in a sentence without a full stop.
    pub help: &'static str,
    /// A line stands above it in its menu.
    pub ruled: bool,
    /// Works as long as its key is held.
    pub held: bool,
    /// Has its key only in a mode, while it can be carried out; else the key is another command's.
    pub in_mode: bool,
    /// The mode in which it has its key, where it can be carried out outside of it as well.
    mode: fn(&Session) -> bool,
    /// Why it cannot be done now, if so.
    pub why_not: fn(&Session) -> Option<String>,
    /// Whether it is switched on, of a switch.
    pub on: Option<fn(&Session) -> bool>,
    run: fn(&mut Session) -> Option<Action>,
}

impl Entry {
    const fn new(id: Id, menu: Menu, word: &'static str, name: &'static str, help: &'static str) -> Self {
        Self {
            id,
            word,
            menu,
            name,
            keys: &[],
            help,
            ruled: false,
            held: false,
            in_mode: false,
            mode: |_| true,
            why_not: |_| None,
            on: None,
            run: |_| None,
        }
    }

    const fn keys(mut self, keys: &'static [KeyboardShortcut]) -> Self {
        self.keys = keys;
        self
    }

    const fn ruled(mut self) -> Self {
        self.ruled = true;
        self
    }

    const fn held(mut self) -> Self {
        self.held = true;
        self
    }

    const fn in_mode(mut self) -> Self {
        self.in_mode = true;
        self
    }

    const fn in_mode_while(mut self, mode: fn(&Session) -> bool) -> Self {
        self.in_mode = true;
        self.mode = mode;
        self
    }

    const fn when(mut self, why_not: fn(&Session) -> Option<String>) -> Self {
        self.why_not = why_not;
        self
    }

    const fn on(mut self, on: fn(&Session) -> bool) -> Self {
        self.on = Some(on);
        self
    }

    const fn does(mut self, run: fn(&mut Session) -> Option<Action>) -> Self {
        self.run = run;
        self
    }

    /// Its first key as people write it; empty without one.
    #[must_use]
    pub(crate) fn key_text(&self) -> String {
        self.keys.first().map(|k| shortcut_text(*k)).unwrap_or_default()
    }

    /// The words of a tip: what it does and its key.
    #[must_use]
    pub(crate) fn tip(&self) -> String {
        match (self.key_text(), self.held) {
            (key, _) if key.is_empty() => self.help.to_owned(),
            (key, true) => format!("{} (hold {key})", self.help),
            (key, false) => format!("{} ({key})", self.help),
        }
    }

    /// Does it, when it can be done: what is left to do is the answer.
    pub(crate) fn run(&self, session: &mut Session) -> Option<Action> {
        if (self.why_not)(session).is_some() {
            return None;
        }
        (self.run)(session)
    }
}

impl Id {
    /// Its row of the table. (The rows stand in the order of the ids, which a test holds.)
    #[must_use]
    pub(crate) fn entry(self) -> &'static Entry {
        &TABLE[self as usize]
    }
}

/// The command that scripts call so.
#[must_use]
pub(crate) fn by_word(word: &str) -> Option<&'static Entry> {
    TABLE.iter().find(|entry| entry.word == word)
}

/// A shortcut as it is written on this system.
#[must_use]
pub(crate) fn shortcut_text(shortcut: KeyboardShortcut) -> String {
    let mac = cfg!(target_os = "macos");
    let text = shortcut.format(if mac { &ModifierNames::SYMBOLS } else { &ModifierNames::NAMES }, mac);
    // egui calls these keys by names that nobody finds on a keyboard.
    let signs = [
        (Key::OpenBracket, "["),
        (Key::CloseBracket, "]"),
        (Key::OpenCurlyBracket, "{"),
        (Key::CloseCurlyBracket, "}"),
        (Key::Comma, ","),
        (Key::Period, "."),
        (Key::Plus, "+"),
        (Key::Equals, "="),
        (Key::Minus, "-"),
    ];
    match signs.iter().find(|(key, _)| *key == shortcut.logical_key) {
        Some((key, sign)) => text.replace(key.name(), sign),
        None => text,
    }
}

/// Carries out the commands whose keys were pressed. Nothing while text is typed; a command that cannot be carried out says
/// why in the log.
pub(crate) fn keys(ctx: &egui::Context, session: &mut Session, actions: &mut Vec<Action>) {
    if session.asks() || ctx.text_edit_focused() {
        session.ui.blink = false;
        return;
    }
    // What has the focus is pressed by these.
    let focused = ctx.memory(|m| m.focused().is_some());
    let taken = |key: Key| focused && matches!(key, Key::Enter | Key::Space);
    session.ui.blink = TABLE.iter().any(|e| e.id == Id::PhotographAlone && held(ctx, e)) || session.ui.photograph_alone;
    // The more modifiers the earlier: Ctrl+R would take Ctrl+Shift+R as well. And a mode before what its keys are otherwise.
    let mut chords: Vec<(KeyboardShortcut, &Entry)> =
        TABLE.iter().filter(|e| !e.held).flat_map(|e| e.keys.iter().map(move |k| (*k, e))).collect();
    chords.sort_by_key(|(k, e)| (std::cmp::Reverse(modifiers(k.modifiers)), !e.in_mode));
    for (shortcut, entry) in chords {
        if taken(shortcut.logical_key) {
            continue;
        }
        if !(entry.mode)(session) {
            continue;
        }
        let why_not = (entry.why_not)(session);
        // A key that does nothing is left to whatever else wants it, as Escape to an open menu.
        if why_not.is_some() && (entry.id == Id::Close || entry.in_mode) {
            continue;
        }
        if !ctx.input_mut(|i| i.consume_shortcut(&shortcut)) {
            continue;
        }
        match why_not {
            None => actions.extend(entry.run(session)),
            Some(why) => session.note(super::session::Level::Info, format!("{}: {why}", entry.name)),
        }
    }
}

fn held(ctx: &egui::Context, entry: &Entry) -> bool {
    entry.keys.iter().any(|k| ctx.input(|i| i.key_down(k.logical_key) && !i.modifiers.command))
}

fn modifiers(m: Modifiers) -> u8 {
    u8::from(m.alt) + u8::from(m.shift) + u8::from(m.command || m.ctrl)
}
