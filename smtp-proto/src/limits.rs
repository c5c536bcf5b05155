//! Every ceiling of a session. What a connection can make the process hold is a sum of these.

/// Ceilings on octets and counts. Where RFC 5321 says what everybody has to be able to take, no default is below it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// Octets of a command's line with its CRLF, before what extensions add: 512 (RFC 5321 §4.5.3.1.4; attack row M1).
    /// Each extension that is offered adds what its RFC says: SIZE 26 (RFC 1870 §3), `AUTH=` 500 (RFC 4954 §3), DSN 652 (RFC
    /// 3461 §5.4), and so on.
    pub command_line: usize,
    /// Octets of a line of a login: 12,288 (RFC 4954 §4; attack row M16). What surrounds it in an AUTH command is allowed
    /// on top.
    pub auth_line: usize,
    /// Octets of a message, counted without stuffed dots and over all its chunks: 25 MiB (RFC 1870 §5; RFC 5321 §4.5.3.1.7
    /// wants 64 KiB at least; attack rows M2, M3).
    pub message_size: u64,
    /// Recipients of a message: 1000 (RFC 5321 §4.5.3.1.8 wants 100 at least; attack row M3). More get 452 4.5.3 (RFC 5321
    /// §4.5.3.1.10).
    pub recipients: usize,
    /// Messages on a connection from somebody who has not logged in: 100 (attack row M3). LMTP has no such limit: its
    /// peer is the host's own queue.
    pub messages: usize,
    /// Errors of syntax or sequence on a connection: with the tenth the default answer is 421 (attack row C5).
    pub errors: usize,
    /// Lines on a connection that are no command at all: with the fifth the default answer is 421 (attack row C5).
    pub unknown_commands: usize,
    /// Commands one behind the other that bring no message nearer (NOOP, RSET, HELP, VRFY, EXPN, another hello): 100, and
    /// the next gets 421. Without it a NOOP now and then would hold a connection for ever (attack row C1). Every message
    /// that comes whole sets the count back; LMTP has no such limit.
    pub idle_commands: usize,
    /// Recipients that a host has refused for good (5yz) on a connection: 100 (attack row C5). Whoever guesses at addresses
    /// has had enough then.
    pub refused_recipients: usize,
    /// Logins that failed on a connection: with the tenth the default answer is 421 (attack row A11).
    pub failed_logins: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            command_line: 512,
            auth_line: 12_288,
            message_size: 25 * 1024 * 1024,
            recipients: 1000,
            messages: 100,
            errors: 10,
            unknown_commands: 5,
            idle_commands: 100,
            refused_recipients: 100,
            failed_logins: 10,
        }
    }
}
