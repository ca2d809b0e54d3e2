//! `tutela demo`: a sample photo app behind the gateway, sample people, another company's directory, and things to try.

mod attack;
mod billing;
mod elsewhere;
mod seed;
mod story;

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use clap::{Args, Subcommand};
use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    net::TcpListener,
    process::{Child, ChildStdin, Command},
};
use tutela_app::{App, MfaProvider, Protocol, SignUp};
use tutela_gateway::{Require, RouteConfig};

use crate::{
    config::{self, Config},
    error::{Error, at},
    log::{self, LogConfig},
    serve,
};

/// `tutela demo`
#[derive(Args)]
pub struct Demo {
    #[command(subcommand)]
    command: Option<DemoCommand>,
    /// Forget everything from earlier runs first
    #[arg(long)]
    reset: bool,
    /// Port of the gateway; another one is taken where it is in use
    #[arg(long, default_value_t = 8080)]
    port: u16,
    /// Port of the console; another one is taken where it is in use
    #[arg(long, default_value_t = 8081)]
    admin_port: u16,
    /// Print one JSON object when ready, for scripts
    #[arg(long)]
    json: bool,
    /// PostgreSQL URL to keep the demo's data in, in place of SQLite
    #[arg(long, value_name = "URL")]
    storage: Option<String>,
}

#[derive(Subcommand)]
enum DemoCommand {
    /// Attack the running demo four ways, and show what detection made of it
    Attack,
}

/// The photo app as a process of its own.
#[derive(Args)]
pub struct PhotosApp {
    #[arg(long)]
    own: String,
    #[arg(long)]
    app: String,
}

/// The running photo app. It ends when its standard input closes, so it never outlives the demo.
struct Photos {
    child: Child,
    input: Option<ChildStdin>,
    address: String,
}

/// File in the demo's folder that marks it as ours, so that `--reset` deletes nothing else.
const MARK: &str = "this-is-a-tutela-demo";

/// File in it with what is to be configured otherwise.
const OWN_WORDS: &str = "tutela.toml";

/// Folder of the demo's state where none is named.
const FOLDER: &str = "tutela-demo";

/// Runs the demo until interrupted; all its state is in the one folder `data`.
pub async fn run(demo: Demo, data: Option<PathBuf>) -> Result<(), Error> {
    if let Some(DemoCommand::Attack) = demo.command {
        return attack::run(data.as_deref()).await;
    }
    let data = data.unwrap_or_else(|| FOLDER.into());
    let say = |text: String| {
        if !demo.json {
            println!("{text}");
        }
    };
    log::start(&LogConfig { level: "warn".into(), ..LogConfig::default() }).map_err(Error::Usage)?;
    prepare_folder(&data, demo.reset)?;
    let (port, admin_port) = (free_port(demo.port, &say).await?, free_port(demo.admin_port, &say).await?);
    let own = format!("http://tutela.localhost:{port}");
    let app_url = format!("http://photos.localhost:{port}");
    say("starting the photo app".into());
    let mut photos = start_photos(&data, &own, &app_url).await?;
    say("starting tutela".into());
    let mut config = configuration(&demo, &data, port, admin_port, &photos.address);
    let elsewhere = elsewhere::start(&mut config, &own).await?;
    let billing = billing::Billing::start(&mut config, &data).await?;
    let own_words = data.join(OWN_WORDS);
    if own_words.exists() {
        config = config::over(&config, &own_words)?;
    }
    let running = serve::start(config.clone(), None).await;
    let running = match running {
        Ok(running) => running,
        Err(e) => {
            photos.end().await;
            return Err(e);
        }
    };
    let seeded = match seed::people(&running.app, &data).await {
        Ok(seeded) => prepared(&running.app, &config, &billing, &data).await.map(|()| seeded),
        Err(e) => Err(e),
    };
    let outcome = match &seeded {
        Ok(seeded) => {
            if demo.json {
                println!("{}", seeded.json(&app_url, running.app.urls()));
            } else {
                println!("{}", seeded.welcome(&app_url, running.app.urls(), &data));
            }
            photos.wait().await
        }
        Err(_) => Ok(()),
    };
    say("\nstopping".into());
    running.stop().await;
    elsewhere.stop();
    billing.stop();
    photos.end().await;
    seeded.and(outcome)
}

/// What is there beside the people.
async fn prepared(app: &App, config: &Config, billing: &billing::Billing, data: &Path) -> Result<(), Error> {
    seed::Place::of(app.urls()).write(data)?;
    seed::subscribe(app, billing).await?;
    story::tell(app, config, data).await
}

/// Runs the photo app; ends when its standard input closes, so it never outlives the demo.
pub async fn photos(args: PhotosApp, data: Option<PathBuf>) -> Result<(), Error> {
    let listen = SocketAddr::from(([127, 0, 0, 1], 0));
    let failed = |e: &dyn std::fmt::Display| Error::Failed(format!("the photo app: {e}"));
    let listener = TcpListener::bind(listen).await.map_err(|e| failed(&e))?;
    println!("{}", listener.local_addr().map_err(|e| failed(&e))?);
    let config = ::photos::Config {
        listen,
        data: data.unwrap_or_else(|| FOLDER.into()),
        jwks_url: format!("{}/.well-known/jwks.json", args.own),
        issuer: args.own,
        audience: "photos".into(),
        app_url: args.app,
    };
    let parent_gone = async {
        let mut input = tokio::io::stdin();
        let _ = tokio::io::copy(&mut input, &mut tokio::io::sink()).await;
    };
    // Ctrl-C reaches the whole process group; the demo decides when this ends.
    tokio::spawn(async {
        loop {
            serve::interrupted().await;
        }
    });
    ::photos::serve(listener, config, parent_gone).await.map_err(|e| failed(&e))
}

fn configuration(demo: &Demo, data: &Path, port: u16, admin_port: u16, upstream: &str) -> Config {
    let mut config = Config { data: data.join("tutela"), ..Config::default() };
    config.server.listen = SocketAddr::from(([127, 0, 0, 1], port));
    config.server.public_url = format!("http://tutela.localhost:{port}");
    config.admin.listen = SocketAddr::from(([127, 0, 0, 1], admin_port));
    config.admin.admin_url = format!("http://console.tutela.localhost:{admin_port}");
    if let Some(url) = &demo.storage {
        config.storage.url.clone_from(url);
    }
    // Mails and text messages go to a file, so that the demo needs no server for them.
    config.channels.log = Some(data.join("messages.jsonl"));
    // Whoever is on this machine may say where they come from, so that attacks can be tried.
    config.gateway.trusted_proxies = vec!["127.0.0.1".into()];
    config.identity.mfa.providers = vec![MfaProvider::Totp, MfaProvider::Sms, MfaProvider::Email];
    config.privacy.banner = true;
    config.compliance.frameworks = ["gdpr", "hipaa", "pci-dss", "ccpa"].map(str::to_owned).into();
    config.identity.sign_up = SignUp::Open;
    config.identity.providers = Protocol::ALL.to_vec();
    let route = |path: &str, require| RouteConfig {
        name: Some("photos".into()),
        path: path.into(),
        require,
        max_body_bytes: 256 << 20,
        ..RouteConfig::new("photos.localhost", &format!("http://{upstream}"))
    };
    config.gateway.routes = vec![
        route("/", Require::Public),
        route("/profile", Require::SignedIn),
        route("/photos", Require::SignedIn),
        route("/whoami", Require::SignedIn),
        route("/admin", Require::Permission("admin".into())),
    ];
    config
}

fn prepare_folder(data: &Path, reset: bool) -> Result<(), Error> {
    let mark = data.join(MARK);
    if data.exists() && !mark.exists() && std::fs::read_dir(data).map_err(|e| at(data, &e))?.next().is_some() {
        return Err(Error::Usage(format!("`{}` exists and is not a demo's folder; name another one with --data", data.display())));
    }
    let own_words = data.join(OWN_WORDS);
    let kept = if reset && mark.exists() {
        let kept = std::fs::read(&own_words).ok();
        std::fs::remove_dir_all(data).map_err(|e| at(data, &e))?;
        kept
    } else {
        None
    };
    serve::make_data_folder(data)?;
    if let Some(kept) = kept {
        std::fs::write(&own_words, kept).map_err(|e| at(&own_words, &e))?;
    }
    std::fs::write(&mark, "All state of `tutela demo`. Delete it whenever you like.\n").map_err(|e| at(&mark, &e))
}

/// The wanted port, or any other where it is taken.
async fn free_port(wanted: u16, say: &impl Fn(String)) -> Result<u16, Error> {
    for port in [wanted, 0] {
        if let Ok(listener) = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], port))).await {
            let found = listener.local_addr().map_err(|e| Error::Failed(e.to_string()))?.port();
            if wanted != 0 && found != wanted {
                say(format!("port {wanted} is in use; taking {found}"));
            }
            return Ok(found);
        }
    }
    Err(Error::Failed("no port is free on 127.0.0.1".into()))
}

async fn start_photos(data: &Path, own: &str, app: &str) -> Result<Photos, Error> {
    let failed = |e: std::io::Error| Error::Failed(format!("the photo app could not be started: {e}"));
    let program = std::env::current_exe().map_err(failed)?;
    let mut command = Command::new(program);
    command.arg("photos").arg("--data").arg(data.join("photos")).args(["--own", own, "--app", app]);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true).spawn().map_err(failed)?;
    let output = child.stdout.take().ok_or(Error::Failed("the photo app has no output".into()))?;
    let mut lines = BufReader::new(output).lines();
    let first = tokio::time::timeout(Duration::from_secs(20), lines.next_line()).await;
    match first {
        Ok(Ok(Some(address))) => Ok(Photos { input: child.stdin.take(), child, address }),
        _ => Err(Error::Failed("the photo app did not start; its message stands above".into())),
    }
}

impl Photos {
    /// Until the demo is interrupted, or the app ends by itself.
    async fn wait(&mut self) -> Result<(), Error> {
        tokio::select! {
            () = serve::interrupted() => Ok(()),
            _ = self.child.wait() => Err(Error::Failed("the photo app ended by itself; its message stands above".into())),
        }
    }

    /// Lets the app end by itself, then makes sure.
    async fn end(&mut self) {
        drop(self.input.take());
        if tokio::time::timeout(Duration::from_secs(5), self.child.wait()).await.is_err() {
            let _ = self.child.kill().await;
        }
    }
}
