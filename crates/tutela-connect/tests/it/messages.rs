use std::path::Path;

use serde_json::{Value, json};
use testkit::PostOffice;
use tutela_app::port::{Mail, SendError, TextMessage};
use tutela_connect::{ChannelsConfig, SmtpConfig, SmtpTls, TwilioConfig, WebhookConfig};
use tutela_core::Secret;

fn office(more: &[&str]) -> Option<PostOffice> {
    // The mail library brings its own TLS provider; ours is the one that counts.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let office = PostOffice::start(more);
    if office.is_none() {
        testkit::skip("TUTELA_TEST_PYTHON does not name a Python with aiosmtpd");
    }
    office
}

fn smtp(office: &PostOffice) -> SmtpConfig {
    SmtpConfig {
        host: "localhost".into(),
        port: Some(office.smtp),
        tls: SmtpTls::Starttls,
        ca_file: Some(office.cert.clone()),
        username: Some("tutela".into()),
        password_file: Some(office.password_file.clone()),
        from: "Photos <no-reply@example.com>".into(),
    }
}

async fn send(config: SmtpConfig, mail: &Mail) -> Result<(), SendError> {
    let channels = ChannelsConfig { smtp: Some(config), ..ChannelsConfig::default() };
    channels.check().unwrap();
    channels.senders().unwrap().mail.unwrap().send(mail).await
}

fn mail(to: &str) -> Mail {
    Mail { id: "01a2".into(), to: to.into(), subject: "Grüße".into(), body: Secret::new(format!("Liebe Ada,\n\n{}\n.\nEnde", "x".repeat(2_000))) }
}

#[tokio::test]
async fn a_mail_arrives_whole_over_starttls_and_with_the_password() {
    let Some(office) = office(&[]) else { return };
    send(smtp(&office), &mail("ada@example.com")).await.unwrap();
    let got = office.wait("the mail", |got| got["mail"] == json!(["ada@example.com"])).await;
    assert_eq!((&got["tls"], &got["auth"], &got["subject"], &got["id"]), (&json!(true), &json!(true), &json!("Grüße"), &json!("<01a2@example.com>")));
    assert_eq!(got["sender"], "Photos <no-reply@example.com>");
    let body = got["body"].as_str().unwrap().replace("\r\n", "\n");
    assert_eq!(body.trim_end(), mail("").body.open().as_str(), "a line with one dot, and one of 2,000 letters, are kept");
    assert!(got["longest"].as_u64().unwrap() <= 998, "RFC 5322 §2.1.1");
    assert_eq!(got["headers"], json!(["content-transfer-encoding", "content-type", "date", "from", "message-id", "mime-version", "subject", "to"]));
}

#[tokio::test]
async fn what_is_the_operators_to_mend_waits_and_what_nobody_can_mend_is_given_up() {
    let Some(office) = office(&[]) else { return };
    let refused = |answer: Result<(), SendError>| match answer {
        Err(SendError::Refused(why)) => format!("refused: {why}"),
        Err(SendError::Unavailable(why)) => format!("later: {why}"),
        Ok(()) => "sent".to_owned(),
    };
    assert_eq!(refused(send(smtp(&office), &mail("busy@example.com")).await), "later: the server answered 451");
    // What the server says repeats the address; only its code is told.
    assert_eq!(refused(send(smtp(&office), &mail("bounce@example.com")).await), "refused: the server answered 550");
    let wrong = office.cert.with_file_name("wrong");
    std::fs::write(&wrong, "guess\n").unwrap();
    let config = SmtpConfig { password_file: Some(wrong), ..smtp(&office) };
    assert_eq!(refused(send(config, &mail("ada@example.com")).await), "later: the server answered 535");
    let closed = SmtpConfig { port: Some(testkit::free_address().port()), ..smtp(&office) };
    assert_eq!(refused(send(closed, &mail("ada@example.com")).await), "later: the connection failed");
    let stranger = SmtpConfig { ca_file: None, ..smtp(&office) };
    assert_eq!(refused(send(stranger, &mail("ada@example.com")).await), "later: the connection failed", "a certificate that nobody signed");
    assert!(office.received().is_empty(), "{:?}", office.received());
}

#[tokio::test]
async fn a_server_without_starttls_gets_no_mail_and_no_password() {
    let Some(office) = office(&["--no-starttls"]) else { return };
    assert!(matches!(send(smtp(&office), &mail("ada@example.com")).await, Err(SendError::Unavailable(_) | SendError::Refused(_))));
    assert!(office.received().is_empty());
    // Without TLS only where a person said so, and on this host only.
    let bare = SmtpConfig { tls: SmtpTls::None, username: None, password_file: None, ..smtp(&office) };
    send(bare.clone(), &mail("ada@example.com")).await.unwrap();
    assert!(SmtpConfig { host: "mail.example.com".into(), ..bare }.check().unwrap_err().contains("is for a server on this host"));
}

#[tokio::test]
async fn no_field_of_a_mail_adds_a_header_or_a_recipient() {
    let Some(office) = office(&[]) else { return };
    for to in
        ["ada@example.com\r\nBcc: eve@evil.example", "ada@example.com, eve@evil.example", "ada@example.com>\r\nRCPT TO:<eve@evil.example", "ada@example.com\n"]
    {
        assert!(matches!(send(smtp(&office), &mail(to)).await, Err(SendError::Refused(_))), "{to:?}");
    }
    let subject = "Hello\r\nBcc: eve@evil.example\r\n\r\n<h1>another mail</h1>".to_owned();
    // Whether it is refused or written on one line, it stays a subject.
    let _ = send(smtp(&office), &Mail { subject, ..mail("ada@example.com") }).await;
    send(smtp(&office), &Mail { id: "last".into(), ..mail("ada@example.com") }).await.unwrap();
    office.wait("the last mail", |got| got["id"] == "<last@example.com>").await;
    for got in office.received() {
        assert_eq!(got["mail"], json!(["ada@example.com"]));
        assert!(!got["headers"].as_array().unwrap().contains(&json!("bcc")), "{got}");
        assert!(got["body"].as_str().unwrap().starts_with("Liebe Ada"), "{got}");
    }
}

fn twilio(office: &PostOffice, token: &str) -> ChannelsConfig {
    let file = office.cert.with_file_name(format!("token-{token}"));
    std::fs::write(&file, token).unwrap();
    let config = TwilioConfig { account_sid: "AC01".into(), auth_token_file: file, from: "+15550100".into(), url: office.url.clone() };
    ChannelsConfig { twilio: Some(config), ..ChannelsConfig::default() }
}

async fn text(channels: &ChannelsConfig, to: &str) -> Result<(), SendError> {
    channels.check().unwrap();
    let message = TextMessage { id: "01a2".into(), to: to.into(), body: Secret::new("1234 5678 is your code & nobody's else".into()) };
    channels.senders().unwrap().sms.unwrap().send(&message).await
}

#[tokio::test]
async fn a_text_message_goes_out_as_twilio_takes_it_and_its_errors_are_told_apart() {
    let Some(office) = office(&[]) else { return };
    text(&twilio(&office, "t0ken"), "+4915112345678").await.unwrap();
    let got = office.wait("the text", |got| got["sms"].is_object()).await;
    assert_eq!(got["sms"], json!({"To": "+4915112345678", "From": "+15550100", "Body": "1234 5678 is your code & nobody's else"}));
    assert_eq!((got["path"].as_str(), got["auth"].as_str()), (Some("/2010-04-01/Accounts/AC01/Messages.json"), Some("AC01:t0ken")));
    let Err(SendError::Refused(why)) = text(&twilio(&office, "t0ken"), "+10000000001").await else { panic!("a wrong number is refused") };
    assert!(why.contains("21211") && !why.contains("+1000"), "{why}");
    assert!(matches!(text(&twilio(&office, "t0ken"), "+10000000002").await, Err(SendError::Unavailable(_))), "429");
    assert!(matches!(text(&twilio(&office, "stale"), "+4915112345678").await, Err(SendError::Unavailable(_))), "401 is the operator's");
}

/// What a receiver would write: checks the signature with Python's own library.
fn signed(python: &Path, secret: &str, got: &Value) -> bool {
    let check = "import hmac, json, sys\nsecret, got = sys.argv[1], json.loads(sys.argv[2])\nparts = dict(p.split('=') for p in got['signature'].split(','))\n\
                 right = hmac.new(secret.encode(), (parts['t'] + '.' + got['hook']).encode(), 'sha256').hexdigest()\nsys.exit(not hmac.compare_digest(right, parts['v1']))";
    std::process::Command::new(python).args(["-c", check, secret, &got.to_string()]).status().unwrap().success()
}

#[tokio::test]
async fn a_webhook_is_signed_as_its_receiver_can_check() {
    let Some(office) = office(&[]) else { return };
    let secret_file = office.cert.with_file_name("secret");
    std::fs::write(&secret_file, "a secret of sixteen\n").unwrap();
    let hook = |path: &str| ChannelsConfig {
        sms_webhook: Some(WebhookConfig { url: format!("{}{path}", office.url), secret_file: secret_file.clone() }),
        ..ChannelsConfig::default()
    };
    text(&hook("/hook"), "+4915112345678").await.unwrap();
    let got = office.wait("the webhook", |got| got["hook"].is_string()).await;
    let body: Value = serde_json::from_str(got["hook"].as_str().unwrap()).unwrap();
    assert_eq!(body, json!({"id": "01a2", "to": "+4915112345678", "body": "1234 5678 is your code & nobody's else"}));
    let python = std::env::var_os("TUTELA_TEST_PYTHON").unwrap();
    assert!(signed(Path::new(&python), "a secret of sixteen", &got));
    assert!(!signed(Path::new(&python), "another secret here", &got));
    assert!(matches!(text(&hook("/hook-busy"), "+4915112345678").await, Err(SendError::Unavailable(_))), "503");
    let short = office.cert.with_file_name("short");
    std::fs::write(&short, "short").unwrap();
    let weak = ChannelsConfig { sms_webhook: Some(WebhookConfig { url: office.url.clone(), secret_file: short }), ..ChannelsConfig::default() };
    assert!(weak.senders().err().unwrap().contains("at least 16 characters"));
}
