//! The stack machine of pickles, protocols 0 to 5: one instruction after the other over an explicit stack, an explicit list of
//! marks and a memo. Names of instructions are those of Python's `pickletools.py`.

use super::classes::{Class, foreign};
use super::scan::{Data, Scan};
use super::value::{Id, Node, Pickle, Value};
use super::{PickleError, limits};
use std::collections::HashMap;

/// A pickle half read.
pub(super) struct Machine<'a> {
    pub(super) scan: Scan<'a>,
    pub(super) pickle: Pickle<'a>,
    /// Containers within each value, by its number.
    depths: Vec<u16>,
    stack: Vec<Id>,
    marks: Vec<usize>,
    memo: HashMap<u64, Id>,
    items: usize,
}

impl<'a> Machine<'a> {
    /// Reads one pickle.
    pub(super) fn run(bytes: &'a [u8]) -> Result<Pickle<'a>, PickleError> {
        if bytes.len() > limits::INPUT_BYTES {
            return Err(PickleError::Limit { what: "bytes", limit: limits::INPUT_BYTES });
        }
        let mut machine = Self {
            scan: Scan::new(bytes),
            pickle: Pickle { nodes: Vec::new(), root: 0 },
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

    fn push_id(&mut self, id: Id) -> Result<(), PickleError> {
        if self.stack.len() >= limits::STACK {
            return Err(PickleError::Limit { what: "values on its stack", limit: limits::STACK });
        }
        self.stack.push(id);
        Ok(())
    }

    /// A new value on the stack; `parts` is what it contains.
    fn push(&mut self, node: Node<'a>, parts: &[Id]) -> Result<(), PickleError> {
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

    fn pop(&mut self) -> Result<Id, PickleError> {
        // A value below the last mark belongs to whoever set the mark.
        let floor = self.marks.last().copied().unwrap_or(0);
        if self.stack.len() <= floor {
            return Err(self.malformed("a value is missing"));
        }
        self.stack.pop().ok_or_else(|| self.malformed("a value is missing"))
    }

    fn top(&self) -> Result<Id, PickleError> {
        let floor = self.marks.last().copied().unwrap_or(0);
        self.stack.get(floor..).and_then(<[Id]>::last).copied().ok_or_else(|| self.malformed("a value is missing"))
    }

    fn pop_mark(&mut self) -> Result<Vec<Id>, PickleError> {
        let mark = self.marks.pop().ok_or_else(|| self.malformed("a mark is missing"))?;
        Ok(self.stack.split_off(mark))
    }

    fn pops<const N: usize>(&mut self) -> Result<[Id; N], PickleError> {
        let mut out = [0; N];
        for slot in out.iter_mut().rev() {
            *slot = self.pop()?;
        }
        Ok(out)
    }

    fn tuple(&mut self, items: Vec<Id>) -> Result<(), PickleError> {
        let parts = items.clone();
        self.push(Node::Tuple(items), &parts)
    }

    fn pairs(&self, items: &[Id]) -> Result<Vec<(Id, Id)>, PickleError> {
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
    fn append(&mut self, items: &[Id]) -> Result<(), PickleError> {
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
    fn set(&mut self, items: &[Id]) -> Result<(), PickleError> {
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

    fn memoize(&mut self, index: u64) -> Result<(), PickleError> {
        let id = self.top()?;
        self.memo.insert(index, id);
        if self.memo.len() > limits::MEMO {
            return Err(PickleError::Limit { what: "memo entries", limit: limits::MEMO });
        }
        Ok(())
    }

    fn recall(&mut self, index: u64) -> Result<(), PickleError> {
        let id = self.memo.get(&index).copied();
        self.push_id(id.ok_or_else(|| self.malformed(format!("memo entry {index} was never made")))?)
    }

    fn global(&mut self, module: &str, name: &str) -> Result<(), PickleError> {
        let class = Class::find(module, name).ok_or_else(|| foreign(module, name))?;
        self.push(Node::Class(class), &[])
    }

    fn stack_global(&mut self) -> Result<(), PickleError> {
        let [module, name] = self.pops()?;
        let (module, name) = (self.value(module).text(), self.value(name).text());
        let (Some(module), Some(name)) = (module, name) else { return Err(self.malformed("a class without a name")) };
        let (module, name) = (module.into_owned(), name.into_owned());
        self.global(&module, &name)
    }

    fn class(&self, id: Id) -> Result<Class, PickleError> {
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

    fn reduce(&mut self) -> Result<(), PickleError> {
        let [callee, arguments] = self.pops()?;
        let (class, arguments) = (self.class(callee)?, self.arguments(arguments)?);
        let node = self.call(class, &arguments)?;
        self.push_made(node)
    }

    fn new_object(&mut self, class: Id, arguments: Id) -> Result<(), PickleError> {
        let (class, arguments) = (self.class(class)?, self.arguments(arguments)?);
        let node = self.instance(class, &arguments)?;
        self.push_made(node)
    }

    /// A value that a call has made, with the depth of what it holds.
    fn push_made(&mut self, node: Node<'a>) -> Result<(), PickleError> {
        let parts: Vec<Id> = match &node {
            Node::Set(items) => items.clone(),
            Node::Dict(pairs) => pairs.iter().flat_map(|(k, v)| [*k, *v]).collect(),
            _ => Vec::new(),
        };
        self.push(node, &parts)
    }

    /// Old instances: the class and its arguments above a mark.
    fn old_instance(&mut self, class: Class, arguments: &[Id]) -> Result<(), PickleError> {
        let node = self.instance(class, arguments)?;
        self.push_made(node)
    }

    fn build_top(&mut self) -> Result<(), PickleError> {
        let state = self.pop()?;
        let target = self.top()?;
        self.deepen(target, &[state])?;
        self.build(target, state)
    }

    /// `INT` and `LONG`: a decimal line; `00` and `01` are truth values.
    fn decimal(&mut self) -> Result<Node<'a>, PickleError> {
        Ok(match self.scan.word()? {
            "00" => Node::Bool(false),
            "01" => Node::Bool(true),
            word => Node::Int(word.trim_end_matches('L').parse().map_err(|_| self.malformed("no whole number"))?),
        })
    }

    fn step(&mut self, opcode: u8) -> Result<(), PickleError> {
        match opcode {
            b'(' | b'0' | b'1' | b'2' | b't' | b'l' | b'd' | b')' | b']' | b'}' | 0x85..=0x87 | 0x8f | 0x91 => {
                self.step_stack(opcode)
            }
            b'a' => self.pop().and_then(|item| self.append(&[item])),
            b'e' | 0x90 => self.pop_mark().and_then(|items| self.append(&items)),
            b's' => self.pops::<2>().and_then(|items| self.set(&items)),
            b'u' => self.pop_mark().and_then(|items| self.set(&items)),
            b'p' | b'q' | b'r' | 0x94 | b'g' | b'h' | b'j' => self.step_memo(opcode),
            b'c' | 0x93 | b'R' | b'b' | 0x81 | 0x92 | b'i' | b'o' => self.step_class(opcode),
            // PROTO; FRAME only helps readers that stream.
            0x80 => match self.scan.u8()? {
                0..=5 => Ok(()),
                other => Err(self.malformed(format!("protocol {other}"))),
            },
            0x95 => self.scan.u64().map(drop),
            b'P' | b'Q' => Err(self.forbidden("a persistent identifier")),
            0x82..=0x84 => Err(self.forbidden("an extension code")),
            0x97 | 0x98 => Err(self.forbidden("a buffer outside the file")),
            _ => {
                let node = self.scalar(opcode)?;
                self.push(node, &[])
            }
        }
    }

    const fn forbidden(&self, what: &'static str) -> PickleError {
        PickleError::Forbidden { what, at: self.scan.at() - 1 }
    }

    /// Marks, tuples, lists, dictionaries.
    fn step_stack(&mut self, opcode: u8) -> Result<(), PickleError> {
        match opcode {
            b'(' => {
                if self.marks.len() >= limits::STACK {
                    return Err(PickleError::Limit { what: "marks on its stack", limit: limits::STACK });
                }
                self.marks.push(self.stack.len());
                Ok(())
            }
            // POP takes a mark away when that is what is on top.
            b'0' if self.marks.last() == Some(&self.stack.len()) => self.pop_mark().map(drop),
            b'0' => self.pop().map(drop),
            b'1' => self.pop_mark().map(drop),
            b'2' => self.top().and_then(|id| self.push_id(id)),
            b't' => self.pop_mark().and_then(|items| self.tuple(items)),
            0x85 => self.pops::<1>().and_then(|items| self.tuple(items.to_vec())),
            0x86 => self.pops::<2>().and_then(|items| self.tuple(items.to_vec())),
            0x87 => self.pops::<3>().and_then(|items| self.tuple(items.to_vec())),
            b')' => self.tuple(Vec::new()),
            b'l' => {
                let items = self.pop_mark()?;
                let parts = items.clone();
                self.push(Node::List(items), &parts)
            }
            0x91 => {
                let items = self.pop_mark()?;
                let parts = items.clone();
                self.push(Node::Set(items), &parts)
            }
            b'd' => {
                let items = self.pop_mark()?;
                let pairs = self.pairs(&items)?;
                self.push(Node::Dict(pairs), &items)
            }
            b']' => self.push(Node::List(Vec::new()), &[]),
            0x8f => self.push(Node::Set(Vec::new()), &[]),
            _ => self.push(Node::Dict(Vec::new()), &[]),
        }
    }

    fn step_memo(&mut self, opcode: u8) -> Result<(), PickleError> {
        let index = match opcode {
            b'p' | b'g' => self.scan.word()?.parse().map_err(|_| self.malformed("no memo number"))?,
            b'q' | b'h' => u64::from(self.scan.u8()?),
            b'r' | b'j' => u64::from(self.scan.u32()?),
            _ => self.memo.len() as u64,
        };
        if matches!(opcode, b'g' | b'h' | b'j') { self.recall(index) } else { self.memoize(index) }
    }

    /// Classes: naming, calling, making, filling.
    fn step_class(&mut self, opcode: u8) -> Result<(), PickleError> {
        match opcode {
            b'c' => {
                let (module, name) = (self.scan.word()?, self.scan.word()?);
                self.global(module, name)
            }
            0x93 => self.stack_global(),
            b'R' => self.reduce(),
            b'b' => self.build_top(),
            0x81 => {
                let [class, arguments] = self.pops()?;
                self.new_object(class, arguments)
            }
            0x92 => {
                let [class, arguments, named] = self.pops()?;
                if !matches!(self.node(named), Node::Dict(pairs) if pairs.is_empty()) {
                    return Err(self.malformed("a call with named arguments"));
                }
                self.new_object(class, arguments)
            }
            b'i' => {
                let (module, name) = (self.scan.word()?, self.scan.word()?);
                let class = Class::find(module, name).ok_or_else(|| foreign(module, name))?;
                let arguments = self.pop_mark()?;
                self.old_instance(class, &arguments)
            }
            _ => {
                let items = self.pop_mark()?;
                let Some((class, arguments)) = items.split_first() else {
                    return Err(self.malformed("an object without a class"));
                };
                let class = self.class(*class)?;
                self.old_instance(class, arguments)
            }
        }
    }

    /// Numbers, texts, bytes: instructions that push what stands behind them.
    fn scalar(&mut self, opcode: u8) -> Result<Node<'a>, PickleError> {
        let scan = &mut self.scan;
        let input = |bytes| Node::Bytes(Data::Input(bytes));
        Ok(match opcode {
            b'N' => Node::None,
            0x88 => Node::Bool(true),
            0x89 => Node::Bool(false),
            b'I' | b'L' => self.decimal()?,
            b'J' => Node::Int(scan.i32()?.into()),
            b'K' => Node::Int(scan.u8()?.into()),
            b'M' => Node::Int(scan.u16()?.into()),
            0x8a => {
                let count = scan.u8()?;
                Node::Int(scan.long(count.into())?)
            }
            0x8b => {
                let count = scan.u32()?;
                Node::Int(scan.long(count.into())?)
            }
            b'F' => {
                let word = scan.word()?;
                Node::Float(word.parse().map_err(|_| scan.malformed("no number"))?)
            }
            b'G' => Node::Float(scan.f64()?),
            b'S' => Node::Bytes(scan.quoted()?),
            b'T' | b'B' => {
                let count = scan.u32()?;
                input(scan.take_counted(count.into())?)
            }
            b'U' | b'C' => {
                let count = scan.u8()?;
                input(scan.take_counted(count.into())?)
            }
            0x8e | 0x96 => {
                let count = scan.u64()?;
                input(scan.take_counted(count)?)
            }
            b'V' => Node::Text(scan.raw_unicode()?),
            b'X' => {
                let count = scan.u32()?;
                Node::Text(scan.utf8(count.into())?)
            }
            0x8c => {
                let count = scan.u8()?;
                Node::Text(scan.utf8(count.into())?)
            }
            0x8d => {
                let count = scan.u64()?;
                Node::Text(scan.utf8(count)?)
            }
            other => return Err(self.malformed(format!("no such instruction ({other:#04x})"))),
        })
    }
}
