//! What a peer did wrong and may go on after.

use std::fmt;

use mail_wire::line::LineFault;

use super::Answer;
use crate::command::{CommandError, CommandErrorKind, Verb};
use crate::error::ParseError;
use crate::grammar::{EnhancedStatusCode as Status, Keyword};
use crate::response::Reply;

/// A command, or a message, that is not to be carried out. The conversation goes on after the answer.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Rejection {
    /// Why.
    pub reason: RejectionReason,
    /// Which command it was, if that much could be told. `None` at the end of a message.
    pub verb: Option<Verb>,
    /// Whether it takes the place of a message's end.
    during_data: bool,
    closes: Closes,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Closes {
    No,
    /// A limit is reached: 421.
    AtLimit,
    /// What follows cannot be told from anything else.
    OutOfStep,
}

/// Why a [`Rejection`] is one.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum RejectionReason {
    /// A line that is none: 500.
    Line(LineFault),
    /// No such command: 500.
    UnknownCommand,
    /// SMTP's greeting to an LMTP server, or the other way round: 500 (RFC 2033 §4.1).
    WrongProtocol,
    /// Arguments that do not follow the grammar: 501.
    Syntax(ParseError),
    /// A path that does not follow the grammar: 501.
    Path(ParseError),
    /// A value that its parameter cannot have: 501.
    ParameterValue(Keyword),
    /// A parameter, or a value of one, that is not known: 555.
    UnknownParameter(Keyword),
    /// An address that is not ASCII, without SMTPUTF8: 550 or 553 (RFC 6531 §3.5).
    NonAsciiAddress,
    /// Not at this moment: 503.
    Sequence,
    /// Not offered here: 502.
    NotImplemented,
    /// XCLIENT or XFORWARD from somebody whom the host does not trust to speak for others: 550 (attack row R2).
    NotTrusted,
    /// The first that was said is another protocol's: 500, and it is over (attack row T9).
    OtherProtocol,
    /// A login without TLS: 538 (RFC 4954 §4; attack row T7).
    TlsRequired,
    /// REQUIRETLS in clear, where STARTTLS is offered: 530 5.7.10 (RFC 8689 §2).
    EncryptionRequired,
    /// Mail without a login: 530 (RFC 4954 §6).
    AuthRequired,
    /// A mechanism that is not offered: 504 (RFC 4954 §4).
    UnknownMechanism,
    /// A message larger than the limit, as MAIL announced it or as it came: 552 (RFC 1870 §6.1).
    MessageTooBig,
    /// One recipient too many: 452 (RFC 5321 §4.5.3.1.10).
    TooManyRecipients,
    /// One message too many on this connection: 421.
    TooManyMessages,
    /// One more command that brings no message nearer: 421.
    TooManyIdleCommands,
    /// A peer that has guessed at too many recipients: 421.
    TooManyRefusedRecipients,
    /// A message with a CR or LF that stands alone, under [`LineEndPolicy::Reject`]: 550 (attack row S3).
    ///
    /// [`LineEndPolicy::Reject`]: mail_wire::dot::LineEndPolicy::Reject
    BareLineEnd,
    /// A message with a NUL: 550 (attack row S3).
    Nul,
    /// The host has refused a message that comes in chunks ([`DataBegin`](super::DataBegin)): its reply, which had to wait
    /// for the chunk's octets (RFC 3030 §2).
    Refused(Reply),
}

impl Rejection {
    pub(super) fn of_command(reason: RejectionReason, verb: Option<Verb>) -> Self {
        Self { reason, verb, during_data: false, closes: Closes::No }
    }

    pub(super) fn of_message(reason: RejectionReason) -> Self {
        Self { reason, verb: None, during_data: true, closes: Closes::No }
    }

    /// A chunk is not taken, and with it the message that it is of, if there is one.
    pub(super) fn of_chunk(reason: RejectionReason, during_data: bool) -> Self {
        Self { reason, verb: Some(Verb::Bdat), during_data, closes: Closes::No }
    }

    /// The same as the last that the peer is allowed.
    pub(super) fn closing(self) -> Self {
        Self { closes: Closes::AtLimit, ..self }
    }

    /// The same as the session's last word: nobody knows where the next command begins.
    pub(super) fn out_of_step(self) -> Self {
        Self { closes: Closes::OutOfStep, ..self }
    }

    /// Whether it takes the place of a message's end, or of that of a chunk of it: what has come of the message is to be
    /// thrown away.
    pub fn ends_message(&self) -> bool {
        self.during_data
    }

    /// Whether the session is over with its answer: a limit is reached, and the default answer is 421; or what follows
    /// cannot be told from anything else.
    pub fn closes(&self) -> bool {
        self.closes != Closes::No
    }

    /// The reply that the RFCs have for it. At a message's end by LMTP it goes to every recipient.
    pub fn default_answer(&self) -> Answer {
        Answer::ToAll(self.reply())
    }

    fn reply(&self) -> Reply {
        use RejectionReason as Reason;
        if self.closes == Closes::AtLimit {
            return Reply::of(421, Status::transient(7, 0), "too many errors, closing connection");
        }
        let of_sender = self.verb == Some(Verb::Mail);
        match &self.reason {
            Reason::Line(LineFault::TooLong) => Reply::of(500, Status::permanent(5, 2), "line too long"),
            Reason::Line(LineFault::BareLf) => Reply::of(500, Status::permanent(5, 2), "bare LF, lines end with CRLF"),
            Reason::Line(_) => Reply::of(500, Status::permanent(5, 2), "illegal octet in a command"),
            Reason::UnknownCommand => Reply::of(500, Status::permanent(5, 2), "command not recognized"),
            Reason::WrongProtocol if self.verb == Some(Verb::Lhlo) => {
                Reply::of(500, Status::permanent(5, 1), "this is SMTP, say EHLO")
            }
            Reason::WrongProtocol => Reply::of(500, Status::permanent(5, 1), "this is LMTP, say LHLO"),
            Reason::Syntax(error) => Reply::of(501, Status::permanent(5, 4), &format!("syntax: {error}")),
            // RFC 3463 §3.2: 1.7 is a bad sender's address, 1.3 a bad recipient's.
            Reason::Path(error) => {
                Reply::of(501, Status::permanent(1, if of_sender { 7 } else { 3 }), &format!("address: {error}"))
            }
            Reason::ParameterValue(keyword) => {
                Reply::of(501, Status::permanent(5, 4), &format!("not a legal value of {keyword}"))
            }
            Reason::UnknownParameter(keyword) => {
                Reply::of(555, Status::permanent(5, 4), &format!("parameter not recognized: {keyword}"))
            }
            Reason::NonAsciiAddress => {
                Reply::of(if of_sender { 550 } else { 553 }, Status::permanent(6, 7), "address needs SMTPUTF8")
            }
            Reason::Sequence => Reply::of(503, Status::permanent(5, 1), "bad sequence of commands"),
            Reason::NotImplemented => Reply::of(502, Status::permanent(5, 1), "command not implemented"),
            Reason::NotTrusted => Reply::of(550, Status::permanent(7, 0), "insufficient authorization"),
            Reason::OtherProtocol => {
                Reply::of(500, Status::permanent(5, 1), "this is a mail server, closing connection")
            }
            Reason::TlsRequired => Reply::of(538, Status::permanent(7, 11), "login needs TLS, say STARTTLS first"),
            Reason::EncryptionRequired => {
                Reply::of(530, Status::permanent(7, 10), "REQUIRETLS needs TLS, say STARTTLS first")
            }
            Reason::AuthRequired => Reply::of(530, Status::permanent(7, 0), "authentication required"),
            Reason::UnknownMechanism => Reply::of(504, Status::permanent(5, 4), "mechanism not offered"),
            Reason::MessageTooBig => Reply::of(552, Status::permanent(3, 4), "message too big"),
            Reason::TooManyRecipients => Reply::of(452, Status::transient(5, 3), "too many recipients"),
            Reason::TooManyMessages => Reply::of(421, Status::transient(7, 0), "too many messages, connect again"),
            Reason::TooManyIdleCommands => {
                Reply::of(421, Status::transient(7, 0), "many commands and no message, closing connection")
            }
            Reason::TooManyRefusedRecipients => {
                Reply::of(421, Status::transient(7, 0), "too many unknown recipients, closing connection")
            }
            Reason::BareLineEnd => Reply::of(550, Status::permanent(6, 0), "message has a bare CR or LF"),
            Reason::Nul => Reply::of(550, Status::permanent(6, 0), "message has a NUL"),
            Reason::Refused(reply) => reply.clone(),
        }
    }

    /// Whether it counts against the limit of errors. What the peer did in good faith does not: reaching a limit, and the
    /// commands of a pipelined group behind one that was refused.
    pub(super) fn is_error(&self) -> bool {
        use RejectionReason as Reason;
        match self.reason {
            Reason::MessageTooBig
            | Reason::TooManyRecipients
            | Reason::TooManyMessages
            | Reason::TooManyIdleCommands
            | Reason::TooManyRefusedRecipients
            | Reason::NonAsciiAddress
            | Reason::BareLineEnd
            | Reason::Nul
            | Reason::Refused(_) => false,
            Reason::Line(_)
            | Reason::UnknownCommand
            | Reason::WrongProtocol
            | Reason::Syntax(_)
            | Reason::Path(_)
            | Reason::ParameterValue(_)
            | Reason::UnknownParameter(_)
            | Reason::Sequence
            | Reason::NotImplemented
            | Reason::NotTrusted
            | Reason::OtherProtocol
            | Reason::TlsRequired
            | Reason::EncryptionRequired
            | Reason::AuthRequired
            | Reason::UnknownMechanism => true,
        }
    }
}

impl From<CommandError> for Rejection {
    fn from(error: CommandError) -> Self {
        let reason = match error.kind {
            CommandErrorKind::UnknownVerb => RejectionReason::UnknownCommand,
            CommandErrorKind::Syntax(error) => RejectionReason::Syntax(error),
            CommandErrorKind::Path(error) => RejectionReason::Path(error),
            CommandErrorKind::ParameterValue(keyword) => RejectionReason::ParameterValue(keyword),
            CommandErrorKind::UnknownParameter(keyword) => RejectionReason::UnknownParameter(keyword),
            CommandErrorKind::NonAsciiAddress => RejectionReason::NonAsciiAddress,
        };
        Self::of_command(reason, error.verb)
    }
}

/// For logs: what the peer would be told, without line ends.
impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(verb) = self.verb {
            write!(f, "{verb}: ")?;
        }
        f.write_str(self.reply().to_string().trim_end())
    }
}
