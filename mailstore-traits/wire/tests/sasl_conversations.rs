//! Whole exchanges in base64, as the RFCs show them.

mod support;

use std::sync::Arc;

use mail_wire::sasl::{Dialogue, DialogueStep, Failure, Mechanism, SaslConfig, ServerExchange, Step};
use mail_wire::{AccountId, CredentialAnswer, CredentialQuery, ScramHash, ScramKeys, Secret, base64};
use support::{begin, challenge, config, failure, host, once, say, scram_proof, success};

#[test]
fn plain_comes_with_the_command_or_after_an_empty_challenge() {
    let message = base64::encode(b"\0ada\0pencil");
    let (_, step) = begin(Mechanism::Plain, Some(&message), &config());
    let identity = success(step);
    assert_eq!(identity.account, AccountId::new("account of ada"));
    assert_eq!(identity.user.unwrap().as_str(), "ada");
    assert_eq!(identity.mechanism, Mechanism::Plain);

    let (mut dialogue, step) = begin(Mechanism::Plain, None, &config());
    assert_eq!(challenge(step), "");
    success(say(&mut dialogue, &message));
}

#[test]
fn the_second_example_of_rfc_4616_section_4_is_not_authorized() {
    let mut exchange = ServerExchange::new(Mechanism::Plain, config());
    let step = exchange.step(Some(b"Ursel\0Kurt\0xipj3plmq"));
    assert!(matches!(step, Step::Need(CredentialQuery::Password { .. })), "{step:?}");
    let step = exchange.supply(CredentialAnswer::Accepted(AccountId::new("kurt")));
    let Step::Need(CredentialQuery::Authorize { authenticated, requested }) = step else { panic!("{step:?}") };
    assert_eq!((authenticated.as_str(), requested.as_str()), ("kurt", "Ursel"));
    let step = exchange.supply(CredentialAnswer::Rejected);
    assert!(matches!(step, Step::Failure(Failure::Rejected)), "{step:?}");
}

#[test]
fn the_example_of_the_login_draft_with_the_prompts_that_clients_want() {
    let (mut dialogue, step) = Dialogue::begin(Mechanism::Login, None, config());
    assert_eq!(challenge(step), "Username:");
    assert_eq!(challenge(dialogue.line(b"dGlt")), "Password:");
    let step = dialogue.line(b"dGFuc3RhYWZ0YW5zdGFhZg==");
    let DialogueStep::Need(CredentialQuery::Password { user, password }) = step else { panic!("{step:?}") };
    assert_eq!((user.as_str(), password.expose().as_str()), ("tim", "tanstaaftanstaaf"));
    success(dialogue.supply(CredentialAnswer::Accepted(AccountId::new("tim"))));
}

#[test]
fn an_initial_response_to_login_is_the_name() {
    let (mut dialogue, step) = begin(Mechanism::Login, Some("YWRh"), &config());
    assert_eq!(challenge(step), "Password:");
    success(say(&mut dialogue, &base64::encode(b"pencil")));
}

#[test]
fn the_exchange_of_rfc_7677_section_3() {
    let config = SaslConfig::new(Secret::new([7; 32])).with_nonces(|| "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0".into());
    let mut exchange = ServerExchange::new(Mechanism::ScramSha256, Arc::new(config));
    let step = exchange.step(Some(b"n,,n=user,r=rOprNGfwEbeRWgbNEkqO"));
    let Step::Need(CredentialQuery::ScramKeys { user, hash: ScramHash::Sha256 }) = step else { panic!("{step:?}") };
    assert_eq!(user.as_str(), "user");

    let salt = base64::decode(b"W22ZaJ0SNY7soEsUEjb6gQ==", 16).unwrap();
    let keys = mail_wire::sasl::scram::derive("pencil", &salt, 4096, ScramHash::Sha256).unwrap();
    let keys = ScramKeys::new(AccountId::new("user"), salt, 4096, vec![keys]);
    let Step::Challenge(first) = exchange.supply(CredentialAnswer::ScramKeys(keys)) else { panic!("no challenge") };
    assert_eq!(
        String::from_utf8(first).unwrap(),
        "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"
    );
    let step = exchange.step(Some(
        b"c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=",
    ));
    let Step::Challenge(last) = step else { panic!("{step:?}") };
    assert_eq!(last, b"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=");
    let step = exchange.step(Some(b""));
    assert!(matches!(step, Step::Success(_)), "{step:?}");
}

#[test]
fn scram_succeeds_at_the_empty_line_behind_its_last_words() {
    for password in ["pencil", "app password"] {
        let (mut dialogue, step) = begin(Mechanism::ScramSha256, Some(&base64::encode(b"n,,n=ada,r=abc")), &config());
        let (proof, signature) = scram_proof("n,,", "n=ada,r=abc", &challenge(step), password);
        assert_eq!(challenge(say(&mut dialogue, &base64::encode(proof.as_bytes()))), signature);
        let identity = success(say(&mut dialogue, ""));
        assert_eq!((identity.account.as_str(), identity.mechanism), ("account of ada", Mechanism::ScramSha256));
    }
}

#[test]
fn scram_fails_if_more_than_an_empty_line_is_behind_its_last_words() {
    for (line, expected) in [("*", Failure::Aborted), ("AQ==", Failure::Malformed), ("=", Failure::Malformed)] {
        let (mut dialogue, step) = begin(Mechanism::ScramSha256, Some(&base64::encode(b"n,,n=ada,r=abc")), &config());
        let (proof, _) = scram_proof("n,,", "n=ada,r=abc", &challenge(step), "pencil");
        challenge(say(&mut dialogue, &base64::encode(proof.as_bytes())));
        assert_eq!(failure(say(&mut dialogue, line)), expected);
        assert_eq!(failure(say(&mut dialogue, "")), Failure::Rejected);
    }
}

const RFC_7628_4_1: &str = "bixhPXVzZXJAZXhhbXBsZS5jb20sAWhvc3Q9c2VydmVyLmV4YW1wbGUuY29tAXBvcnQ9MTQzAWF1dGg9QmVhcmVyI\
    HZGOWRmdDRxbVRjMk52YjNSbGNrQmhiSFJoZG1semRHRXVZMjl0Q2c9PQEB";
const RFC_7628_4_3: &str = "bixhPXVzZXJAZXhhbXBsZS5jb20sAWhvc3Q9c2VydmVyLmV4YW1wbGUuY29tAXBvcnQ9MTQzAWF1dGg9AQE=";
const RFC_7628_4_4: &str = "bix1c2VyPXNvbWV1c2VyQGV4YW1wbGUuY29tLAFhdXRoPUJlYXJlciB2RjlkZnQ0cW1UYzJOdmIzUmxja0JoZEhSaGRtbHpkR0V1WTI5dENnPT0BAQ==";

#[test]
fn the_successful_exchange_of_rfc_7628_section_4_1() {
    let (mut dialogue, step) = Dialogue::begin(Mechanism::OauthBearer, Some(RFC_7628_4_1.as_bytes()), config());
    let DialogueStep::Need(CredentialQuery::Token { user, token }) = step else { panic!("{step:?}") };
    assert_eq!(user.unwrap().as_str(), "user@example.com");
    assert_eq!(token.expose(), "vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg==");
    let identity = success(dialogue.supply(CredentialAnswer::Accepted(AccountId::new("user"))));
    assert_eq!(identity.user.unwrap().as_str(), "user@example.com");
}

#[test]
fn the_failed_exchanges_of_rfc_7628_section_4_3_end_alike() {
    // Nor does anything else that a client might say make it a failure of another kind (attack row A11).
    let endless = "A".repeat(1 << 20);
    for last in ["AQ==", "*", "", "=", "not base64", &endless] {
        let (mut dialogue, step) = begin(Mechanism::OauthBearer, Some(RFC_7628_4_3), &config());
        assert!(challenge(step).starts_with(r#"{"status":"invalid_token""#));
        assert_eq!(failure(say(&mut dialogue, last)), Failure::Rejected);
    }
}

#[test]
fn the_header_of_rfc_7628_section_4_4_is_none_of_rfc_5801() {
    assert_eq!(failure(begin(Mechanism::OauthBearer, Some(RFC_7628_4_4), &config()).1), Failure::Malformed);
}

#[test]
fn a_token_that_the_host_refuses_is_refused_in_two_steps() {
    for (mechanism, message, status) in [
        (Mechanism::OauthBearer, &b"n,,\x01auth=Bearer stale\x01\x01"[..], r#"{"status":"invalid_token""#),
        (Mechanism::OauthBearer, b"n,a=bob,\x01auth=Bearer token\x01\x01", r#"{"status":"invalid_token""#),
        (Mechanism::Xoauth2, b"user=ada\x01auth=Bearer stale\x01\x01", r#"{"status":"401""#),
        (Mechanism::Xoauth2, b"user=bob\x01auth=Bearer token\x01\x01", r#"{"status":"401""#),
    ] {
        let (mut dialogue, step) = begin(mechanism, Some(&base64::encode(message)), &config());
        assert!(challenge(step).starts_with(status));
        assert_eq!(failure(say(&mut dialogue, "AQ==")), Failure::Rejected);
    }
}

#[test]
fn a_token_may_say_who_it_is() {
    let identity = success(once(Mechanism::OauthBearer, b"n,,\x01auth=Bearer token\x01\x01"));
    assert_eq!((identity.account.as_str(), identity.user), ("account of ada", None));
    let identity = success(once(Mechanism::Xoauth2, b"user=ada\x01auth=Bearer token\x01\x01"));
    assert_eq!(identity.user.unwrap().as_str(), "ada");
}

#[test]
fn an_empty_initial_response_is_an_equals_sign_and_only_initially() {
    assert_eq!(failure(begin(Mechanism::Plain, Some("="), &config()).1), Failure::Malformed);
    assert_eq!(failure(begin(Mechanism::OauthBearer, Some("="), &config()).1), Failure::Rejected);
    assert_eq!(failure(begin(Mechanism::Plain, Some(""), &config()).1), Failure::Malformed);
    let (mut dialogue, _) = begin(Mechanism::Plain, None, &config());
    assert_eq!(failure(say(&mut dialogue, "=")), Failure::Malformed);
}

#[test]
fn a_star_aborts_wherever_the_client_has_to_speak() {
    for mechanism in Mechanism::ALL {
        let (mut dialogue, _) = begin(mechanism, None, &config());
        assert_eq!(failure(say(&mut dialogue, "*")), Failure::Aborted, "{mechanism}");
    }
    let (mut dialogue, _) = begin(Mechanism::ScramSha256, Some(&base64::encode(b"n,,n=ada,r=abc")), &config());
    assert_eq!(failure(say(&mut dialogue, "*")), Failure::Aborted);
    // In a command it is an initial response, and no base64.
    assert_eq!(failure(begin(Mechanism::Plain, Some("*"), &config()).1), Failure::Malformed);
}

#[test]
fn a_host_that_cannot_say_is_not_a_host_that_says_no() {
    for (mechanism, message) in [
        (Mechanism::Plain, &b"\0ada\0pencil"[..]),
        (Mechanism::ScramSha256, b"n,,n=ada,r=abc"),
        (Mechanism::OauthBearer, b"n,,\x01auth=Bearer token\x01\x01"),
        (Mechanism::Xoauth2, b"user=ada\x01auth=Bearer token\x01\x01"),
    ] {
        let encoded = base64::encode(message);
        let (mut dialogue, step) = Dialogue::begin(mechanism, Some(encoded.as_bytes()), config());
        assert!(matches!(step, DialogueStep::Need(_)), "{mechanism}: {step:?}");
        assert_eq!(failure(dialogue.supply(CredentialAnswer::Unavailable)), Failure::Unavailable);
    }
}

#[test]
fn answers_of_the_wrong_kind_fail_closed() {
    let keys = || match host(CredentialQuery::ScramKeys {
        user: mail_wire::UserName::new("ada").unwrap(),
        hash: ScramHash::Sha256,
    }) {
        CredentialAnswer::ScramKeys(keys) => CredentialAnswer::ScramKeys(keys),
        other => panic!("{other:?}"),
    };
    let accepted = || CredentialAnswer::Accepted(AccountId::new("anybody"));
    for (mechanism, message, wrong) in [
        (Mechanism::Plain, &b"\0ada\0pencil"[..], keys()),
        (Mechanism::ScramSha256, b"n,,n=ada,r=abc", accepted()),
        (Mechanism::OauthBearer, b"n,,\x01auth=Bearer token\x01\x01", keys()),
        (Mechanism::Xoauth2, b"user=ada\x01auth=Bearer token\x01\x01", keys()),
    ] {
        let encoded = base64::encode(message);
        let (mut dialogue, _) = Dialogue::begin(mechanism, Some(encoded.as_bytes()), config());
        assert_eq!(failure(dialogue.supply(wrong)), Failure::Rejected, "{mechanism}");
        assert_eq!(failure(dialogue.supply(accepted())), Failure::Rejected, "{mechanism}");
        assert_eq!(failure(dialogue.line(encoded.as_bytes())), Failure::Rejected, "{mechanism}");
    }
}

#[test]
fn nobody_speaks_while_the_host_owes_an_answer() {
    let mut exchange = ServerExchange::new(Mechanism::Plain, config());
    assert!(matches!(exchange.step(Some(b"\0ada\0pencil")), Step::Need(_)));
    assert!(matches!(exchange.step(Some(b"\0ada\0pencil")), Step::Failure(Failure::Rejected)));
    let step = exchange.supply(CredentialAnswer::Accepted(AccountId::new("ada")));
    assert!(matches!(step, Step::Failure(Failure::Rejected)), "{step:?}");
}

#[test]
fn answers_that_nobody_asked_for_fail_closed() {
    for mechanism in Mechanism::ALL {
        for spoken in [false, true] {
            let mut exchange = ServerExchange::new(mechanism, config());
            if spoken {
                assert!(matches!(exchange.step(None), Step::Challenge(_)));
            }
            let step = exchange.supply(CredentialAnswer::Accepted(AccountId::new("ada")));
            assert!(matches!(step, Step::Failure(Failure::Rejected)), "{mechanism}: {step:?}");
            assert!(matches!(exchange.step(None), Step::Failure(Failure::Rejected)), "{mechanism}");
        }
    }
}

#[test]
fn what_has_succeeded_has_ended() {
    let (mut dialogue, step) = begin(Mechanism::Plain, Some(&base64::encode(b"\0ada\0pencil")), &config());
    success(step);
    assert_eq!(failure(say(&mut dialogue, "")), Failure::Rejected);
    assert_eq!(failure(dialogue.supply(CredentialAnswer::Accepted(AccountId::new("ada")))), Failure::Rejected);
}

#[test]
fn cram_md5_asks_the_host_about_the_challenge_that_it_sent() {
    let config = SaslConfig::new(Secret::new([7; 32]))
        .with_nonces(|| "1896.697170952".into())
        .with_challenge_host("postoffice.reston.mci.net");
    let (mut dialogue, step) = Dialogue::begin(Mechanism::CramMd5, None, Arc::new(config));
    let DialogueStep::Challenge(challenge) = step else { panic!("{step:?}") };
    assert_eq!(challenge, "PDE4OTYuNjk3MTcwOTUyQHBvc3RvZmZpY2UucmVzdG9uLm1jaS5uZXQ+");
    let step = dialogue.line(b"dGltIGI5MTNhNjAyYzdlZGE3YTQ5NWI0ZTZlNzMzNGQzODkw");
    let DialogueStep::Need(CredentialQuery::CramMd5 { user, challenge, digest }) = step else { panic!("{step:?}") };
    assert_eq!(user.as_str(), "tim");
    let secret = Secret::new(String::from("tanstaaftanstaaf"));
    assert!(mail_wire::sasl::cram_md5::matches(&secret, &challenge, &digest));
    assert_eq!(success(dialogue.supply(CredentialAnswer::Accepted(AccountId::new("tim")))).user, Some(user));
}

#[test]
fn sec_a14_cram_md5_takes_no_initial_response() {
    let (_, step) = begin(Mechanism::CramMd5, Some("dGltIGI5MTNhNjAyYzdlZGE3YTQ5NWI0ZTZlNzMzNGQzODkw"), &config());
    assert_eq!(failure(step), Failure::Malformed);
}
