//! The news that a message was delivered: RFC 3461 §4.1 (NOTIFY=SUCCESS) and §6, in the form of RFC 3464.
//!
//! Failures and delays need none of these: this server answers for what it takes before it takes it, so whoever hands a
//! message over knows at once what has become of it, and has the duty to tell.

use std::fmt::Write;

use bytes::Bytes;
use mail_message::Digest;
use mailstore_traits::{
    Directory, Envelope, EnvelopeRecipient, MailStore, Mode, Resolution, SizeHint, Stage, StoreError, Target,
};
use time::OffsetDateTime;

use super::envelope::recipient;
use super::trace::date;
use crate::grammar::{ForwardPath, Host};

/// A report of success, before it is written.
pub(super) struct Report<'a> {
    pub(super) by: &'a Host,
    /// Made of letters and digits; no two reports have the same.
    pub(super) id: &'a str,
    pub(super) at: OffsetDateTime,
    pub(super) envelope: &'a Envelope,
    /// Those who have the message and of whom the sender wants to hear.
    pub(super) recipients: &'a [EnvelopeRecipient],
    /// The message's header as it came. RFC 3461 §6.2 wants no more than that back with a success, whatever RET says.
    pub(super) header: &'a [u8],
}

impl Report<'_> {
    /// The whole message, to be delivered to the sender from the null reverse-path (RFC 3461 §6.1).
    pub(super) fn octets(&self) -> Bytes {
        let Self { by, id, envelope, .. } = self;
        // RFC 6533 §4: the types for what may hold UTF-8.
        let utf8 = envelope.smtp_utf8;
        let status_type = if utf8 { "message/global-delivery-status" } else { "message/delivery-status" };
        let header_type = if utf8 { "message/global-headers" } else { "text/rfc822-headers" };
        let boundary = format!("{id}.report");
        let mut text = String::with_capacity(2048);
        let date = date(self.at);
        // Writing to a string does not fail.
        let _ = write!(
            text,
            "From: Mail delivery system <postmaster@{by}>\r\nTo: <{sender}>\r\nSubject: Your message was delivered\r\n\
             Date: {date}\r\nMessage-ID: <{id}.report@{by}>\r\nAuto-Submitted: auto-replied\r\nMIME-Version: 1.0\r\n\
             Content-Type: multipart/report; report-type=delivery-status;\r\n\tboundary=\"{boundary}\"\r\n\r\n\
             --{boundary}\r\nContent-Type: text/plain; charset={charset}\r\n{encoding}\r\n\
             You asked to hear of the delivery of your message. It is in the mailboxes of:\r\n\r\n",
            sender = word(&envelope.reverse_path),
            charset = if utf8 { "utf-8" } else { "us-ascii" },
            encoding = transfer_encoding(utf8),
        );
        for recipient in self.recipients {
            let _ = write!(text, "    <{}>\r\n", word(&recipient.forward_path));
        }
        let _ = write!(
            text,
            "\r\nThis says nothing of whether somebody has read it.\r\n\r\n\
             --{boundary}\r\nContent-Type: {status_type}\r\n{encoding}\r\nReporting-MTA: dns; {by}\r\n",
            encoding = transfer_encoding(utf8),
        );
        if let Some(id) = &envelope.envelope_id {
            let _ = write!(text, "Original-Envelope-Id: {}\r\n", word(id));
        }
        let _ = write!(text, "Arrival-Date: {date}\r\n");
        for recipient in self.recipients {
            text.push_str("\r\n");
            if let Some((kind, address)) = &recipient.original {
                let _ = write!(text, "Original-Recipient: {}; {}\r\n", word(kind), word(address));
            }
            let kind = if utf8 { "utf-8" } else { "rfc822" };
            let _ = write!(
                text,
                "Final-Recipient: {kind}; {}\r\nAction: delivered\r\nStatus: 2.0.0\r\n",
                word(&recipient.forward_path)
            );
        }
        let _ = write!(
            text,
            "\r\n--{boundary}\r\nContent-Type: {header_type}\r\n{encoding}\r\n",
            encoding = transfer_encoding(!self.header.is_ascii()),
        );
        let mut octets = text.into_bytes();
        // A delimiter of ours in the header would end the part; nobody can foresee the id, but for the message itself.
        octets.extend_from_slice(self.header.trim_ascii_end());
        octets.extend_from_slice(format!("\r\n\r\n--{boundary}--\r\n").as_bytes());
        octets.into()
    }
}

/// Puts a report into the mailboxes of the sender, if it is one of this host's own. Another's is the policy's to send
/// ([`Policy::delivered`](super::policy::Policy::delivered)): nothing is relayed here.
///
/// # Errors
/// The directory's, and the store's.
pub(super) async fn deliver<S: MailStore>(
    store: &S,
    directory: &impl Directory,
    sender: ForwardPath,
    report: Bytes,
) -> Result<(), StoreError> {
    let Resolution::Local(destinations) = directory.resolve(&recipient(&sender)).await? else {
        tracing::debug!("the sender of a message is not here: a report of its delivery is the policy's to send");
        return Ok(());
    };
    let digest = Digest::of(&report);
    let mut stage = store.stage(SizeHint::Octets(report.len() as u64)).await?;
    stage.write(report).await?;
    let blob = stage.finish(Some(digest.to_octets())).await?;
    // RFC 3461 §6.1: from the null reverse-path, so that no report is made of a report.
    let prefix = Bytes::from_static(b"Return-Path: <>\r\n");
    let whole = digest.with_prefix(&prefix).to_octets();
    for destination in destinations {
        let target = Target::inbox(destination.account)
            .with_mailbox(destination.mailbox)
            .with_flags(destination.flags)
            .with_prefix(prefix.clone(), Some(whole.clone()));
        store.deliver(&blob, vec![target], Mode::AllOrNothing).await?;
    }
    Ok(())
}

fn transfer_encoding(eight_bit: bool) -> &'static str {
    if eight_bit { "Content-Transfer-Encoding: 8bit\r\n" } else { "" }
}

/// What a sender wrote, without what could end a field (attack row I4).
fn word(text: &str) -> String {
    text.chars().map(|char| if char.is_control() { '?' } else { char }).collect()
}

#[cfg(test)]
mod tests {
    use mail_message::Digest;

    use super::*;

    fn report(envelope: &Envelope, recipients: &[EnvelopeRecipient], header: &[u8]) -> Vec<u8> {
        let by = "mail.example.org".parse().unwrap();
        let at = OffsetDateTime::from_unix_timestamp(740_236_319).unwrap();
        Report { by: &by, id: "abc123", at, envelope, recipients, header }.octets().to_vec()
    }

    #[test]
    fn a_report_is_a_multipart_report_with_three_parts() {
        let mut envelope = Envelope::new("eve@example.net");
        envelope.envelope_id = Some("QQ314159".to_owned());
        let mut ada = EnvelopeRecipient::new("ada@example.org");
        ada.original = Some(("rfc822".to_owned(), "Ada@Example.ORG".to_owned()));
        let bob = EnvelopeRecipient::new("bob@example.org");
        let octets = report(&envelope, &[ada, bob], b"Subject: hello\r\nFrom: eve@example.net\r\n\r\n");
        let text = String::from_utf8(octets.clone()).unwrap();
        assert!(
            text.starts_with("From: Mail delivery system <postmaster@mail.example.org>\r\nTo: <eve@example.net>\r\n")
        );
        let status = "\r\nReporting-MTA: dns; mail.example.org\r\nOriginal-Envelope-Id: QQ314159\r\n\
                      Arrival-Date: Wed, 16 Jun 1993 13:11:59 +0000\r\n\r\n\
                      Original-Recipient: rfc822; Ada@Example.ORG\r\nFinal-Recipient: rfc822; ada@example.org\r\n\
                      Action: delivered\r\nStatus: 2.0.0\r\n\r\n\
                      Final-Recipient: rfc822; bob@example.org\r\nAction: delivered\r\nStatus: 2.0.0\r\n";
        assert!(text.contains(status), "{text}");
        let digest = Digest::of(&octets);
        assert!(digest.root().is("multipart", "report"));
        assert_eq!(digest.root().parameters().value("report-type").unwrap().octets.as_ref(), b"delivery-status");
        let parts: Vec<_> = digest.root().children().map(|part| (part.media_type(), part.subtype())).collect();
        assert_eq!(
            parts,
            [(&b"text"[..], &b"plain"[..]), (b"message", b"delivery-status"), (b"text", b"rfc822-headers")]
        );
        assert_eq!(digest.defects().iter().count(), 0, "{:?}", digest.defects());
    }

    #[test]
    fn sec_i4_what_the_sender_said_of_itself_ends_no_field_of_a_report() {
        let mut envelope = Envelope::new("\"a b\"@example.net");
        envelope.envelope_id = Some("x\r\nAction: failed".to_owned());
        envelope.smtp_utf8 = true;
        let mut recipient = EnvelopeRecipient::new("jürgen@example.org");
        recipient.original = Some(("rfc822".to_owned(), "y\n\nStatus: 5.0.0\0".to_owned()));
        let text = String::from_utf8(report(&envelope, &[recipient], "Subject: grüße\r\n\r\n".as_bytes())).unwrap();
        assert!(text.contains("Original-Envelope-Id: x??Action: failed\r\n"), "{text}");
        assert!(text.contains("Original-Recipient: rfc822; y??Status: 5.0.0?\r\n"), "{text}");
        assert!(
            text.contains("Content-Type: message/global-delivery-status\r\nContent-Transfer-Encoding: 8bit\r\n\r\n")
        );
        assert_eq!(text.matches("\r\nAction: ").count(), 1);
    }
}
