//! PLAIN (RFC 4616) and LOGIN.

use super::{Failure, NAME_MAX, PASSWORD_MAX};
use crate::base::secret::Secret;

/// LOGIN's challenges; clients compare them.
pub const USER_NAME: &[u8] = b"Username:";
pub const PASSWORD: &[u8] = b"Password:";

/// PLAIN's message: `authzid NUL authcid NUL passwd`.
pub fn parse(message: &str) -> Result<(String, Secret), Failure> {
    let mut parts = message.splitn(3, '\0');
    match (parts.next(), parts.next(), parts.next()) {
        (Some(authorization), Some(user), Some(secret)) => {
            let name = name(user)?;
            let password = password(secret)?;
            authorize(authorization, &name)?;
            Ok((name, password))
        }
        _ => Err(Failure::Malformed),
    }
}

pub fn name(text: &str) -> Result<String, Failure> {
    let good = !text.is_empty() && text.len() <= NAME_MAX && !text.contains(char::is_control);
    if good {
        Ok(text.to_owned())
    } else {
        Err(Failure::Malformed)
    }
}

pub fn password(text: &str) -> Result<Secret, Failure> {
    if text.is_empty() || text.len() > PASSWORD_MAX || text.contains('\0') {
        Err(Failure::Malformed)
    } else {
        Ok(Secret::new(text.as_bytes().to_vec()))
    }
}

/// Nobody acts for somebody else.
pub fn authorize(authorization: &str, name: &str) -> Result<(), Failure> {
    if authorization.is_empty() || authorization == name {
        Ok(())
    } else {
        Err(Failure::Authorization)
    }
}
