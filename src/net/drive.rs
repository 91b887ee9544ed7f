//! The pump between a socket, a machine and the service that settles the machine's questions.

use crate::base::machine::Machine;

/// What settles a session's questions; one value per connection.
#[allow(
    async_fn_in_trait,
    reason = "sessions run on one thread and need no Send"
)]
pub trait Service {
    type Machine: Machine;

    /// Settles a question. May take long; the deadline of a session does not run meanwhile.
    async fn ask(
        &mut self,
        question: <Self::Machine as Machine>::Question,
    ) -> <Self::Machine as Machine>::Answer;

    /// Takes content; an error is remembered and told when the machine asks about the content's end.
    async fn content(&mut self, octets: Vec<u8>);

    /// The octets of a range from its octet `at` on, at least one and at most 64 KiB; `None` if they
    /// cannot be read: the connection ends, because their number was already promised.
    async fn range(
        &mut self,
        range: &<Self::Machine as Machine>::Range,
        at: u64,
    ) -> Option<Vec<u8>>;

    /// Ready when the session has to be woken (`Machine::wake`).
    async fn woken(&mut self);
}
