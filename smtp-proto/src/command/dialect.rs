//! What a server speaks beyond RFC 5321 itself, and what it lets pass.

use crate::grammar::Keyword;

/// What a server speaks beyond RFC 5321 itself: its extensions, the parameters that its host has registered, and what
/// it lets pass that the grammar does not.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Dialect {
    /// The extensions it offers.
    pub extensions: Extensions,
    /// What it lets pass.
    pub leniency: Leniency,
    /// Parameters of MAIL that the host carries out. They arrive in [`Mail::extra`](super::Mail::extra), unread; any
    /// other unknown one is refused with 555 (RFC 5321 §4.1.1.11).
    pub mail_parameters: Vec<Keyword>,
    /// Parameters of RCPT that the host carries out. They arrive in [`Rcpt::extra`](super::Rcpt::extra), unread.
    pub rcpt_parameters: Vec<Keyword>,
}

/// The extensions that need nothing from a host, each on until switched off but for BINARYMIME. STARTTLS and AUTH are on when the
/// [`Config`](crate::session::Config) has what they need.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Extensions {
    /// PIPELINING, RFC 2920. Switched off it is not offered; pipelined commands work all the same.
    pub pipelining: bool,
    /// SIZE, RFC 1870.
    pub size: bool,
    /// 8BITMIME, RFC 6152.
    pub eight_bit_mime: bool,
    /// ENHANCEDSTATUSCODES, RFC 2034. Switched off, no reply carries one.
    pub enhanced_status_codes: bool,
    /// SMTPUTF8, RFC 6531.
    pub smtp_utf8: bool,
    /// CHUNKING, RFC 3030 §2. Switched off, BDAT is refused, and the octets that come with it are swallowed all the same
    /// (attack row S8).
    pub chunking: bool,
    /// BINARYMIME, RFC 3030 §3. **Off until switched on**: whoever takes such a message has promised to keep every octet of
    /// it, and that is the host's to promise. NULs and bare line ends are content in it, POP3 cannot hand it out, and no
    /// server without this extension takes it on. It is not offered without CHUNKING and 8BITMIME.
    pub binary_mime: bool,
}

impl Default for Extensions {
    fn default() -> Self {
        Self {
            pipelining: true,
            size: true,
            eight_bit_mime: true,
            enhanced_status_codes: true,
            smtp_utf8: true,
            chunking: true,
            binary_mime: false,
        }
    }
}

/// What a server lets pass although the grammar does not. All off by default.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Leniency {
    /// `MAIL FROM: <a@b>`, with spaces behind the colon. RFC 5321 §3.3 says that "spaces are not permitted on either side
    /// of the colon"; Microsoft's older SMTP clients, many devices that scan or report by mail, and people with telnet
    /// send them.
    pub space_after_colon: bool,
    /// `EHLO my_pc`, with underscores in the name. RFC 5321 §4.1.2 says that "the underscore character is not permitted";
    /// Windows programs and containers give the machine's name as it is, underscores and all.
    pub underscore_in_hello: bool,
}
