//! How every value is written: a version octet, then postcard. (Postcard says nothing of itself: an
//! appended field does not decode without it.)

use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::store::Broken;

const VERSION: u8 = 1;

/// `value` behind a version octet.
#[must_use]
pub fn encode<T: Serialize>(value: &T) -> Vec<u8> {
    // Writing to a vector fails only for types that serde cannot know the length of; ours it can.
    postcard::to_extend(value, vec![VERSION]).unwrap_or_default()
}

/// # Errors
///
/// [`Broken::Corrupt`] with `what` it should have been.
pub fn decode<T: DeserializeOwned>(octets: &[u8], what: &'static str) -> Result<T, Broken> {
    match octets.split_first() {
        Some((&VERSION, rest)) => postcard::from_bytes(rest).map_err(|_| Broken::Corrupt(what)),
        _ => Err(Broken::Corrupt(what)),
    }
}

/// The first fields of a value; they borrow from it.
///
/// # Errors
///
/// As [`decode`].
pub fn decode_start<'a, T: Deserialize<'a>>(
    octets: &'a [u8],
    what: &'static str,
) -> Result<T, Broken> {
    let rest = octets.strip_prefix(&[VERSION]);
    let start = rest.and_then(|rest| postcard::take_from_bytes(rest).ok());
    start.map(|(start, _)| start).ok_or(Broken::Corrupt(what))
}
