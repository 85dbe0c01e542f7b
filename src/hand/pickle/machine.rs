//! The stack machine of pickles, protocols 0 to 5: one instruction after the other over an explicit stack, an explicit list of
//! marks and a memo. Names of instructions are those of Python's `pickletools.py`.

use super::classes::{Class, Dialect, foreign};
use super::scan::Scan;
use super::value::{Id, Node, Pickle, Value};
use super::{PickleError, limits};
use std::collections::HashMap;

/// A pickle half read.
pub(super) struct Machine<'a> {
    pub(super) scan: Scan<'a>,
    pub(super) pickle: Pickle<'a>,
    pub(super) dialect: Dialect,
    /// Containers within each value, by its number.
    depths: Vec<u16>,
    pub(super) stack: Vec<Id>,
    pub(super) marks: Vec<usize>,
    pub(super) memo: HashMap<u64, Id>,
    items: usize,
}

impl<'a> Machine<'a> {
    /// Reads one pickle of a hand model.
    pub(super) fn run(bytes: &'a [u8]) -> Result<Pickle<'a>, PickleError> {
        Self::run_as(Dialect::HandModel, bytes)
    }

    /// Reads one pickle of `PyTorch`.
    pub(super) fn run_torch(bytes: &'a [u8]) -> Result<Pickle<'a>, PickleError> {
        Self::run_as(Dialect::Torch, bytes)
    }

    fn run_as(dialect: Dialect, bytes: &'a [u8]) -> Result<Pickle<'a>, PickleError> {
        if bytes.len() > limits::INPUT_BYTES {
            return Err(PickleError::Limit { what: "bytes", limit: limits::INPUT_BYTES });
        }
        let mut machine = Self {
            scan: Scan::new(bytes),
            pickle: Pickle { nodes: Vec::new(), root: 0 },
            dialect,
            depths: Vec::new(),
            stack: Vec::new(),
            marks: Vec::new(),
            memo: HashMap::new(),
            items: 0,
        };
        for _ in 0..limits::INSTRUCTIONS {
            let opcode = machine.scan.u8()?;
            if opcode == b'.' {
                return machine.stop(bytes.len());
            }
            machine.step(opcode)?;
        }
        Err(PickleError::Limit { what: "instructions", limit: limits::INSTRUCTIONS })
    }

    fn stop(mut self, length: usize) -> Result<Pickle<'a>, PickleError> {
        let root = self.pop()?;
        if !self.stack.is_empty() || !self.marks.is_empty() {
            return Err(self.malformed("values are left over at the end"));
        }
        if self.scan.at() != length {
            return Err(self.malformed("more bytes after the end"));
        }
        self.pickle.root = root;
        Ok(self.pickle)
    }

    pub(super) fn malformed(&self, problem: impl Into<String>) -> PickleError {
        self.scan.malformed(problem)
    }

    pub(super) fn node(&self, id: Id) -> &Node<'a> {
        &self.pickle.nodes[id as usize]
    }

    pub(super) const fn value(&self, id: Id) -> Value<'_, 'a> {
        Value { pickle: &self.pickle, id }
    }

    pub(super) fn replace(&mut self, id: Id, node: Node<'a>) {
        self.pickle.nodes[id as usize] = node;
    }

    /// Counts references that containers hold.
    pub(super) fn count_items(&mut self, more: usize) -> Result<(), PickleError> {
        self.items = self.items.saturating_add(more);
        if self.items > limits::ITEMS {
            return Err(PickleError::Limit { what: "items in its lists and dictionaries", limit: limits::ITEMS });
        }
        Ok(())
    }

    pub(super) fn push_id(&mut self, id: Id) -> Result<(), PickleError> {
        if self.stack.len() >= limits::STACK {
            return Err(PickleError::Limit { what: "values on its stack", limit: limits::STACK });
        }
        self.stack.push(id);
        Ok(())
    }

    /// A new value on the stack; `parts` is what it contains.
    pub(super) fn push(&mut self, node: Node<'a>, parts: &[Id]) -> Result<(), PickleError> {
        if self.pickle.nodes.len() >= limits::VALUES {
            return Err(PickleError::Limit { what: "values", limit: limits::VALUES });
        }
        self.count_items(parts.len())?;
        let id = Id::try_from(self.pickle.nodes.len()).expect("the limit of values is far below 2^32");
        self.pickle.nodes.push(node);
        self.depths.push(0);
        self.deepen(id, parts)?;
        self.push_id(id)
    }

    /// Notes that `container` holds `parts`.
    fn deepen(&mut self, container: Id, parts: &[Id]) -> Result<(), PickleError> {
        let inner = parts.iter().map(|id| self.depths[*id as usize] + 1).max().unwrap_or(0);
        let depth = &mut self.depths[container as usize];
        *depth = inner.max(*depth);
        if *depth > limits::DEPTH {
            return Err(PickleError::Limit { what: "containers within each other", limit: limits::DEPTH.into() });
        }
        Ok(())
    }

    pub(super) fn pop(&mut self) -> Result<Id, PickleError> {
        // A value below the last mark belongs to whoever set the mark.
        let floor = self.marks.last().copied().unwrap_or(0);
        if self.stack.len() <= floor {
            return Err(self.malformed("a value is missing"));
        }
        self.stack.pop().ok_or_else(|| self.malformed("a value is missing"))
    }

    pub(super) fn top(&self) -> Result<Id, PickleError> {
        let floor = self.marks.last().copied().unwrap_or(0);
        self.stack.get(floor..).and_then(<[Id]>::last).copied().ok_or_else(|| self.malformed("a value is missing"))
    }

    pub(super) fn pop_mark(&mut self) -> Result<Vec<Id>, PickleError> {
        let mark = self.marks.pop().ok_or_else(|| self.malformed("a mark is missing"))?;
        Ok(self.stack.split_off(mark))
    }

    pub(super) fn pops<const N: usize>(&mut self) -> Result<[Id; N], PickleError> {
        let mut out = [0; N];
        for slot in out.iter_mut().rev() {
            *slot = self.pop()?;
        }
        Ok(out)
    }

    pub(super) fn tuple(&mut self, items: Vec<Id>) -> Result<(), PickleError> {
        let parts = items.clone();
        self.push(Node::Tuple(items), &parts)
    }

    pub(super) fn pairs(&self, items: &[Id]) -> Result<Vec<(Id, Id)>, PickleError> {
        let (pairs, rest) = items.as_chunks::<2>();
        if !rest.is_empty() {
            return Err(self.malformed("a key without a value"));
        }
        for [key, _] in pairs {
            if !matches!(self.node(*key), Node::Bytes(_) | Node::Text(_) | Node::Int(_) | Node::Bool(_) | Node::None) {
                return Err(self.malformed(format!("{} as a key", self.node(*key).kind())));
            }
        }
        Ok(pairs.iter().map(|[key, value]| (*key, *value)).collect())
    }

    /// `APPEND`, `APPENDS`, `ADDITEMS`.
    pub(super) fn append(&mut self, items: &[Id]) -> Result<(), PickleError> {
        let target = self.top()?;
        self.count_items(items.len())?;
        self.deepen(target, items)?;
        match &mut self.pickle.nodes[target as usize] {
            Node::List(list) | Node::Set(list) => {
                list.extend_from_slice(items);
                Ok(())
            }
            _ => Err(self.malformed("an item for what is no list")),
        }
    }

    /// `SETITEM`, `SETITEMS`.
    pub(super) fn set(&mut self, items: &[Id]) -> Result<(), PickleError> {
        let target = self.top()?;
        let pairs = self.pairs(items)?;
        self.count_items(items.len())?;
        self.deepen(target, items)?;
        match &mut self.pickle.nodes[target as usize] {
            Node::Dict(dict) => {
                dict.extend_from_slice(&pairs);
                Ok(())
            }
            _ => Err(self.malformed("an item for what is no dictionary")),
        }
    }

    pub(super) fn memoize(&mut self, index: u64) -> Result<(), PickleError> {
        let id = self.top()?;
        self.memo.insert(index, id);
        if self.memo.len() > limits::MEMO {
            return Err(PickleError::Limit { what: "memo entries", limit: limits::MEMO });
        }
        Ok(())
    }

    pub(super) fn recall(&mut self, index: u64) -> Result<(), PickleError> {
        let id = self.memo.get(&index).copied();
        self.push_id(id.ok_or_else(|| self.malformed(format!("memo entry {index} was never made")))?)
    }

    /// A class by its name.
    pub(super) fn find(&self, module: &str, name: &str) -> Result<Class, PickleError> {
        Class::find(self.dialect, module, name).ok_or_else(|| foreign(module, name))
    }

    pub(super) fn global(&mut self, module: &str, name: &str) -> Result<(), PickleError> {
        let class = self.find(module, name)?;
        self.push(Node::Class(class), &[])
    }

    pub(super) fn stack_global(&mut self) -> Result<(), PickleError> {
        let [module, name] = self.pops()?;
        let (module, name) = (self.value(module).text(), self.value(name).text());
        let (Some(module), Some(name)) = (module, name) else { return Err(self.malformed("a class without a name")) };
        let (module, name) = (module.into_owned(), name.into_owned());
        self.global(&module, &name)
    }

    pub(super) fn class(&self, id: Id) -> Result<Class, PickleError> {
        match self.node(id) {
            Node::Class(class) => Ok(*class),
            other => Err(self.malformed(format!("a call of {}", other.kind()))),
        }
    }

    fn arguments(&self, id: Id) -> Result<Vec<Id>, PickleError> {
        match self.node(id) {
            // Calls here take few arguments; a long tuple is not copied for each.
            Node::Tuple(items) if items.len() <= 16 => Ok(items.clone()),
            _ => Err(self.malformed("a call without arguments")),
        }
    }

    pub(super) fn reduce(&mut self) -> Result<(), PickleError> {
        let [callee, arguments] = self.pops()?;
        let (class, arguments) = (self.class(callee)?, self.arguments(arguments)?);
        let node = self.call(class, &arguments)?;
        self.push_made(node)
    }

    pub(super) fn new_object(&mut self, class: Id, arguments: Id) -> Result<(), PickleError> {
        let (class, arguments) = (self.class(class)?, self.arguments(arguments)?);
        let node = self.instance(class, &arguments)?;
        self.push_made(node)
    }

    /// A value that a call has made, with the depth of what it holds.
    fn push_made(&mut self, node: Node<'a>) -> Result<(), PickleError> {
        let parts: Vec<Id> = match &node {
            Node::Set(items) | Node::Tuple(items) => items.clone(),
            Node::Dict(pairs) => pairs.iter().flat_map(|(k, v)| [*k, *v]).collect(),
            _ => Vec::new(),
        };
        self.push(node, &parts)
    }

    /// Old instances: the class and its arguments above a mark.
    pub(super) fn old_instance(&mut self, class: Class, arguments: &[Id]) -> Result<(), PickleError> {
        let node = self.instance(class, arguments)?;
        self.push_made(node)
    }

    pub(super) fn build_top(&mut self) -> Result<(), PickleError> {
        let state = self.pop()?;
        let target = self.top()?;
        self.deepen(target, &[state])?;
        self.build(target, state)
    }
}
