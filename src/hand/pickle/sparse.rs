//! `scipy.sparse` matrices in compressed column, compressed row and coordinate form.

use super::chumpy::whole;
use super::classes::Class;
use super::value::{Value, axes};
use super::{PickleError, limits};

/// A matrix as the non-zero entries of each row, columns ascending, entries for the same place summed (as scipy does).
#[derive(Clone, Debug, PartialEq)]
pub struct SparseRows {
    /// Number of columns.
    pub columns: usize,
    /// Entries `(column, value)` of each row.
    pub rows: Vec<Vec<(u32, f64)>>,
}

/// Rows a sparse matrix may have; a regressor has 16.
const ROWS: usize = 10_000;

fn wrong(what: &str) -> PickleError {
    PickleError::unexpected(format!("has a sparse matrix {what}"))
}

impl Value<'_, '_> {
    /// A sparse matrix; `None` when the value is none.
    ///
    /// # Errors
    /// [`PickleError::Unexpected`] when its parts do not fit together.
    pub fn sparse(self) -> Result<Option<SparseRows>, PickleError> {
        let Some((class @ (Class::Csc | Class::Csr | Class::Coo), state)) = self.object() else { return Ok(None) };
        let state = state.ok_or_else(|| wrong("without content"))?;
        let shape = state.get("_shape").or_else(|| state.get("shape")).ok_or_else(|| wrong("without a shape"))?;
        let &[rows, columns] = axes(shape)?.as_slice() else { return Err(wrong("that is no matrix")) };
        if rows > ROWS || columns > limits::NUMBERS {
            return Err(PickleError::Limit { what: "rows in a sparse matrix", limit: ROWS });
        }
        let list = |key: &str| -> Result<Vec<f64>, PickleError> {
            let numbers = state.get(key).ok_or_else(|| wrong(&format!("without `{key}`")))?.numbers()?;
            if numbers.shape.len() == 1 { Ok(numbers.values) } else { Err(wrong(&format!("whose `{key}` is no list"))) }
        };
        let mut data = list("data")?;
        let places = match class {
            Class::Coo => coordinates(state, &list)?,
            _ => {
                let (starts, mut indices) = (list("indptr")?, list("indices")?);
                let outer = expand(&starts, if class == Class::Csc { columns } else { rows }, indices.len())?;
                // The lists may be longer than what is used of them.
                indices.truncate(outer.len());
                data.truncate(outer.len());
                if class == Class::Csc { (indices, outer) } else { (outer, indices) }
            }
        };
        if places.0.len() != data.len() || places.1.len() != data.len() {
            return Err(wrong("whose lists differ in length"));
        }
        let mut out = SparseRows { columns, rows: vec![Vec::new(); rows] };
        for ((row, column), value) in places.0.into_iter().zip(places.1).zip(data) {
            let place = (whole(row).filter(|r| *r < rows), whole(column).filter(|c| *c < columns));
            let (Some(row), Some(column)) = place else { return Err(wrong("with an entry outside of it")) };
            out.rows[row].push((u32::try_from(column).map_err(|_| wrong("that is too wide"))?, value));
        }
        for row in &mut out.rows {
            row.sort_by_key(|(column, _)| *column);
            row.dedup_by(|next, kept| {
                let same = next.0 == kept.0;
                if same {
                    kept.1 += next.1;
                }
                same
            });
        }
        Ok(Some(out))
    }
}

/// Rows and columns of a coordinate matrix: `row`, `col`, or the pair `coords` of newer versions.
fn coordinates(
    state: Value<'_, '_>,
    list: &dyn Fn(&str) -> Result<Vec<f64>, PickleError>,
) -> Result<(Vec<f64>, Vec<f64>), PickleError> {
    let Some(coords) = state.get("coords") else { return Ok((list("row")?, list("col")?)) };
    match coords.elements() {
        Some(&[row, column]) => Ok((coords.other(row).numbers()?.values, coords.other(column).numbers()?.values)),
        _ => Err(wrong("whose `coords` are no pair")),
    }
}

/// The outer index of each entry from the starts of the outer rows.
fn expand(starts: &[f64], outer: usize, entries: usize) -> Result<Vec<f64>, PickleError> {
    let fits = starts.len() == outer + 1
        && starts.first() == Some(&0.0)
        && starts.last().copied().and_then(whole).is_some_and(|used| used <= entries)
        && starts.iter().all(|s| whole(*s).is_some())
        && starts.is_sorted();
    if !fits {
        return Err(wrong("whose `indptr` does not fit"));
    }
    let mut out = Vec::with_capacity(entries);
    for (i, pair) in starts.windows(2).enumerate() {
        let count = whole(pair[1] - pair[0]).unwrap_or(0);
        #[expect(clippy::cast_precision_loss, reason = "below the limit of numbers")]
        out.extend(std::iter::repeat_n(i as f64, count));
    }
    Ok(out)
}
