//! Trace fields: RFC 5321 §4.4, with the protocol names of RFC 3848 and RFC 6531 §4.3.
//!
//! Everything in them is of a type that has been parsed, or made of letters and digits here: no octet of a peer's gets in
//! as it came (attack row I4).

use std::fmt::Write;
use std::net::IpAddr;

use bytes::Bytes;
use mail_wire::machine::TlsInfo;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc2822;

use super::policy::HeaderField;
use crate::command::Hello;
use crate::grammar::{AddressLiteral, ForwardPath, Host, ReversePath};
use crate::session::Protocol;

/// What is told of a message's arrival.
pub(super) struct Arrival<'a> {
    pub(super) protocol: Protocol,
    pub(super) by: &'a Host,
    pub(super) hello: &'a Hello,
    pub(super) peer: IpAddr,
    pub(super) tls: Option<&'a TlsInfo>,
    pub(super) is_authenticated: bool,
    pub(super) smtp_utf8: bool,
    pub(super) id: &'a str,
    pub(super) sender: &'a ReversePath,
    /// The recipient, if there is exactly one: more would tell each of the others (RFC 5321 §7.2).
    pub(super) only_recipient: Option<&'a ForwardPath>,
    pub(super) at: OffsetDateTime,
    /// What the policy adds, to stand between the two.
    pub(super) added: &'a [HeaderField],
}

impl Arrival<'_> {
    /// Return-Path, for this is the final delivery, and Received; each a whole line with CRLF, folded between clauses.
    pub(super) fn fields(&self) -> Bytes {
        let mut fields = String::with_capacity(512);
        // Writing to a string does not fail.
        let _ = write!(fields, "Return-Path: {}\r\n", self.sender);
        for field in self.added {
            let _ = write!(fields, "{field}");
        }
        let peer = AddressLiteral::from(self.peer.to_canonical());
        let _ = write!(fields, "Received: from {} ({peer})\r\n", self.hello.name);
        let _ = write!(fields, "\tby {} with {}", self.by, self.with());
        if let Some(tls) = self.tls {
            let _ = write!(fields, "\r\n\t({} {})", word(&tls.version), word(&tls.cipher));
        }
        let _ = write!(fields, "\r\n\tid {}", word(self.id));
        if let Some(recipient) = self.only_recipient {
            let _ = write!(fields, "\r\n\tfor {recipient}");
        }
        let _ = write!(fields, ";\r\n\t{}\r\n", date(self.at));
        fields.into()
    }

    /// RFC 3848 §2, RFC 6531 §4.3: what it came by.
    fn with(&self) -> String {
        let base = match (self.protocol, self.smtp_utf8) {
            (Protocol::Lmtp, false) => "LMTP",
            (Protocol::Lmtp, true) => "UTF8LMTP",
            (_, true) => "UTF8SMTP",
            (_, false) if self.hello.is_extended() => "ESMTP",
            // HELO has neither TLS nor a login to tell of.
            (_, false) => return "SMTP".to_owned(),
        };
        let tls = if self.tls.is_some() { "S" } else { "" };
        let login = if self.is_authenticated { "A" } else { "" };
        format!("{base}{tls}{login}")
    }
}

/// RFC 5322 §3.3, with the zone in digits. UTC where the system does not tell its zone to a process of several threads.
pub(super) fn date(at: OffsetDateTime) -> String {
    at.format(&Rfc2822).unwrap_or_else(|_| "Thu, 01 Jan 1970 00:00:00 +0000".to_owned())
}

/// A word of a comment or an id: letters, digits and what joins them.
fn word(text: &str) -> String {
    let legal = |c: char| if c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-') { c } else { '?' };
    let word: String = text.chars().take(64).map(legal).collect();
    if word.is_empty() { "unknown".to_owned() } else { word }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::command::{Command, Dialect};

    fn hello(line: &str) -> Hello {
        match Command::parse(line.as_bytes(), &Dialect::default()) {
            Ok(Command::Hello(hello)) => hello,
            other => panic!("{other:?}"),
        }
    }

    struct Case<'a> {
        hello: &'a str,
        protocol: Protocol,
        tls: bool,
        login: bool,
        utf8: bool,
        sender: &'a str,
        recipient: Option<&'a str>,
    }

    const PLAIN: Case<'static> = Case {
        hello: "EHLO client.example.net",
        protocol: Protocol::Smtp,
        tls: false,
        login: false,
        utf8: false,
        sender: "<a@b>",
        recipient: Some("<c@d>"),
    };

    fn fields(case: &Case<'_>) -> String {
        with_added(case, &[])
    }

    fn with_added(case: &Case<'_>, added: &[HeaderField]) -> String {
        let tls = TlsInfo::new("TLSv1.3", "TLS_AES_128_GCM_SHA256");
        let recipient = case.recipient.map(|path| path.parse::<ForwardPath>().unwrap());
        let arrival = Arrival {
            protocol: case.protocol,
            by: &"mail.example.org".parse().unwrap(),
            hello: &hello(case.hello),
            peer: "192.0.2.1".parse().unwrap(),
            tls: case.tls.then_some(&tls),
            is_authenticated: case.login,
            smtp_utf8: case.utf8,
            id: "abc123",
            sender: &case.sender.parse().unwrap(),
            only_recipient: recipient.as_ref(),
            at: OffsetDateTime::from_unix_timestamp(740_236_319).unwrap(),
            added,
        };
        String::from_utf8(arrival.fields().to_vec()).unwrap()
    }

    #[test]
    fn the_fields_of_a_plain_message() {
        assert_eq!(
            fields(&PLAIN),
            "Return-Path: <a@b>\r\nReceived: from client.example.net ([192.0.2.1])\r\n\tby mail.example.org with ESMTP\r\n\
             \tid abc123\r\n\tfor <c@d>;\r\n\tWed, 16 Jun 1993 13:11:59 +0000\r\n"
        );
        assert_eq!(
            fields(&Case { tls: true, login: true, recipient: None, sender: "<>", hello: "EHLO [IPv6:::1]", ..PLAIN }),
            "Return-Path: <>\r\nReceived: from [IPv6:::1] ([192.0.2.1])\r\n\tby mail.example.org with ESMTPSA\r\n\
             \t(TLSv1.3 TLS_AES_128_GCM_SHA256)\r\n\tid abc123;\r\n\tWed, 16 Jun 1993 13:11:59 +0000\r\n"
        );
    }

    #[test]
    fn what_a_policy_adds_stands_behind_the_return_path() {
        let field = HeaderField::new("X-House", "yes").unwrap();
        let fields = with_added(&PLAIN, &[field]);
        assert!(fields.starts_with("Return-Path: <a@b>\r\nX-House: yes\r\nReceived: from "), "{fields}");
    }

    #[test]
    fn what_it_came_by_is_told_in_registered_names() {
        let with = |case: &Case<'_>| {
            let fields = fields(case);
            fields.split(" with ").nth(1).unwrap().split("\r\n").next().unwrap().to_owned()
        };
        let helo = Case { hello: "HELO c", ..PLAIN };
        let lmtp = Case { hello: "LHLO c", protocol: Protocol::Lmtp, ..PLAIN };
        assert_eq!(with(&helo), "SMTP");
        assert_eq!(with(&PLAIN), "ESMTP");
        assert_eq!(with(&Case { tls: true, ..PLAIN }), "ESMTPS");
        assert_eq!(with(&Case { login: true, ..PLAIN }), "ESMTPA");
        assert_eq!(with(&Case { tls: true, login: true, protocol: Protocol::Submission, ..PLAIN }), "ESMTPSA");
        assert_eq!(with(&Case { utf8: true, ..PLAIN }), "UTF8SMTP");
        assert_eq!(with(&Case { utf8: true, tls: true, login: true, ..PLAIN }), "UTF8SMTPSA");
        assert_eq!(with(&lmtp), "LMTP");
        assert_eq!(with(&Case { tls: true, ..lmtp }), "LMTPS");
    }

    #[test]
    fn sec_i4_no_hello_brings_a_field_of_its_own() {
        for line in
            [&b"HELO a\r\nX: y"[..], b"HELO a\rX: y", b"EHLO a\nX: y", b"EHLO a (comment)", b"EHLO a;b", b"EHLO a\0b"]
        {
            assert!(Command::parse(line, &Dialect::default()).is_err(), "{}", line.escape_ascii());
        }
    }

    proptest! {
        #[test]
        fn sec_i4_whatever_is_legal_makes_two_fields_and_no_more(
            sender in "[<@a-z\".\\\\ ()\r\n,:;!-~]{0,30}|<\"[ -~]{0,20}\"@a>|<[!-~]{1,10}@b>",
            name in "[a-z0-9.-]{1,20}|[ -~\r\n]{0,20}|\\[[!-~]{1,20}\\]",
            id in "[ -~\r\n]{0,80}",
            cipher in "[ -~\r\n\\PC]{0,80}",
        ) {
            let Ok(sender) = sender.parse::<ReversePath>() else { return Ok(()) };
            let Ok(Command::Hello(hello)) = Command::parse(format!("EHLO {name}").as_bytes(), &Dialect::default()) else {
                return Ok(());
            };
            let tls = TlsInfo::new(cipher.as_str(), cipher.as_str());
            let recipient = sender.address().cloned().map(ForwardPath::from);
            let arrival = Arrival {
                protocol: Protocol::Smtp,
                by: &"mail.example.org".parse().unwrap(),
                hello: &hello,
                peer: "::1".parse().unwrap(),
                tls: Some(&tls),
                is_authenticated: true,
                smtp_utf8: false,
                id: &id,
                sender: &sender,
                only_recipient: recipient.as_ref(),
                at: OffsetDateTime::UNIX_EPOCH,
                added: &[],
            };
            let fields = String::from_utf8(arrival.fields().to_vec()).unwrap();
            let names: Vec<_> = fields
                .split_terminator("\r\n")
                .filter(|line| !line.starts_with('\t'))
                .map(|line| line.split(':').next().unwrap())
                .collect();
            prop_assert_eq!(names, ["Return-Path", "Received"]);
            prop_assert!(!fields.replace("\r\n", "").contains(['\r', '\n', '\0']));
            prop_assert!(fields.split("\r\n").all(|line| line.len() <= 998));
        }
    }
}
