//! The bench that the tests of the panels work at.

use super::super::*;
use crate::studio::backend::Backend;
use crate::studio::session::Effect;
use crate::studio::testing::{MorphBackend, test_capture};
use crate::studio::worker::{Command, Event, TakenSnapshot};
use egui::{Event as Input, Key, Modifiers, PointerButton, Pos2, RawInput, vec2};
use std::sync::Arc;
use std::time::Duration;

/// A row of a text.
#[derive(Debug)]
pub(super) struct Row {
    pub(super) text: String,
    /// Where it lies.
    pub(super) whole: Rect,
    /// What its frame leaves of it.
    pub(super) seen: Rect,
}

/// A window without a screen.
pub(super) struct Bench {
    pub(super) ctx: Context,
    pub(super) session: Session,
    pub(super) textures: Textures,
    pub(super) centre: Rect,
    pub(super) size: egui::Vec2,
    pub(super) texts: Vec<(String, Rect)>,
    /// The rows of all texts.
    pub(super) rows: Vec<Row>,
    /// What a screen reader is told.
    pub(super) nodes: Vec<(egui::accesskit::NodeId, egui::accesskit::Node)>,
    focused: Option<egui::accesskit::Node>,
    copied: Option<String>,
}

impl Bench {
    pub(super) fn new() -> Self {
        let ctx = Context::default();
        ctx.enable_accesskit();
        apply_theme(&ctx, false);
        let session = Session::new(MorphBackend::default().presets());
        Self {
            ctx,
            session,
            textures: Textures::default(),
            centre: Rect::NOTHING,
            size: vec2(1280.0, 800.0),
            texts: Vec::new(),
            rows: Vec::new(),
            nodes: Vec::new(),
            focused: None,
            copied: None,
        }
    }

    /// With a capture of four views.
    pub(super) fn opened() -> Self {
        let mut bench = Self::new();
        let capture = Arc::new(test_capture(4));
        let thumbnails = capture.views.iter().map(|v| crate::studio::picture::thumbnail(&v.image, 64)).collect();
        bench.session.on_event(Event::Device(Ok("test".to_owned())));
        let results = "two_lumps.thenar/runs".into();
        bench.session.on_event(Event::Opened { capture, thumbnails, run: None, has_engine: false, results });
        bench
    }

    /// With a finished run of the test engine.
    pub(super) fn finished() -> Self {
        let mut bench = Self::opened();
        let effect = bench.session.apply(Action::Start);
        let Some(Effect::Send(Command::Start(request))) = effect else {
            panic!("starting asks the worker: {effect:?}")
        };
        let backend = MorphBackend { steps: 120, ..MorphBackend::default() };
        let mut started = backend.start(&request).expect("the test engine starts");
        bench.session.on_event(Event::Started { run_dir: started.run_dir, steps: started.steps });
        loop {
            match started.engine.advance().expect("a step") {
                crate::pipeline::Advance::Stepped(report) => {
                    let every = report.iter % 8 == 0;
                    bench.session.on_event(Event::Step(report));
                    if every {
                        let snapshot = Arc::new(started.engine.snapshot().expect("a snapshot"));
                        bench.session.on_snapshot(TakenSnapshot { snapshot, cost: Duration::ZERO, device_bytes: None });
                    }
                }
                crate::pipeline::Advance::StageDone(stage, findings) => {
                    bench.session.on_event(Event::StageDone(stage, findings));
                }
                crate::pipeline::Advance::Finished => break,
                crate::pipeline::Advance::Working => {}
            }
        }
        bench.session.on_event(Event::Finished);
        let request = bench.session.wants_picture().expect("a picture of the selected view is wanted");
        let rendered = started.engine.render_view(&request.snapshot, request.view, request.look).expect("a picture");
        let capture = bench.session.capture.clone().expect("opened");
        let picture = crate::studio::picture::Picture::new(
            rendered,
            capture.views.get(request.view),
            (request.snapshot.step, request.look),
            Duration::from_millis(1),
            true,
        );
        bench.session.on_picture(picture);
        // It would go by itself after some seconds, which a busy machine may take for a test.
        bench.session.notice = None;
        bench
    }

    pub(super) fn frame(&mut self, events: Vec<Input>) -> Vec<Action> {
        let input =
            RawInput { screen_rect: Some(Rect::from_min_size(Pos2::ZERO, self.size)), events, ..RawInput::default() };
        let mut actions = Vec::new();
        self.ctx.begin_pass(input);
        self.centre = layout(&self.ctx, &mut self.session, &mut self.textures, &mut actions);
        let output = self.ctx.end_pass();
        for command in output.platform_output.commands {
            if let egui::OutputCommand::CopyText(text) = command {
                self.copied = Some(text);
            }
        }
        let update = output.platform_output.accesskit_update.expect("it was asked for");
        self.focused = update.nodes.iter().find(|(id, _)| *id == update.focus).map(|(_, node)| node.clone());
        self.nodes = update.nodes;
        self.texts.clear();
        self.rows.clear();
        for clipped in output.shapes {
            collect(&clipped.shape, clipped.clip_rect, self);
        }
        actions
    }

    pub(super) fn settle(&mut self) {
        for _ in 0..3 {
            assert!(self.frame(Vec::new()).is_empty(), "nothing happens by itself");
        }
    }

    /// A click on a text that is these words and no others.
    pub(super) fn click_exactly(&mut self, words: &str) -> Vec<Action> {
        let found = self.texts.iter().find(|(t, _)| t == words).unwrap_or_else(|| panic!("`{words}` is on screen"));
        self.click_at(found.1.center())
    }

    pub(super) fn says(&self, words: &str) -> bool {
        self.texts.iter().any(|(t, _)| t.contains(words))
    }

    /// Letters and signs on screen that the font does not have.
    pub(super) fn missing_glyphs(&self) -> std::collections::BTreeSet<char> {
        let has = |c: &char| {
            self.ctx.fonts_mut(|f| f.fonts.font(&egui::FontFamily::Proportional).characters().contains_key(c))
        };
        let shown = self.texts.iter().flat_map(|(t, _)| t.chars()).filter(|c| !c.is_whitespace());
        let all: std::collections::BTreeSet<char> = shown.collect();
        all.into_iter().filter(|c| !has(c)).collect()
    }

    pub(super) fn click_at(&mut self, at: Pos2) -> Vec<Action> {
        let button = |pressed| Input::PointerButton {
            pos: at,
            button: PointerButton::Primary,
            pressed,
            modifiers: Modifiers::NONE,
        };
        self.frame(vec![Input::PointerMoved(at)]);
        let mut actions = self.frame(vec![button(true)]);
        actions.extend(self.frame(vec![button(false)]));
        actions
    }

    pub(super) fn click(&mut self, words: &str) -> Vec<Action> {
        let found =
            self.texts.iter().find(|(t, _)| t.contains(words)).unwrap_or_else(|| panic!("`{words}` is on screen"));
        self.click_at(found.1.center())
    }

    /// Places of what has a name that begins so.
    pub(super) fn names(&self, name: &str) -> Vec<Rect> {
        let named = self
            .nodes
            .iter()
            .map(|(_, node)| node)
            .filter(|node| node.label().is_some_and(|label| label.starts_with(name)));
        named.filter_map(egui::accesskit::Node::bounds).map(rect).collect()
    }

    /// Place of what has this name.
    pub(super) fn node(&self, name: &str) -> Rect {
        let node = self.nodes.iter().map(|(_, node)| node).find(|node| node.label() == Some(name));
        rect(node.and_then(egui::accesskit::Node::bounds).unwrap_or_else(|| panic!("`{name}` is there")))
    }

    /// Middle of a panel's title.
    pub(super) fn tab(&self, pane: Pane) -> Pos2 {
        let tab = |node: &&egui::accesskit::Node| node.role() == egui::accesskit::Role::Tab;
        let node = self.nodes.iter().map(|(_, node)| node).filter(tab).find(|node| node.label() == Some(pane.title()));
        let node = node.and_then(egui::accesskit::Node::bounds).unwrap_or_else(|| panic!("{pane:?} has a title"));
        rect(node).center()
    }

    /// Name of what has the keys.
    pub(super) fn focused(&self) -> Option<String> {
        self.focused.as_ref().and_then(|node| node.label()).map(str::to_owned)
    }

    /// A click on what has this name.
    pub(super) fn click_named(&mut self, name: &str) -> Vec<Action> {
        let tab = |node: &&egui::accesskit::Node| node.role() != egui::accesskit::Role::Tab;
        let node = self
            .nodes
            .iter()
            .map(|(_, node)| node)
            .filter(tab)
            .find(|node| node.label().is_some_and(|l| l.trim() == name));
        let node = node.and_then(egui::accesskit::Node::bounds).unwrap_or_else(|| panic!("`{name}` is there"));
        self.click_at(rect(node).center())
    }

    /// What a click on this button puts on the clipboard.
    pub(super) fn copied(&mut self, words: &str) -> Option<String> {
        self.copied = None;
        self.click(words);
        self.copied.take()
    }

    pub(super) fn key(&mut self, key: Key, modifiers: Modifiers) -> Vec<Action> {
        let press = |pressed| Input::Key { key, physical_key: None, pressed, repeat: false, modifiers };
        self.ctx.input_mut(|i| i.modifiers = modifiers);
        self.frame(vec![press(true), press(false)])
    }
}

#[expect(clippy::cast_possible_truncation, reason = "positions on screen")]
fn rect(r: egui::accesskit::Rect) -> Rect {
    Rect::from_min_max(Pos2::new(r.x0 as f32, r.y0 as f32), Pos2::new(r.x1 as f32, r.y1 as f32))
}

fn collect(shape: &egui::Shape, clip: Rect, bench: &mut Bench) {
    match shape {
        egui::Shape::Vec(shapes) => shapes.iter().for_each(|s| collect(s, clip, bench)),
        egui::Shape::Text(t) => {
            let rect = t.galley.rect.translate(t.pos.to_vec2());
            if clip.intersects(rect) {
                bench.texts.push((t.galley.text().to_owned(), rect));
            }
            for row in &t.galley.rows {
                let whole = row.rect_without_leading_space().translate(t.pos.to_vec2());
                bench.rows.push(Row { text: row.text().trim().to_owned(), whole, seen: whole.intersect(clip) });
            }
        }
        _ => {}
    }
}
