//! The states of a session, and every way from one to another (RFC 1939 §3, RFC 2595 §4).
//!
//! ```text
//!             greeted                      logged in                  QUIT              answered
//!  Greeting ----------> Authorization ----------------> Transaction ------> Update ------------> Closed
//!                        |         ^                        |                                      ^
//!                   STLS |         | handshake done         | timeout, shutdown, end of input      |
//!                        v         |                        +--------------------------------------+
//!                        Handshake                            from every state, and nothing is removed
//! ```
#![warn(clippy::wildcard_enum_match_arm)]

use mail_wire::UserName;
use mail_wire::sasl::Dialogue;

use super::maildrop::OpenMaildrop;
use crate::response::DropListing;

/// Where a session is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SessionState {
    /// Nothing has been said.
    Greeting,
    /// Nobody has logged in (RFC 1939 §4).
    Authorization,
    /// STLS was answered with yes, and the handshake is not done.
    Handshake,
    /// Somebody has logged in (RFC 1939 §5).
    Transaction,
    /// QUIT has come, and the host removes messages (RFC 1939 §6).
    Update,
    /// It is over.
    Closed,
}

/// The same with what belongs to each.
#[derive(Debug)]
pub(super) enum State {
    Greeting,
    Authorization(Login),
    Handshake,
    Transaction(OpenMaildrop),
    Update,
    Closed,
}

/// A login on its way.
#[derive(Debug, Default)]
pub(super) enum Login {
    #[default]
    None,
    /// USER has come; `None` if it was a name that nobody can have.
    Named(Option<UserName>),
    /// AUTH has come. Dropping it forgets all of it (attack row M17).
    Exchange(Box<Dialogue>),
}

impl State {
    pub(super) fn kind(&self) -> SessionState {
        match self {
            Self::Greeting => SessionState::Greeting,
            Self::Authorization(_) => SessionState::Authorization,
            Self::Handshake => SessionState::Handshake,
            Self::Transaction(_) => SessionState::Transaction,
            Self::Update => SessionState::Update,
            Self::Closed => SessionState::Closed,
        }
    }

    pub(super) fn greeted(&mut self) {
        if let Self::Greeting = self {
            *self = Self::Authorization(Login::None);
        }
    }

    /// USER was answered with yes.
    pub(super) fn named(&mut self, user: Option<UserName>) {
        self.set_login(Login::Named(user));
    }

    /// AUTH has begun an exchange.
    pub(super) fn exchanging(&mut self, dialogue: Dialogue) {
        self.set_login(Login::Exchange(Box::new(dialogue)));
    }

    /// The exchange that is going on.
    pub(super) fn exchange(&mut self) -> Option<&mut Dialogue> {
        match self {
            Self::Authorization(Login::Exchange(dialogue)) => Some(dialogue),
            Self::Authorization(Login::None | Login::Named(_))
            | Self::Greeting
            | Self::Handshake
            | Self::Transaction(_)
            | Self::Update
            | Self::Closed => None,
        }
    }

    /// What has come of a login, which is forgotten by that: PASS stands directly behind USER or not at all (RFC 1939
    /// §7).
    pub(super) fn take_login(&mut self) -> Login {
        match self {
            Self::Authorization(login) => std::mem::take(login),
            Self::Greeting | Self::Handshake | Self::Transaction(_) | Self::Update | Self::Closed => Login::None,
        }
    }

    /// A login has got its maildrop.
    pub(super) fn logged_in(&mut self, maildrop: OpenMaildrop) {
        if let Self::Authorization(_) = self {
            *self = Self::Transaction(maildrop);
        }
    }

    pub(super) fn maildrop(&self) -> Option<&OpenMaildrop> {
        match self {
            Self::Transaction(maildrop) => Some(maildrop),
            Self::Greeting | Self::Authorization(_) | Self::Handshake | Self::Update | Self::Closed => None,
        }
    }

    pub(super) fn maildrop_mut(&mut self) -> Option<&mut OpenMaildrop> {
        match self {
            Self::Transaction(maildrop) => Some(maildrop),
            Self::Greeting | Self::Authorization(_) | Self::Handshake | Self::Update | Self::Closed => None,
        }
    }

    /// STLS was answered with yes. What has been learned is forgotten (attack row T3).
    pub(super) fn handshaking(&mut self) {
        if let Self::Authorization(_) = self {
            *self = Self::Handshake;
        }
    }

    /// The handshake is done: from the beginning (attack row T3), but for the greeting if it has been said.
    pub(super) fn encrypted(&mut self) {
        match self {
            Self::Greeting | Self::Closed => {}
            Self::Authorization(_) | Self::Handshake | Self::Transaction(_) | Self::Update => {
                *self = Self::Authorization(Login::None);
            }
        }
    }

    /// QUIT has come: from TRANSACTION into UPDATE, with the keys of what is to be removed and what will be left (RFC
    /// 1939 §6). From AUTHORIZATION nothing is removed, and it is no UPDATE.
    pub(super) fn quit(&mut self) -> Option<(Vec<u32>, DropListing)> {
        match std::mem::replace(self, Self::Update) {
            Self::Transaction(maildrop) => Some((maildrop.marked_keys(), maildrop.listing())),
            other @ (Self::Greeting | Self::Authorization(_) | Self::Handshake | Self::Update | Self::Closed) => {
                *self = other;
                None
            }
        }
    }

    /// It is over. Marks are forgotten, and nothing is removed by that.
    pub(super) fn close(&mut self) {
        *self = Self::Closed;
    }

    fn set_login(&mut self, next: Login) {
        if let Self::Authorization(login) = self {
            *login = next;
        }
    }
}
