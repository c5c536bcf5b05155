//! What a sender said beside a message: SMTP's envelope, as plain data.
//!
//! A store that only keeps mailboxes has no use for it. One that passes mail on, keeps a journal, or tells senders what
//! became of their mail needs it, and what is not handed over here is lost (attack row R6: flags travel with the
//! envelope).

/// What was said of a message as a whole, at MAIL (RFC 5321 §4.1.1.2).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Envelope {
    /// Whom news of failure goes to, without angle brackets; empty for the null reverse-path (RFC 5321 §4.5.5), of which
    /// no news is ever to be sent.
    pub reverse_path: String,
    /// Addresses and headers may hold UTF-8 (RFC 6531): it may only go where the next hop takes that too.
    pub smtp_utf8: bool,
    /// It may only go on under TLS that has been verified, to hops that promise the same (RFC 8689 §4.2).
    pub require_tls: bool,
    /// What kind of octets the sender says that it is made of, if it said.
    pub body: Option<BodyKind>,
    /// ENVID, decoded: what the sender calls this sending (RFC 3461 §4.4).
    pub envelope_id: Option<String>,
    /// RET: how much of the message the sender wants back if it fails (RFC 3461 §4.3).
    pub returned: Option<Returned>,
    /// AUTH=: who first submitted it, where the client that says so is trusted to (RFC 4954 §5). Empty for `<>`, which is
    /// nobody that anyone knows.
    pub submitter: Option<String>,
    /// Other parameters that the server took, as they were written: of rarer extensions, of the host's own.
    pub parameters: Vec<EnvelopeParameter>,
}

impl Envelope {
    /// From there, with nothing else said.
    pub fn new(reverse_path: impl Into<String>) -> Self {
        Self { reverse_path: reverse_path.into(), ..Self::default() }
    }
}

/// What was said of one recipient, at RCPT (RFC 5321 §4.1.1.3).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct EnvelopeRecipient {
    /// The address, without angle brackets.
    pub forward_path: String,
    /// ORCPT, decoded: its address type and the address that the sender first wrote (RFC 3461 §4.2).
    pub original: Option<(String, String)>,
    /// NOTIFY: what the sender wants to hear of (RFC 3461 §4.1). `None` if it did not say: failures, and delays if a host
    /// tells of them.
    pub notify: Option<Notify>,
    /// Other parameters that the server took, as they were written.
    pub parameters: Vec<EnvelopeParameter>,
}

impl EnvelopeRecipient {
    /// To there, with nothing else said.
    pub fn new(forward_path: impl Into<String>) -> Self {
        Self { forward_path: forward_path.into(), ..Self::default() }
    }
}

/// A parameter of MAIL or RCPT that has no field of its own.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct EnvelopeParameter {
    /// Its keyword, in upper case.
    pub keyword: String,
    /// Its value, as it was written.
    pub value: Option<String>,
}

impl EnvelopeParameter {
    /// That keyword, with or without a value.
    pub fn new(keyword: impl Into<String>, value: Option<String>) -> Self {
        Self { keyword: keyword.into(), value }
    }
}

/// What kind of octets a message is made of (RFC 6152 §2, RFC 3030 §3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum BodyKind {
    /// ASCII, in lines.
    SevenBit,
    /// Any octets but NUL, in lines.
    EightBit,
    /// Any octets.
    Binary,
}

/// How much of a message goes back with the news that it failed (RFC 3461 §4.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Returned {
    /// All of it.
    Full,
    /// Its header only.
    Headers,
}

/// What a sender wants to hear of (RFC 3461 §4.1). None of the three is NEVER.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub struct Notify {
    /// That it was delivered.
    pub success: bool,
    /// That it could not be.
    pub failure: bool,
    /// That it takes long.
    pub delay: bool,
}

impl Notify {
    /// Nothing at all: NEVER.
    pub const NEVER: Self = Self { success: false, failure: false, delay: false };

    /// Those.
    pub const fn new(success: bool, failure: bool, delay: bool) -> Self {
        Self { success, failure, delay }
    }
}
