//! YAML and JSON as one plain tree, and the numbers in it. Scalars stay text, so that a camera called `01` keeps its name.
//!
//! The reader is iterative, with limits on depth and number of nodes: no file can exhaust the stack or, through aliases,
//! the memory. `OpenCV`'s `%YAML:1.0` line, which is no YAML, is skipped; tags such as `!!opencv-matrix` are not needed.

use nalgebra::{Matrix3, Vector3};
use saphyr_parser::{Event, Parser};
use serde_json::Value;
use std::collections::BTreeMap;

/// Deepest nesting, largest number of nodes and of keys in one map of a calibration file.
const MAX_DEPTH: usize = 32;
const MAX_NODES: usize = 2_000_000;
const MAX_KEYS: usize = 10_000;

/// A node; maps keep their order.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Tree {
    Text(String),
    List(Vec<Self>),
    Map(Vec<(String, Self)>),
}

impl Tree {
    /// A file of either syntax: JSON when it begins with `{`.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        if text.trim_start().starts_with('{') { Self::from_json(text) } else { Self::from_yaml(text) }
    }

    fn from_json(text: &str) -> Result<Self, String> {
        let value: Value = serde_json::from_str(text).map_err(|e| format!("is truncated or no JSON ({e})"))?;
        Ok(value.into())
    }

    fn from_yaml(text: &str) -> Result<Self, String> {
        let text = text.strip_prefix("%YAML:1.0").unwrap_or(text);
        let mut open: Vec<Open> = Vec::new();
        let mut anchors: BTreeMap<usize, (Self, usize)> = BTreeMap::new();
        let mut nodes = 0_usize;
        let mut root = None;
        for event in Parser::new_from_str(text) {
            let (event, _) = event.map_err(|e| format!("is no YAML ({e})"))?;
            // `size` is all that hangs below, `count` what is new of it.
            let (node, size, count, anchor) = match event {
                Event::Scalar(text, _, anchor, _) => (Self::Text(text.into_owned()), 1, 1, anchor),
                Event::Alias(anchor) => {
                    let (node, size) = anchors.get(&anchor).cloned().ok_or("has an alias inside its own anchor")?;
                    (node, size, size, 0)
                }
                Event::SequenceStart(anchor, _) | Event::MappingStart(anchor, _) if open.len() >= MAX_DEPTH => {
                    return Err(format!("is nested deeper than {MAX_DEPTH} levels (anchor {anchor})"));
                }
                Event::SequenceStart(anchor, _) => {
                    open.push(Open { anchor, since: nodes, key: None, node: Self::List(Vec::new()) });
                    continue;
                }
                Event::MappingStart(anchor, _) => {
                    open.push(Open { anchor, since: nodes, key: None, node: Self::Map(Vec::new()) });
                    continue;
                }
                Event::SequenceEnd | Event::MappingEnd => {
                    let done = open.pop().ok_or("ends a list that never began")?;
                    (done.node, 1 + nodes - done.since, 1, done.anchor)
                }
                Event::Nothing
                | Event::StreamStart
                | Event::StreamEnd
                | Event::DocumentStart(_)
                | Event::DocumentEnd => continue,
            };
            nodes += count;
            if nodes > MAX_NODES {
                return Err(format!("has more than {MAX_NODES} values"));
            }
            if anchor != 0 {
                anchors.insert(anchor, (node.clone(), size));
            }
            match open.last_mut() {
                Some(parent) => parent.take(node)?,
                None if root.is_none() => root = Some(node),
                None => return Err("holds several documents".to_owned()),
            }
        }
        root.ok_or_else(|| "is empty".to_owned())
    }

    pub(super) fn get(&self, key: &str) -> Option<&Self> {
        match self {
            Self::Map(entries) => entries.iter().find(|(k, _)| k == key).map(|(_, node)| node),
            _ => None,
        }
    }

    pub(super) fn entries(&self) -> &[(String, Self)] {
        match self {
            Self::Map(entries) => entries,
            _ => &[],
        }
    }

    pub(super) fn items(&self) -> &[Self] {
        match self {
            Self::List(items) => items,
            _ => &[],
        }
    }

    pub(super) fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The first of these keys that is there.
    pub(super) fn any(&self, keys: &[&str]) -> Option<&Self> {
        keys.iter().find_map(|key| self.get(key))
    }

    /// A finite number.
    pub(super) fn number(&self) -> Option<f64> {
        self.text()?.trim().parse().ok().filter(|v: &f64| v.is_finite())
    }

    /// A whole number such as an image size.
    pub(super) fn whole(&self) -> Option<u32> {
        let number = self.number()?;
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "checked to be whole and in range")]
        (number.fract() == 0.0 && (0.0..=1e9).contains(&number)).then_some(number as u32)
    }

    /// All numbers below this node, row by row: an `OpenCV` matrix (`rows`, `cols`, `data`), or nested lists.
    pub(super) fn numbers(&self) -> Option<Vec<f64>> {
        if let Some(data) = self.get("data") {
            let numbers = data.numbers()?;
            let count = self.get("rows")?.number()? * self.get("cols")?.number()?;
            #[expect(clippy::cast_precision_loss, reason = "files have at most two million numbers")]
            return (numbers.len() as f64 == count).then_some(numbers);
        }
        let mut numbers = Vec::new();
        let mut todo: Vec<&Self> = vec![self];
        while let Some(node) = todo.pop() {
            match node {
                Self::Text(_) => numbers.push(node.number()?),
                Self::List(items) => todo.extend(items.iter().rev()),
                Self::Map(_) => return None,
            }
        }
        Some(numbers)
    }

    pub(super) fn matrix3(&self) -> Option<Matrix3<f64>> {
        let numbers = self.numbers()?;
        (numbers.len() == 9).then(|| Matrix3::from_row_slice(&numbers))
    }

    pub(super) fn vector3(&self) -> Option<Vector3<f64>> {
        let numbers = self.numbers()?;
        (numbers.len() == 3).then(|| Vector3::from_column_slice(&numbers))
    }
}

/// A list or map being read.
struct Open {
    anchor: usize,
    since: usize,
    key: Option<String>,
    node: Tree,
}

impl Open {
    fn take(&mut self, node: Tree) -> Result<(), String> {
        match &mut self.node {
            Tree::List(items) => items.push(node),
            Tree::Map(entries) => match self.key.take() {
                None => self.key = Some(node.text().ok_or("has a key that is no word")?.to_owned()),
                Some(key) if entries.iter().any(|(k, _)| *k == key) => {
                    return Err(format!("has the key `{key}` twice"));
                }
                Some(_) if entries.len() >= MAX_KEYS => {
                    return Err(format!("has more than {MAX_KEYS} keys in one place"));
                }
                Some(key) => entries.push((key, node)),
            },
            Tree::Text(_) => return Err("has a value inside a word".to_owned()),
        }
        Ok(())
    }
}

impl From<Value> for Tree {
    /// Recursive, but `serde_json` has limited the depth.
    fn from(value: Value) -> Self {
        match value {
            Value::Null => Self::Text(String::new()),
            Value::Bool(b) => Self::Text(b.to_string()),
            Value::Number(n) => Self::Text(n.to_string()),
            Value::String(s) => Self::Text(s),
            Value::Array(items) => Self::List(items.into_iter().map(Self::from).collect()),
            Value::Object(entries) => Self::Map(entries.into_iter().map(|(k, v)| (k, v.into())).collect()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn opencv_yaml_and_json_are_the_same_tree() {
        let yaml = "%YAML:1.0\n---\nnames:\n   - \"01\"\nK_01: !!opencv-matrix\n   rows: 1\n   cols: 3\n   dt: d\n   \
                    data: [ 1.5e+03, 2.,\n       -.5 ]\n";
        let json = r#"{"names": ["01"], "K_01": {"type_id": "opencv-matrix", "rows": 1, "cols": 3, "dt": "d", "data": [1500, 2.0, -0.5]}}"#;
        for text in [yaml, json] {
            let tree = Tree::parse(text).expect("well formed");
            assert_eq!(tree.get("names").expect("names").items()[0].text(), Some("01"), "names keep their zeros");
            let k = tree.get("K_01").expect("a matrix");
            assert_eq!(k.vector3(), Some(Vector3::new(1500.0, 2.0, -0.5)), "the numbers");
        }
    }

    #[test]
    fn anchors_are_followed_and_bombs_are_not() {
        let tree = Tree::parse("a: &x [1, 2, 3]\nb: *x\n").expect("an alias");
        assert_eq!(tree.get("b").and_then(Tree::vector3), Some(Vector3::new(1.0, 2.0, 3.0)), "the same list");
        let mut bomb = "a0: &a0 [1,1,1,1,1,1,1,1,1,1]\n".to_owned();
        for i in 1..12 {
            let refs = vec![format!("*a{}", i - 1); 10].join(",");
            bomb += &format!("a{i}: &a{i} [{refs}]\n");
        }
        assert!(Tree::parse(&bomb).is_err_and(|e| e.contains("more than")), "a bomb of aliases");
        assert!(Tree::parse(&"- ".repeat(100_000)).is_err_and(|e| e.contains("nested")), "deep nesting");
        for wrong in ["", "a: 1\na: 2", "a: [1", "? [1]\n: 2", "a: *b"] {
            assert!(Tree::parse(wrong).is_err(), "`{wrong}` is refused");
        }
        let short = Tree::parse("rows: 3\ncols: 3\ndata: [1, 2]").expect("well formed");
        assert_eq!(short.numbers(), None, "a matrix with too few numbers");
    }
}
