//! Values that must not be seen.

use std::fmt;

use zeroize::Zeroize;

/// A credential: not shown by `Debug`, not printable, wiped from memory when dropped.
///
/// It lives here rather than in `mail_wire`, which re-exports it, because the credential queries that a host's
/// [`Authenticator`](crate::Authenticator) answers carry it.
#[derive(Clone, Default)]
pub struct Secret<T: Zeroize>(T);

impl<T: Zeroize> Secret<T> {
    /// Takes a value into keeping.
    pub fn new(value: T) -> Self {
        Self(value)
    }

    /// The value itself. Whoever calls this answers for where it goes; never compare it with `==` (attack row A4).
    pub fn expose(&self) -> &T {
        &self.0
    }
}

impl<T: Zeroize> Drop for Secret<T> {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl<T: Zeroize> fmt::Debug for Secret<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}

impl<T: Zeroize> From<T> for Secret<T> {
    fn from(value: T) -> Self {
        Self(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sec_a13_debug_shows_nothing() {
        let secret = Secret::new(String::from("hunter2"));
        assert!(!format!("{secret:?} {secret:#?}").contains("hunter2"));
    }
}
