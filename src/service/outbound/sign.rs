//! A message as it leaves: its header rewritten where the route wants that, and signed. The header is held,
//! the body is read piece by piece from the store.

use std::sync::Arc;

use crate::{
    base::time::Time,
    mail::rewrite::Rewrite,
    mailauth::dkim::Signer,
    store::{Broken, Content, Store},
};

/// The keys of our domains, read once and kept until their rows change. Shared by all threads.
#[derive(Clone, Debug)]
pub struct Keys {
    store: Store,
}

impl Keys {
    #[must_use]
    pub fn new(store: Store) -> Self {
        Self { store }
    }

    /// Who signs for a domain (in ASCII); `None` if it has no keys in use.
    ///
    /// # Errors
    ///
    /// The store cannot be read.
    pub fn of(&self, domain: &str) -> Result<Option<Arc<Signer>>, Broken> {
        let _ = (domain, &self.store);
        Ok(None)
    }
}

/// What happens to a message on its way out.
#[derive(Clone, Debug)]
pub struct Leaving {
    /// Reverse-path as it will be sent, without brackets; may be empty.
    pub reverse: String,
    pub rewrite: Option<Rewrite>,
    pub now: Time,
}

/// A message as it leaves, read at any offset.
#[derive(Debug)]
pub struct Outgoing {
    header: Vec<u8>,
    content: Content,
    /// Where the body begins in the stored content.
    body: u64,
}

impl Outgoing {
    /// Reads all of the content once where it is to be signed. Blocks on the disk and takes the time of two
    /// signatures: call it on the blocking pool.
    ///
    /// # Errors
    ///
    /// The disk fails or what it gives is damaged.
    pub fn prepare(content: Content, keys: &Keys, leaving: &Leaving) -> Result<Self, Broken> {
        let _ = (keys, leaving);
        let body = content.prefix().len() as u64;
        Ok(Self {
            header: Vec::new(),
            content,
            body,
        })
    }

    /// Octets of the message.
    #[must_use]
    pub fn size(&self) -> u64 {
        let stored = self.content.size().saturating_sub(self.body);
        stored.saturating_add(self.header.len() as u64)
    }

    /// The octets from `from` on: at least one and at most 64 KiB of them; none at the end. Blocks.
    ///
    /// # Errors
    ///
    /// The disk fails or what it gives is damaged.
    pub fn read(&mut self, from: u64) -> Result<&[u8], Broken> {
        let header = self.header.len() as u64;
        if from < header {
            let at = usize::try_from(from).unwrap_or(usize::MAX);
            let rest = self.header.get(at..).unwrap_or_default();
            return Ok(rest.get(..crate::store::content::PIECE_MAX).unwrap_or(rest));
        }
        self.content
            .read(self.body.saturating_add(from.saturating_sub(header)))
    }
}
