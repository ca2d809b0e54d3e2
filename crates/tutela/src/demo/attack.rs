//! `tutela demo attack`: four attacks on the running demo, from addresses that are nobody's, and what became of each.

use std::{net::SocketAddr, path::Path, time::Duration};

use reqwest::{StatusCode, header};
use serde_json::{Value, json};
use tutela_api::{Incident, NewClient};
use tutela_client::Client;
use tutela_core::{Env as _, Secret, SystemEnv};
use tutela_ledger::VerifyingKey;

use super::{
    FOLDER,
    seed::{Place, Seeded},
};
use crate::{
    command::{verify_export, write_lines},
    error::{Error, at},
};

/// Addresses for documentation (RFC 5737): nobody's.
const GUESSER: &str = "198.51.100.23";
const SPRAYER: &str = "203.0.113.9";
const THIEF: &str = "192.0.2.66";

/// The running demo, as an attacker meets it.
struct Target {
    http: reqwest::Client,
    own: String,
}

/// Attacks the demo whose state is in `data`.
pub async fn run(data: Option<&Path>) -> Result<(), Error> {
    let data = data.unwrap_or_else(|| Path::new(FOLDER));
    let place = Place::read(data)?;
    let seeded = Seeded::read(data)?;
    let operator = Client::socket(&data.join("tutela/admin.sock"))?;
    let before = operator.incidents("all", None).await?.first().map(|incident| incident.id.clone()).unwrap_or_default();
    let target = Target::new(&place.own)?;
    let ben = seeded.person("ben@example.com").ok_or_else(|| Error::Failed("the demo has no Ben; start it with --reset".into()))?;

    // Whether there is such an account nobody learns, and so nobody who tries the demo is locked out by it.
    println!("\n1  guessing a password: {GUESSER} tries ten passwords for admin@example.com");
    let statuses = target.guess(GUESSER, (0..10).map(|_| "admin@example.com".to_owned())).await?;
    println!("   answers {}; from the one after the sixth on the gateway refuses the address", words(&statuses));
    let mut unanswered = Vec::new();
    // Whoever attacked within the last hour is refused at once, and opens nothing new.
    let first_time = statuses.first() != Some(&StatusCode::FORBIDDEN);
    if statuses.iter().skip(6).any(|status| *status != StatusCode::FORBIDDEN) {
        unanswered.push("guessing");
    }

    println!("\n2  spraying: {SPRAYER} tries one password for twelve names");
    let statuses = target.guess(SPRAYER, (1..=12).map(|n| format!("person{n}@example.com"))).await?;
    println!("   answers {}", words(&statuses));
    if statuses.last() != Some(&StatusCode::FORBIDDEN) {
        unanswered.push("spraying");
    }

    println!("\n3  a stolen refresh token: Ben signs in with a program, and a thief brings a token of his again");
    let replayed = target.replay(&ben).await?;
    if replayed.is_some_and(|status| status != StatusCode::UNAUTHORIZED) {
        unanswered.push("the stolen token");
    }
    match replayed {
        Some(status) => println!("   the thief is answered {status}; Ben's sessions have ended, and his own next refresh is refused"),
        None => println!("   Ben has a second factor, so this needs more than his password"),
    }

    println!("\n4  taking the ledger along: an API key exports it six times");
    let scopes = vec!["ledger:export".to_owned(), "ledger:read".to_owned()];
    let key = operator.client_create(&NewClient { name: format!("demo attack {}", SystemEnv.now()), scopes, ..NewClient::default() }).await?;
    target.export(&Secret::new(key.api_key.unwrap_or_default()), 6).await?;
    println!("   exported; nothing stops who may, and somebody is told");

    let found = settled(&operator, &before).await?;
    if first_time && found.len() < 3 + usize::from(replayed.is_some()) {
        unanswered.push("one of them, which opened no incident");
    }
    println!("\nwhat detection made of it");
    for incident in &found {
        let about: Vec<String> = incident.about.iter().map(|(name, values)| format!("{name} {}", values.join(" "))).collect();
        println!("   {:<10} {:<52} {}, {} alerts, {}", incident.level, incident.title, about.join(", "), incident.alerts, incident.state);
    }
    let blocked = operator.blocks().await?.into_iter().filter(|block| block.ended_at.is_none()).count();
    println!("   {blocked} addresses are blocked");

    if let Some(incident) = found.last() {
        let file = data.join(format!("incident-{}.jsonl", incident.id));
        write_lines(operator.incident_timeline(&incident.id).await?, Some(&file)).await?;
        let key = operator.ledger_key().await?;
        verify_export(&file, &VerifyingKey::parse(key.trim()).map_err(|e| Error::Failed(e.to_string()))?)?;
        println!("   its timeline, with proofs, is in {}", file.display());
    }
    println!("\nlook at {}/incidents as Ada, work through one, and lift the blocks\n", place.console);
    if unanswered.is_empty() { Ok(()) } else { Err(Error::Failed(format!("not answered as they should be: {}", unanswered.join(", ")))) }
}

/// The incidents that the attacks opened, the newest first, once all of them are told.
async fn settled(operator: &Client, before: &str) -> Result<Vec<Incident>, Error> {
    let mut found: Vec<Incident> = Vec::new();
    for _ in 0..100 {
        let now = operator.incidents("all", None).await?.into_iter().filter(|incident| incident.id.as_str() > before).collect::<Vec<_>>();
        if now.len() >= 4 {
            return Ok(now);
        }
        found = now;
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    Ok(found)
}

impl Target {
    fn new(own: &str) -> Result<Self, Error> {
        let failed = |e: &dyn std::fmt::Display| Error::Failed(format!("the demo's address: {e}"));
        let url = reqwest::Url::parse(own).map_err(|e| failed(&e))?;
        let (host, port) = (url.host_str().unwrap_or_default(), url.port_or_known_default().unwrap_or(80));
        let redirect = reqwest::redirect::Policy::none();
        // libc does not know names under `.localhost`.
        let builder = reqwest::Client::builder().resolve(host, SocketAddr::from(([127, 0, 0, 1], port))).redirect(redirect);
        Ok(Self { http: builder.build().map_err(|e| failed(&e))?, own: own.to_owned() })
    }

    /// A wrong password for each of the names.
    async fn guess(&self, from: &str, names: impl Iterator<Item = String>) -> Result<Vec<StatusCode>, Error> {
        let mut statuses = Vec::new();
        for name in names {
            let asked = json!({"email": name, "password": "Spring2026! or so"});
            statuses.push(self.post("/v1/sign-in", Some(from), None, &asked).await?.0);
        }
        Ok(statuses)
    }

    /// Brings a refresh token whose successor was used already. Nothing where a second factor is asked for.
    async fn replay(&self, person: &(String, String)) -> Result<Option<StatusCode>, Error> {
        let (_, answer) = self.post("/v1/sign-in", None, None, &json!({"email": person.0, "password": person.1})).await?;
        let tokens = &answer["tokens"];
        let Some(stolen) = tokens["refresh_token"].as_str().map(str::to_owned) else { return Ok(None) };
        let device = &tokens["device_token"];
        let mut token = stolen.clone();
        for _ in 0..2 {
            let (_, next) = self.post("/v1/tokens/refresh", None, None, &json!({"refresh_token": token, "device_token": device})).await?;
            token = next["refresh_token"].as_str().unwrap_or_default().to_owned();
        }
        // The thief has the token, and not the device's.
        let stolen = json!({"refresh_token": stolen});
        Ok(Some(self.post("/v1/tokens/refresh", Some(THIEF), None, &stolen).await?.0))
    }

    async fn export(&self, key: &Secret<String>, times: u32) -> Result<(), Error> {
        for _ in 0..times {
            let request = self.http.get(format!("{}/v1/events/export?q=type:secure_access", self.own)).bearer_auth(key.open());
            let answer = request.send().await.map_err(gone)?;
            if !answer.status().is_success() {
                return Err(Error::Failed(format!("an export was answered {}", answer.status())));
            }
            answer.bytes().await.map_err(gone)?;
        }
        Ok(())
    }

    async fn post(&self, path: &str, from: Option<&str>, key: Option<&Secret<String>>, body: &Value) -> Result<(StatusCode, Value), Error> {
        let mut request = self.http.post(format!("{}{path}", self.own)).header(header::CONTENT_TYPE, "application/json").body(body.to_string());
        if let Some(from) = from {
            // The demo believes whoever is on this machine where they come from.
            request = request.header("x-forwarded-for", from);
        }
        if let Some(key) = key {
            request = request.bearer_auth(key.open());
        }
        let answer = request.send().await.map_err(gone)?;
        let status = answer.status();
        let text = answer.text().await.map_err(gone)?;
        Ok((status, serde_json::from_str(&text).unwrap_or_default()))
    }
}

fn gone(e: reqwest::Error) -> Error {
    Error::Failed(format!("the demo does not answer; start it with `tutela demo` first: {e}"))
}

fn words(statuses: &[StatusCode]) -> String {
    statuses.iter().map(|status| status.as_u16().to_string()).collect::<Vec<_>>().join(" ")
}

impl Place {
    /// Where the demo is, as it wrote down when it started.
    fn read(data: &Path) -> Result<Self, Error> {
        let file = data.join("place.json");
        let text = std::fs::read_to_string(&file).map_err(|e| at(&file, &e))?;
        serde_json::from_str(&text).map_err(|e| Error::Failed(format!("`{}`: {e}", file.display())))
    }
}
