//! Where a stranger says that it comes from, as DNS knows it: the sender's domain (SR-13) and the name
//! in HELO (SR-12). Both are told at the recipient (SR-11).

use crate::{
    mail::{
        domain::Domain,
        path::{ForwardPath, ReversePath},
    },
    net::resolve::{Answer, Resolver, Unfound},
    policy::{
        recipient,
        sender::{self, Origin},
    },
    proto::smtp::reply::Reply,
    service::{
        reply,
        smtp::{Door, Kind},
    },
};

impl Door {
    /// Refuses a recipient that is fine because of who writes to it. Postmaster and abuse take mail from
    /// everybody (SR-26); a domain that is hosted here was judged by its people (SR-14).
    pub(super) async fn whence(&mut self, forward: &ForwardPath) -> Result<(), Reply> {
        let options = self.shared.options();
        if self.kind != Kind::Mx || recipient::is_role(forward) {
            return Ok(());
        }
        if options.check_helo && matches!(self.helo().await, Origin::Nobody | Origin::Unsure) {
            return Err(reply::helo(&self.helo));
        }
        let Some(transaction) = self.transaction.as_deref_mut() else {
            return Ok(());
        };
        let ReversePath::Address(address) = &transaction.reverse else {
            return Ok(());
        };
        if !options.check_sender || !transaction.foreign {
            return Ok(());
        }
        let origin = match transaction.origin {
            Some(origin) => origin,
            None => origin(&self.shared.resolver, &address.domain).await,
        };
        transaction.origin = Some(origin);
        sender::judge_origin(origin)
            .map_err(|refusal| reply::sender(refusal, &transaction.reverse, ""))
    }

    async fn helo(&mut self) -> Origin {
        if let Some(known) = self.helo_origin {
            return known;
        }
        let known = match Domain::parse(&self.helo) {
            Some(name) => origin(&self.shared.resolver, &name).await,
            None => Origin::Nobody,
        };
        self.helo_origin = Some(known);
        known
    }
}

/// What DNS says of a domain that mail comes from: mail servers, else addresses (RFC 5321 section 5.1).
async fn origin(resolver: &Resolver, domain: &Domain) -> Origin {
    if domain.is_literal() {
        return Origin::Known;
    }
    match resolver.mx(domain.as_str()).await {
        Ok(found) if found.records.iter().any(|mx| mx.host.is_empty()) => Origin::NullMx,
        Ok(found) if !found.records.is_empty() => Origin::Known,
        Ok(_) => addresses(resolver.addresses(domain.as_str()).await),
        Err(unfound) => unknown(&unfound),
    }
}

fn addresses<T>(answer: Answer<Vec<T>>) -> Origin {
    match answer {
        Ok(found) if found.records.is_empty() => Origin::Nobody,
        Ok(_) => Origin::Known,
        Err(unfound) => unknown(&unfound),
    }
}

fn unknown(unfound: &Unfound) -> Origin {
    match unfound {
        Unfound::NoSuchName => Origin::Nobody,
        Unfound::NotHere(_) => Origin::Unasked,
        Unfound::TryAgain(_) => Origin::Unsure,
    }
}
