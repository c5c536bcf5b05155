//! A login: RFC 4954 §4.

use std::sync::Arc;

use bytes::BytesMut;
use mail_wire::CredentialAnswer;
use mail_wire::line::LineFault;
use mail_wire::sasl::{Channel, Dialogue, DialogueStep, Failure, Mechanism};

use super::owed::Owed;
use super::state::{Exchange, State};
use super::{Event, LoginFailure, RejectionReason, ServerSession};
use crate::command::Auth;

impl ServerSession {
    /// AUTH: after EHLO, once, between messages (RFC 4954 §4; attack rows A7, A12), and with TLS where that is wanted.
    pub(super) fn judge_auth(&mut self, auth: &Auth) -> Result<(Event, Owed), RejectionReason> {
        if self.config.mechanisms.is_empty() {
            return Err(RejectionReason::NotImplemented);
        }
        match &self.state {
            State::Ready { peer, .. } if peer.hello.is_extended() && peer.identity.is_none() => {}
            _ => return Err(RejectionReason::Sequence),
        }
        if self.config.auth_needs_tls && self.tls.is_none() {
            return Err(RejectionReason::TlsRequired);
        }
        let mechanism = auth.mechanism.as_str().parse::<Mechanism>().ok();
        let mechanism = mechanism
            .filter(|mechanism| self.config.mechanisms.contains(mechanism) && mechanism.is_possible(self.tls.as_ref()))
            .ok_or(RejectionReason::UnknownMechanism)?;
        let initial = auth.initial.as_ref().map(|initial| initial.expose().as_slice());
        let channel = Channel::new(self.tls.as_ref(), &self.config.mechanisms);
        let (dialogue, step) = Dialogue::begin_on(channel, mechanism, initial, Arc::clone(&self.config.sasl));
        self.state.auth_begun(Exchange { dialogue, step: None });
        Ok(self.step(step))
    }

    /// The host's answer to a query: what it leads to is the next event, without an octet.
    pub(super) fn supply(&mut self, answer: CredentialAnswer) {
        if let State::Auth(_, exchange) = &mut self.state {
            exchange.step = Some(exchange.dialogue.supply(answer));
        }
    }

    /// What a login wants next, or what the peer's next line leads to.
    pub(super) fn next_of_login(&mut self, input: &mut BytesMut) -> Option<(Event, Owed)> {
        let limit = self.config.limits.auth_line.saturating_add(2);
        let State::Auth(_, exchange) = &mut self.state else { return None };
        let step = match exchange.step.take() {
            Some(step) => step,
            None => {
                let line = self.lines.next_line(input, limit);
                self.mid_line = line.is_none() && self.lines.is_mid_line(input);
                match line? {
                    Ok(mut line) => {
                        let step = exchange.dialogue.line(&line);
                        line.fill(0);
                        step
                    }
                    Err(LineFault::TooLong) => DialogueStep::Failure(Failure::TooLong),
                    Err(_) => DialogueStep::Failure(Failure::Malformed),
                }
            }
        };
        Some(self.step(step))
    }

    fn step(&mut self, step: DialogueStep) -> (Event, Owed) {
        match step {
            DialogueStep::Challenge(text) => (Event::Continue, Owed::Challenge(text)),
            DialogueStep::Need(query) => (Event::Credentials(query), Owed::Credential),
            DialogueStep::Success(identity) => (Event::Authenticated(identity.clone()), Owed::Authenticated(identity)),
            DialogueStep::Failure(failure) => self.failed(failure),
            // A step that this crate does not know cannot be carried out.
            _ => self.failed(Failure::Unavailable),
        }
    }

    fn failed(&mut self, failure: Failure) -> (Event, Owed) {
        let (limits, counts) = (&self.config.limits, &mut self.counts);
        match failure {
            Failure::Rejected => counts.rejected_logins = counts.rejected_logins.saturating_add(1),
            Failure::Unavailable => {}
            _ => counts.errors = counts.errors.saturating_add(1),
        }
        let closes = failure != Failure::Unavailable
            && (counts.rejected_logins >= limits.failed_logins || counts.errors >= limits.errors);
        let rejected = counts.rejected_logins;
        (Event::AuthenticationFailed(LoginFailure { failure, rejected, closes }), Owed::LoginFailed)
    }
}
