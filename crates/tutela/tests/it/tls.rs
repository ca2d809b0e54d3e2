use std::{sync::Arc, time::Duration};

use reqwest::Method;
use rustls::pki_types::{CertificateDer, ServerName, pem::PemObject as _};
use serde_json::Value;
use tokio::net::TcpStream;

use crate::{
    gateway::echo,
    server::{Instance, http, until},
    upstreams::Authority,
};

/// An instance over TLS, with certificates in its folder; `sites` are the names of each.
async fn instance(authority: &Authority, sites: &[&[&str]], more: &str) -> (Instance, u16) {
    let echo = echo().await;
    let dir = tempfile::TempDir::new().unwrap();
    let mut certificates = String::new();
    for (number, names) in sites.iter().enumerate() {
        issue(authority, &dir, number, names);
        certificates += &format!("[[server.certificates]]\ncert_file = \"{number}.pem\"\nkey_file = \"{number}-key.pem\"\n");
    }
    let route = |host: &str| format!("[[gateway.routes]]\nhost = \"{host}\"\nupstream = \"http://127.0.0.1:{}\"\nrequire = \"public\"\n", echo.port);
    let text = format!("{certificates}{}{}", route("app.localhost"), route("deep.photos.localhost"));
    let instance = Instance::in_dir(dir, "sqlite", &text);
    instance.rewrite(|text| text.replace("public_url = \"http:", "public_url = \"https:").replace("[admin]", &format!("{more}\n[admin]")));
    instance.run().await;
    (instance, echo.port)
}

fn issue(authority: &Authority, dir: &tempfile::TempDir, number: usize, names: &[&str]) {
    let (cert, key) = authority.issue(names);
    std::fs::write(dir.path().join(format!("{number}-key.pem")), key).unwrap();
    std::fs::write(dir.path().join(format!("{number}.pem")), cert).unwrap();
}

/// What a handshake for `name` comes to: the certificate that was shown, the protocol, the key exchange.
async fn handshake(authority: &Authority, port: u16, name: &str) -> Result<(Vec<u8>, String, String), String> {
    let mut roots = rustls::RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(authority.pem.as_bytes()).unwrap()).unwrap();
    let mut config = rustls::ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    let stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    let name = ServerName::try_from(name.to_owned()).unwrap();
    let stream = tokio_rustls::TlsConnector::from(Arc::new(config)).connect(name, stream).await.map_err(|e| e.to_string())?;
    let facts = stream.get_ref().1;
    let shown = facts.peer_certificates().unwrap()[0].to_vec();
    Ok((
        shown,
        String::from_utf8_lossy(facts.alpn_protocol().unwrap_or_default()).into_owned(),
        format!("{:?}", facts.negotiated_key_exchange_group().map(|g| g.name())),
    ))
}

fn client(authority: &Authority, port: u16) -> reqwest::ClientBuilder {
    let root = reqwest::Certificate::from_pem(authority.pem.as_bytes()).unwrap();
    let builder = http().tls_certs_only([root]).redirect(reqwest::redirect::Policy::none());
    ["app.localhost", "tutela.localhost"].iter().fold(builder, |builder, name| builder.resolve(name, ([127, 0, 0, 1], port).into()))
}

#[tokio::test]
async fn each_name_has_its_certificate_and_both_versions_of_http_are_spoken() {
    let authority = Authority::new();
    let (instance, _) = instance(&authority, &[&["tutela.localhost", "app.localhost"], &["*.photos.localhost"]], "").await;
    let (first, protocol, group) = handshake(&authority, instance.port, "app.localhost").await.unwrap();
    assert_eq!(protocol, "h2");
    assert!(group.contains("X25519MLKEM768"), "post-quantum key exchange: {group}");
    assert_eq!(handshake(&authority, instance.port, "tutela.localhost").await.unwrap().0, first);
    assert_ne!(handshake(&authority, instance.port, "deep.photos.localhost").await.unwrap().0, first);
    // Probes reach every host over its own certificate, whoever signed it.
    let (status, probed) = instance.operator(Method::POST, "/v1/compliance/probes", Value::Null).await;
    assert_eq!(
        (status, &probed["attacked"], &probed["unprobed"], &probed["passed"]),
        (201, &2.into(), &Value::Array(Vec::new()), &Value::Array(Vec::new())),
        "{probed}"
    );
    for unknown in ["photos.localhost", "a.b.photos.localhost", "else.localhost"] {
        assert!(handshake(&authority, instance.port, unknown).await.is_err(), "{unknown}");
    }
    for client in [client(&authority, instance.port).http1_only().build().unwrap(), client(&authority, instance.port).http2_prior_knowledge().build().unwrap()]
    {
        let answer = client.get(format!("https://app.localhost:{}/x", instance.port)).send().await.unwrap();
        assert_eq!((answer.status().as_u16(), answer.headers()["strict-transport-security"].to_str().unwrap()), (200, "max-age=31536000"));
        let seen: Value = answer.json().await.unwrap();
        assert_eq!(seen["headers"]["x-forwarded-proto"], "https");
    }
    // Signing in works as it does elsewhere: the session's cookie comes over TLS.
    let page = client(&authority, instance.port).build().unwrap().get(format!("https://tutela.localhost:{}/sign-in", instance.port)).send().await.unwrap();
    assert_eq!(page.status(), 200);
    // Plain HTTP to this port is answered by nobody.
    let plain = http().resolve("app.localhost", ([127, 0, 0, 1], instance.port).into()).build().unwrap();
    assert!(plain.get(format!("http://app.localhost:{}/", instance.port)).send().await.is_err());
}

#[tokio::test]
async fn a_certificate_is_exchanged_while_it_serves() {
    let authority = Authority::new();
    let (instance, _) = instance(&authority, &[&["tutela.localhost", "app.localhost"]], "").await;
    let client = client(&authority, instance.port).build().unwrap();
    let url = format!("https://app.localhost:{}/", instance.port);
    assert_eq!(client.get(&url).send().await.unwrap().status(), 200);
    let (before, ..) = handshake(&authority, instance.port, "app.localhost").await.unwrap();
    issue(&authority, &instance.dir, 0, &["tutela.localhost", "app.localhost"]);
    assert_eq!(instance.reload().await.0, 200);
    assert_ne!(handshake(&authority, instance.port, "app.localhost").await.unwrap().0, before);
    assert_eq!(client.get(&url).send().await.unwrap().status(), 200, "the open connection goes on");
    // A file that is half written changes nothing.
    let (now, ..) = handshake(&authority, instance.port, "app.localhost").await.unwrap();
    std::fs::write(instance.dir.path().join("0.pem"), "-----BEGIN CERTIFICATE-----\nMIIB").unwrap();
    let (status, problem) = instance.reload().await;
    assert!(status == 422 && problem.to_string().contains("server.certificates[0]"), "{problem}");
    assert_eq!(handshake(&authority, instance.port, "app.localhost").await.unwrap().0, now);
}

#[tokio::test]
async fn whoever_comes_over_plain_http_is_sent_to_tls() {
    let authority = Authority::new();
    let redirect = testkit::free_address();
    let (instance, _) = instance(&authority, &[&["tutela.localhost", "app.localhost"]], &format!("redirect = \"{redirect}\"")).await;
    let plain = http().redirect(reqwest::redirect::Policy::none()).resolve("app.localhost", redirect).build().unwrap();
    let at = format!("http://app.localhost:{}/album?x=1", redirect.port());
    let answer = plain.get(&at).send().await.unwrap();
    assert_eq!(
        (answer.status().as_u16(), answer.headers()["location"].to_str().unwrap()),
        (308, format!("https://app.localhost:{}/album?x=1", instance.port).as_str())
    );
    assert_eq!(plain.post(&at).body("password=x").send().await.unwrap().status(), 403, "what was sent in clear is not taken");
}

#[tokio::test]
async fn a_proxy_that_is_trusted_tells_who_the_client_is_and_nobody_else_does() {
    let echo = echo().await;
    let text = format!(
        "[gateway]\ntrusted_proxies = [\"127.0.0.1\", \"10.0.0.0/8\"]\n[[gateway.routes]]\nhost = \"app.localhost\"\nupstream = \"http://127.0.0.1:{}\"\nrequire = \"public\"\n",
        echo.port
    );
    let instance = Instance::new("sqlite", &text);
    instance.rewrite(|text| text.replace("public_url = \"http:", "public_url = \"https:"));
    instance.run().await;
    let url = format!("http://app.localhost:{}/", instance.port);
    let ask = async |forwarded: &[&str], proto: &str| {
        let request = forwarded.iter().fold(instance.browser().request(Method::GET, &url), |request, line| request.header("x-forwarded-for", *line));
        let answer = request.header("x-forwarded-proto", proto).send().await.unwrap();
        (
            answer.status().as_u16(),
            answer.json::<Value>().await.map(|seen| seen["headers"]["x-forwarded-for"].as_str().unwrap_or_default().to_owned()).unwrap_or_default(),
        )
    };
    for (forwarded, client) in [
        (&["192.0.2.7"][..], "192.0.2.7"),
        (&["203.0.113.1, 192.0.2.7, 10.1.2.3"], "192.0.2.7"),
        (&["203.0.113.1", "192.0.2.7:4711"], "192.0.2.7"),
        (&["10.0.0.1, 10.0.0.2"], "10.0.0.1"),
        (&["192.0.2.7, nonsense"], "127.0.0.1"),
        (&["2001:db8::1"], "2001:db8::1"),
        (&[], "127.0.0.1"),
    ] {
        assert_eq!(ask(forwarded, "https").await, (200, client.into()), "{forwarded:?}");
    }
    assert_eq!(ask(&["192.0.2.7"], "http").await.0, 308, "the proxy says that the client came in clear");
    let found = async || {
        instance.operator(Method::GET, "/v1/events?q=type:gateway.request%20ip:192.0.2.7", Value::Null).await.1["items"].as_array().map_or(0, Vec::len)
    };
    until("the record names the client", async || found().await >= 3).await;

    let alone = Instance::start("sqlite", &text.replace("\"127.0.0.1\", ", "")).await;
    let answer =
        alone.browser().request(Method::GET, &format!("http://app.localhost:{}/", alone.port)).header("x-forwarded-for", "192.0.2.7").send().await.unwrap();
    assert_eq!(answer.json::<Value>().await.unwrap()["headers"]["x-forwarded-for"], "127.0.0.1", "nobody else is believed");
    tokio::time::timeout(Duration::from_secs(30), alone.stop("-TERM")).await.unwrap();
}
