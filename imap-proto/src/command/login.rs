//! Who the client is: LOGIN, AUTHENTICATE, ID.

use mail_wire::Secret;

/// LOGIN (RFC 9051 §6.2.3).
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Login {
    /// The name, as it came.
    pub user: Box<[u8]>,
    /// The password, as it came.
    pub password: Secret<Vec<u8>>,
}

impl Login {
    /// That name with that password.
    pub fn new(user: impl Into<Box<[u8]>>, password: Secret<Vec<u8>>) -> Self {
        Self { user: user.into(), password }
    }
}

/// AUTHENTICATE (RFC 9051 §6.2.2, RFC 4959).
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Authenticate {
    /// The mechanism's name, as it was written.
    pub mechanism: Box<str>,
    /// The initial response in base64, or `=` for an empty one, as it was written.
    pub initial_response: Option<Secret<Vec<u8>>>,
}

impl Authenticate {
    /// With that mechanism.
    pub fn new(mechanism: impl Into<Box<str>>, initial_response: Option<Secret<Vec<u8>>>) -> Self {
        Self { mechanism: mechanism.into(), initial_response }
    }
}

/// A field of ID and its value (RFC 2971 §3.3): at most 30 octets, and 1024 or NIL.
pub type IdField = (Box<[u8]>, Option<Box<[u8]>>);

// A client's or a test's comparison of what it made itself; a server compares passwords elsewhere, in constant time.
impl PartialEq for Login {
    fn eq(&self, other: &Self) -> bool {
        self.user == other.user && self.password.expose() == other.password.expose()
    }
}

impl Eq for Login {}

impl PartialEq for Authenticate {
    fn eq(&self, other: &Self) -> bool {
        let exposed = |one: &Self| one.initial_response.as_ref().map(|response| response.expose().clone());
        self.mechanism == other.mechanism && exposed(self) == exposed(other)
    }
}

impl Eq for Authenticate {}
