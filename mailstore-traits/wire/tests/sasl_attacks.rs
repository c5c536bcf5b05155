//! Rows of the attack list that SASL answers for: A1, A3, A5, A6, A8, A9, A13, M16, M17.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod support;

use std::sync::Arc;

use mail_wire::machine::{TlsExporter, TlsInfo};
use mail_wire::sasl::{Channel, Dialogue, DialogueStep, Failure, Mechanism, ServerExchange, Step};
use mail_wire::{AccountId, ClientCertificate, CredentialAnswer, CredentialQuery, Secret, UserName, base64};
use mailstore_traits::{Authenticator, StoreError};
use proptest::prelude::*;
use support::{attribute, begin, challenge, config, failure, host, once, say, scram_proof, scram_sign, success};

/// A SCRAM exchange with that password: the server's first message, and what came of it.
fn scram(name: &str, password: &str) -> (String, DialogueStep) {
    let bare = format!("n={name},r=abc");
    let initial = base64::encode(format!("n,,{bare}").as_bytes());
    let (mut dialogue, step) = begin(Mechanism::ScramSha256, Some(&initial), &config());
    let server_first = challenge(step);
    let (proof, _) = scram_proof("n,,", &bare, &server_first, password);
    let step = say(&mut dialogue, &base64::encode(proof.as_bytes()));
    (server_first, step)
}

/// A server's first message without the nonce, which is new at every try.
fn salt_and_count(server_first: &str) -> (&str, &str) {
    let mut parts = server_first.split(',').skip(1);
    (parts.next().unwrap(), parts.next().unwrap())
}

#[test]
fn sec_a1_an_unknown_user_looks_like_a_wrong_password_from_first_to_last() {
    let (first, step) = scram("nobody", "pencil");
    let (again, _) = scram("nobody", "other");
    let (known, wrong) = scram("ada", "wrong");
    assert_eq!(salt_and_count(&first), salt_and_count(&again));
    assert_eq!(salt_and_count(&first).1, salt_and_count(&known).1);
    assert_eq!(first.len(), known.len());
    assert_eq!(failure(step), Failure::Rejected);
    assert_eq!(failure(wrong), Failure::Rejected);
}

#[test]
fn sec_a1_there_is_one_failure_for_every_wrong_credential() {
    for (mechanism, message) in [
        (Mechanism::Plain, &b"\0nobody\0pencil"[..]),
        (Mechanism::Plain, b"\0ada\0wrong"),
        (Mechanism::Plain, b"bob\0ada\0pencil"),
        (Mechanism::Plain, b"ada\0bob\0pencil"),
    ] {
        assert_eq!(failure(once(mechanism, message)), Failure::Rejected);
    }
    let shown = Failure::Rejected.to_string();
    assert!(!shown.contains("user") && !shown.contains("password"), "{shown}");
}

#[test]
fn sec_a3_whom_to_act_as_is_asked_after_the_password_is_accepted() {
    // The row's own vector, bob NUL alice NUL pw: a wrong password never gets as far as the question.
    let mut exchange = ServerExchange::new(Mechanism::Plain, config());
    assert!(matches!(exchange.step(Some(b"bob\0alice\0pw")), Step::Need(CredentialQuery::Password { .. })));
    assert!(matches!(exchange.supply(CredentialAnswer::Rejected), Step::Failure(Failure::Rejected)));

    let mut exchange = ServerExchange::new(Mechanism::Plain, config());
    assert!(matches!(exchange.step(Some(b"bob\0alice\0pw")), Step::Need(CredentialQuery::Password { .. })));
    let step = exchange.supply(CredentialAnswer::Accepted(AccountId::new("alice")));
    let Step::Need(CredentialQuery::Authorize { authenticated, requested }) = step else { panic!("{step:?}") };
    assert_eq!((authenticated.as_str(), requested.as_str()), ("alice", "bob"));
    assert!(matches!(exchange.supply(CredentialAnswer::Rejected), Step::Failure(Failure::Rejected)));
}

#[test]
fn sec_a3_who_may_act_as_another_gets_the_others_account() {
    let identity = success(once(Mechanism::Plain, b"sales\0ada\0pencil"));
    assert_eq!(identity.account, AccountId::new("account of sales"));
    assert_eq!(identity.user.unwrap().as_str(), "ada");
}

#[test]
fn sec_a3_to_act_as_oneself_is_no_question() {
    success(once(Mechanism::Plain, b"ada\0ada\0pencil"));
    // Nor is it when the two are the same name in two spellings.
    success(once(Mechanism::Plain, "a\u{ad}da\0ada\0pencil".as_bytes()));
}

#[test]
fn sec_a3_scram_signs_only_when_the_client_may_be_whom_it_wants_to_be() {
    for (requested, allowed) in [("sales", true), ("bob", false), ("ada", true)] {
        let header = format!("n,a={requested},");
        let initial = base64::encode(format!("{header}n=ada,r=abc").as_bytes());
        let (mut dialogue, step) = begin(Mechanism::ScramSha256, Some(&initial), &config());
        let (proof, signature) = scram_proof(&header, "n=ada,r=abc", &challenge(step), "pencil");
        let step = say(&mut dialogue, &base64::encode(proof.as_bytes()));
        if allowed {
            assert_eq!(challenge(step), signature);
            let identity = success(say(&mut dialogue, ""));
            assert_eq!(identity.account.as_str(), format!("account of {requested}"));
        } else {
            assert_eq!(failure(step), Failure::Rejected);
        }
    }
}

#[test]
fn sec_a3_a_name_beside_a_token_is_the_hosts_to_judge() {
    assert_eq!(
        success(once(Mechanism::OauthBearer, b"n,a=ada,\x01auth=Bearer token\x01\x01")).account.as_str(),
        "account of ada"
    );
    challenge(once(Mechanism::OauthBearer, b"n,a=bob,\x01auth=Bearer token\x01\x01"));
}

#[test]
fn sec_a5_a_recorded_exchange_played_again_fails() {
    let config = config();
    let initial = base64::encode(b"n,,n=ada,r=abc");
    let (mut recorded, step) = begin(Mechanism::ScramSha256, Some(&initial), &config);
    let (proof, _) = scram_proof("n,,", "n=ada,r=abc", &challenge(step), "pencil");
    let proof = base64::encode(proof.as_bytes());
    challenge(say(&mut recorded, &proof));
    success(say(&mut recorded, ""));
    assert_eq!(failure(say(&mut recorded, &proof)), Failure::Rejected);

    let (mut replayed, step) = begin(Mechanism::ScramSha256, Some(&initial), &config);
    challenge(step);
    assert_eq!(failure(say(&mut replayed, &proof)), Failure::Rejected);
}

#[test]
fn sec_a6_each_rule_of_scram_that_is_broken_is_a_failure() {
    for first in [&b"p=tls-unique,,n=ada,r=abc"[..], b"n,,m=x,n=ada,r=abc", b"n,,n=ada,r=abc,m=x"] {
        assert_eq!(failure(once(Mechanism::ScramSha256, first)), Failure::Rejected);
    }
    let change = |change: &dyn Fn(&str) -> String| {
        let (mut dialogue, step) = begin(Mechanism::ScramSha256, Some(&base64::encode(b"n,,n=ada,r=abc")), &config());
        let (proof, _) = scram_proof("n,,", "n=ada,r=abc", &challenge(step), "pencil");
        failure(say(&mut dialogue, &base64::encode(change(&proof).as_bytes())))
    };
    assert_eq!(change(&|proof| proof.replace("r=abc", "r=abd")), Failure::Rejected);
    assert_eq!(change(&|proof| format!("c=biws,r=abc,p={}", &proof[proof.len() - 44..])), Failure::Rejected);
    assert_eq!(change(&|proof| proof.replace("c=biws,", "")), Failure::Malformed);
    assert_eq!(change(&|proof| proof.replace("c=biws", "c=eSws")), Failure::Rejected);
    assert_eq!(change(&|proof| proof.replace(",p=", ",m=x,p=")), Failure::Rejected);
    // An extension is no offence; but what is signed is what was sent.
    assert_eq!(change(&|proof| proof.replace(",p=", ",z=x,p=")), Failure::Rejected);
}

#[test]
fn sec_a6_a_rule_that_is_broken_by_somebody_who_knows_the_password_is_broken() {
    // The proof fits what is sent, so that nothing but the rule itself can refuse it.
    let send = |without_proof: &dyn Fn(&str) -> String| {
        let (mut dialogue, step) = begin(Mechanism::ScramSha256, Some(&base64::encode(b"n,,n=ada,r=abc")), &config());
        let server_first = challenge(step);
        let without_proof = without_proof(attribute(&server_first, "r="));
        let (message, _) = scram_sign(&without_proof, "n=ada,r=abc", &server_first, "pencil");
        say(&mut dialogue, &base64::encode(message.as_bytes()))
    };
    challenge(send(&|nonce| format!("c=biws,r={nonce}")));
    challenge(send(&|nonce| format!("c=biws,r={nonce},z=an extension")));
    assert_eq!(failure(send(&|_| "c=biws,r=abc".into())), Failure::Rejected);
    assert_eq!(failure(send(&|nonce| format!("c=biws,r={nonce}x"))), Failure::Rejected);
    assert_eq!(failure(send(&|nonce| format!("c=biws,r=x{nonce}"))), Failure::Rejected);
    assert_eq!(failure(send(&|nonce| format!("c=biws,r={}", &nonce[3..]))), Failure::Rejected);
    assert_eq!(failure(send(&|nonce| format!("c=eSws,r={nonce}"))), Failure::Rejected);
    assert_eq!(failure(send(&|nonce| format!("c=biwsAAAA,r={nonce}"))), Failure::Rejected);
    assert_eq!(failure(send(&|nonce| format!("c=biws,r={nonce},m=x"))), Failure::Rejected);
    assert_eq!(failure(send(&|nonce| format!("m=x,c=biws,r={nonce}"))), Failure::Rejected);
    assert_eq!(failure(send(&|nonce| format!("r={nonce}"))), Failure::Malformed);
    assert_eq!(failure(send(&|nonce| format!("r={nonce},c=biws"))), Failure::Malformed);
    assert_eq!(failure(send(&|nonce| format!("c=biws,r={nonce},r=abc"))), Failure::Malformed);
}

#[test]
fn sec_a6_a_downgrade_of_the_header_shows_in_the_channel_binding() {
    // Somebody in between made y,, of the client's p=...,,: the c= that the client signs is another.
    let (mut dialogue, step) = begin(Mechanism::ScramSha256, Some(&base64::encode(b"y,,n=ada,r=abc")), &config());
    let (proof, _) = scram_proof("p=tls-unique,,", "n=ada,r=abc", &challenge(step), "pencil");
    assert_eq!(failure(say(&mut dialogue, &base64::encode(proof.as_bytes()))), Failure::Rejected);
}

/// What comes of a client that binds so, by SCRAM-SHA-256-PLUS on a connection whose exporter's value is all ones.
fn bind(header: &str, octets: &[u8]) -> DialogueStep {
    let tls = TlsInfo::new("TLSv1.3", "TLS_AES_128_GCM_SHA256").with_exporter(Some(TlsExporter::new([1; 32])));
    let channel = Channel::new(Some(&tls), &Mechanism::ALL);
    let initial = base64::encode(format!("{header}n=ada,r=abc").as_bytes());
    let (mut dialogue, step) =
        Dialogue::begin_on(channel, Mechanism::ScramSha256Plus, Some(initial.as_bytes()), config());
    let DialogueStep::Need(query) = step else { return step };
    let server_first = challenge(dialogue.supply(host(query)));
    let without_proof = format!("c={},r={}", base64::encode(octets), attribute(&server_first, "r="));
    let (message, signature) = scram_sign(&without_proof, "n=ada,r=abc", &server_first, "pencil");
    match say(&mut dialogue, &base64::encode(message.as_bytes())) {
        step @ DialogueStep::Challenge(_) => {
            assert_eq!(challenge(step), signature);
            say(&mut dialogue, "")
        }
        step => step,
    }
}

#[test]
fn sec_a6_by_plus_the_binding_must_hold_the_header_and_what_the_handshake_exported() {
    let header = "p=tls-exporter,,";
    let bound = |exported: &[u8]| [header.as_bytes(), exported].concat();
    let identity = success(bind(header, &bound(&[1; 32])));
    assert_eq!(identity.mechanism, Mechanism::ScramSha256Plus);
    // Somebody who knows the password and stands in between has another connection on either side.
    assert_eq!(failure(bind(header, &bound(&[2; 32]))), Failure::Rejected);
    assert_eq!(failure(bind(header, &bound(&[1; 31]))), Failure::Rejected);
    assert_eq!(failure(bind(header, &bound(&[1; 33]))), Failure::Rejected);
    assert_eq!(failure(bind(header, header.as_bytes())), Failure::Rejected);
    assert_eq!(failure(bind(header, &[1; 32])), Failure::Rejected);
    assert_eq!(failure(bind(header, &[b"n,,", &[1; 32][..]].concat())), Failure::Rejected);
    // The header is the authzid's too.
    let other = "p=tls-exporter,a=ada,";
    success(bind(other, &[other.as_bytes(), &[1; 32]].concat()));
    assert_eq!(failure(bind(other, &bound(&[1; 32]))), Failure::Rejected);
}

#[test]
fn sec_a6_a_client_that_was_shown_a_shorter_list_fails_with_y_and_one_that_cannot_bind_gets_in_with_n() {
    let tls = TlsInfo::new("TLSv1.3", "TLS_AES_128_GCM_SHA256").with_exporter(Some(TlsExporter::new([1; 32])));
    for (header, offered, lets_in) in [
        ("n,,", &Mechanism::ALL[..], true),
        ("y,,", &Mechanism::ALL[..], false),
        ("y,,", &[Mechanism::ScramSha256][..], true),
        ("y,,", &[Mechanism::ScramSha256, Mechanism::ScramSha1Plus][..], false),
        ("p=tls-exporter,,", &Mechanism::ALL[..], false),
    ] {
        let channel = Channel::new(Some(&tls), offered);
        let initial = base64::encode(format!("{header}n=ada,r=abc").as_bytes());
        let (_, step) = Dialogue::begin_on(channel, Mechanism::ScramSha256, Some(initial.as_bytes()), config());
        match step {
            DialogueStep::Need(_) => assert!(lets_in, "{header} {offered:?}"),
            step => {
                assert_eq!(failure(step), Failure::Rejected);
                assert!(!lets_in, "{header} {offered:?}");
            }
        }
    }
}

/// What comes of EXTERNAL with that certificate and that name to act as.
fn external(certificate: Option<&[u8]>, requested: &[u8]) -> DialogueStep {
    let tls = TlsInfo::new("TLSv1.3", "TLS_AES_128_GCM_SHA256")
        .with_client_certificate(certificate.map(ClientCertificate::from_der));
    let channel = Channel::new(Some(&tls), &Mechanism::ALL);
    let initial = if requested.is_empty() { "=".into() } else { base64::encode(requested) };
    let (mut dialogue, step) = Dialogue::begin_on(channel, Mechanism::External, Some(initial.as_bytes()), config());
    match step {
        DialogueStep::Need(query) => dialogue.supply(host(query)),
        step => step,
    }
}

#[test]
fn sec_a9_a_certificate_lets_in_whom_the_host_maps_it_to_and_nobody_else() {
    let identity = success(external(Some(b"ada's"), b""));
    assert_eq!((identity.account.as_str(), identity.user), ("account of ada", None));
    let identity = success(external(Some(b"ada's"), b"sales"));
    assert_eq!(identity.account.as_str(), "account of sales");
    // A name that the certificate is not mapped to; a certificate of nobody's; an empty one; none.
    assert_eq!(failure(external(Some(b"ada's"), b"bob")), Failure::Rejected);
    assert_eq!(failure(external(Some(b"bob's"), b"ada")), Failure::Rejected);
    assert_eq!(failure(external(Some(b"bob's"), b"")), Failure::Rejected);
    assert_eq!(failure(external(Some(b""), b"")), Failure::Rejected);
    assert_eq!(failure(external(None, b"")), Failure::Rejected);
    assert_eq!(failure(external(None, b"ada")), Failure::Rejected);
    // Nor on a connection of which nothing is known.
    assert_eq!(failure(begin(Mechanism::External, Some("="), &config()).1), Failure::Rejected);
}

#[test]
fn sec_a9_a_host_that_maps_nothing_lets_no_certificate_in() {
    #[derive(Clone)]
    struct Host;
    impl Authenticator for Host {
        async fn check_password(&self, _: &UserName, _: &Secret<String>) -> Result<Option<AccountId>, StoreError> {
            panic!("nobody asks")
        }
    }
    assert!(!Mechanism::offered_by(&Host).contains(&Mechanism::External));
    let query = CredentialQuery::Certificate { certificate: ClientCertificate::from_der(&b"any"[..]), requested: None };
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    assert!(matches!(runtime.block_on(Host.answer(query)), CredentialAnswer::Rejected));
    for query in [
        CredentialQuery::Anonymous { trace: None },
        CredentialQuery::CramMd5 { user: UserName::new("ada").unwrap(), challenge: String::new(), digest: [0; 16] },
        CredentialQuery::Apop { user: UserName::new("ada").unwrap(), timestamp: String::new(), digest: [0; 16] },
    ] {
        assert!(matches!(runtime.block_on(Host.answer(query)), CredentialAnswer::Rejected));
    }
}

#[test]
fn sec_a8_no_credential_field_carries_control_characters_or_broken_utf8_to_the_host() {
    for bad in [&b"\0"[..], b"\r", b"\n", b"\x7f", b"\x1b", b"\xff", b"\xc0\x80", b"\xed\xa0\x80", b"\xc2\x85"] {
        let x = |head: &[u8], tail: &[u8]| [head, b"a", bad, tail].concat();
        for (mechanism, message) in [
            (Mechanism::Plain, x(b"", b"\0ada\0pencil")),
            (Mechanism::Plain, x(b"\0", b"\0pencil")),
            (Mechanism::Plain, x(b"\0ada\0", b"")),
            (Mechanism::Login, x(b"", b"")),
            (Mechanism::ScramSha256, x(b"n,,n=", b",r=abc")),
            (Mechanism::ScramSha256, x(b"n,a=", b",n=ada,r=abc")),
            (Mechanism::ScramSha256, x(b"n,,n=ada,r=", b"")),
            (Mechanism::OauthBearer, x(b"n,a=", b",\x01auth=Bearer token\x01\x01")),
            (Mechanism::Xoauth2, x(b"user=", b"\x01auth=Bearer token\x01\x01")),
        ] {
            let step = ServerExchange::new(mechanism, config()).step(Some(&message));
            let shown = message.escape_ascii();
            assert!(matches!(step, Step::Failure(Failure::Malformed)), "{mechanism} {shown}: {step:?}");
        }
        let mut login = ServerExchange::new(Mechanism::Login, config());
        assert!(matches!(login.step(Some(b"ada")), Step::Challenge(_)));
        let step = login.step(Some(&x(b"", b"")));
        assert!(matches!(step, Step::Failure(Failure::Malformed)), "{step:?}");
        // A token with a CR or an LF in it is RFC 7628's grammar still, but no token, and is not asked of the host.
        for (mechanism, head) in
            [(Mechanism::OauthBearer, &b"n,,\x01auth=Bearer "[..]), (Mechanism::Xoauth2, b"user=a\x01auth=Bearer ")]
        {
            let step = ServerExchange::new(mechanism, config()).step(Some(&x(head, b"\x01\x01")));
            assert!(!matches!(step, Step::Need(_) | Step::Success(_)), "{mechanism}: {step:?}");
        }
    }
}

#[test]
fn sec_a13_nothing_that_can_be_logged_shows_a_secret() {
    let mut log = String::new();
    for (mechanism, message) in [
        (Mechanism::Plain, &b"\0ada\0hunter2"[..]),
        (Mechanism::OauthBearer, b"n,,\x01auth=Bearer hunter2\x01\x01"),
        (Mechanism::Xoauth2, b"user=ada\x01auth=Bearer hunter2\x01\x01"),
    ] {
        let encoded = base64::encode(message);
        let (mut dialogue, step) = Dialogue::begin(mechanism, Some(encoded.as_bytes()), config());
        assert!(matches!(step, DialogueStep::Need(_)), "{step:?}");
        log += &format!("{dialogue:?} {dialogue:#?} {step:?} {step:#?}");
        let step = dialogue.supply(CredentialAnswer::Rejected);
        log += &format!("{dialogue:?} {step:?}");
        let mut exchange = ServerExchange::new(mechanism, config());
        let step = exchange.step(Some(message));
        log += &format!("{exchange:?} {step:?} {:?}", exchange.supply(CredentialAnswer::Rejected));
    }
    let (mut login, _) = begin(Mechanism::Login, Some("YWRh"), &config());
    log += &format!("{:?} {login:?}", login.line(base64::encode(b"hunter2").as_bytes()));

    let keys = mail_wire::sasl::scram::derive("hunter2", b"salt", 4096, mail_wire::ScramHash::Sha256).unwrap();
    log += &format!("{keys:?} {:?}", mail_wire::sasl::prepare_password("hunter2"));
    let stored = base64::encode(keys.stored_key.expose());
    let listed = format!("{:?}", keys.stored_key.expose());
    for secret in ["hunter2", "aHVudGVyMg", &stored, &listed] {
        assert!(!log.contains(secret), "{secret} in {log}");
    }
    assert!(log.contains("[secret]"));
}

#[test]
fn sec_m16_responses_over_the_ceiling_end_the_exchange_and_touch_nothing_else() {
    let config = config();
    let (mut beside, _) = begin(Mechanism::Plain, None, &config);
    for length in [12_292, 1 << 20] {
        let over = "A".repeat(length);
        assert_eq!(failure(begin(Mechanism::Plain, Some(&over), &config).1), Failure::TooLong);
        let (mut dialogue, _) = begin(Mechanism::Plain, None, &config);
        assert_eq!(failure(say(&mut dialogue, &over)), Failure::TooLong);
        let step = ServerExchange::new(Mechanism::Plain, Arc::clone(&config)).step(Some(&vec![b'a'; length]));
        assert!(matches!(step, Step::Failure(Failure::TooLong)), "{step:?}");
    }
    assert_eq!(failure(begin(Mechanism::Plain, Some(&"A".repeat(12_288)), &config).1), Failure::Malformed);
    success(say(&mut beside, &base64::encode(b"\0ada\0pencil")));
}

#[test]
fn sec_m16_a_long_token_fits_under_the_ceiling() {
    let token = "t".repeat(9_000);
    let message = base64::encode(format!("n,,\u{1}auth=Bearer {token}\u{1}\u{1}").as_bytes());
    let (_, step) = Dialogue::begin(Mechanism::OauthBearer, Some(message.as_bytes()), config());
    let DialogueStep::Need(CredentialQuery::Token { token: got, .. }) = step else { panic!("{step:?}") };
    assert_eq!(got.expose(), &token);
}

#[test]
fn sec_m16_what_is_not_quite_base64_ends_the_exchange_and_touches_nothing_else() {
    let config = config();
    let (mut beside, _) = begin(Mechanism::Login, None, &config);
    for bad in [
        "YWRhCg",
        "YWRhCg=",
        "YWRhCg===",
        "YWR hCg==",
        "YWRhCg==\r\n",
        "YWRh\tYWRh",
        "YWRhCh==",
        "YWRh====",
        "!!!!",
        "YWRh-_==",
    ] {
        assert_eq!(failure(begin(Mechanism::Login, Some(bad), &config).1), Failure::Malformed, "{bad:?}");
        let (mut dialogue, _) = begin(Mechanism::Login, None, &config);
        assert_eq!(failure(say(&mut dialogue, bad)), Failure::Malformed, "{bad:?}");
        assert_eq!(failure(say(&mut dialogue, "YWRh")), Failure::Rejected, "{bad:?}");
    }
    challenge(say(&mut beside, "YWRh"));
    success(say(&mut beside, &base64::encode(b"pencil")));
}

#[test]
fn sec_m17_a_hundred_thousand_aborted_exchanges_leave_nothing_behind() {
    let config = config();
    // A name and a nonce at their longest, so that an exchange that stayed would be seen.
    let initial = base64::encode(format!("n,,n={},r={}", "x".repeat(255), "y".repeat(512)).as_bytes());
    let before = resident();
    for _ in 0..100_000 {
        let (mut dialogue, _) = Dialogue::begin(Mechanism::Plain, None, Arc::clone(&config));
        assert_eq!(failure(dialogue.line(b"*")), Failure::Aborted);
    }
    for _ in 0..10_000 {
        let (mut dialogue, step) =
            Dialogue::begin(Mechanism::ScramSha256, Some(initial.as_bytes()), Arc::clone(&config));
        assert!(matches!(step, DialogueStep::Need(_)));
        assert!(matches!(dialogue.supply(CredentialAnswer::Rejected), DialogueStep::Challenge(_)));
        assert_eq!(failure(dialogue.line(b"*")), Failure::Aborted);
    }
    assert_eq!(Arc::strong_count(&config), 1);
    assert!(size_of::<Dialogue>() <= 256, "{}", size_of::<Dialogue>());
    if let (Some(before), Some(after)) = (before, resident()) {
        assert!(after.saturating_sub(before) < 16 << 20, "{before} grew to {after}");
    }
}

/// How much memory the process holds, where the system says so.
fn resident() -> Option<usize> {
    let pages: usize = std::fs::read_to_string("/proc/self/statm").ok()?.split(' ').nth(1)?.parse().ok()?;
    Some(pages * 4096)
}

fn mechanisms() -> impl Strategy<Value = Mechanism> {
    proptest::sample::select(Mechanism::ALL.to_vec())
}

/// Octets, and things that look a little like a message.
fn messages() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        proptest::collection::vec(any::<u8>(), 0..64),
        "(n|y|p=tls-unique)?,(a=[a-z=2CD]{0,6})?,(m=x,)?n=[a-z=2C3D,]{0,8},r=.{0,8}(,[a-z]=.{0,3})*"
            .prop_map(String::into_bytes),
        "c=[a-z=]{0,8},r=.{0,8}(,[a-z]=.{0,3})*,p=[A-Za-z=]{0,44}".prop_map(String::into_bytes),
        "[a-z\u{e9}\u{ad}]{0,4}\0[a-z\u{627}]{0,4}\0.{0,8}\0?".prop_map(String::into_bytes),
        "(n|y|p),(a=[a-z]{0,4})?,\u{1}((host|port|auth|x)=(Bearer )?[0-9a-z=]{0,6}\u{1}){0,3}\u{1}?"
            .prop_map(String::into_bytes),
        "user=[a-z]{0,4}\u{1}auth=(Bearer )?[a-z=]{0,4}\u{1}{0,3}".prop_map(String::into_bytes),
    ]
}

proptest! {
    #[test]
    fn nothing_that_a_client_says_gets_in_without_the_host(mechanism in mechanisms(), said in proptest::collection::vec(messages(), 0..5), starts in any::<bool>()) {
        let mut exchange = ServerExchange::new(mechanism, config());
        let mut said = said.iter();
        let mut step = exchange.step(if starts { said.next().map(Vec::as_slice) } else { None });
        let mut steps = 0;
        loop {
            steps += 1;
            prop_assert!(steps < 10, "an exchange is some steps long and no more");
            step = match step {
                Step::Challenge(_) => match said.next() {
                    Some(message) => exchange.step(Some(message)),
                    None => break,
                },
                Step::Need(query) => {
                    if let CredentialQuery::Password { user, .. } | CredentialQuery::ScramKeys { user, .. } = &query {
                        prop_assert!(!user.as_str().chars().any(char::is_control));
                    }
                    exchange.supply(CredentialAnswer::Rejected)
                }
                Step::Success(identity) => panic!("{identity:?} got in"),
                Step::Failure(_) => break,
                other => panic!("{other:?}"),
            };
        }
    }

    #[test]
    fn no_line_makes_a_dialogue_panic(mechanism in mechanisms(), initial in proptest::option::of(proptest::collection::vec(any::<u8>(), 0..40)), lines in proptest::collection::vec("[A-Za-z0-9+/=*]{0,40}", 0..4)) {
        let (mut dialogue, mut step) = Dialogue::begin(mechanism, initial.as_deref(), config());
        for line in lines {
            step = match step {
                DialogueStep::Need(query) => dialogue.supply(host(query)),
                _ => dialogue.line(line.as_bytes()),
            };
            // To let in who says no name is what ANONYMOUS is for, and this host does.
            prop_assert!(mechanism == Mechanism::Anonymous || !matches!(step, DialogueStep::Success(_)));
        }
    }
}
