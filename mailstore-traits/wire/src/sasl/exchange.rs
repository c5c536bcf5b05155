//! One exchange in raw octets (RFC 4422 §3): the states that all mechanisms share.
//!
//! ```text
//!  Fresh ──▶ Prompted ──▶ (a mechanism's own: Named, Proving) ──▶ Asked ──▶ Over, with success or failure
//!    │                        ▲             │    ▲                │ ▲ │
//!    └────────────────────────┘             └────┼────────────────┘ │ ├──▶ Refused ──▶ Over, with failure
//!                                                └──────────────────┘ └──▶ Finishing ──▶ Over, with success
//! ```

use std::fmt;
use std::sync::Arc;

use mailstore_traits::{AccountId, CredentialAnswer, CredentialQuery, ScramHash, ScramKeys, UserName};

use super::scram::{ClientFirst, Proved, ServerFirst};
use super::{Failure, Identity, Mechanism, SaslConfig, Step, cram_md5, login, oauth, plain};

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
    /// SCRAM has named salt and nonce and waits for a proof.
    Proving(Box<ServerFirst>),
    /// CRAM-MD5 has sent this challenge.
    Challenged(String),
    /// The host owes an answer.
    Asked(Question),
    /// A token was refused and the client told so; it owes a dummy response (RFC 7628 §3.2.3).
    Refused,
    /// SCRAM has proved the server's side too; the client owes an empty response.
    Finishing(Identity),
    /// It has ended.
    Over,
}

/// What the host was asked, and what there is to do with its answer.
enum Question {
    Password { user: UserName, requested: Option<UserName> },
    Keys(Box<ClientFirst>),
    Token { user: Option<UserName> },
    Digest { user: UserName },
    Authority { user: UserName, last_words: Option<Vec<u8>> },
}

impl ServerExchange {
    /// An exchange in which nothing has been said.
    pub fn new(mechanism: Mechanism, config: Arc<SaslConfig>) -> Self {
        Self { mechanism, config, state: State::Fresh }
    }

    /// What the client says, decoded. First its initial response, or `None` if it sent none; then its responses, where
    /// `None` is an empty one.
    ///
    /// While the host owes an answer nobody may speak: it ends the exchange with [`Failure::Rejected`].
    pub fn step(&mut self, response: Option<&[u8]>) -> Step {
        if response.is_some_and(|response| response.len() > self.config.max_response) {
            return self.end(Failure::TooLong);
        }
        let outcome = match (self.take(), response) {
            (State::Fresh, None) if self.mechanism == Mechanism::CramMd5 => cram_md5::challenge(&self.config)
                .map(|challenge| self.challenge(State::Challenged(challenge.clone()), challenge.as_bytes())),
            // The server speaks first; who speaks before it cannot answer its challenge (RFC 4422 §5, RFC 4954 §4).
            (State::Fresh, Some(_)) if self.mechanism == Mechanism::CramMd5 => Err(Failure::Malformed),
            (State::Challenged(challenge), response) => cram_md5::parse(response.unwrap_or_default()).map(|response| {
                let cram_md5::Response { user, digest } = response;
                self.ask(Question::Digest { user: user.clone() }, CredentialQuery::CramMd5 { user, challenge, digest })
            }),
            (State::Fresh, None) => {
                let prompt = if self.mechanism == Mechanism::Login { login::USER_NAME } else { b"" };
                Ok(self.challenge(State::Prompted, prompt))
            }
            (State::Fresh | State::Prompted, response) => self.first(response.unwrap_or_default()),
            (State::Named(user), response) => login::password(response.unwrap_or_default()).map(|password| {
                let query = CredentialQuery::Password { user: user.clone(), password };
                self.ask(Question::Password { user, requested: None }, query)
            }),
            (State::Proving(server), response) => {
                server.prove(response.unwrap_or_default()).map(|Proved { account, user, requested, server_final }| {
                    self.authorize(account, user, requested, Some(server_final))
                })
            }
            (State::Finishing(identity), None | Some(b"")) => Ok(Step::Success(identity)),
            (State::Finishing(_), Some(_)) => Err(Failure::Malformed),
            (State::Asked(_) | State::Refused | State::Over, _) => Err(Failure::Rejected),
        };
        outcome.unwrap_or_else(|failure| self.end(failure))
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
                self.authorize(account, user, requested, None)
            }
            (Question::Digest { user }, CredentialAnswer::Accepted(account)) => self.succeed(account, Some(user), None),
            (Question::Authority { user, last_words }, CredentialAnswer::Accepted(account)) => {
                self.succeed(account, Some(user), last_words)
            }
            (Question::Keys(first), CredentialAnswer::ScramKeys(found)) => self.prove(*first, Some(found)),
            (Question::Keys(first), CredentialAnswer::Rejected) => self.prove(*first, None),
            (Question::Token { user }, CredentialAnswer::Accepted(account)) => self.succeed(account, user, None),
            (Question::Token { .. }, CredentialAnswer::Rejected) => self.refuse(),
            _ => self.end(Failure::Rejected),
        }
    }

    /// Whether a token was refused and only the client's dummy response is missing.
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

    /// The client's first message.
    fn first(&mut self, response: &[u8]) -> Result<Step, Failure> {
        Ok(match self.mechanism {
            Mechanism::Plain => {
                let plain::Credentials { requested, user, password } = plain::parse(response)?;
                let query = CredentialQuery::Password { user: user.clone(), password };
                self.ask(Question::Password { user, requested }, query)
            }
            Mechanism::Login => self.challenge(State::Named(login::user_name(response)?), login::PASSWORD),
            Mechanism::ScramSha256 => {
                let first = ClientFirst::parse(response)?;
                let query = CredentialQuery::ScramKeys { user: first.user.clone(), hash: ScramHash::Sha256 };
                self.ask(Question::Keys(Box::new(first)), query)
            }
            Mechanism::OauthBearer => self.bear(oauth::parse_oauthbearer(response)?),
            Mechanism::Xoauth2 => self.bear(oauth::parse_xoauth2(response)?),
            Mechanism::CramMd5 => return Err(Failure::Malformed),
        })
    }

    fn bear(&mut self, bearer: oauth::Bearer) -> Step {
        let oauth::Bearer { user, token } = bearer;
        match token {
            Some(token) => self.ask(Question::Token { user: user.clone() }, CredentialQuery::Token { user, token }),
            None => self.refuse(),
        }
    }

    fn prove(&mut self, first: ClientFirst, found: Option<ScramKeys>) -> Step {
        match first.answer(found, &self.config) {
            Ok(server) => {
                let message = server.message.clone();
                self.challenge(State::Proving(Box::new(server)), message.as_bytes())
            }
            Err(failure) => self.end(failure),
        }
    }

    /// Credentials are good; may they be used for what the client asks? Not a question when it asks to be itself.
    fn authorize(
        &mut self,
        account: AccountId,
        user: UserName,
        requested: Option<UserName>,
        last_words: Option<Vec<u8>>,
    ) -> Step {
        match requested {
            Some(requested) if requested != user => {
                let query = CredentialQuery::Authorize { authenticated: account, requested };
                self.ask(Question::Authority { user, last_words }, query)
            }
            _ => self.succeed(account, Some(user), last_words),
        }
    }

    fn refuse(&mut self) -> Step {
        self.challenge(State::Refused, oauth::refusal(self.mechanism))
    }

    fn challenge(&mut self, state: State, challenge: &[u8]) -> Step {
        self.state = state;
        Step::Challenge(challenge.to_vec())
    }

    fn ask(&mut self, question: Question, query: CredentialQuery) -> Step {
        self.state = State::Asked(question);
        Step::Need(query)
    }

    fn succeed(&mut self, account: AccountId, user: Option<UserName>, last_words: Option<Vec<u8>>) -> Step {
        let identity = Identity::new(account, user, self.mechanism);
        match last_words {
            Some(words) => self.challenge(State::Finishing(identity), &words),
            None => Step::Success(identity),
        }
    }
}

impl fmt::Debug for ServerExchange {
    /// The mechanism only: what else is known is the client's business.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerExchange").field("mechanism", &self.mechanism).finish_non_exhaustive()
    }
}
