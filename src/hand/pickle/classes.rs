//! The classes and functions a pickle may name, and what calling, making and filling them means here.
//!
//! This list is the whole of what a file can ask for. Entries were taken from files written by Python 2.7 and 3 with old and
//! new versions of `NumPy`, `SciPy` and chumpy: modules move between versions, so each name has several paths.

use super::PickleError;
use super::array::{Array, Dtype};
use super::machine::Machine;
use super::scan::Data;
use super::torch::TorchClass;
use super::value::{Id, Node, axes};

/// Something of the allow-list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Class {
    /// `numpy.ndarray`.
    Ndarray,
    /// `numpy.dtype`.
    Dtype,
    /// `numpy.core.multiarray._reconstruct(ndarray, (0,), b"b")`: an empty array that `BUILD` fills.
    Reconstruct,
    /// `numpy.core.multiarray.scalar(dtype, bytes)`.
    Scalar,
    /// `numpy.core.numeric._frombuffer(bytes, dtype, shape, order)` of protocol 5.
    FromBuffer,
    /// `_codecs.encode(text, "latin1")`: bytes in old protocols.
    Encode,
    /// `copy_reg._reconstructor(class, object, None)`: an instance in protocols 0 and 1.
    Reconstructor,
    /// `copy_reg.__newobj__(class)`: an instance in protocols below 2.
    NewObject,
    /// `object`.
    Object,
    /// `set` and `frozenset`.
    Set,
    /// `bytes`.
    Bytes,
    /// `bytearray`.
    ByteArray,
    /// `collections.OrderedDict`.
    OrderedDict,
    /// `scipy.sparse.csc_matrix`.
    Csc,
    /// `scipy.sparse.csr_matrix`.
    Csr,
    /// `scipy.sparse.coo_matrix`.
    Coo,
    /// `chumpy.ch.Ch`, an array.
    Ch,
    /// `chumpy.reordering.Select`, a part of an array.
    Select,
    /// A name of `PyTorch`'s.
    Torch(TorchClass),
}

/// Whose pickle it is: which list of names counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Dialect {
    /// A hand model.
    HandModel,
    /// `data.pkl` of `torch.save`.
    Torch,
}

impl Class {
    /// The entry of the list, if there is one.
    pub(super) fn find(dialect: Dialect, module: &str, name: &str) -> Option<Self> {
        match (dialect, module, name) {
            (Dialect::HandModel, ..) => Self::of_hand_models(module, name),
            (Dialect::Torch, "collections", "OrderedDict") => Some(Self::OrderedDict),
            (Dialect::Torch, ..) => TorchClass::find(module, name).map(Self::Torch),
        }
    }

    fn of_hand_models(module: &str, name: &str) -> Option<Self> {
        Some(match (module, name) {
            ("numpy", "ndarray") => Self::Ndarray,
            ("numpy", "dtype") => Self::Dtype,
            ("numpy.core.multiarray" | "numpy._core.multiarray", "_reconstruct") => Self::Reconstruct,
            ("numpy.core.multiarray" | "numpy._core.multiarray", "scalar") => Self::Scalar,
            ("numpy.core.numeric" | "numpy._core.numeric", "_frombuffer") => Self::FromBuffer,
            ("_codecs", "encode") => Self::Encode,
            ("copy_reg" | "copyreg", "_reconstructor") => Self::Reconstructor,
            ("copy_reg" | "copyreg", "__newobj__") => Self::NewObject,
            ("__builtin__" | "builtins", "object") => Self::Object,
            ("__builtin__" | "builtins", "set" | "frozenset") => Self::Set,
            ("__builtin__" | "builtins", "bytes") => Self::Bytes,
            ("__builtin__" | "builtins", "bytearray") => Self::ByteArray,
            ("collections", "OrderedDict") => Self::OrderedDict,
            ("scipy.sparse.csc" | "scipy.sparse._csc" | "scipy.sparse", "csc_matrix" | "csc_array") => Self::Csc,
            ("scipy.sparse.csr" | "scipy.sparse._csr" | "scipy.sparse", "csr_matrix" | "csr_array") => Self::Csr,
            ("scipy.sparse.coo" | "scipy.sparse._coo" | "scipy.sparse", "coo_matrix" | "coo_array") => Self::Coo,
            ("chumpy.ch" | "chumpy", "Ch") => Self::Ch,
            ("chumpy.reordering", "Select") => Self::Select,
            _ => return None,
        })
    }

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Ndarray => "numpy.ndarray",
            Self::Dtype => "numpy.dtype",
            Self::Reconstruct => "numpy _reconstruct",
            Self::Scalar => "numpy scalar",
            Self::FromBuffer => "numpy _frombuffer",
            Self::Encode => "_codecs.encode",
            Self::Reconstructor => "copyreg._reconstructor",
            Self::NewObject => "copyreg.__newobj__",
            Self::Object => "object",
            Self::Set => "set",
            Self::Bytes => "bytes",
            Self::ByteArray => "bytearray",
            Self::OrderedDict => "OrderedDict",
            Self::Csc => "csc_matrix",
            Self::Csr => "csr_matrix",
            Self::Coo => "coo_matrix",
            Self::Ch => "chumpy Ch",
            Self::Select => "chumpy Select",
            Self::Torch(class) => class.name(),
        }
    }
}

/// The error for a name outside the list; the name is cut and cleaned, for it is foreign text in our message.
pub(super) fn foreign(module: &str, name: &str) -> PickleError {
    let class = format!("{module}.{name}");
    let class = class.chars().take(80).map(|c| if c.is_ascii_graphic() { c } else { '?' }).collect();
    PickleError::ForeignClass { class }
}

impl<'a> Machine<'a> {
    fn wrong_call(&self, class: Class) -> PickleError {
        self.malformed(format!("`{}` with arguments it never has", class.name()))
    }

    /// What a value is, to look into.
    fn class_at(&self, id: Id) -> Option<Class> {
        match self.node(id) {
            Node::Class(class) => Some(*class),
            _ => None,
        }
    }

    /// The bytes of a string; a text stands for its Latin-1 bytes (Python 2's strings, saved again by Python 3).
    fn data_at(&mut self, id: Id) -> Result<Data<'a>, PickleError> {
        match &self.pickle.nodes[id as usize] {
            Node::Bytes(data) => Ok(data.clone()),
            Node::Text(text) => self.scan.latin1(text),
            _ => Err(self.malformed("an array without bytes")),
        }
    }

    fn dtype_at(&self, id: Id) -> Result<Dtype, PickleError> {
        match self.node(id) {
            Node::Dtype(dtype) => Ok(*dtype),
            _ => Err(self.malformed("an array without an element type")),
        }
    }

    /// `REDUCE`: a class or function called with its arguments.
    pub(super) fn call(&mut self, class: Class, arguments: &[Id]) -> Result<Node<'a>, PickleError> {
        let wrong = self.wrong_call(class);
        match (class, arguments) {
            (Class::Reconstruct, [kind, _, _]) if self.class_at(*kind) == Some(Class::Ndarray) => Ok(Node::Array(None)),
            (Class::Dtype, [name, ..]) => {
                let name = self.value(*name).text().ok_or(wrong)?;
                Dtype::parse(&name).map(Node::Dtype)
            }
            (Class::Scalar, [dtype, bytes]) => {
                let (dtype, bytes) = (self.dtype_at(*dtype)?, self.data_at(*bytes)?);
                let numbers = Array::new(dtype, Vec::new(), false, bytes)?.numbers()?;
                numbers.values.first().map(|x| Node::Float(*x)).ok_or(wrong)
            }
            (Class::FromBuffer, [bytes, dtype, shape, order]) => {
                let dtype = self.dtype_at(*dtype)?;
                let shape = axes(self.value(*shape))?;
                let fortran = self.value(*order).text().is_some_and(|order| order == "F");
                let bytes = self.data_at(*bytes)?;
                Array::new(dtype, shape, fortran, bytes).map(|array| Node::Array(Some(array)))
            }
            (Class::Encode, [text, encoding]) => {
                let latin = self.value(*encoding).text().is_some_and(|e| matches!(&*e, "latin1" | "latin-1"));
                if latin { self.data_at(*text).map(Node::Bytes) } else { Err(wrong) }
            }
            (Class::Reconstructor, [kind, base, _]) if self.class_at(*base) == Some(Class::Object) => {
                let kind = self.class_at(*kind).ok_or(wrong)?;
                self.instance(kind, &[])
            }
            (Class::NewObject, [kind, rest @ ..]) => {
                let kind = self.class_at(*kind).ok_or(wrong)?;
                self.instance(kind, rest)
            }
            (Class::Set, []) => Ok(Node::Set(Vec::new())),
            (Class::Set, [items]) => {
                let items = self.value(*items).elements().ok_or(wrong)?.to_vec();
                self.count_items(items.len())?;
                Ok(Node::Set(items))
            }
            (Class::OrderedDict, []) => Ok(Node::Dict(Vec::new())),
            (Class::OrderedDict, [pairs]) => {
                let pairs = self.value(*pairs).elements().ok_or_else(|| self.wrong_call(class))?.to_vec();
                self.count_items(2 * pairs.len())?;
                let pair = |id: Id| match self.value(id).elements() {
                    Some(&[key, value]) => Some((key, value)),
                    _ => None,
                };
                Ok(Node::Dict(pairs.into_iter().map(pair).collect::<Option<_>>().ok_or(wrong)?))
            }
            (Class::Bytes | Class::ByteArray, []) => Ok(Node::Bytes(Data::Input(&[]))),
            // The second one is the encoding, always Latin-1.
            (Class::Bytes | Class::ByteArray, [bytes] | [bytes, _]) => self.data_at(*bytes).map(Node::Bytes),
            (Class::Csc | Class::Csr | Class::Coo | Class::Ch | Class::Select, _) => self.instance(class, arguments),
            (Class::Torch(class), _) => self.call_torch(class, arguments),
            _ => Err(wrong),
        }
    }

    /// `NEWOBJ` and its like: an instance without a state yet.
    pub(super) fn instance(&mut self, class: Class, arguments: &[Id]) -> Result<Node<'a>, PickleError> {
        match class {
            Class::Csc | Class::Csr | Class::Coo | Class::Ch | Class::Select if arguments.is_empty() => {
                Ok(Node::Object { class, state: None })
            }
            Class::Set | Class::OrderedDict | Class::Bytes | Class::ByteArray | Class::Dtype => {
                self.call(class, arguments)
            }
            _ => Err(self.wrong_call(class)),
        }
    }

    /// `BUILD`: gives the object `target` its state.
    pub(super) fn build(&mut self, target: Id, state: Id) -> Result<(), PickleError> {
        match self.node(target) {
            Node::Array(None) => {
                let parts = self.value(state).elements().map(<[Id]>::to_vec);
                let (shape, dtype, fortran, bytes) = match parts.as_deref() {
                    Some(&[_, shape, dtype, fortran, bytes] | &[shape, dtype, fortran, bytes]) => {
                        (shape, dtype, fortran, bytes)
                    }
                    _ => return Err(self.malformed("an array with an unknown state")),
                };
                let dtype = self.dtype_at(dtype)?;
                let shape = axes(self.value(shape))?;
                let fortran = self.value(fortran).int().is_some_and(|f| f != 0);
                let bytes = self.data_at(bytes)?;
                let array = Array::new(dtype, shape, fortran, bytes)?;
                self.replace(target, Node::Array(Some(array)));
            }
            Node::Dtype(dtype) => {
                // (version, byte order, sub-type, names, fields, …)
                let mut dtype = *dtype;
                let parts = self.value(state).elements().unwrap_or_default();
                let Some(order) = parts.get(1).and_then(|id| self.value(*id).text()) else {
                    return Err(self.malformed("an element type with an unknown state"));
                };
                if !parts.iter().skip(2).take(3).all(|id| self.value(*id).is_none()) {
                    return Err(self.malformed("an element type with parts"));
                }
                dtype.big_endian = match &*order {
                    ">" => true,
                    "<" | "=" | "|" => false,
                    _ => return Err(self.malformed("an element type of unknown byte order")),
                };
                self.replace(target, Node::Dtype(dtype));
            }
            Node::Object { class, state: None } => {
                let class = *class;
                // With slots the state is (dictionary, slots).
                let dict = match self.value(state).elements() {
                    Some(&[dict, _]) => dict,
                    _ => state,
                };
                if !self.value(dict).is_dict() {
                    return Err(self.malformed(format!("{} with an unknown state", class.name())));
                }
                self.replace(target, Node::Object { class, state: Some(dict) });
            }
            // An ordered dictionary's attributes: none that matter.
            Node::Dict(_) => {}
            other => {
                let kind = other.kind();
                return Err(self.malformed(format!("a state for {kind}")));
            }
        }
        Ok(())
    }
}
