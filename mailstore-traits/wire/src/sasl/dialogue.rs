//! An exchange in lines of base64, as SMTP (RFC 4954 §4), POP3 (RFC 5034 §4) and IMAP (RFC 9051 §6.2.2) speak it.

use std::fmt;
use std::sync::Arc;

use mailstore_traits::{CredentialAnswer, CredentialQuery};
use zeroize::Zeroizing;

use super::{Channel, Failure, Identity, Mechanism, SaslConfig, ServerExchange, Step};
use crate::base64::{self, Base64Error};

/// One AUTH or AUTHENTICATE command, from its arguments to its end.
///
/// A failure ends this exchange and touches nothing else (attack row M16): begin anew for the next command. SCRAM's last
/// words to the client go out as a challenge, and the client's empty line then gives the success, since none of the
/// three protocols has room for data beside it (RFC 4422 §3.6).
pub struct Dialogue {
    exchange: ServerExchange,
    config: Arc<SaslConfig>,
}

/// What a dialogue wants next.
#[derive(Debug)]
#[non_exhaustive]
pub enum DialogueStep {
    /// To send this, base64 or nothing, as a challenge (`334 …`, `+ …`), and to have the client's line by
    /// [`Dialogue::line`].
    Challenge(String),
    /// An answer to this, by [`Dialogue::supply`].
    Need(CredentialQuery),
    /// Nothing: it is over, and this is who it is.
    Success(Identity),
    /// Nothing: it is over. The connection may try again.
    Failure(Failure),
}

impl Dialogue {
    /// Begins with the command's arguments. `initial` is the initial response as it stood there, in base64; `=` is an
    /// empty one (RFC 4954 §4, RFC 5034 §4, RFC 4959 §3).
    ///
    /// One over the ceiling, or one that is no base64, is a failure here already.
    ///
    /// Nothing is known of the connection; where there is TLS, [`begin_on`](Self::begin_on) is the one to call.
    pub fn begin(mechanism: Mechanism, initial: Option<&[u8]>, config: Arc<SaslConfig>) -> (Self, DialogueStep) {
        Self::begin_on(Channel::default(), mechanism, initial, config)
    }

    /// The same on a connection of which something is known: what -PLUS binds to, and EXTERNAL's certificate.
    pub fn begin_on(
        channel: Channel,
        mechanism: Mechanism,
        initial: Option<&[u8]>,
        config: Arc<SaslConfig>,
    ) -> (Self, DialogueStep) {
        let exchange = ServerExchange::new(mechanism, Arc::clone(&config)).on(channel);
        let mut dialogue = Self { exchange, config };
        let step = match initial {
            None => dialogue.exchange.step(None).into(),
            Some(b"=") => dialogue.exchange.step(Some(b"")).into(),
            // Nothing at all is no spelling of an empty initial response; the commands' grammars have none such.
            Some(b"") => dialogue.fail(Failure::Malformed),
            Some(encoded) => dialogue.respond(encoded),
        };
        (dialogue, step)
    }

    /// The client's response to a challenge, without its CRLF. A `*` aborts.
    pub fn line(&mut self, line: &[u8]) -> DialogueStep {
        if self.exchange.is_refused() {
            // The host has said no and the client been told why (RFC 7628 §3.2.3). Whatever comes, a `*` above all, it
            // remains a failed login, or guesses would go uncounted (attack row A11).
            return self.fail(Failure::Rejected);
        }
        match line {
            b"*" => self.fail(Failure::Aborted),
            line => self.respond(line),
        }
    }

    /// The host's answer to what was needed.
    pub fn supply(&mut self, answer: CredentialAnswer) -> DialogueStep {
        self.exchange.supply(answer).into()
    }

    fn respond(&mut self, encoded: &[u8]) -> DialogueStep {
        if encoded.len() > self.config.max_response {
            return self.fail(Failure::TooLong);
        }
        match base64::decode(encoded, self.config.max_response) {
            Ok(decoded) => self.exchange.step(Some(&Zeroizing::new(decoded))).into(),
            Err(Base64Error::TooLong) => self.fail(Failure::TooLong),
            Err(Base64Error::Malformed) => self.fail(Failure::Malformed),
        }
    }

    fn fail(&mut self, failure: Failure) -> DialogueStep {
        self.exchange.end(failure).into()
    }
}

impl From<Step> for DialogueStep {
    fn from(step: Step) -> Self {
        match step {
            Step::Challenge(octets) => Self::Challenge(base64::encode(&octets)),
            Step::Need(query) => Self::Need(query),
            Step::Success(identity) => Self::Success(identity),
            Step::Failure(failure) => Self::Failure(failure),
        }
    }
}

impl fmt::Debug for Dialogue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Dialogue").field(&self.exchange).finish()
    }
}
