//! Who the client is: LOGIN, AUTHENTICATE, ID.

use mail_wire::Secret;
use nom::Parser;
use nom::combinator::{opt, rest, verify};
use nom::sequence::{preceded, separated_pair, terminated};

use super::CommandErrorKind;
use super::encode::Writer;
use super::parse::{Context, secret};
use crate::grammar::OctetString;
use crate::grammar::read::{Parsed, astring, atom, boxed, close, expected, nstring, open, space, string, word, wrong};

/// LOGIN (RFC 9051 §6.2.3).
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Login {
    /// The name, as it came.
    pub user: OctetString,
    /// The password, as it came.
    pub password: Secret<Vec<u8>>,
}

impl Login {
    /// That name with that password.
    pub fn new(user: impl Into<OctetString>, password: Secret<Vec<u8>>) -> Self {
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

impl Login {
    pub(super) fn read<'a>(input: &'a [u8], with: Context<'_>) -> Parsed<'a, Self> {
        let text = |input| astring(input, with.dialect);
        let (input, (user, password)) = separated_pair(text, space, text).parse(input)?;
        Ok((input, Self::new(&*user, secret(&password))))
    }

    pub(super) fn write(&self, to: &mut Writer) {
        to.text("LOGIN ");
        to.astring(&self.user);
        to.text(" ");
        to.astring(self.password.expose());
    }
}

impl Authenticate {
    pub(super) fn read(input: &[u8]) -> Parsed<'_, Self> {
        // Whether it is base64 is the exchange's to find out, which answers for all three protocols alike.
        let initial = preceded(space, verify(rest, |initial: &[u8]| !initial.is_empty() && initial.is_ascii()));
        let (input, (mechanism, initial)) = (atom, opt(initial)).parse(input)?;
        Ok((input, Self::new(boxed(mechanism), initial.map(secret))))
    }

    pub(super) fn write(&self, to: &mut Writer) {
        to.text("AUTHENTICATE ");
        to.text(&self.mechanism);
        if let Some(initial) = &self.initial_response {
            to.text(" ");
            to.out.extend_from_slice(initial.expose());
        }
    }
}

/// Fields of ID: 30 at the most, their names of 30 octets, their values of 1,024 (RFC 2971 §3.3).
const ID_MOST: (usize, usize, usize) = (30, 30, 1024);

pub(super) fn read_id<'a>(input: &'a [u8], with: Context<'_>) -> Parsed<'a, Option<Vec<IdField>>> {
    if let Ok((input, ())) = word("NIL")(input) {
        return Ok((input, None));
    }
    let (mut input, ()) = open(input)?;
    let mut fields = Vec::new();
    while !matches!(input, [b')', ..]) {
        if fields.len() >= ID_MOST.0 {
            return wrong(CommandErrorKind::TooMany);
        }
        if !fields.is_empty() {
            input = space(input)?.0;
        }
        let (rest, name) = terminated(|input| string(input, with.dialect), space).parse(input)?;
        let (rest, value) = nstring(rest, with.dialect)?;
        if name.len() > ID_MOST.1 || value.as_ref().is_some_and(|value| value.len() > ID_MOST.2) {
            return expected("a field of at most 30 octets with a value of at most 1024");
        }
        fields.push((Box::from(&*name), value.map(|value| Box::from(&*value))));
        input = rest;
    }
    let (input, ()) = close(input)?;
    Ok((input, Some(fields)))
}

pub(super) fn write_id(fields: Option<&[IdField]>, to: &mut Writer) {
    to.text("ID ");
    match fields {
        None => to.text("NIL"),
        Some(fields) => {
            to.text("(");
            to.spaced(fields, |to, (name, value)| {
                to.string(name);
                to.text(" ");
                match value {
                    Some(value) => to.string(value),
                    None => to.text("NIL"),
                }
            });
            to.text(")");
        }
    }
}
