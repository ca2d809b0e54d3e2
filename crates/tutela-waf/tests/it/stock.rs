//! The configuration that operators bring along from ModSecurity, unchanged.

use std::path::Path;

use tutela_waf::{Source, Verdict};

use crate::rules::{Request, judge, load};

fn form(kind: &str, body: &[u8]) -> Request {
    Request {
        method: "POST".into(),
        target: "/".into(),
        headers: vec![
            ("Host".into(), b"shop.example".to_vec()),
            ("Content-Type".into(), kind.into()),
            ("Content-Length".into(), body.len().to_string().into()),
        ],
        body: body.to_vec(),
    }
}

#[test]
fn the_stock_configuration_loads_and_does_as_it_says() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/modsecurity/modsecurity.conf").display().to_string();
    let blocking = load(&[Source::File(&file), Source::Text { name: "on.conf", text: "SecRuleEngine On\n" }]);
    let many: Vec<u8> = (0..1_200).flat_map(|number| format!("a{number}=1&").into_bytes()).collect();
    let lone_feeds = b"--x\nContent-Disposition: form-data; name=\"a\"\n\n1\n--x--\n".as_slice();
    for (rule, request) in [
        (200_002, form("application/json", b"{\"a\": ")),
        (200_002, form("text/xml", b"<a><b></a>")),
        (200_007, form("application/x-www-form-urlencoded", &many)),
        (200_003, form("multipart/form-data; boundary=x", lone_feeds)),
    ] {
        let (verdict, report) = judge(&blocking, &request);
        assert!(matches!(&verdict, Verdict::Refuse(refusal) if refusal.rule == Some(rule) && refusal.status == 400), "{rule}: {verdict:?} {:?}", report.marks);
    }
    for good in [form("application/json", b"{\"a\": [1, 2]}"), form("text/xml", b"<a><b/></a>"), form("application/x-www-form-urlencoded", b"a=1")] {
        assert_eq!(judge(&blocking, &good).0, Verdict::Pass);
    }
    // As it comes, it only looks.
    let looking = load(&[Source::File(&file)]);
    let (verdict, report) = judge(&looking, &form("application/json", b"{\"a\": "));
    assert_eq!((verdict, report.findings.first().map(|finding| finding.rule)), (Verdict::Pass, Some(200_002)));
}
