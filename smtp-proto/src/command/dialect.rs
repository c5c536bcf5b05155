//! What a server speaks beyond RFC 5321 itself, and what it lets pass.

use super::{FutureRelease, PriorityProfile};
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

/// The extensions. Those that need nothing from a host are on until switched off; those by which a host promises something
/// are off until it does: what is offered is carried out. STARTTLS and AUTH are on when the
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
    /// LIMITS, RFC 9422: tells of the [`Limits`](crate::Limits) that hold for this client at this moment.
    pub limits: bool,
    /// REQUIRETLS, RFC 8689. Offered and taken under TLS only. Whoever delivers to mailboxes has nothing to carry out, for
    /// the message goes no further; whoever relays looks at [`Mail::require_tls`](super::Mail::require_tls).
    pub require_tls: bool,
    /// `AUTH=` of MAIL, RFC 4954 §5. A session sets it by whether its [`Config`](crate::session::Config) has mechanisms.
    pub auth: bool,
    /// DSN, RFC 3461. **Off until switched on**: whoever does so sends the reports that are asked for, NOTIFY=SUCCESS
    /// among them. On a port that takes mail from strangers that makes a reflector of the server: anybody can have it
    /// write to anybody (attack row R5).
    pub dsn: bool,
    /// MT-PRIORITY, RFC 6710. **Off until switched on**: whoever does so delivers the urgent first, and says whose word on
    /// urgency is taken.
    pub mt_priority: Option<PriorityProfile>,
    /// DELIVERBY, RFC 2852, with the least number of seconds that can be asked for with `R`; 0 is not told. **Off until
    /// switched on**: whoever does so returns what is late, or tells its sender.
    pub deliver_by: Option<u32>,
    /// FUTURERELEASE, RFC 4865, which is for submission only and is offered nowhere else. **Off until switched on**: whoever
    /// does so holds messages back until their time has come, over any restart.
    pub future_release: Option<FutureRelease>,
    /// RRVS, RFC 7293. **Off until switched on**: whoever does so knows since when each mailbox has belonged to its owner,
    /// and refuses with 550 5.7.17 what is meant for an earlier one.
    pub rrvs: bool,
}

impl Extensions {
    /// How much longer than [`Limits::command_line`](crate::Limits) a command may be: what each RFC adds, where its
    /// extension is offered. Parameters of RCPT and of MAIL are added up alike.
    pub(crate) fn line_length(&self) -> usize {
        [
            (self.size, 26),                     // RFC 1870 §3
            (self.eight_bit_mime, 17),           // RFC 6152 §2
            (self.smtp_utf8, 10),                // RFC 6531 §3.1
            (self.binary_mime, 16),              // RFC 3030 §3
            (self.require_tls, 11),              // RFC 8689 §2
            (self.auth, 500),                    // RFC 4954 §3
            (self.dsn, 116),                     // RFC 3461 §5.4, of MAIL: SP RET=FULL SP ENVID= and 100 octets
            (self.dsn, 536),                     // RFC 3461 §5.4, of RCPT: SP NOTIFY= and 28 octets, SP ORCPT= and 500
            (self.mt_priority.is_some(), 15),    // RFC 6710 §3
            (self.deliver_by.is_some(), 17),     // RFC 2852: SP BY=-999999999;RT
            (self.future_release.is_some(), 46), // RFC 4865: SP HOLDUNTIL= and an RFC 3339 date-time
            (self.rrvs, 49),                     // RFC 7293: SP RRVS= and an RFC 3339 date-time, ;C or ;R
        ]
        .into_iter()
        .filter_map(|(on, more)| on.then_some(more))
        .fold(0, usize::saturating_add)
    }
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
            limits: true,
            require_tls: true,
            auth: false,
            dsn: false,
            mt_priority: None,
            deliver_by: None,
            future_release: None,
            rrvs: false,
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
