//! The open hand that ships with the program (CC0, derived from MakeHuman).

use super::{HandError, HandModel};
use crate::anatomy::Side;

/// The open hand of one side, from the embedded asset.
///
/// # Errors
/// [`HandError`] when the embedded asset is damaged.
pub fn open_hand(side: Side) -> Result<HandModel, HandError> {
    Err(HandError::Unusable { path: format!("open_{side}"), problem: "not read yet".into(), remedy: String::new() })
}
