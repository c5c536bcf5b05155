//! MIME messages as mailboxes have them, the same octets at every run.

/// What stands in every one of them, and nowhere else.
pub const SUBJECT: &str = "The notes that you asked for, and what became of the engine";

/// The fields that relays and senders put in front of a message.
fn header(content_type: &str) -> String {
    format!(
        "Received: from mail.example.net (mail.example.net [192.0.2.7])\r\n\
         \tby mx.example.org with ESMTPS id 4f2a7c (TLS1.3:TLS_AES_256_GCM_SHA384)\r\n\
         \tfor <charles@example.org>; Thu, 1 Jan 2026 12:00:03 +0000\r\n\
         DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed; d=example.net; s=2026;\r\n\
         \th=from:to:cc:subject:date:message-id:mime-version:content-type;\r\n\
         \tbh=2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=;\r\n\
         \tb=AuUoFEfDxTDkHlLXSZEpZj79LICEps6eda7W3deTVFOk4yAUoqOB4nujc7YopdG5dWLSdNg6x\r\n\
         \t NAZpOPr+kHxt1IrE+NahM6L/LbvaHutKVdkLLkpVaVVQPzeRDI009SO2Il5Lu7rDNH6mZckBdrI\r\n\
         From: Ada Lovelace <ada@example.net>\r\n\
         To: Charles Babbage <charles@example.org>, Mary Somerville <mary@example.org>\r\n\
         Cc: \"De Morgan, Augustus\" <augustus@example.org>\r\n\
         Subject: {SUBJECT}\r\n\
         Date: Thu, 1 Jan 2026 12:00:00 +0000\r\n\
         Message-ID: <20260101120000.4f2a7c@example.net>\r\n\
         In-Reply-To: <20251231180000.77@example.org>\r\n\
         References: <20251230090000.12@example.net> <20251231180000.77@example.org>\r\n\
         User-Agent: Analytical Mail 1.0\r\n\
         MIME-Version: 1.0\r\n\
         Content-Type: {content_type}\r\n\r\n"
    )
}

/// A text and the same in HTML, each of about so many octets.
fn alternative(boundary: &str, octets: usize) -> String {
    let sentence = "The engine weaves patterns, as the loom of Jacquard weaves leaves.";
    let text = format!("{sentence}\r\n").repeat(octets / (sentence.len() + 2));
    let html = format!("<p class=3D\"note\">{sentence}</p>\r\n").repeat(octets / (sentence.len() + 27));
    format!(
        "--{boundary}\r\nContent-Type: text/plain; charset=utf-8; format=flowed\r\n\
         Content-Transfer-Encoding: 7bit\r\n\r\n{text}\r\n\
         --{boundary}\r\nContent-Type: text/html; charset=utf-8\r\n\
         Content-Transfer-Encoding: quoted-printable\r\n\r\n<html><body>\r\n{html}</body></html>\r\n\r\n\
         --{boundary}--\r\n"
    )
}

/// Lines of 76 letters of base64, which do not repeat.
fn base64(lines: usize) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut state = 1_u64;
    let mut letter = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        LETTERS.get((state >> 58) as usize).copied().map_or('A', char::from)
    };
    let mut text = String::with_capacity(lines * 78);
    for _ in 0..lines {
        text.extend((0..76).map(|_| letter()));
        text.push_str("\r\n");
    }
    text
}

/// 4 KB: a text with its alternative in HTML. Three parts.
pub fn small() -> Vec<u8> {
    let boundary = "=_alternative_0042_01DC7B";
    let header = header(&format!("multipart/alternative;\r\n\tboundary=\"{boundary}\""));
    format!("{header}This is a multi-part message in MIME format.\r\n{}", alternative(boundary, 1_350)).into_bytes()
}

/// 250 KB: a text, its alternative in HTML and an attachment in base64. Five parts.
pub fn large() -> Vec<u8> {
    let boundary = "=_mixed_0041_01DC7B";
    let inner = "=_alternative_0042_01DC7B";
    let header = header(&format!("multipart/mixed;\r\n\tboundary=\"{boundary}\""));
    let (text, attachment) = (alternative(inner, 10_000), base64(2_910));
    format!(
        "{header}This is a multi-part message in MIME format.\r\n\
         --{boundary}\r\nContent-Type: multipart/alternative;\r\n\tboundary=\"{inner}\"\r\n\r\n{text}\r\n\
         --{boundary}\r\nContent-Type: application/pdf; name=\"notes on the engine.pdf\"\r\n\
         Content-Transfer-Encoding: base64\r\n\
         Content-Disposition: attachment; filename=\"notes on the engine.pdf\"\r\n\r\n{attachment}\r\n\
         --{boundary}--\r\n"
    )
    .into_bytes()
}
