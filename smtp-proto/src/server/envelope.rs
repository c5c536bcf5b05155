//! Whom a message is from and for, and which mailboxes that makes.

use mailstore_traits::{AccountId, AtomicDomain, Destination, Recipient, Target};

use crate::command::Mail;
use crate::grammar::{EnhancedStatusCode as Status, ForwardPath};
use crate::response::Reply;

/// A message that has a sender, and the recipients that were accepted so far.
#[derive(Debug)]
pub(super) struct Envelope {
    pub(super) mail: Mail,
    pub(super) recipients: Vec<Accepted>,
    /// What all of them can be delivered together in; unset with a store that delivers to anybody in one stroke.
    together: Option<Together>,
}

/// A recipient, and where the directory says that its mail goes.
#[derive(Debug)]
pub(super) struct Accepted {
    pub(super) path: ForwardPath,
    pub(super) destinations: Vec<Destination>,
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

    /// Takes a recipient in, or says why not.
    ///
    /// Where a store cannot deliver to several accounts in one stroke, a message is for recipients of one atomic domain
    /// only; the others are told to come again, and their mail comes in a transaction of its own. So a 4yz never means
    /// that somebody has the message twice, and a 250 never that somebody has not.
    pub(super) fn accept(
        &mut self,
        path: ForwardPath,
        destinations: Vec<Destination>,
        strokes: Strokes,
    ) -> Result<(), Reply> {
        if strokes != Strokes::One {
            let mut domains = destinations.iter().map(together);
            let first = domains.next();
            if domains.any(|domain| Some(domain) != first) {
                let recipient = path.to_string();
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
        self.recipients.push(Accepted { path, destinations });
        Ok(())
    }

    /// The recipient, if there is exactly one and it has an address: the bare `<postmaster>` is no path that a Received
    /// field can hold.
    pub(super) fn only_recipient(&self) -> Option<&ForwardPath> {
        match self.recipients.as_slice() {
            [only] => Some(&only.path).filter(|path| !path.is_postmaster()),
            _ => None,
        }
    }

    /// Every mailbox once, however many recipients lead to it, and which of them each recipient leads to.
    pub(super) fn mailboxes(&self) -> (Vec<Target>, Vec<Vec<usize>>) {
        let mut targets: Vec<Target> = Vec::new();
        let mut of_recipients = Vec::with_capacity(self.recipients.len());
        for recipient in &self.recipients {
            let mut indexes = Vec::with_capacity(recipient.destinations.len());
            for destination in &recipient.destinations {
                let same =
                    |target: &Target| target.account == destination.account && target.mailbox == destination.mailbox;
                let index = targets.iter().position(same).unwrap_or_else(|| {
                    let target = Target::inbox(destination.account.clone())
                        .with_mailbox(destination.mailbox.clone())
                        .with_flags(destination.flags.clone());
                    targets.push(target);
                    targets.len().saturating_sub(1)
                });
                if !indexes.contains(&index) {
                    indexes.push(index);
                }
            }
            of_recipients.push(indexes);
        }
        (targets, of_recipients)
    }
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
    use super::*;
    use crate::grammar::ReversePath;

    fn inbox(account: &str) -> Destination {
        Destination::inbox(AccountId::from(account))
    }

    fn path(path: &str) -> ForwardPath {
        path.parse().unwrap()
    }

    #[test]
    fn a_mailbox_is_delivered_to_once_whoever_leads_to_it() {
        let mut envelope = Envelope::new(Mail::new(ReversePath::NULL));
        envelope.accept(path("<a@x>"), vec![inbox("a")], Strokes::One).unwrap();
        envelope.accept(path("<team@x>"), vec![inbox("b"), inbox("a"), inbox("b")], Strokes::One).unwrap();
        envelope.accept(path("<a@x>"), vec![inbox("a")], Strokes::One).unwrap();
        let (targets, of_recipients) = envelope.mailboxes();
        let accounts: Vec<_> = targets.iter().map(|target| target.account.as_str()).collect();
        assert_eq!(accounts, ["a", "b"]);
        assert_eq!(of_recipients, [vec![0], vec![1, 0], vec![0]]);
        assert_eq!(envelope.only_recipient(), None);
    }

    #[test]
    fn recipients_of_another_atomic_domain_come_separately() {
        let of = |account: &str, domain: &str| inbox(account).with_atomic_domain(AtomicDomain::new(domain));
        let mut envelope = Envelope::new(Mail::new(ReversePath::NULL));
        let strokes = Strokes::OneForEachDomain;
        envelope.accept(path("<a@x>"), vec![of("a", "1")], strokes).unwrap();
        envelope.accept(path("<b@x>"), vec![of("b", "1")], strokes).unwrap();
        let refused = envelope.accept(path("<c@x>"), vec![of("c", "2")], strokes).unwrap_err();
        assert_eq!(refused.to_string(), "452 4.5.3 too many recipients, send it separately\r\n");
        envelope.accept(path("<d@x>"), vec![inbox("d")], strokes).unwrap_err();
        let mixed = envelope.accept(path("<e@x>"), vec![of("a", "1"), of("c", "2")], strokes).unwrap_err();
        assert_eq!(mixed.code().value(), 451);
        assert_eq!(envelope.recipients.len(), 2);

        let mut envelope = Envelope::new(Mail::new(ReversePath::NULL));
        envelope.accept(path("<d@x>"), vec![inbox("d")], strokes).unwrap();
        envelope.accept(path("<d2@x>"), vec![inbox("d")], strokes).unwrap();
        envelope.accept(path("<e@x>"), vec![inbox("e")], strokes).unwrap_err();

        let mut envelope = Envelope::new(Mail::new(ReversePath::NULL));
        envelope.accept(path("<c@x>"), vec![of("c", "2")], Strokes::OneForEachRecipient).unwrap();
        envelope.accept(path("<d@x>"), vec![inbox("d")], Strokes::OneForEachRecipient).unwrap();
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
