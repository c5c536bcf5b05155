//! One exchange in raw octets (RFC 4422 §3): the states that all mechanisms share.
//!
//! ```text
//!           step                 step                       supply
//!  Fresh ───────────▶ Prompted ─────────▶ Asked (password) ─────────▶ Asked (authority)? ──▶ success
//!    │                  │  LOGIN: twice
//!    └──────────────────┴───▶ any of the above
//! ```

use std::fmt;
use std::sync::Arc;

use mailstore_traits::{AccountId, CredentialAnswer, CredentialQuery, UserName};

use super::{Failure, Identity, Mechanism, SaslConfig, Step, login, plain};

/// The server's side of one exchange. It owns all that it knows; dropping it forgets.
pub struct ServerExchange {
    mechanism: Mechanism,
    config: Arc<SaslConfig>,
    state: State,
}

enum State {
    /// Nothing has come and nothing has been said.
    Fresh,
    /// The client has been asked to speak first.
    Prompted,
    /// LOGIN has a name and has asked for a password.
    Named(UserName),
    /// The host owes an answer.
    Asked(Question),
    /// The client has been told why it was refused and owes a dummy response.
    Refused,
    /// It has ended.
    Over,
}

/// What the host was asked, and what is to be done with its answer.
enum Question {
    Password { user: UserName, requested: Option<UserName> },
    Authority { user: UserName },
}

impl ServerExchange {
    /// An exchange in which nothing has been said.
    pub fn new(mechanism: Mechanism, config: Arc<SaslConfig>) -> Self {
        Self { mechanism, config, state: State::Fresh }
    }

    /// What the client says, decoded. First its initial response, or `None` if it sent none; then its responses.
    ///
    /// While the host owes an answer nobody may speak: it ends the exchange with [`Failure::Rejected`].
    pub fn step(&mut self, response: Option<&[u8]>) -> Step {
        if response.is_some_and(|response| response.len() > self.config.max_response) {
            return self.end(Failure::TooLong);
        }
        match (self.take(), response) {
            (State::Fresh, None) => {
                let prompt = if self.mechanism == Mechanism::Login { login::USER_NAME } else { b"" };
                self.challenge(State::Prompted, prompt)
            }
            (State::Fresh | State::Prompted, response) => self.first(response.unwrap_or_default()),
            (State::Named(user), response) => match login::password(response.unwrap_or_default()) {
                Ok(password) => {
                    let query = CredentialQuery::Password { user: user.clone(), password };
                    self.ask(Question::Password { user, requested: None }, query)
                }
                Err(failure) => self.end(failure),
            },
            (State::Asked(_) | State::Refused | State::Over, _) => self.end(Failure::Rejected),
        }
    }

    /// The host's answer to [`Step::Need`].
    ///
    /// One that was not asked for, or of the wrong kind, ends the exchange with [`Failure::Rejected`].
    pub fn supply(&mut self, answer: CredentialAnswer) -> Step {
        let State::Asked(question) = self.take() else {
            return self.end(Failure::Rejected);
        };
        match (question, answer) {
            (_, CredentialAnswer::Unavailable) => self.end(Failure::Unavailable),
            (Question::Password { user, requested }, CredentialAnswer::Accepted(account)) => {
                self.authorize(account, user, requested)
            }
            (Question::Authority { user }, CredentialAnswer::Accepted(account)) => self.succeed(account, Some(user)),
            _ => self.end(Failure::Rejected),
        }
    }

    /// Whether the host has refused and only the client's dummy response is missing.
    pub(super) fn is_refused(&self) -> bool {
        matches!(self.state, State::Refused)
    }

    /// Ends it.
    pub(super) fn end(&mut self, failure: Failure) -> Step {
        self.state = State::Over;
        Step::Failure(failure)
    }

    /// The state, with [`State::Over`] in its place: what is not put back has ended.
    fn take(&mut self) -> State {
        std::mem::replace(&mut self.state, State::Over)
    }

    fn first(&mut self, response: &[u8]) -> Step {
        match self.mechanism {
            Mechanism::Plain => match plain::parse(response) {
                Ok(plain::Credentials { requested, user, password }) => {
                    let query = CredentialQuery::Password { user: user.clone(), password };
                    self.ask(Question::Password { user, requested }, query)
                }
                Err(failure) => self.end(failure),
            },
            Mechanism::Login => match login::user_name(response) {
                Ok(user) => self.challenge(State::Named(user), login::PASSWORD),
                Err(failure) => self.end(failure),
            },
            _ => self.end(Failure::Rejected),
        }
    }

    /// Credentials are good; may they be used for what the client asks? Not a question when it asks to be itself.
    fn authorize(&mut self, account: AccountId, user: UserName, requested: Option<UserName>) -> Step {
        match requested {
            Some(requested) if requested != user => {
                let query = CredentialQuery::Authorize { authenticated: account, requested };
                self.ask(Question::Authority { user }, query)
            }
            _ => self.succeed(account, Some(user)),
        }
    }

    fn challenge(&mut self, state: State, challenge: &[u8]) -> Step {
        self.state = state;
        Step::Challenge(challenge.to_vec())
    }

    fn ask(&mut self, question: Question, query: CredentialQuery) -> Step {
        self.state = State::Asked(question);
        Step::Need(query)
    }

    fn succeed(&mut self, account: AccountId, user: Option<UserName>) -> Step {
        self.state = State::Over;
        Step::Success(Identity::new(account, user, self.mechanism))
    }
}

impl fmt::Debug for ServerExchange {
    /// The mechanism only: what else is known is the client's business.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerExchange").field("mechanism", &self.mechanism).finish_non_exhaustive()
    }
}
