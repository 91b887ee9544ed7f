//! What a listener lets its sessions do.

/// All waits are in seconds, all sizes in octets.
#[derive(Clone, Debug, Eq, PartialEq)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of its own")]
pub struct Options {
    /// Our name in the greeting and the replies.
    pub hostname: String,
    /// Largest message; 0 = no limit.
    pub size_limit: u64,
    /// Most recipients of a message (RFC 5321 section 4.5.3.1.8, SR-24).
    pub recipients_max: u32,
    /// Most transactions of a session; 0 = no limit.
    pub mails_max: u32,
    /// Refused commands after which the connection ends.
    pub errors_max: u32,
    /// Commands that lead to no message before each counts as an error.
    pub junk_max: u32,
    /// Longest wait for a whole command.
    pub command_wait_s: u64,
    /// The same while the house is crowded.
    pub crowded_wait_s: u64,
    /// Longest silence in content.
    pub data_wait_s: u64,
    /// After so long, content must have come at `rate_min`.
    pub rate_after_s: u64,
    /// In octets per second; 0 = any.
    pub rate_min: u64,
    /// How long the rest of a refused content is swallowed before the connection ends.
    pub swallow_wait_s: u64,
    /// Paths without a domain, `<root>`, are for the service to complete.
    pub bare_local_parts: bool,
    /// A bare LF in a text is taken for CRLF (SR-22): cameras and scripts send it.
    pub bare_lf: bool,
    /// What the session refuses for good by itself it refuses for now.
    pub soft_bounce: bool,
    /// Delivery status notifications (RFC 3461) are announced and their parameters parsed.
    pub dsn: bool,
    /// REQUIRETLS (RFC 8689) is announced and taken after a handshake.
    pub requiretls: bool,
    pub auth: Auth,
    pub tls: Tls,
}

/// AUTH (RFC 4954).
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Auth {
    /// PLAIN and LOGIN, with TLS or without; any name and password are taken unchecked, and mean nothing
    /// (LM-6, LM-10): some programs insist on logging in.
    Anybody,
    Offered(AuthOptions),
    /// Not announced, and refused.
    #[default]
    Off,
}

/// All false: AUTH after a handshake, and MAIL without it too.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct AuthOptions {
    /// Also without TLS (SU-3: for loopback alone).
    pub in_clear: bool,
    /// The line `AUTH=LOGIN PLAIN` is announced too (SU-7).
    pub old_outlook: bool,
    /// MAIL is refused without it.
    pub required: bool,
}

/// STARTTLS (RFC 3207). A session of implicit TLS is told of its handshake by `secured` before its
/// first step, and does not look at this.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Tls {
    /// Announced and taken.
    Offered,
    #[default]
    Off,
    /// Next to nothing is taken before it (SU-1).
    Required,
}

impl Options {
    /// The MX listener's numbers.
    #[must_use]
    pub fn new(hostname: impl Into<String>) -> Self {
        Self {
            hostname: hostname.into(),
            size_limit: 0,
            recipients_max: 100,
            mails_max: 0,
            errors_max: 20,
            junk_max: 100,
            command_wait_s: 300,
            crowded_wait_s: 60,
            data_wait_s: 180,
            rate_after_s: 120,
            rate_min: 1024,
            swallow_wait_s: 600,
            bare_local_parts: false,
            bare_lf: false,
            soft_bounce: false,
            dsn: true,
            requiretls: true,
            auth: Auth::Off,
            tls: Tls::Off,
        }
    }
}
