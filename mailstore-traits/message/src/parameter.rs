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

    /// `name*0`, `name*1` and so on, each with or without a last `*`; the first gap ends it (RFC 2231 §3, §4.1). All are put
    /// in their places in one pass: to look for each of them would cost the square of their number (attack row M11).
    fn continued(&self, name: &str) -> Option<ParameterValue<'_>> {
        // For each number the first that is encoded, and the first that is not.
        let mut sections = vec![(None::<&[u8]>, None::<&[u8]>); self.list.len()];
        for (found, value) in self.iter() {
            let Some((head, [b'*', number @ ..])) = found.split_at_checked(name.len()) else { continue };
            let (number, encoded) = match number {
                [number @ .., b'*'] => (number, true),
                number => (number, false),
            };
            if head.eq_ignore_ascii_case(name.as_bytes())
                && let Some(section) = section(number)
                && let Some((with_charset, plain)) = sections.get_mut(section)
            {
                if encoded { with_charset } else { plain }.get_or_insert(value);
            }
        }
        let mut octets = Vec::new();
        let mut language = None;
        for (index, section) in sections.iter().enumerate() {
            match section {
                (Some(value), _) if index == 0 => {
                    let (named, rest) = charset(value);
                    language = named;
                    octets.extend(percent_decode(rest));
                }
                (Some(value), _) => octets.extend(percent_decode(value)),
                (None, Some(value)) => octets.extend_from_slice(value),
                (None, None) if index == 0 => return None,
                (None, None) => break,
            }
        }
        Some(ParameterValue { charset: language, octets: Cow::Owned(octets) })
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

/// A section's number: `"0" / (%x31-39 *DIGIT)` (RFC 2231 §7), and no more digits than a header has room for parameters.
fn section(number: &[u8]) -> Option<usize> {
    if number.is_empty() || number.len() > 9 || (number.len() > 1 && number.first() == Some(&b'0')) {
        return None;
    }
    number.iter().try_fold(0_usize, |section, digit| {
        let digit = digit.is_ascii_digit().then(|| usize::from(digit.wrapping_sub(b'0')))?;
        section.checked_mul(10)?.checked_add(digit)
    })
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
        assert_eq!(value(&[("n*1", "b"), ("n*0", "a"), ("n*0*", "%41"), ("n*1", "c")], "N"), Some((None, "Ab".into())));
        // These are no sections, and what they are numbers of is the plain parameter.
        for odd in ["n*00", "n*+0", "n*0x", "n***", "n**", "n*99999999999999999999", "m*0"] {
            assert_eq!(value(&[(odd, "x"), ("n", "plain")], "n"), Some((None, "plain".into())), "{odd}");
        }
    }

    #[test]
    #[cfg_attr(miri, ignore = "minutes, interpreted")]
    fn sec_m11_pieces_without_number_are_joined_in_one_pass() {
        // Looked for one by one, the last first, they would be compared two hundred million times.
        let pieces: Vec<(String, String)> = (0..20_000).rev().map(|n| (format!("n*{n}"), format!("{n},"))).collect();
        let list: Vec<(&str, &str)> = pieces.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let joined: String = (0..20_000).map(|n| format!("{n},")).collect();
        assert_eq!(value(&list, "n"), Some((None, joined)));
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
