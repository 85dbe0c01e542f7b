//! The values of a pickle that has been read, and looking at them.

use super::array::{Array, Dtype};
use super::classes::Class;
use super::machine::Machine;
use super::scan::Data;
use super::torch::{SparseView, Storage, View};
use super::{PickleError, limits};
use std::borrow::Cow;

/// Number of a value in the arena.
pub(super) type Id = u32;

/// A value. Containers hold numbers of other values, so a value may be part of itself.
#[derive(Clone, Debug)]
pub(super) enum Node<'a> {
    None,
    Bool(bool),
    Int(i128),
    Float(f64),
    /// Python 2 `str`, Python 3 `bytes`.
    Bytes(Data<'a>),
    Text(Cow<'a, str>),
    Tuple(Vec<Id>),
    List(Vec<Id>),
    Set(Vec<Id>),
    /// Keys and values in turn.
    Dict(Vec<(Id, Id)>),
    Class(Class),
    Dtype(Dtype),
    /// `None` between its making and its `BUILD`.
    Array(Option<Array<'a>>),
    /// An object of a class, with the state that `BUILD` gave it.
    Object {
        class: Class,
        state: Option<Id>,
    },
    /// Of `PyTorch`: bytes beside the pickle, and what is made of them.
    Storage(Storage),
    Tensor(View),
    SparseTensor(SparseView),
}

impl Node<'_> {
    /// What it is, for messages.
    pub(super) const fn kind(&self) -> &'static str {
        match self {
            Self::None => "None",
            Self::Bool(_) => "a truth value",
            Self::Int(_) => "a whole number",
            Self::Float(_) => "a number",
            Self::Bytes(_) | Self::Text(_) => "a text",
            Self::Tuple(_) => "a tuple",
            Self::List(_) => "a list",
            Self::Set(_) => "a set",
            Self::Dict(_) => "a dictionary",
            Self::Class(_) => "a class",
            Self::Dtype(_) => "an element type",
            Self::Array(_) => "an array",
            Self::Object { class, .. } => class.name(),
            Self::Storage(_) => "a storage",
            Self::Tensor(_) => "a tensor",
            Self::SparseTensor(_) => "a sparse tensor",
        }
    }
}

/// A pickle that has been read.
#[derive(Debug)]
pub struct Pickle<'a> {
    pub(super) nodes: Vec<Node<'a>>,
    pub(super) root: Id,
}

impl<'a> Pickle<'a> {
    /// Reads a pickle of protocol 0 to 5. Bytes after its end are an error: a file is one value.
    ///
    /// # Errors
    /// [`PickleError`]: anything damaged, foreign, or beyond [`limits`].
    pub fn parse(bytes: &'a [u8]) -> Result<Self, PickleError> {
        Machine::run(bytes)
    }

    /// The value of the file.
    #[must_use]
    pub const fn root(&self) -> Value<'_, 'a> {
        Value { pickle: self, id: self.root }
    }
}

/// A value within a pickle.
#[derive(Clone, Copy, Debug)]
pub struct Value<'p, 'a> {
    pub(super) pickle: &'p Pickle<'a>,
    pub(super) id: Id,
}

impl<'p, 'a> Value<'p, 'a> {
    pub(super) fn node(self) -> &'p Node<'a> {
        &self.pickle.nodes[self.id as usize]
    }

    pub(super) const fn other(self, id: Id) -> Self {
        Self { pickle: self.pickle, id }
    }

    /// What it is, in words.
    #[must_use]
    pub fn kind(self) -> &'static str {
        self.node().kind()
    }

    /// True for `None`.
    #[must_use]
    pub fn is_none(self) -> bool {
        matches!(self.node(), Node::None)
    }

    /// A short text (a key, a name); bytes are read as Latin-1, as Python 2's `str` is.
    #[must_use]
    pub fn text(self) -> Option<Cow<'p, str>> {
        match self.node() {
            Node::Text(text) if text.len() <= limits::NAME => Some(Cow::Borrowed(text.as_ref())),
            Node::Bytes(bytes) if bytes.len() <= limits::NAME => {
                Some(match std::str::from_utf8(bytes).ok().filter(|t| t.is_ascii()) {
                    Some(ascii) => Cow::Borrowed(ascii),
                    None => Cow::Owned(bytes.iter().map(|b| char::from(*b)).collect()),
                })
            }
            _ => None,
        }
    }

    fn is_key(self, key: &str) -> bool {
        match self.node() {
            Node::Text(text) => text == key,
            // Latin-1, as `text` reads them: a key that is listed is found.
            Node::Bytes(bytes) => bytes.iter().map(|b| char::from(*b)).eq(key.chars()),
            _ => false,
        }
    }

    /// Pairs of a dictionary (an ordered one too).
    fn pairs(self) -> Option<&'p [(Id, Id)]> {
        match self.node() {
            Node::Dict(pairs) => Some(pairs),
            _ => None,
        }
    }

    /// True for a dictionary.
    #[must_use]
    pub fn is_dict(self) -> bool {
        self.pairs().is_some()
    }

    /// The value of a text key of a dictionary; the last one when a key was set twice.
    #[must_use]
    pub fn get(self, key: &str) -> Option<Self> {
        self.pairs()?.iter().rev().find(|(k, _)| self.other(*k).is_key(key)).map(|(_, v)| self.other(*v))
    }

    /// The text keys of a dictionary, in the order of the file.
    #[must_use]
    pub fn keys(self) -> Vec<Cow<'p, str>> {
        self.pairs().unwrap_or_default().iter().filter_map(|(k, _)| self.other(*k).text()).collect()
    }

    /// Elements of a tuple or list.
    pub(super) fn elements(self) -> Option<&'p [Id]> {
        match self.node() {
            Node::Tuple(items) | Node::List(items) => Some(items),
            _ => None,
        }
    }

    /// A whole number.
    #[must_use]
    pub fn int(self) -> Option<i128> {
        match self.node() {
            Node::Int(i) => Some(*i),
            Node::Bool(b) => Some(i128::from(*b)),
            _ => None,
        }
    }

    /// The class of an object and its state.
    pub(super) fn object(self) -> Option<(Class, Option<Self>)> {
        match self.node() {
            Node::Object { class, state } => Some((*class, state.map(|id| self.other(id)))),
            _ => None,
        }
    }
}

/// Lengths of axes from a tuple or list of whole numbers (or a single one), none negative.
pub(super) fn axes(value: Value<'_, '_>) -> Result<Vec<usize>, PickleError> {
    let wrong = || PickleError::unexpected("has an array without a sound shape");
    let one = |v: Value<'_, '_>| v.int().and_then(|n| usize::try_from(n).ok()).ok_or_else(wrong);
    match value.elements() {
        None => Ok(vec![one(value)?]),
        Some(ids) if ids.len() > limits::AXES => {
            Err(PickleError::Limit { what: "axes in an array", limit: limits::AXES })
        }
        Some(ids) => ids.iter().map(|id| one(value.other(*id))).collect(),
    }
}
