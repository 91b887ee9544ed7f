//! A message as it leaves: its header rewritten where the route wants that, and signed. The header is held,
//! the body is read piece by piece from the store.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

use memchr::memmem;

use crate::{
    base::time::Time,
    mail::{
        address::Address,
        envelope::{Envelope, Mailbox},
        rewrite::{self, Rewrite},
        srs,
    },
    mailauth::dkim::{BodyHash, Key, Signer},
    policy::limits::HEADER_MAX,
    service::dkim,
    store::{
        Broken, Content, Store,
        content::PIECE_MAX,
        directory::{DkimKey, DkimState},
        queue::Arrival,
    },
};

/// What we put on top of a header that was as long as it may be.
const TRACE_MAX: usize = 16 * 1024;

/// A domain's keys as they are in the store, and ready to sign.
#[derive(Debug)]
struct Kept {
    rows: Vec<(String, DkimKey)>,
    signer: Option<Arc<Signer>>,
}

/// The keys of our domains, read once and kept until their rows change. Shared by all threads.
#[derive(Clone)]
pub struct Keys {
    store: Store,
    kept: Arc<Mutex<BTreeMap<String, Kept>>>,
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Keys")
    }
}

impl Keys {
    #[must_use]
    pub fn new(store: Store) -> Self {
        Self {
            store,
            kept: Arc::default(),
        }
    }

    /// Who signs for a domain (in ASCII, lower case); `None` if it has no keys in use.
    ///
    /// # Errors
    ///
    /// The store cannot be read.
    pub fn of(&self, domain: &str) -> Result<Option<Arc<Signer>>, Broken> {
        let rows = self.store.read(|reader| reader.dkim_keys(domain))?;
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if rows.is_empty() {
            kept.remove(domain);
            return Ok(None);
        }
        if let Some(kept) = kept.get(domain).filter(|kept| kept.rows == rows) {
            return Ok(kept.signer.clone());
        }
        let signer = signer(domain, &rows).map(Arc::new);
        let found = signer.clone();
        kept.insert(domain.to_owned(), Kept { rows, signer });
        Ok(found)
    }

    /// The same for the domain of a header's author.
    fn of_author(&self, header: &[u8]) -> Result<Option<Arc<Signer>>, Broken> {
        let envelope = Envelope::from_header(header);
        let author = envelope.from.iter().find_map(Mailbox::address);
        author.map_or(Ok(None), |author| self.of_aligned(author.domain.as_str()))
    }

    /// The same for a domain or the next one above it that has keys: a host of ours signs as its domain,
    /// which is aligned with it (RFC 7489 section 3.1.1).
    fn of_aligned(&self, domain: &str) -> Result<Option<Arc<Signer>>, Broken> {
        let mut domain = domain;
        loop {
            if let Some(signer) = self.of(domain)? {
                return Ok(Some(signer));
            }
            match domain.split_once('.') {
                Some((_, above)) if above.contains('.') => domain = above,
                _ => return Ok(None),
            }
        }
    }
}

fn signer(domain: &str, rows: &[(String, DkimKey)]) -> Option<Signer> {
    let mut keys = Vec::new();
    // RSA comes last by its selector and goes first: some look at the first signature only.
    for (selector, row) in rows.iter().rev() {
        if row.state != DkimState::Active || row.private.reveal().is_empty() {
            continue;
        }
        match Key::parse(dkim::algorithm(row.algorithm), row.private.reveal()) {
            Ok(key) => keys.push((selector.clone(), key)),
            Err(bad) => log::error!("dkim: {selector}._domainkey.{domain}: {bad}"),
        }
    }
    (!keys.is_empty()).then(|| Signer {
        domain: domain.to_owned(),
        keys,
    })
}

/// What happens to a message on its way out.
#[derive(Clone, Debug)]
pub struct Leaving {
    /// Reverse-path as it will be sent, without brackets; may be empty.
    pub reverse: String,
    pub arrival: Arrival,
    pub rewrite: Option<Rewrite>,
    pub now: Time,
}

/// A message as it leaves, read at any offset. What final delivery put in front of it stays here.
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
    pub fn prepare(mut content: Content, keys: &Keys, leaving: &Leaving) -> Result<Self, Broken> {
        let start = content.prefix().len() as u64;
        let mut out = Self {
            header: Vec::new(),
            body: start,
            content: content.another(),
        };
        // A header that is longer than any that was taken stays as it is.
        let Some(header) = block(&mut content, start)? else {
            return Ok(out);
        };
        out.body = start.saturating_add(header.len() as u64);
        let borrowed = keys.of_author(&header)?.is_some() && is_passed_on(leaving);
        out.header = match &leaving.rewrite {
            Some(rewrite) => rewrite::from(&header, rewrite),
            None => header,
        };
        if !borrowed && let Some(signer) = whose(&out.header, keys, &leaving.reverse)? {
            let hash = hash(&mut content, out.body)?;
            let signatures = signer.sign(&out.header, &hash, leaving.now);
            out.header.splice(..0, signatures);
        }
        out.content = content;
        Ok(out)
    }

    /// Octets of the message.
    #[must_use]
    pub fn size(&self) -> u64 {
        let stored = self.content.size().saturating_sub(self.body);
        stored.saturating_add(self.header.len() as u64)
    }

    /// The header block with its empty line, as it leaves.
    #[must_use]
    pub fn header(&self) -> &[u8] {
        &self.header
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
            return Ok(rest.get(..PIECE_MAX).unwrap_or(rest));
        }
        let at = self.body.saturating_add(from.saturating_sub(header));
        self.content.read(at)
    }

    /// The same, as much of it as fits into 64 KiB without reading anything twice: a small message comes
    /// in one piece.
    ///
    /// # Errors
    ///
    /// As [`Outgoing::read`].
    pub fn piece(&mut self, from: u64) -> Result<Vec<u8>, Broken> {
        let mut piece = self.read(from)?.to_vec();
        loop {
            let more = self.read(from.saturating_add(piece.len() as u64))?;
            if more.is_empty() || piece.len().saturating_add(more.len()) > PIECE_MAX {
                return Ok(piece);
            }
            piece.extend_from_slice(more);
        }
    }
}

/// The header block with its empty line; all of a message that has none. `None` where it does not end.
fn block(content: &mut Content, start: u64) -> Result<Option<Vec<u8>>, Broken> {
    let mut block: Vec<u8> = Vec::new();
    loop {
        let at = start.saturating_add(block.len() as u64);
        let seen = block.len().saturating_sub(3);
        let piece = content.read(at)?;
        if piece.is_empty() {
            // Fields without an empty line behind them: a signature on top changes nothing.
            return Ok(Some(block));
        }
        block.extend_from_slice(piece);
        if block.starts_with(b"\r\n") {
            block.truncate(2);
            return Ok(Some(block));
        }
        let fresh = block.get(seen..).unwrap_or_default();
        if let Some(end) = memmem::find(fresh, b"\r\n\r\n") {
            block.truncate(seen.saturating_add(end).saturating_add(4));
            block.shrink_to_fit();
            return Ok(Some(block));
        }
        if block.len() > HEADER_MAX.saturating_add(TRACE_MAX) {
            return Ok(None);
        }
    }
}

/// Who signs: the author's domain, as DMARC looks at that one (RFC 7489 section 3.1), else the sender's.
fn whose(header: &[u8], keys: &Keys, reverse: &str) -> Result<Option<Arc<Signer>>, Broken> {
    if let Some(signer) = keys.of_author(header)? {
        return Ok(Some(signer));
    }
    match reverse.rsplit_once('@') {
        Some((_, domain)) => keys.of_aligned(&domain.to_ascii_lowercase()),
        None => Ok(None),
    }
}

/// Whether a message came from anybody outside and only goes on here: a signature of the domain that it
/// claims to be from would make it look like ours.
fn is_passed_on(leaving: &Leaving) -> bool {
    let sender = Address::parse(&leaving.reverse);
    leaving.arrival == Arrival::Anybody
        || sender.is_some_and(|sender| srs::is_rewritten(&sender.local))
}

fn hash(content: &mut Content, body: u64) -> Result<[u8; 32], Broken> {
    let mut hash = BodyHash::new();
    let mut at = body;
    loop {
        let piece = content.read(at)?;
        if piece.is_empty() {
            return Ok(hash.finish());
        }
        hash.push(piece);
        at = at.saturating_add(piece.len() as u64);
    }
}

#[cfg(test)]
mod tests;
