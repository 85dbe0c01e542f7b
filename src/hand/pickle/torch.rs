//! What a file of `PyTorch` holds: tensors that are views of storages, which lie beside the pickle.
//!
//! `torch.save` (1.6 and later) writes an archive with `data.pkl`, a pickle of protocol 2, and the bytes of each storage by a
//! key. The pickle names a storage by a persistent identifier, `("storage", class, key, device, count)`, and makes tensors by
//! `torch._utils._rebuild_tensor_v2(storage, offset, shape, strides, …)`, sparse ones of two of these
//! (`torch/_utils.py`, `torch/serialization.py`). Here these calls are data, checked against the storages that are there.

use super::array::{Dtype, Kind};
use super::classes::Class;
use super::machine::Machine;
use super::value::{Id, Node, Pickle, Value, axes};
use super::{PickleError, limits};
use std::borrow::Cow;
use std::collections::BTreeMap;

/// What a file of `PyTorch` may name beside ordered dictionaries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TorchClass {
    /// `torch.FloatStorage` and its like: the type of a storage's numbers.
    Storage(Dtype),
    /// `torch._utils._rebuild_tensor_v2`.
    Tensor,
    /// `torch._utils._rebuild_parameter(tensor, requires_grad, hooks)`.
    Parameter,
    /// `torch._utils._rebuild_sparse_tensor(layout, (indices, values, size, …))`.
    Sparse,
    /// `torch.serialization._get_layout(name)`.
    Layout,
    /// `torch.Size(axes)`.
    Size,
}

impl TorchClass {
    /// The entry of the list, if there is one. Storages of halves, complex and quantised numbers are not on it.
    pub(super) fn find(module: &str, name: &str) -> Option<Self> {
        let storage = |kind, size| Some(Self::Storage(Dtype { kind, size, big_endian: false }));
        match (module, name) {
            ("torch", "FloatStorage") => storage(Kind::Float, 4),
            ("torch", "DoubleStorage") => storage(Kind::Float, 8),
            ("torch", "LongStorage") => storage(Kind::Signed, 8),
            ("torch", "IntStorage") => storage(Kind::Signed, 4),
            ("torch", "BoolStorage") => storage(Kind::Bool, 1),
            ("torch._utils", "_rebuild_tensor_v2") => Some(Self::Tensor),
            ("torch._utils", "_rebuild_parameter") => Some(Self::Parameter),
            ("torch._utils", "_rebuild_sparse_tensor") => Some(Self::Sparse),
            ("torch.serialization", "_get_layout") => Some(Self::Layout),
            ("torch", "Size") => Some(Self::Size),
            _ => None,
        }
    }

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Storage(_) => "torch storage",
            Self::Tensor => "torch tensor",
            Self::Parameter => "torch parameter",
            Self::Sparse => "torch sparse tensor",
            Self::Layout => "torch layout",
            Self::Size => "torch.Size",
        }
    }
}

/// The layout of sparse tensors that is read.
const COO: &str = "torch.sparse_coo";

/// Bytes beside the pickle.
#[derive(Clone, Copy, Debug)]
pub(super) struct Storage {
    dtype: Dtype,
    /// The text of its key.
    key: Id,
    /// Numbers in it.
    count: usize,
}

/// A view of a storage: its number at index `i` lies at `offset + i · strides`.
#[derive(Clone, Debug)]
pub(super) struct View {
    storage: Storage,
    offset: usize,
    shape: Vec<usize>,
    strides: Vec<usize>,
}

/// A sparse tensor of views.
#[derive(Clone, Debug)]
pub(super) struct SparseView {
    indices: View,
    values: View,
    size: Vec<usize>,
}

impl<'a> Machine<'a> {
    /// `BINPERSID`: the storage that a tuple on the stack names.
    pub(super) fn persistent(&mut self) -> Result<(), PickleError> {
        let id = self.pop()?;
        let storage = self.storage_named(id).ok_or_else(|| self.malformed("a persistent identifier of no storage"))?;
        self.push(Node::Storage(storage), &[])
    }

    fn storage_named(&self, id: Id) -> Option<Storage> {
        let &[kind, class, key, _, count] = self.value(id).elements()? else { return None };
        let Node::Class(Class::Torch(TorchClass::Storage(dtype))) = self.node(class) else { return None };
        let named = self.value(kind).text().is_some_and(|t| t == "storage") && self.value(key).text().is_some();
        let count = self.value(count).int().and_then(|n| usize::try_from(n).ok())?;
        named.then_some(Storage { dtype: *dtype, key, count })
    }

    /// `REDUCE` of a name of `PyTorch`'s.
    pub(super) fn call_torch(&self, class: TorchClass, arguments: &[Id]) -> Result<Node<'a>, PickleError> {
        let wrong = || self.malformed(format!("a {} with arguments it never has", class.name()));
        match (class, arguments) {
            (
                TorchClass::Tensor,
                &[storage, offset, shape, strides, _, _] | &[storage, offset, shape, strides, _, _, _],
            ) => {
                let Node::Storage(storage) = self.node(storage) else { return Err(wrong()) };
                let offset = self.value(offset).int().and_then(|n| usize::try_from(n).ok()).ok_or_else(wrong)?;
                let (shape, strides) = (axes(self.value(shape))?, axes(self.value(strides))?);
                View::new(*storage, offset, shape, strides).map(Node::Tensor)
            }
            (TorchClass::Parameter, &[tensor, _, _]) => match self.node(tensor) {
                Node::Tensor(view) => Ok(Node::Tensor(view.clone())),
                _ => Err(wrong()),
            },
            (TorchClass::Layout, &[name]) if self.value(name).text().is_some_and(|n| n == COO) => {
                Ok(Node::Text(Cow::Borrowed(COO)))
            }
            (TorchClass::Sparse, &[layout, parts]) if self.value(layout).text().is_some_and(|n| n == COO) => {
                let (&[indices, values, size] | &[indices, values, size, _]) =
                    self.value(parts).elements().ok_or_else(wrong)?
                else {
                    return Err(wrong());
                };
                let (Node::Tensor(indices), Node::Tensor(values)) = (self.node(indices), self.node(values)) else {
                    return Err(wrong());
                };
                let size = axes(self.value(size))?;
                if indices.shape != [size.len(), values.shape.first().copied().unwrap_or(0)] || values.shape.len() != 1
                {
                    return Err(self.malformed("a sparse tensor whose indices do not fit its values"));
                }
                Ok(Node::SparseTensor(SparseView { indices: indices.clone(), values: values.clone(), size }))
            }
            (TorchClass::Size, &[shape]) => {
                let shape = self.value(shape).elements().ok_or_else(wrong)?.to_vec();
                Ok(Node::Tuple(shape))
            }
            _ => Err(wrong()),
        }
    }
}

impl View {
    /// Refused when it reaches beyond its storage.
    fn new(storage: Storage, offset: usize, shape: Vec<usize>, mut strides: Vec<usize>) -> Result<Self, PickleError> {
        if shape.len() != strides.len() {
            return Err(PickleError::unexpected("has a tensor with another number of strides than of axes"));
        }
        let count = shape.iter().try_fold(1_usize, |product, &n| product.checked_mul(n));
        if count.is_none_or(|n| n > limits::TENSOR_NUMBERS) {
            return Err(PickleError::Limit { what: "numbers in its tensors", limit: limits::TENSOR_NUMBERS });
        }
        let last = |end: Option<usize>, (n, stride): (&usize, &usize)| (n - 1).checked_mul(*stride)?.checked_add(end?);
        let reaches = count != Some(0)
            && shape.iter().zip(&strides).fold(Some(offset), last).is_none_or(|end| end >= storage.count);
        if reaches {
            return Err(PickleError::unexpected(format!(
                "has a tensor that reaches beyond its storage (shape {shape:?}, strides {strides:?} from {offset}, \
                 {} numbers there)",
                storage.count
            )));
        }
        // An axis of one is never walked along, so its stride may be anything.
        strides.iter_mut().zip(&shape).filter(|(_, n)| **n < 2).for_each(|(stride, _)| *stride = 0);
        Ok(Self { storage, offset, shape, strides })
    }

    fn count(&self) -> usize {
        self.shape.iter().product()
    }

    /// Its numbers, from the storages by their keys.
    fn read<'s>(
        &self,
        pickle: &Pickle<'_>,
        storages: &dyn Fn(&str) -> Option<&'s [u8]>,
    ) -> Result<TorchTensor, PickleError> {
        let Storage { dtype, key, count } = self.storage;
        let key = Value { pickle, id: key }.text().unwrap_or_default();
        let bytes = storages(&key).ok_or_else(|| PickleError::unexpected(format!("has no storage `{key}`")))?;
        if count.checked_mul(dtype.size) != Some(bytes.len()) {
            return Err(PickleError::unexpected(format!(
                "has a storage `{key}` of {} bytes that claims {count} numbers of {}",
                bytes.len(),
                dtype.size
            )));
        }
        let mut index = vec![0; self.shape.len()];
        let mut at = self.offset;
        let mut values = Vec::with_capacity(self.count());
        for _ in 0..self.count() {
            #[expect(clippy::cast_possible_truncation, reason = "networks compute in single precision")]
            values.push(dtype.number(&bytes[at * dtype.size..][..dtype.size]) as f32);
            for axis in (0..self.shape.len()).rev() {
                index[axis] += 1;
                at += self.strides[axis];
                if index[axis] < self.shape[axis] {
                    break;
                }
                at -= self.strides[axis] * self.shape[axis];
                index[axis] = 0;
            }
        }
        Ok(TorchTensor { shape: self.shape.clone(), values })
    }
}

/// A tensor's numbers in single precision, last axis fastest.
#[derive(Clone, Debug, PartialEq)]
pub struct TorchTensor {
    /// Length of each axis; empty for a scalar.
    pub shape: Vec<usize>,
    /// As many as the product of the shape.
    pub values: Vec<f32>,
}

/// What a state of `PyTorch` has by a name.
#[derive(Clone, Debug, PartialEq)]
pub enum TorchValue {
    /// A tensor.
    Dense(TorchTensor),
    /// A sparse tensor by its entries; one place may have several, which add up.
    Sparse {
        /// Length of each axis.
        size: Vec<usize>,
        /// Axes × entries: where each lies, not compared with `size`.
        indices: TorchTensor,
        /// What is there.
        values: TorchTensor,
    },
}

impl<'a> Pickle<'a> {
    /// Reads `data.pkl` of a file that `torch.save` wrote: ordered dictionaries, tensors and plain values.
    ///
    /// # Errors
    /// [`PickleError`]: anything damaged, foreign, or beyond [`limits`]; a tensor that reaches beyond what its storage claims.
    pub fn parse_torch(bytes: &'a [u8]) -> Result<Self, PickleError> {
        Machine::run_torch(bytes)
    }

    /// The tensors of a state (`Module.state_dict()`) by their names. `storages` gives the bytes by a storage's key.
    ///
    /// # Errors
    /// [`PickleError`]: no state, a storage that is missing or of another size, more than [`limits::TENSOR_NUMBERS`] in all.
    pub fn torch_state<'s>(
        &self,
        storages: &dyn Fn(&str) -> Option<&'s [u8]>,
    ) -> Result<BTreeMap<String, TorchValue>, PickleError> {
        let root = self.root();
        let Node::Dict(pairs) = root.node() else {
            return Err(PickleError::unexpected(format!("holds {}, not a network's state", root.kind())));
        };
        let mut state = BTreeMap::new();
        let mut numbers = 0;
        for &(key, value) in pairs {
            let Some(name) = root.other(key).text() else {
                return Err(PickleError::unexpected("has a tensor without a name"));
            };
            let (value, count) = match root.other(value).node() {
                Node::Tensor(view) => (view.read(self, storages).map(TorchValue::Dense), view.count()),
                Node::SparseTensor(view) => (view.read(self, storages), view.indices.count() + view.values.count()),
                other => {
                    return Err(PickleError::unexpected(format!("has {} as `{name}`, not a tensor", other.kind())));
                }
            };
            numbers += count;
            if numbers > limits::TENSOR_NUMBERS {
                return Err(PickleError::Limit { what: "numbers in its tensors", limit: limits::TENSOR_NUMBERS });
            }
            state.insert(name.into_owned(), value?);
        }
        Ok(state)
    }
}

impl SparseView {
    fn read<'s>(
        &self,
        pickle: &Pickle<'_>,
        storages: &dyn Fn(&str) -> Option<&'s [u8]>,
    ) -> Result<TorchValue, PickleError> {
        let (indices, values) = (self.indices.read(pickle, storages)?, self.values.read(pickle, storages)?);
        Ok(TorchValue::Sparse { size: self.size.clone(), indices, values })
    }
}
