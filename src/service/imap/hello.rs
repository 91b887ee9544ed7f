//! Commands that tell who is who: ID and NAMESPACE.

use super::{Imap, sync::Tell};
use crate::proto::imap::{
    response,
    session::{Answer, Completion},
};

impl Imap {
    /// ID (RFC 2971). What the client says of itself helps when somebody asks for help.
    pub(super) fn id(&mut self, fields: &[(String, Option<String>)]) -> Answer {
        let said = |name: &str| {
            let field = fields.iter().find(|f| f.0.eq_ignore_ascii_case(name));
            field.and_then(|f| f.1.as_deref()).unwrap_or_default()
        };
        let (name, version) = (said("name"), said("version"));
        log::debug!(
            "imap: client={name:?} version={version:?} peer={}",
            self.peer
        );
        let mut out = Vec::new();
        let version = env!("CARGO_PKG_VERSION");
        response::id(&mut out, &[("name", "Pillarbox"), ("version", version)]);
        self.finish(out, Completion::ok("Id completed."), Tell::ALL)
    }

    /// NAMESPACE (RFC 2342): one's own folders, nothing else yet.
    pub(super) fn namespace(&mut self) -> Answer {
        let mut out = Vec::new();
        response::namespace(&mut out, None, None);
        self.finish(out, Completion::ok("Namespace completed."), Tell::ALL)
    }
}
