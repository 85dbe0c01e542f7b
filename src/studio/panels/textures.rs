//! Pictures as egui textures, uploaded when they change and dropped when they are no longer shown.

use crate::studio::picture::{self, Picture};
use crate::studio::session::{Session, Sought};
use egui::{Color32, ColorImage, Context, TextureHandle, TextureOptions};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The textures of the panels.
#[derive(Default)]
pub(crate) struct Textures {
    revision: u64,
    /// One small picture a view.
    pub thumbnails: Vec<TextureHandle>,
    photo: Option<(usize, TextureHandle)>,
    render: Option<(Sought, TextureHandle)>,
    difference: Option<(Sought, TextureHandle)>,
    network: Option<(u64, TextureHandle)>,
    /// Pictures of recent folders, of a revision of the cards.
    cards: (u64, Vec<(PathBuf, TextureHandle)>),
    /// The tint of a view's mask: view, revision of the edits, whether it shows a stroke that is not kept yet.
    mask: Option<((usize, u64, bool), TextureHandle)>,
}

impl std::fmt::Debug for Textures {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Textures({} thumbnails)", self.thumbnails.len())
    }
}

fn size(width: u32, height: u32) -> [usize; 2] {
    [width as usize, height as usize]
}

fn upload_rgb(ctx: &Context, name: &str, image: &image::RgbImage) -> TextureHandle {
    let image = ColorImage::from_rgb(size(image.width(), image.height()), image.as_raw());
    ctx.load_texture(name, image, TextureOptions::LINEAR)
}

/// Hand as a tint that the photograph shows through.
fn tint(mask: &image::GrayImage) -> ColorImage {
    let hand = Color32::from_rgba_unmultiplied(213, 64, 160, 110);
    let pixels = mask.as_raw().iter().map(|v| if *v > 127 { hand } else { Color32::TRANSPARENT }).collect();
    ColorImage::new(size(mask.width(), mask.height()), pixels)
}

impl Textures {
    /// Rebuilds the thumbnails after another capture was opened.
    pub(crate) fn follow(&mut self, ctx: &Context, session: &Session) {
        if self.revision != session.capture_revision {
            *self = Self { revision: session.capture_revision, ..Self::default() };
            self.thumbnails = session
                .thumbnails
                .iter()
                .enumerate()
                .map(|(i, t)| upload_rgb(ctx, &format!("thumbnail {i}"), t))
                .collect();
        }
    }

    /// The picture of a recent folder.
    pub(crate) fn card(&mut self, ctx: &Context, session: &Session, folder: &Path) -> Option<TextureHandle> {
        if self.cards.0 != session.welcome.revision {
            self.cards = (session.welcome.revision, Vec::new());
        }
        if let Some((_, texture)) = self.cards.1.iter().find(|(known, _)| known == folder) {
            return Some(texture.clone());
        }
        let image = session.welcome.card(folder)?.image.as_ref()?;
        let texture = upload_rgb(ctx, "card", image);
        self.cards.1.push((folder.to_owned(), texture.clone()));
        Some(texture)
    }

    /// The photograph of the selected view at full size.
    pub(crate) fn photo(&mut self, ctx: &Context, session: &Session) -> Option<TextureHandle> {
        let view = session.selected;
        if self.photo.as_ref().is_none_or(|(v, _)| *v != view) {
            let image = &session.capture.as_ref()?.views.get(view)?.image;
            self.photo = Some((view, upload_rgb(ctx, "photo", image)));
        }
        self.photo.as_ref().map(|(_, t)| t.clone())
    }

    /// A rendered view, transparent where no hand is.
    pub(crate) fn render(&mut self, ctx: &Context, picture: &Arc<Picture>) -> TextureHandle {
        match &self.render {
            Some((key, texture)) if *key == picture.key() => texture.clone(),
            _ => {
                let image = ColorImage::from_rgba_unmultiplied(size(picture.width, picture.height), &picture.rgba);
                let texture = ctx.load_texture("render", image, TextureOptions::LINEAR);
                self.render = Some((picture.key(), texture.clone()));
                texture
            }
        }
    }

    /// The network's picture in the 3D view.
    pub(crate) fn network(&mut self, ctx: &Context, session: &Session) -> Option<TextureHandle> {
        let frame = session.network_frame()?;
        let revision = session.network.revision;
        if self.network.as_ref().is_none_or(|(r, _)| *r != revision) {
            let image = ColorImage::from_rgba_unmultiplied(size(frame.width, frame.height), &frame.rgba);
            self.network = Some((revision, ctx.load_texture("network", image, TextureOptions::LINEAR)));
        }
        self.network.as_ref().map(|(_, texture)| texture.clone())
    }

    /// The mask of the selected view as a tint, with the stroke under way. Of a stroke only what it touched is uploaded.
    pub(crate) fn mask(&mut self, ctx: &Context, session: &mut Session) -> Option<TextureHandle> {
        let view = session.selected;
        let stroking = session.ui.editing.stroke.as_ref().is_some_and(|s| s.view == view);
        let key = (view, session.edits_revision, stroking);
        if stroking
            && let Some((known, texture)) = &mut self.mask
            && (known.0, known.1) == (view, session.edits_revision)
            && let Some(stroke) = &mut session.ui.editing.stroke
        {
            if let Some([x0, y0, x1, y1]) = stroke.dirty.take() {
                let part = image::imageops::crop_imm(&stroke.mask, x0, y0, x1 - x0, y1 - y0).to_image();
                texture.set_partial([x0 as usize, y0 as usize], tint(&part), TextureOptions::NEAREST);
            }
            *known = key;
        } else if self.mask.as_ref().is_none_or(|(known, _)| *known != key) {
            let whole = match &mut session.ui.editing.stroke {
                Some(stroke) if stroking => {
                    stroke.dirty = None;
                    tint(&stroke.mask)
                }
                _ => tint(&session.mask_image(view)?),
            };
            self.mask = Some((key, ctx.load_texture("mask", whole, TextureOptions::NEAREST)));
        }
        self.mask.as_ref().map(|(_, texture)| texture.clone())
    }

    /// The heat map of the difference.
    pub(crate) fn difference(
        &mut self,
        ctx: &Context,
        session: &Session,
        picture: &Arc<Picture>,
    ) -> Option<TextureHandle> {
        let current = |d: &&(Sought, TextureHandle)| d.0 == picture.key();
        if let Some((_, texture)) = self.difference.as_ref().filter(current) {
            return Some(texture.clone());
        }
        let photo = &session.capture.as_ref()?.views.get(picture.view)?.image;
        if photo.dimensions() != (picture.width, picture.height) {
            return None;
        }
        let rgba = picture::difference(picture, photo);
        let image = ColorImage::from_rgba_unmultiplied(size(picture.width, picture.height), &rgba);
        let texture = ctx.load_texture("difference", image, TextureOptions::LINEAR);
        self.difference = Some((picture.key(), texture.clone()));
        Some(texture)
    }
}
