//! Logins: AUTHENTICATE (RFC 9051 §6.2.2) and LOGIN (RFC 9051 §6.2.3).

use std::sync::Arc;

use mail_wire::CredentialQuery;
use mail_wire::sasl::{Channel, Dialogue, DialogueStep, Failure, prepare_password, prepare_user_name};
use mail_wire::{CredentialAnswer, UserName};

use super::{Authenticated, Event, Input, LoginFailure, Owed, Pending, ServerSession};
use crate::command::{Authenticate, Login};
use crate::error::Rejection;
use crate::grammar::Tag;

impl ServerSession {
    pub(super) fn authenticate(&mut self, tag: &Tag, authenticate: &Authenticate) -> Result<Event, Rejection> {
        self.demand_secrecy()?;
        let mechanism = self.config.mechanism(&authenticate.mechanism, self.tls.as_ref());
        let mechanism = mechanism.ok_or(Rejection::UnknownMechanism)?;
        let initial = authenticate.initial_response.as_ref().map(|response| response.expose().as_slice());
        let channel = Channel::new(self.tls.as_ref(), self.config.mechanisms());
        let (dialogue, step) = Dialogue::begin_on(channel, mechanism, initial, Arc::clone(self.config.sasl()));
        let pending = self.after(tag.clone(), Some(Box::new(dialogue)), step);
        self.raise(pending).ok_or(Rejection::UnknownMechanism)
    }

    /// The name is prepared as SASL does it, so that LOGIN and PLAIN let the same people in.
    pub(super) fn log_in(&mut self, tag: &Tag, login: &Login) -> Result<Event, Rejection> {
        self.demand_secrecy()?;
        if !self.config.offers_login() {
            return Err(Rejection::NoLogin);
        }
        let text = |octets: &[u8]| std::str::from_utf8(octets).map(str::to_owned).ok();
        let user = text(&login.user).and_then(|user| prepare_user_name(&user).ok());
        let password = std::str::from_utf8(login.password.expose()).ok().and_then(|text| prepare_password(text).ok());
        let (Some(user), Some(password)) = (user, password) else {
            return Ok(self.fail(tag.clone(), Failure::Rejected));
        };
        self.owed = Owed::Password(tag.clone(), user.clone());
        Ok(Event::Credentials(CredentialQuery::Password { user, password }))
    }

    /// What comes after a step of an exchange. With its end the exchange is forgotten.
    pub(super) fn after(&mut self, tag: Tag, dialogue: Option<Box<Dialogue>>, step: DialogueStep) -> Pending {
        let keep = |this: &mut Self| {
            if let Some(dialogue) = dialogue {
                this.input = Input::Exchange(tag.clone(), dialogue);
            }
        };
        match step {
            DialogueStep::Challenge(challenge) => {
                keep(self);
                Pending::Challenge(challenge)
            }
            DialogueStep::Need(query) => {
                keep(self);
                Pending::Ask(query)
            }
            DialogueStep::Success(identity) => Pending::Authenticated(
                tag,
                Authenticated { account: identity.account, user: identity.user, mechanism: Some(identity.mechanism) },
            ),
            DialogueStep::Failure(failure) => Pending::Failed(tag, failure),
            // What is not known lets nobody in.
            _ => Pending::Failed(tag, Failure::Rejected),
        }
    }

    /// What comes after the host's answer about a password.
    pub(super) fn after_password(tag: Tag, user: UserName, answer: CredentialAnswer) -> Pending {
        match answer {
            CredentialAnswer::Accepted(account) => {
                Pending::Authenticated(tag, Authenticated { account, user: Some(user), mechanism: None })
            }
            CredentialAnswer::Unavailable => Pending::Failed(tag, Failure::Unavailable),
            _ => Pending::Failed(tag, Failure::Rejected),
        }
    }

    /// What comes after the host's answer to an exchange.
    pub(super) fn after_query(&mut self, answer: CredentialAnswer) -> Option<Pending> {
        match std::mem::replace(&mut self.input, Input::Commands) {
            Input::Exchange(tag, mut dialogue) => {
                let step = dialogue.supply(answer);
                Some(self.after(tag, Some(dialogue), step))
            }
            input => {
                self.input = input;
                None
            }
        }
    }

    pub(super) fn raise(&mut self, pending: Pending) -> Option<Event> {
        Some(match pending {
            Pending::Challenge(challenge) => {
                self.owed = Owed::Challenge(challenge);
                Event::Continue
            }
            Pending::Ask(query) => {
                self.owed = Owed::Exchange;
                Event::Credentials(query)
            }
            Pending::Authenticated(tag, who) => {
                self.owed = Owed::Authenticated(tag);
                Event::Authenticated(who)
            }
            Pending::Failed(tag, failure) => self.fail(tag, failure),
            Pending::Line(line) => return self.line(line),
        })
    }

    pub(super) fn fail(&mut self, tag: Tag, failure: Failure) -> Event {
        match failure {
            Failure::Rejected => self.rejected_logins = self.rejected_logins.saturating_add(1),
            // Who changes their mind, or comes when the host cannot say, has done nothing wrong.
            Failure::Aborted | Failure::Unavailable => {}
            _ => self.errors = self.errors.saturating_add(1),
        }
        self.owed = Owed::Failed(tag);
        Event::AuthenticationFailed(LoginFailure {
            failure,
            rejected: self.rejected_logins,
            closes: self.is_at_a_limit(),
        })
    }

    /// No login where others could read it (attack row T7).
    fn demand_secrecy(&self) -> Result<(), Rejection> {
        if self.config.takes_login(self.tls.is_some()) { Ok(()) } else { Err(Rejection::InsecureLogin) }
    }
}
