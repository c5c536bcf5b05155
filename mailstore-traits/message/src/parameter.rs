//! Parameters of Content-Type and Content-Disposition (RFC 2045 §5.1), and their long and encoded forms (RFC 2231).

use std::borrow::Cow;
use std::fmt;

use bytes::Bytes;

/// The parameters of one field, in the order in which they were sent, their names and values as they were sent but for
/// quotes: `title*0*` is the name of a parameter here, and [`value`](Self::value) is what puts such pieces together.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Parameters {
    pub(crate) list: Vec<(Bytes, Bytes)>,
}

/// The value of a parameter, put together and with its percent signs decoded (RFC 2231 §3, §4).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ParameterValue<'a> {
    /// The charset it names itself, if it does. The octets are not converted.
    pub charset: Option<&'a [u8]>,
    /// The octets.
    pub octets: Cow<'a, [u8]>,
}

impl Parameters {
    /// How many there are.
    pub fn len(&self) -> usize {
        self.list.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// Each name and value, as sent, in order: what BODYSTRUCTURE tells (RFC 9051 §7.5.2).
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.list.iter().map(|(name, value)| (name.as_ref(), value.as_ref()))
    }

    /// The value of the parameter with that name, in any case: `name*` before `name*0`, `name*1`… before `name`,
    /// because who sends several gives the plain one for old readers. Of two the first holds.
    pub fn value(&self, name: &str) -> Option<ParameterValue<'_>> {
        // Nearly all have no pieces and no charset, and are not asked for them one by one.
        if !self.list.iter().any(|(found, _)| found.get(name.len()) == Some(&b'*')) {
            return self.find(name, "").map(|value| ParameterValue { charset: None, octets: Cow::Borrowed(value) });
        }
        if let Some(value) = self.find(name, "*") {
            let (charset, rest) = charset(value);
            return Some(ParameterValue { charset, octets: Cow::Owned(percent_decode(rest)) });
        }
        if let Some(value) = self.continued(name) {
            return Some(value);
        }
        self.find(name, "").map(|value| ParameterValue { charset: None, octets: Cow::Borrowed(value) })
    }

    /// `name*0`, `name*1` and so on, each with or without a last `*`; the first gap ends it (RFC 2231 §3, §4.1).
    fn continued(&self, name: &str) -> Option<ParameterValue<'_>> {
        let mut octets = Vec::new();
        let mut language = None;
        let mut section = 0;
        while section < self.list.len() {
            if let Some(value) = self.find(name, &format!("*{section}*")) {
                let (named, rest) = if section == 0 { charset(value) } else { (None, value) };
                language = language.or(named);
                octets.extend(percent_decode(rest));
            } else if let Some(value) = self.find(name, &format!("*{section}")) {
                octets.extend_from_slice(value);
            } else {
                break;
            }
            section = section.saturating_add(1);
        }
        (section > 0).then_some(ParameterValue { charset: language, octets: Cow::Owned(octets) })
    }

    fn find(&self, name: &str, suffix: &str) -> Option<&[u8]> {
        self.iter().find_map(|(found, value)| {
            let (head, tail) = found.split_at_checked(name.len())?;
            (head.eq_ignore_ascii_case(name.as_bytes()) && tail == suffix.as_bytes()).then_some(value)
        })
    }
}

impl fmt::Debug for Parameters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map()
            .entries(
                self.iter().map(|(name, value)| (name.escape_ascii().to_string(), value.escape_ascii().to_string())),
            )
            .finish()
    }
}

/// `charset'language'octets`; without the two quotes all of it are octets.
fn charset(value: &[u8]) -> (Option<&[u8]>, &[u8]) {
    let mut pieces = value.splitn(3, |octet| *octet == b'\'');
    match (pieces.next(), pieces.next(), pieces.next()) {
        (Some(charset), Some(_), Some(rest)) => ((!charset.is_empty()).then_some(charset), rest),
        _ => (None, value),
    }
}

/// `%` and two hexadecimal digits are one octet; a percent sign without them stands for itself.
fn percent_decode(value: &[u8]) -> Vec<u8> {
    let mut decoded = Vec::with_capacity(value.len());
    let mut rest = value;
    while let Some((first, behind)) = rest.split_first() {
        let octet = match behind.split_first_chunk::<2>() {
            Some((digits, behind)) if *first == b'%' => hex(digits).map(|octet| (octet, behind)),
            _ => None,
        };
        let (octet, behind) = octet.unwrap_or((*first, behind));
        decoded.push(octet);
        rest = behind;
    }
    decoded
}

fn hex(digits: &[u8; 2]) -> Option<u8> {
    let [high, low] = digits.map(|digit| char::from(digit).to_digit(16));
    u8::try_from(high?.checked_mul(16)?.checked_add(low?)?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parameters(list: &[(&str, &str)]) -> Parameters {
        let bytes = |text: &str| Bytes::copy_from_slice(text.as_bytes());
        Parameters { list: list.iter().map(|(name, value)| (bytes(name), bytes(value))).collect() }
    }

    #[track_caller]
    fn value(list: &[(&str, &str)], name: &str) -> Option<(Option<String>, String)> {
        let parameters = parameters(list);
        let value = parameters.value(name)?;
        let charset = value.charset.map(|charset| String::from_utf8(charset.to_vec()).unwrap());
        Some((charset, String::from_utf8(value.octets.into_owned()).unwrap()))
    }

    #[test]
    fn the_examples_of_rfc_2231_are_put_together() {
        let url = [("URL*0", "ftp://"), ("URL*1", "cs.utk.edu/pub/moore/bulk-mailer/bulk-mailer.tar")];
        let whole = "ftp://cs.utk.edu/pub/moore/bulk-mailer/bulk-mailer.tar";
        assert_eq!(value(&url, "url"), Some((None, whole.into())));

        let title = [("title*", "us-ascii'en-us'This%20is%20%2A%2A%2Afun%2A%2A%2A")];
        assert_eq!(value(&title, "title"), Some((Some("us-ascii".into()), "This is ***fun***".into())));

        let both = [
            ("title*0*", "us-ascii'en'This%20is%20even%20more%20"),
            ("title*1*", "%2A%2A%2Afun%2A%2A%2A%20"),
            ("title*2", "isn't it!"),
        ];
        assert_eq!(
            value(&both, "title"),
            Some((Some("us-ascii".into()), "This is even more ***fun*** isn't it!".into()))
        );
    }

    #[test]
    fn pieces_in_any_order_are_joined_up_to_the_first_gap() {
        assert_eq!(value(&[("n*1", "b"), ("n*0", "a"), ("n*3", "d")], "n"), Some((None, "ab".into())));
        assert_eq!(value(&[("n*1", "b")], "n"), None);
    }

    #[test]
    fn percent_signs_without_digits_stand_for_themselves() {
        assert_eq!(value(&[("n*", "''100%%zz%4")], "n"), Some((None, "100%%zz%4".into())));
        assert_eq!(value(&[("n*", "no quotes")], "n"), Some((None, "no quotes".into())));
    }

    #[test]
    fn the_encoded_form_wins_over_the_plain_one() {
        assert_eq!(value(&[("n", "plain"), ("n*", "utf-8''%61")], "N"), Some((Some("utf-8".into()), "a".into())));
        assert_eq!(value(&[("n", "plain"), ("n", "again")], "N"), Some((None, "plain".into())));
    }
}
