//! Whom a message is from and for, and which mailboxes that makes.

use std::sync::Arc;

use mailstore_traits::{
    AccountId, AtomicDomain, BodyKind, Destination, EnvelopeParameter, EnvelopeRecipient, Notify, Recipient, Returned,
    Target, TargetMailbox,
};

use super::policy::Delivery;
use crate::command::{BodyType, Hold, Mail, Rcpt, Return};
use crate::grammar::{EnhancedStatusCode as Status, ExtraParameter, ForwardPath, ReversePath};
use crate::response::Reply;

/// A message that has a sender, and the recipients that were taken so far.
#[derive(Debug)]
pub struct Envelope {
    mail: Mail,
    recipients: Vec<Accepted>,
    /// What all of them can be delivered together in; unset with a store that delivers to anybody in one stroke.
    together: Option<Together>,
}

/// A recipient, and where the directory says that its mail goes.
#[derive(Debug)]
struct Accepted {
    rcpt: Rcpt,
    destinations: Vec<Destination>,
}

/// What can be delivered to in one stroke.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Together {
    Domain(AtomicDomain),
    /// The directory names no domain for it: then only the account itself.
    Account(AccountId),
}

/// How a store delivers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Strokes {
    /// To any number of accounts, all or none.
    One,
    /// To the accounts of one atomic domain, all or none.
    OneForEachDomain,
    /// To each recipient by itself, with a reply of its own: LMTP, over a store that delivers as the second kind.
    OneForEachRecipient,
}

impl Envelope {
    pub(super) fn new(mail: Mail) -> Self {
        Self { mail, recipients: Vec::new(), together: None }
    }

    /// What MAIL said: the sender, and the parameters.
    pub fn mail(&self) -> &Mail {
        &self.mail
    }

    /// What RCPT said of each recipient that was taken, in their order.
    pub fn recipients(&self) -> impl ExactSizeIterator<Item = &Rcpt> {
        self.recipients.iter().map(|recipient| &recipient.rcpt)
    }

    /// Takes a recipient in, or says why not.
    ///
    /// Where a store cannot deliver to several accounts in one stroke, a message is for recipients of one atomic domain
    /// only; the others are told to come again, and their mail comes in a transaction of its own. So a 4yz never means
    /// that somebody has the message twice, and a 250 never that somebody has not.
    pub(super) fn accept(&mut self, rcpt: Rcpt, destinations: Vec<Destination>, strokes: Strokes) -> Result<(), Reply> {
        if strokes != Strokes::One {
            let mut domains = destinations.iter().map(together);
            let first = domains.next();
            if domains.any(|domain| Some(domain) != first) {
                let recipient = rcpt.path.to_string();
                tracing::error!(recipient = %recipient.escape_debug(), "the recipient's mailboxes cannot be delivered to in one stroke");
                return Err(Reply::of(451, Status::transient(3, 5), "mail system incorrectly configured"));
            }
            if strokes == Strokes::OneForEachDomain {
                if self.together.is_some() && self.together != first {
                    return Err(Reply::of(452, Status::transient(5, 3), "too many recipients, send it separately"));
                }
                self.together = first;
            }
        }
        self.recipients.push(Accepted { rcpt, destinations });
        Ok(())
    }

    /// All that the client said of the message.
    pub(super) fn for_store(&self) -> mailstore_traits::Envelope {
        for_store(&self.mail)
    }

    /// The recipients, with all that the client said of each.
    pub(super) fn recipients_for_store(&self) -> impl Iterator<Item = EnvelopeRecipient> {
        self.recipients().map(recipient_for_store)
    }

    /// Whether the sender wants to hear that the message was delivered to somebody. The null reverse-path never does (RFC
    /// 3461 §6.1).
    pub(super) fn wants_success(&self) -> bool {
        !self.mail.path.is_null() && self.recipients().any(|rcpt| rcpt.notify.is_some_and(|notify| notify.success))
    }

    /// The recipient, if there is exactly one and it has an address: the bare `<postmaster>` is no path that a Received
    /// field can hold.
    pub(super) fn only_recipient(&self) -> Option<&ForwardPath> {
        match self.recipients.as_slice() {
            [only] => Some(&only.rcpt.path).filter(|path| !path.is_postmaster()),
            _ => None,
        }
    }

    /// Every mailbox once, however many recipients lead to it, and which of them each recipient leads to.
    pub(super) fn mailboxes(&self, delivery: &Delivery) -> (Vec<Target>, Vec<Vec<usize>>) {
        let envelope = Arc::new(self.for_store());
        let mut targets: Vec<Target> = Vec::new();
        let mut of_recipients = Vec::with_capacity(self.recipients.len());
        for recipient in &self.recipients {
            let mut indexes = Vec::with_capacity(recipient.destinations.len());
            for destination in &recipient.destinations {
                let mailbox = match (&destination.mailbox, &delivery.mailbox) {
                    (TargetMailbox::Inbox, Some(elsewhere)) => TargetMailbox::Named(elsewhere.clone()),
                    (directed, _) => directed.clone(),
                };
                let same = |target: &Target| target.account == destination.account && target.mailbox == mailbox;
                let index = targets.iter().position(same).unwrap_or_else(|| {
                    let flags = destination.flags.iter().chain(delivery.flags.iter()).cloned().collect();
                    let target = Target::inbox(destination.account.clone())
                        .with_mailbox(mailbox.clone())
                        .with_flags(flags)
                        .with_envelope(Arc::clone(&envelope));
                    targets.push(target);
                    targets.len().saturating_sub(1)
                });
                if !indexes.contains(&index) {
                    indexes.push(index);
                    if let Some(target) = targets.get_mut(index) {
                        target.recipients.push(recipient_for_store(&recipient.rcpt));
                    }
                }
            }
            of_recipients.push(indexes);
        }
        (targets, of_recipients)
    }
}

/// What the store is told of a message: all that the client said of it (attack row R6).
fn for_store(mail: &Mail) -> mailstore_traits::Envelope {
    let submitter = mail.submitter.as_ref();
    let mut envelope = mailstore_traits::Envelope::new(sender(&mail.path));
    envelope.smtp_utf8 = mail.smtp_utf8;
    envelope.body = mail.body.map(|body| match body {
        BodyType::SevenBit => BodyKind::SevenBit,
        BodyType::EightBitMime => BodyKind::EightBit,
        BodyType::BinaryMime => BodyKind::Binary,
    });
    envelope.require_tls = mail.require_tls;
    envelope.envelope_id = mail.envelope_id.as_ref().map(|id| id.as_str().to_owned());
    envelope.returned = mail.returned.map(|returned| match returned {
        Return::Full => Returned::Full,
        Return::Headers => Returned::Headers,
    });
    envelope.submitter = submitter.map(|submitter| submitter.address().map(ToString::to_string).unwrap_or_default());
    let rarer = [
        mail.priority.map(|priority| ("MT-PRIORITY", priority.to_string())),
        mail.deliver_by.map(|by| ("BY", by.to_string())),
        mail.hold.map(|hold| match hold {
            Hold::For(seconds) => ("HOLDFOR", seconds.to_string()),
            Hold::Until(moment) => ("HOLDUNTIL", moment.to_string()),
        }),
    ];
    let rarer = rarer.into_iter().flatten().map(|(keyword, value)| EnvelopeParameter::new(keyword, Some(value)));
    envelope.parameters = rarer.chain(mail.extra.iter().map(parameter)).collect();
    envelope
}

fn recipient_for_store(rcpt: &Rcpt) -> EnvelopeRecipient {
    let path = rcpt.path.to_string();
    let mut recipient = EnvelopeRecipient::new(path.trim_start_matches('<').trim_end_matches('>'));
    recipient.notify = rcpt.notify.map(|notify| Notify::new(notify.success, notify.failure, notify.delay));
    recipient.original =
        rcpt.original.as_ref().map(|original| (original.addr_type().to_owned(), original.address().to_owned()));
    let rarer = rcpt.valid_since.map(|since| EnvelopeParameter::new("RRVS", Some(since.to_string())));
    recipient.parameters = rarer.into_iter().chain(rcpt.extra.iter().map(parameter)).collect();
    recipient
}

fn sender(path: &ReversePath) -> String {
    path.address().map(ToString::to_string).unwrap_or_default()
}

fn parameter(parameter: &ExtraParameter) -> EnvelopeParameter {
    let value = parameter.value.as_ref().map(|value| value.as_str().to_owned());
    EnvelopeParameter::new(parameter.keyword.as_str(), value)
}

fn together(destination: &Destination) -> Together {
    match &destination.atomic_domain {
        Some(domain) => Together::Domain(domain.clone()),
        None => Together::Account(destination.account.clone()),
    }
}

/// What the directory is asked: the local part without its quoting, the domain in lower case. Whatever stands in a local
/// part (`%`, `!`, another `@`) is no route here, but a name that nobody has (attack row R1).
pub(super) fn recipient(path: &ForwardPath) -> Recipient {
    match path.address() {
        Some(address) => Recipient::new(address.local_part().as_str(), Some(address.host().to_string())),
        None => Recipient::new("postmaster", None),
    }
}

#[cfg(test)]
mod tests {
    use mailstore_traits::{Flags, MailboxName, SystemFlag};

    use super::*;
    use crate::command::{Command, Dialect};

    fn inbox(account: &str) -> Destination {
        Destination::inbox(AccountId::from(account))
    }

    fn path(path: &str) -> ForwardPath {
        path.parse().unwrap()
    }

    fn to(text: &str) -> Rcpt {
        Rcpt::new(path(text))
    }

    #[test]
    fn a_mailbox_is_delivered_to_once_whoever_leads_to_it() {
        let mut envelope = Envelope::new(Mail::new(ReversePath::NULL));
        envelope.accept(to("<a@x>"), vec![inbox("a")], Strokes::One).unwrap();
        envelope.accept(to("<team@x>"), vec![inbox("b"), inbox("a"), inbox("b")], Strokes::One).unwrap();
        envelope.accept(to("<a@x>"), vec![inbox("a")], Strokes::One).unwrap();
        let (targets, of_recipients) = envelope.mailboxes(&Delivery::new());
        let accounts: Vec<_> = targets.iter().map(|target| target.account.as_str()).collect();
        assert_eq!(accounts, ["a", "b"]);
        assert_eq!(of_recipients, [vec![0], vec![1, 0], vec![0]]);
        assert_eq!(envelope.only_recipient(), None);
    }

    #[test]
    fn the_store_is_told_all_that_the_client_said() {
        let mut dialect = Dialect::default();
        dialect.extensions.dsn = true;
        dialect.extensions.auth = true;
        dialect.extensions.deliver_by = Some(0);
        dialect.extensions.rrvs = true;
        dialect.mail_parameters.push("X-TAG".parse().unwrap());
        let line = b"MAIL FROM:<eve@example.net> SMTPUTF8 BODY=8BITMIME REQUIRETLS RET=HDRS ENVID=QQ+20x AUTH=<> BY=60;R X-TAG=1";
        let Ok(Command::Mail(mail)) = Command::parse(line, &dialect) else { panic!("a legal command") };
        let line = b"RCPT TO:<ada@x> NOTIFY=SUCCESS,DELAY ORCPT=rfc822;Ada+2B1@X RRVS=2014-04-03T23:01:00Z";
        let Ok(Command::Rcpt(rcpt)) = Command::parse(line, &dialect) else { panic!("a legal command") };
        let mut envelope = Envelope::new(mail);
        envelope.accept(rcpt, vec![inbox("a")], Strokes::One).unwrap();
        envelope.accept(to("<team@x>"), vec![inbox("a"), inbox("b")], Strokes::One).unwrap();
        let (targets, _) = envelope.mailboxes(&Delivery::new());
        let told = targets[0].envelope.as_ref().unwrap();
        assert_eq!(
            (told.reverse_path.as_str(), told.smtp_utf8, told.body),
            ("eve@example.net", true, Some(BodyKind::EightBit))
        );
        assert!(told.require_tls && told.returned == Some(Returned::Headers));
        assert_eq!((told.envelope_id.as_deref(), told.submitter.as_deref()), (Some("QQ x"), Some("")));
        let parameter = |keyword, value: &str| EnvelopeParameter::new(keyword, Some(value.to_owned()));
        assert_eq!(told.parameters, [parameter("BY", "60;R"), parameter("X-TAG", "1")]);
        let ada = &targets[0].recipients[0];
        assert_eq!(ada.notify, Some(Notify::new(true, false, true)));
        assert_eq!(ada.original, Some(("rfc822".to_owned(), "Ada+1@X".to_owned())));
        assert_eq!(ada.parameters, [parameter("RRVS", "2014-04-03T23:01:00Z")]);
        let of = |target: &Target| {
            target.recipients.iter().map(|recipient| recipient.forward_path.clone()).collect::<Vec<_>>()
        };
        assert_eq!(
            (of(&targets[0]), of(&targets[1])),
            (vec!["ada@x".to_owned(), "team@x".to_owned()], vec!["team@x".to_owned()])
        );
    }

    #[test]
    fn a_quarantine_takes_what_would_go_to_the_inbox_and_nothing_else() {
        let list = MailboxName::parse("Lists").unwrap();
        let junk = MailboxName::parse("Junk").unwrap();
        let mut envelope = Envelope::new(Mail::new(ReversePath::NULL));
        let directed = inbox("a").with_mailbox(TargetMailbox::Named(list.clone()));
        envelope.accept(to("<a@x>"), vec![inbox("a"), directed, inbox("b")], Strokes::One).unwrap();
        let seen = [SystemFlag::Seen].into_iter().collect::<Flags>();
        let (targets, of_recipients) =
            envelope.mailboxes(&Delivery::new().into_mailbox(junk.clone()).with_flags(seen.clone()));
        let boxes: Vec<_> = targets.iter().map(|target| target.mailbox.clone()).collect();
        let named = TargetMailbox::Named;
        assert_eq!(boxes, [named(junk.clone()), named(list), named(junk)]);
        assert!(targets.iter().all(|target| target.flags == seen));
        assert_eq!(of_recipients, [vec![0, 1, 2]]);
    }

    #[test]
    fn recipients_of_another_atomic_domain_come_separately() {
        let of = |account: &str, domain: &str| inbox(account).with_atomic_domain(AtomicDomain::new(domain));
        let mut envelope = Envelope::new(Mail::new(ReversePath::NULL));
        let strokes = Strokes::OneForEachDomain;
        envelope.accept(to("<a@x>"), vec![of("a", "1")], strokes).unwrap();
        envelope.accept(to("<b@x>"), vec![of("b", "1")], strokes).unwrap();
        let refused = envelope.accept(to("<c@x>"), vec![of("c", "2")], strokes).unwrap_err();
        assert_eq!(refused.to_string(), "452 4.5.3 too many recipients, send it separately\r\n");
        envelope.accept(to("<d@x>"), vec![inbox("d")], strokes).unwrap_err();
        let mixed = envelope.accept(to("<e@x>"), vec![of("a", "1"), of("c", "2")], strokes).unwrap_err();
        assert_eq!(mixed.code().value(), 451);
        assert_eq!(envelope.recipients.len(), 2);

        let mut envelope = Envelope::new(Mail::new(ReversePath::NULL));
        envelope.accept(to("<d@x>"), vec![inbox("d")], strokes).unwrap();
        envelope.accept(to("<d2@x>"), vec![inbox("d")], strokes).unwrap();
        envelope.accept(to("<e@x>"), vec![inbox("e")], strokes).unwrap_err();

        let mut envelope = Envelope::new(Mail::new(ReversePath::NULL));
        envelope.accept(to("<c@x>"), vec![of("c", "2")], Strokes::OneForEachRecipient).unwrap();
        envelope.accept(to("<d@x>"), vec![inbox("d")], Strokes::OneForEachRecipient).unwrap();
    }

    #[test]
    fn sec_r1_a_local_part_is_a_name_and_never_a_route() {
        for (text, local_part, domain) in [
            ("<user%dom@local>", "user%dom", "local"),
            ("<\"user@dom\"@local>", "user@dom", "local"),
            ("<dom!user@local>", "dom!user", "local"),
            ("<@local:user@DOM>", "user", "dom"),
            ("<user@[127.0.0.1]>", "user", "[127.0.0.1]"),
            ("<user@LoCaL>", "user", "local"),
            ("<user@bücher.Example>", "user", "bücher.example"),
        ] {
            let asked = recipient(&path(text));
            assert_eq!((asked.local_part.as_str(), asked.domain.as_deref()), (local_part, Some(domain)), "{text}");
        }
        assert_eq!(recipient(&path("<POSTmaster>")), Recipient::new("postmaster", None));
    }
}
