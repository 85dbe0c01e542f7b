//! What each instruction does, by its byte.

use super::classes::Dialect;
use super::machine::Machine;
use super::scan::Data;
use super::value::Node;
use super::{PickleError, limits};

impl<'a> Machine<'a> {
    /// `INT` and `LONG`: a decimal line; `00` and `01` are truth values.
    fn decimal(&mut self) -> Result<Node<'a>, PickleError> {
        Ok(match self.scan.word()? {
            "00" => Node::Bool(false),
            "01" => Node::Bool(true),
            word => Node::Int(word.trim_end_matches('L').parse().map_err(|_| self.malformed("no whole number"))?),
        })
    }

    pub(super) fn step(&mut self, opcode: u8) -> Result<(), PickleError> {
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
            b'Q' if self.dialect == Dialect::Torch => self.persistent(),
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
                let class = self.find(module, name)?;
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
