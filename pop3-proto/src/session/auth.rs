//! Logins: USER and PASS, APOP (RFC 1939 §7), AUTH (RFC 5034 §4).

use std::sync::Arc;

use mail_wire::sasl::{Channel, Dialogue, DialogueStep, Failure, prepare_password, prepare_user_name};
use mail_wire::{CredentialAnswer, CredentialQuery, Secret, UserName};

use super::state::Login;
use super::{Authenticated, Event, Owed, Pending, ServerSession};
use crate::command::{Apop, Auth};
use crate::error::Rejection;

impl ServerSession {
    /// A name is answered with yes, whoever it is (attack row A2). It is prepared as SASL does it, so that PASS and PLAIN
    /// let the same people in; one that cannot be prepared is nobody's, which PASS will find out.
    pub(super) fn user(&mut self, name: UserName) -> Result<Event, Rejection> {
        self.demand_secrecy()?;
        if !self.config.offers_user_pass() {
            return Err(Rejection::NoUserPass);
        }
        let prepared = prepare_user_name(name.as_str()).ok();
        self.owed = Owed::User(prepared.clone());
        Ok(prepared.map_or(Event::Continue, Event::User))
    }

    pub(super) fn pass(&mut self, login: Login, password: &Secret<Vec<u8>>) -> Result<Event, Rejection> {
        self.demand_secrecy()?;
        let Login::Named(user) = login else {
            return Err(Rejection::NoUser);
        };
        let password = std::str::from_utf8(password.expose()).ok().and_then(|text| prepare_password(text).ok());
        let pending = match (user, password) {
            (Some(user), Some(password)) => {
                self.owed = Owed::Password(user.clone());
                Pending::Ask(CredentialQuery::Password { user, password })
            }
            _ => Pending::Failed(Failure::Rejected),
        };
        Ok(self.raise(pending))
    }

    pub(super) fn apop(&mut self, apop: Apop) -> Result<Event, Rejection> {
        self.demand_secrecy()?;
        let timestamp = self.timestamp.clone().ok_or(Rejection::NoApop)?;
        let pending = match prepare_user_name(apop.user.as_str()) {
            Ok(user) => {
                self.owed = Owed::Password(user.clone());
                Pending::Ask(CredentialQuery::Apop { user, timestamp, digest: apop.digest })
            }
            Err(_) => Pending::Failed(Failure::Rejected),
        };
        Ok(self.raise(pending))
    }

    pub(super) fn auth(&mut self, auth: &Auth) -> Result<Event, Rejection> {
        self.demand_secrecy()?;
        let mechanism = self.config.mechanism(&auth.mechanism, self.tls.as_ref()).ok_or(Rejection::UnknownMechanism)?;
        let initial = auth.initial_response.as_ref().map(|response| response.expose());
        let channel = Channel::new(self.tls.as_ref(), self.config.mechanisms());
        let (dialogue, step) = Dialogue::begin_on(channel, mechanism, initial, Arc::clone(self.config.sasl()));
        self.state.exchanging(dialogue);
        let pending = self.after(step);
        Ok(self.raise(pending))
    }

    /// What comes after a step of an exchange. With its end the exchange is forgotten.
    pub(super) fn after(&mut self, step: DialogueStep) -> Pending {
        let ended = match step {
            DialogueStep::Challenge(challenge) => return Pending::Challenge(challenge),
            DialogueStep::Need(query) => return Pending::Ask(query),
            DialogueStep::Success(identity) => Pending::Authenticated(Authenticated {
                account: identity.account,
                user: identity.user,
                mechanism: Some(identity.mechanism),
            }),
            DialogueStep::Failure(failure) => Pending::Failed(failure),
            // What is not known lets nobody in.
            _ => Pending::Failed(Failure::Rejected),
        };
        self.state.take_login();
        ended
    }

    /// What comes after the host's answer about a password.
    pub(super) fn after_password(user: &UserName, answer: CredentialAnswer) -> Pending {
        match answer {
            CredentialAnswer::Accepted(account) => {
                Pending::Authenticated(Authenticated { account, user: Some(user.clone()), mechanism: None })
            }
            CredentialAnswer::Unavailable => Pending::Failed(Failure::Unavailable),
            _ => Pending::Failed(Failure::Rejected),
        }
    }

    /// What comes after the host's answer to an exchange.
    pub(super) fn after_query(&mut self, answer: CredentialAnswer) -> Pending {
        match self.state.exchange().map(|dialogue| dialogue.supply(answer)) {
            Some(step) => self.after(step),
            None => Pending::Failed(Failure::Rejected),
        }
    }

    /// No login where others could read it (attack row T7).
    fn demand_secrecy(&self) -> Result<(), Rejection> {
        if self.config.takes_login(self.tls.is_some()) { Ok(()) } else { Err(Rejection::InsecureLogin) }
    }
}
