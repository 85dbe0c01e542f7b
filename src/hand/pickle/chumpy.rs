//! Arrays that are wrapped: chumpy's `Ch` holds one as `x`; its `Select` picks `idxs` of the flattened `a` and gives the
//! result `preferred_shape` (that is how the shape directions of MANO are stored).

use super::classes::Class;
use super::value::{Node, Value, axes};
use super::{Numbers, PickleError, limits};

/// Wrappers around wrappers that are followed; real files have two.
const LAYERS: usize = 8;

impl Value<'_, '_> {
    /// The numbers of an array, a number, or a chumpy object that holds an array.
    ///
    /// # Errors
    /// [`PickleError::Unexpected`] for any other value, and for a `Select` whose parts do not fit together.
    pub fn numbers(self) -> Result<Numbers, PickleError> {
        let mut at = self;
        let mut selects = Vec::new();
        for _ in 0..LAYERS {
            match at.node() {
                Node::Array(Some(array)) => return selects.into_iter().rev().try_fold(array.numbers()?, select),
                Node::Float(x) => return Ok(Numbers { shape: Vec::new(), values: vec![*x] }),
                Node::Object { class: class @ (Class::Ch | Class::Select), state: Some(state) } => {
                    let state = at.other(*state);
                    let inside = match class {
                        Class::Ch => state.get("x"),
                        _ => {
                            selects.push(state);
                            state.get("a")
                        }
                    };
                    at = inside
                        .ok_or_else(|| PickleError::unexpected(format!("has a {} without its array", at.kind())))?;
                }
                Node::Array(None) => return Err(PickleError::unexpected("has an array without content")),
                other => {
                    return Err(PickleError::unexpected(format!("has {} where an array belongs", other.kind())));
                }
            }
        }
        Err(PickleError::Limit { what: "chumpy objects within each other", limit: LAYERS })
    }
}

/// One `Select` applied to the array inside it.
fn select(source: Numbers, state: Value<'_, '_>) -> Result<Numbers, PickleError> {
    let wrong = |what: &str| PickleError::unexpected(format!("has a chumpy Select {what}"));
    let indices = state.get("idxs").ok_or_else(|| wrong("without indices"))?;
    let Node::Array(Some(indices)) = indices.node() else { return Err(wrong("without indices")) };
    let shape = axes(state.get("preferred_shape").ok_or_else(|| wrong("without a shape"))?)?;
    let indices = indices.numbers()?.values;
    let count = shape.iter().try_fold(1_usize, |product, &n| product.checked_mul(n));
    if count != Some(indices.len()) || indices.len() > limits::NUMBERS {
        return Err(wrong(&format!("of shape {shape:?} with {} indices", indices.len())));
    }
    let pick = |i: f64| whole(i).and_then(|i| source.values.get(i)).copied();
    let values = indices.into_iter().map(pick).collect::<Option<Vec<f64>>>();
    Ok(Numbers { shape, values: values.ok_or_else(|| wrong("that points outside its array"))? })
}

/// A whole number that is not negative, from a float that holds it exactly.
pub(super) fn whole(x: f64) -> Option<usize> {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the range was checked")]
    (x.fract() == 0.0 && (0.0..9.0e15).contains(&x)).then_some(x as usize)
}
