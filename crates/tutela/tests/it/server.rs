use std::{
    collections::BTreeMap,
    io::{BufRead as _, BufReader},
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    sync::{
        Mutex,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use reqwest::{Method, Response, header};
use serde_json::{Value, json};
use tempfile::TempDir;

/// A configured instance in a temporary folder, running or not.
pub struct Instance {
    pub dir: TempDir,
    pub port: u16,
    pub admin_port: u16,
    child: Mutex<Option<Child>>,
    said: Mutex<String>,
}

/// Configurations for each engine that can be had here.
pub async fn storages() -> Vec<String> {
    let mut all = vec!["sqlite".to_owned()];
    match testkit::shared_postgres() {
        Some(server) => {
            static NUMBER: AtomicU32 = AtomicU32::new(0);
            all.push(server.fresh(&format!("p{}", NUMBER.fetch_add(1, Ordering::SeqCst))).await);
        }
        None => testkit::skip("PostgreSQL is not installed"),
    }
    all
}

/// A client builder; the cryptography of TLS has to be there even where no TLS is spoken.
pub fn http() -> reqwest::ClientBuilder {
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    reqwest::Client::builder()
}

fn free_port() -> u16 {
    testkit::free_address().port()
}

impl Instance {
    /// Writes a configuration; `routes` is TOML.
    pub fn new(storage: &str, routes: &str) -> Self {
        Self::in_dir(TempDir::new().unwrap(), storage, routes)
    }

    pub fn in_dir(dir: TempDir, storage: &str, routes: &str) -> Self {
        let (port, admin_port) = (free_port(), free_port());
        let text = format!(
            "data = \"data\"\n[server]\nlisten = \"127.0.0.1:{port}\"\npublic_url = \"http://tutela.localhost:{port}\"\n\
             [admin]\nlisten = \"127.0.0.1:{admin_port}\"\nadmin_url = \"http://console.tutela.localhost:{admin_port}\"\n\
             [storage]\nurl = \"{storage}\"\nconnections = 6\n[log]\nlevel = \"warn\"\n\
             [identity.password]\nmemory_kib = 64\npasses = 1\nallow_weak_for_tests = true\n{routes}\n"
        );
        std::fs::write(dir.path().join("tutela.toml"), text).unwrap();
        Self { dir, port, admin_port, child: Mutex::default(), said: Mutex::default() }
    }

    /// Writes a configuration and starts.
    pub async fn start(storage: &str, routes: &str) -> Self {
        let instance = Self::new(storage, routes);
        instance.run().await;
        instance
    }

    pub fn data(&self) -> PathBuf {
        self.dir.path().join("data")
    }

    /// Changes the configuration; the server does not know yet.
    pub fn rewrite(&self, change: impl FnOnce(&str) -> String) {
        let file = self.dir.path().join("tutela.toml");
        let text = std::fs::read_to_string(&file).unwrap();
        std::fs::write(file, change(&text)).unwrap();
    }

    /// Has it read its configuration again.
    pub async fn reload(&self) -> (u16, Value) {
        self.operator(Method::POST, "/v1/gateway/reload", Value::Null).await
    }

    /// A command of the program on this instance.
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tutela"));
        command.arg("--config").arg(self.dir.path().join("tutela.toml")).args(args);
        command
    }

    /// Runs a command to its end, away from the runtime's threads.
    pub async fn cli(&self, args: &[&str]) -> Output {
        let mut command = self.command(args);
        tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap()
    }

    /// Starts the server and waits until it is ready.
    pub async fn run(&self) {
        let mut child = self.command(&["serve"]).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let head = tokio::task::spawn_blocking(move || {
            let mut head = Vec::new();
            while let Some(Ok(line)) = lines.next() {
                let last = line.contains("/set-up/") || line.starts_with("  console");
                head.push(line);
                if last {
                    break;
                }
            }
            // The rest is read to its end, so that the server never blocks on a full pipe.
            std::thread::spawn(move || lines.for_each(|line| eprintln!("server: {}", line.unwrap_or_default())));
            head
        })
        .await
        .unwrap();
        assert!(head.iter().any(|l| l.contains("is ready")), "the server did not start: {head:?}");
        *self.said.lock().unwrap() = head.join("\n");
        *self.child.lock().unwrap() = Some(child);
    }

    /// What it said while it started.
    pub fn started_with(&self) -> String {
        self.said.lock().unwrap().clone()
    }

    /// A fresh set-up link from the command line.
    pub async fn new_setup_link(&self) -> String {
        let out = self.cli(&["--output", "json", "admin", "setup-link"]).await;
        let link: Value = serde_json::from_slice(&out.stdout).unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&out.stderr)));
        link["url"].as_str().unwrap().to_owned()
    }

    pub fn signal(&self, name: &str) {
        let pid = self.child.lock().unwrap().as_ref().unwrap().id().to_string();
        assert!(Command::new("kill").args([name, &pid]).status().unwrap().success());
    }

    /// Ends the server with `signal` and gives its exit code.
    pub async fn stop(&self, signal: &str) -> Option<i32> {
        self.signal(signal);
        let mut child = self.child.lock().unwrap().take().unwrap();
        tokio::task::spawn_blocking(move || child.wait().unwrap().code()).await.unwrap()
    }

    pub fn own(&self) -> String {
        format!("http://tutela.localhost:{}", self.port)
    }

    pub fn console(&self) -> String {
        format!("http://console.tutela.localhost:{}", self.admin_port)
    }

    /// A client without cookies yet.
    pub fn browser(&self) -> Browser {
        Browser::new()
    }

    /// The API as an operator, over the admin socket.
    pub async fn operator(&self, method: Method, path: &str, body: Value) -> (u16, Value) {
        let client = http().unix_socket(self.data().join("admin.sock")).build().unwrap();
        let request = client.request(method, format!("http://admin.sock{path}"));
        let request = if body.is_null() { request } else { request.json(&body) };
        answer(request.send().await.unwrap()).await
    }

    /// Makes an account with a password.
    pub async fn account(&self, email: &str, roles: &[&str]) -> String {
        let body = json!({"email": email, "name": email, "password": PASSWORD, "roles": roles});
        let (status, account) = self.operator(Method::POST, "/v1/accounts", body).await;
        assert_eq!(status, 201, "{account}");
        account["id"].as_str().unwrap().to_owned()
    }

    /// Makes a role.
    pub async fn role(&self, name: &str, permissions: &[&str]) {
        let (status, problem) = self.operator(Method::PUT, "/v1/roles", json!({"name": name, "permissions": permissions})).await;
        assert_eq!(status, 204, "{problem}");
    }

    /// Somebody with a role of these permissions, signed in at the console.
    pub async fn person(&self, email: &str, permissions: &[&str]) -> Browser {
        let role = email.split('@').next().unwrap();
        self.role(role, permissions).await;
        self.account(email, &[role]).await;
        let browser = self.browser();
        browser.sign_in_at(&format!("{}/", self.console()), email).await;
        browser
    }

    /// Issues an API key.
    pub async fn key(&self, scopes: &[&str]) -> String {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let name = format!("client {}", NUMBER.fetch_add(1, Ordering::SeqCst));
        let (status, client) = self.operator(Method::POST, "/v1/clients", json!({"name": name, "scopes": scopes})).await;
        assert_eq!(status, 201, "{client}");
        client["api_key"].as_str().unwrap().to_owned()
    }
}

impl Drop for Instance {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.lock().unwrap().take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// The password of every account.
pub const PASSWORD: &str = "a few plain words in a row";

/// A client with a cookie jar per host that follows nothing by itself.
pub struct Browser {
    http: reqwest::Client,
    cookies: Mutex<BTreeMap<(String, String), String>>,
}

impl Browser {
    fn new() -> Self {
        // Names under .localhost are this host; libc does not know.
        let here: Vec<SocketAddr> = vec![SocketAddr::from(([127, 0, 0, 1], 0))];
        let mut builder = http().redirect(reqwest::redirect::Policy::none()).timeout(Duration::from_secs(30));
        for name in
            ["tutela.localhost", "console.tutela.localhost", "app.localhost", "photos.localhost", "public.localhost", "strict.localhost", "unknown.localhost"]
        {
            builder = builder.resolve_to_addrs(name, &here);
        }
        Self { http: builder.build().unwrap(), cookies: Mutex::default() }
    }

    pub fn request(&self, method: Method, url: &str) -> reqwest::RequestBuilder {
        let host = host(url);
        let jar = self.cookies.lock().unwrap();
        let mine: Vec<String> = jar.iter().filter(|((of, _), _)| *of == host).map(|((_, name), value)| format!("{name}={value}")).collect();
        let request = self.http.request(method, url).header(header::ACCEPT, "text/html,*/*");
        if mine.is_empty() { request } else { request.header(header::COOKIE, mine.join("; ")) }
    }

    pub async fn send(&self, url: &str, request: reqwest::RequestBuilder) -> Response {
        let response = request.send().await.unwrap();
        let mut jar = self.cookies.lock().unwrap();
        for cookie in response.headers().get_all(header::SET_COOKIE) {
            let text = cookie.to_str().unwrap();
            let (name, value) = text.split(';').next().unwrap().split_once('=').unwrap();
            assert!(text.contains("Path=/; Secure; HttpOnly; SameSite=Lax") || !name.starts_with("__Host-tutela"), "{text}");
            let key = (host(url), name.to_owned());
            if value.is_empty() {
                jar.remove(&key)
            } else {
                jar.insert(key, value.to_owned())
            };
        }
        drop(jar);
        response
    }

    pub async fn get(&self, url: &str) -> Response {
        self.send(url, self.request(Method::GET, url)).await
    }

    pub async fn post(&self, url: &str, fields: &[(&str, &str)]) -> Response {
        let body: Vec<String> = fields.iter().map(|(k, v)| format!("{k}={}", escape(v))).collect();
        let origin = url.splitn(4, '/').take(3).collect::<Vec<_>>().join("/");
        let request = self.request(Method::POST, url).header(header::CONTENT_TYPE, "application/x-www-form-urlencoded").header(header::ORIGIN, origin);
        self.send(url, request.body(body.join("&"))).await
    }

    pub fn cookie(&self, host: &str, name: &str) -> Option<String> {
        self.cookies.lock().unwrap().get(&(host.to_owned(), name.to_owned())).cloned()
    }

    /// Every cookie of the own host.
    pub fn all_cookies(&self) -> Vec<(String, String)> {
        let jar = self.cookies.lock().unwrap();
        jar.iter().filter(|((host, _), _)| host == "tutela.localhost").map(|((_, name), value)| (name.clone(), value.clone())).collect()
    }

    pub fn set_cookie(&self, host: &str, name: &str, value: &str) {
        self.cookies.lock().unwrap().insert((host.to_owned(), name.to_owned()), value.to_owned());
    }

    /// Goes to a guarded address, signs in, and gives the first answer that is not a redirect, with its address.
    pub async fn sign_in_at(&self, url: &str, email: &str) -> (String, Response) {
        let mut at = url.to_owned();
        let mut response = self.get(&at).await;
        for _ in 0..8 {
            if let Some(location) = location(&response, &at) {
                at = location;
                response = self.get(&at).await;
            } else if at.contains("/sign-in") && response.status() == 200 {
                let to = at.split_once("to=").map(|(_, to)| to.to_owned()).unwrap_or_default();
                let form = at.split('?').next().unwrap().to_owned();
                response = self.post(&form, &[("email", email), ("password", PASSWORD), ("to", &to)]).await;
            } else {
                break;
            }
        }
        (at, response)
    }
}

/// Where a redirect leads.
pub fn location(response: &Response, at: &str) -> Option<String> {
    let location = response.headers().get(header::LOCATION)?.to_str().unwrap();
    assert_eq!(response.status(), 303, "redirects are 303");
    if location.starts_with('/') { Some(format!("{}{location}", at.splitn(4, '/').take(3).collect::<Vec<_>>().join("/"))) } else { Some(location.to_owned()) }
}

fn host(url: &str) -> String {
    url.split('/').nth(2).unwrap().split(':').next().unwrap().to_owned()
}

pub fn escape(text: &str) -> String {
    text.bytes().map(|b| if b.is_ascii_alphanumeric() { char::from(b).to_string() } else { format!("%{b:02X}") }).collect()
}

/// Status and JSON of an answer.
pub async fn answer(response: Response) -> (u16, Value) {
    let status = response.status().as_u16();
    let bytes = response.bytes().await.unwrap();
    (status, serde_json::from_slice(&bytes).unwrap_or_else(|_| Value::String(String::from_utf8_lossy(&bytes).into_owned())))
}

/// Waits until a background job has done something, by asking what it reports.
pub async fn until(what: &str, mut done: impl AsyncFnMut() -> bool) {
    for _ in 0..600 {
        if done().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("{what} did not happen within 30 seconds");
}

/// Whether a file exists at this path; reads as a sentence in assertions.
pub fn exists(path: &Path) -> bool {
    path.exists()
}
