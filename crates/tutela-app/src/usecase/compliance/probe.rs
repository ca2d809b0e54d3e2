//! Probes: requests to the gateway's own listener whose answer is known if it does what it says. An attack goes to each
//! route, sessions that nobody has used come back, somebody fails to sign in; and the ledger has to have a record of each.

use std::{collections::BTreeMap, time::Duration};

use serde::{Deserialize, Serialize};
use serde_json::Value;
use tutela_api as api;
use tutela_compliance::{AN_HOUR, Probed, QUARTER_HOUR};
use tutela_core::{AccountId, AuthStrength, Principal, Secret, SessionId, Timestamp};
use tutela_identity::{Assurance, Email, Session, Token, TokenKind, cookie::Cookie, event::SessionStarted};

use super::happened::InstallationProbed;
use crate::{
    App, Ctx, Error,
    handover::host_of,
    port::{Answered, GatewayControl},
    usecase::{
        account,
        export::{self, ExportFormat},
        search::{self, hex},
        session,
        sign_in::{self, Visitor},
    },
};

const KEPT: &str = "compliance_probe";
/// What an attack looks like that harms nobody who lets it through.
const ATTACK: &str = "tutela-probe=%3Cscript%3Ealert(1)%3C/script%3E";
/// Whom the probe's account is of; no mail reaches them.
const EMAIL: &str = "tutela-probe@probe.invalid";
/// What only somebody who is signed in gets.
const PAGE: &str = "/v1/me";
/// How long a record may take to reach the ledger.
const PATIENCE: Duration = Duration::from_secs(10);

/// How old an account may be that another probe is using.
const UNDER_WAY: Duration = Duration::from_secs(600);
/// Attacks of one probe: more of them at once from one address would be a storm.
const MOST_ATTACKS: usize = 12;
/// How long it counts that an attack was refused.
const COUNTS: Duration = Duration::from_secs(8 * 86_400);
const SEALED_AS: &[u8] = b"tutela compliance probe";

/// What came of the last one.
#[derive(Serialize, Deserialize)]
pub(super) struct Last {
    pub at: Timestamp,
    /// Which gateway it was, as [`gateway`] has it.
    pub gateway: String,
    sent: u64,
    unrecorded: Vec<String>,
    /// By route, those of earlier probes too.
    attacks: BTreeMap<String, Attack>,
    /// Routes that nobody opens without a permission, so that the probe did not.
    unreached: Vec<String>,
    idle: BTreeMap<u32, bool>,
    silent: Vec<String>,
}

#[derive(Clone, Serialize, Deserialize)]
struct Attack {
    at: Timestamp,
    passed: bool,
}

/// Probes now.
pub async fn probe(app: &App, ctx: &Ctx) -> Result<api::ComplianceProbe, Error> {
    app.permit(ctx, "compliance:write").await?;
    let _only = app.assessing.lock().await;
    let last = run(app).await?;
    let found = last.facts(ctx.now);
    Ok(api::ComplianceProbe {
        at: found.at.to_string(),
        sent: found.sent,
        unrecorded: found.unrecorded,
        attacked: found.attacked,
        unreached: found.unreached,
        passed: found.passed,
        idle: found.idle.into_iter().map(|(seconds, opened)| (seconds.to_string(), opened)).collect(),
        unprobed: found.silent,
    })
}

/// What came of the last one, where there was one.
pub(super) async fn last(app: &App) -> Result<Option<Last>, Error> {
    let kept = app.store.setting_get(KEPT).await?;
    Ok(kept.and_then(|kept| app.open_as(SEALED_AS, kept.as_str()?)))
}

/// A hash of what the gateway is now: another one was not probed.
pub(super) fn gateway(app: &App) -> String {
    let status = app.gateway.get().map(|gateway| gateway.status());
    hex(&tutela_ledger::sha256(format!("{:?}", status.map(|of| (of.routes, of.waf_rules))).as_bytes()))
}

/// Whoever asks may go meanwhile, and the account of the probe is not to stay: it goes on to its end by itself.
pub(super) async fn run(app: &App) -> Result<Last, Error> {
    let app = app.clone();
    let task = tokio::spawn(async move {
        let _only = app.probing.lock().await;
        probed(&app).await
    });
    task.await.map_err(|_| Error::Internal("the probe was cut off"))?
}

async fn probed(app: &App) -> Result<Last, Error> {
    let ctx = Ctx::new(app.env(), Principal::System("compliance"));
    let attacks = last(app).await?.map(|last| last.attacks).unwrap_or_default();
    let (gateway, silent) = (gateway(app), Vec::new());
    let found = Last { at: ctx.now, gateway, sent: 0, unrecorded: Vec::new(), attacks, unreached: Vec::new(), idle: BTreeMap::new(), silent };
    let mut probe = Probe { app, ctx: &ctx, sent: BTreeMap::new(), nameless: Vec::new(), found };
    match app.gateway.get() {
        None => probe.found.silent.push("this process has no gateway".into()),
        Some(gateway) => {
            if let Err(e) = probe.with_account(&**gateway).await {
                tracing::warn!(error = %e, "a probe was not finished; what is judged by it has no data");
                probe.found.silent.push(format!("the probe was not finished: {e}"));
            }
        }
    }
    let last = probe.end().await?;
    let found = last.facts(ctx.now);
    let said = InstallationProbed::new(found.sent, found.attacked, &found.passed, &found.unrecorded, &found.silent, found.idle.get(&QUARTER_HOUR).copied());
    let kept = app.seal_as(SEALED_AS, &last)?;
    app.commit(&ctx, said, |changeset| changeset.setting_set(KEPT, kept.into())).await?;
    Ok(last)
}

impl Last {
    /// What became of an attack, by its record.
    fn judge(&mut self, what: String, place: String, data: &Value, now: Timestamp) {
        let reached = data["stages"].as_array().is_some_and(|stages| stages.iter().any(|of| of["stage"] == "upstream"));
        match data["refused_by"].as_str() {
            // Its answer may be refused: by then the application had it.
            _ if reached => drop(self.attacks.insert(place, Attack { at: now, passed: true })),
            Some("waf") => drop(self.attacks.insert(place, Attack { at: now, passed: false })),
            Some("authorization" | "consent") => self.unreached.push(place),
            Some(stage) => self.silent.push(format!("{what}: it was refused by `{stage}` already")),
            None => self.silent.push(format!("{what}: nobody refused it, and nobody had it")),
        }
    }

    pub(super) fn facts(&self, now: Timestamp) -> Probed {
        let attacks = || self.attacks.iter().filter(|(_, attack)| now < attack.at + COUNTS);
        Probed {
            at: self.at,
            sent: self.sent,
            unrecorded: self.unrecorded.clone(),
            attacked: attacks().count() as u64,
            unreached: self.unreached.clone(),
            passed: attacks().filter(|(_, attack)| attack.passed).map(|(route, _)| route.clone()).collect(),
            idle: self.idle.clone(),
            silent: self.silent.clone(),
        }
    }
}

/// One that is under way.
struct Probe<'a> {
    app: &'a App,
    ctx: &'a Ctx,
    /// What was sent, by the number that it got: what it was, and the route that was attacked.
    sent: BTreeMap<String, (String, Option<String>)>,
    /// What was answered without a number.
    nameless: Vec<String>,
    found: Last,
}

impl Probe<'_> {
    /// An account that lives as long as this takes.
    async fn with_account(&mut self, gateway: &dyn GatewayControl) -> Result<(), Error> {
        let (app, ctx) = (self.app, self.ctx);
        let mut random = [0_u8; 24];
        app.env().fill(&mut random);
        // One of before that was cut off, unless another node is using it.
        if let Some(person) = sign_in::Person::find(app, &Email::parse(EMAIL)?, None).await? {
            if ctx.now < person.account.created_at + UNDER_WAY {
                return Err(Error::Conflict("another probe is under way, or was cut off within the last ten minutes".into()));
            }
            account::delete(app, ctx, person.account.id, "the probe was cut off").await?;
        }
        let new = api::NewAccount { email: EMAIL.into(), name: "Probe".into(), password: Some(hex(&random)), roles: Vec::new() };
        let made = account::create(app, ctx, new).await?;
        let id: AccountId = made.id.parse().map_err(|_| Error::Internal("the id of an account is none"))?;
        let outcome = async {
            self.recorded(id).await?;
            self.idle(gateway, id).await?;
            self.attacks(gateway, id).await
        };
        let outcome = outcome.await;
        account::delete(app, ctx, id, "the probe is over").await?;
        outcome
    }

    /// What is recorded beside requests: somebody reads about it, its roles are set, and it fails to sign in.
    async fn recorded(&mut self, id: AccountId) -> Result<(), Error> {
        let (app, ctx) = (self.app, self.ctx);
        // In this order: whoever gets more rights and then takes data out is somebody to look at.
        export::begin(app, ctx, &format!("resource:account/{id}"), ExportFormat::Jsonl, false).await?;
        account::set_roles(app, ctx, id, Vec::new()).await?;
        let nobody = Ctx::new(app.env(), Principal::Anonymous);
        let visitor = Visitor { host: self.host().1, device: None, hints: Default::default(), audience: String::new() };
        // Of nobody in particular: a lock of the name would be told by mail.
        let mut random = [0_u8; 6];
        app.env().fill(&mut random);
        let stranger = format!("nobody-{}@probe.invalid", hex(&random));
        match sign_in::password(app, &nobody, &visitor, &stranger, Secret::new("not its password".to_owned())).await {
            Err(Error::Unauthenticated(_)) => {}
            Err(e) => self.found.silent.push(format!("signing in with a wrong password: {e}")),
            Ok(_) => self.found.silent.push("signing in with a wrong password: it led on".into()),
        }
        Ok(())
    }

    /// Sessions that nobody has used.
    async fn idle(&mut self, gateway: &dyn GatewayControl, id: AccountId) -> Result<(), Error> {
        // Where one that was just begun is refused, before or afterwards, a refusal of the others says nothing.
        if self.opens(gateway, id, 0).await? != Some(true) {
            self.found.silent.push("sessions: one that was just begun opens nothing either".into());
            return Ok(());
        }
        let mut idle = BTreeMap::new();
        for unused in [QUARTER_HOUR, AN_HOUR] {
            if let Some(opened) = self.opens(gateway, id, unused).await? {
                idle.insert(unused, opened);
            }
        }
        if self.opens(gateway, id, 0).await? == Some(true) {
            self.found.idle = idle;
        } else {
            self.found.silent.push("sessions: one that was just begun opens nothing any more".into());
        }
        Ok(())
    }

    /// Whether a session opens a page that nobody has used for so many seconds; nothing where there is no answer.
    async fn opens(&mut self, gateway: &dyn GatewayControl, id: AccountId, unused: u32) -> Result<Option<bool>, Error> {
        let (host, bare) = self.host();
        let cookie = session_of(self.app, self.ctx, id, (&bare, Cookie::OwnSession), unused).await?;
        let answer = gateway.ask(&host, PAGE, Some(&cookie)).await;
        let what = format!("a session that was idle for {unused} s");
        Ok(match self.noted(answer, what.clone(), None).map(|answer| answer.status) {
            Some(200) => Some(true),
            Some(401) => Some(false),
            Some(status) => {
                self.found.silent.push(format!("{what}: the answer was {status}"));
                None
            }
            None => None,
        })
    }

    /// The own host, as a browser names it, and without its port.
    fn host(&self) -> (String, String) {
        let public = &self.app.urls.public;
        let host = public.split_once("://").map_or(public.as_str(), |(_, host)| host).trim_end_matches('/');
        (host.to_owned(), host_of(public).to_owned())
    }

    /// To routes something that a firewall refuses, from somebody who is signed in where the route asks for it; first to
    /// those that have waited longest.
    async fn attacks(&mut self, gateway: &dyn GatewayControl, id: AccountId) -> Result<(), Error> {
        let place = |route: &api::GatewayRoute| format!("{} ({}{})", route.name, route.host, route.path);
        let mut routes: Vec<(String, api::GatewayRoute)> = gateway.status().routes.into_iter().map(|route| (place(&route), route)).collect();
        self.found.attacks.retain(|place, _| routes.iter().any(|(known, _)| known == place));
        // Before what blocks nothing nobody has to be sent to know it, and an application need not meet the probe.
        routes.retain(|(place, route)| {
            if route.waf_mode != "block" {
                self.found.attacks.insert(place.clone(), Attack { at: self.ctx.now, passed: true });
            }
            route.waf_mode == "block"
        });
        routes.sort_by_key(|(place, _)| self.found.attacks.get(place).map(|attack| attack.at));
        for (number, (place, route)) in routes.into_iter().enumerate() {
            if number >= MOST_ATTACKS {
                if !self.found.attacks.contains_key(&place) {
                    self.found.silent.push(format!("an attack on {place}: the next probes come to it"));
                }
                continue;
            }
            self.found.attacks.remove(&place);
            let host = route.host.to_ascii_lowercase();
            let cookie = match route.require.as_str() {
                "public" => None,
                _ => Some(session_of(self.app, self.ctx, id, (&host, Cookie::GuardedSession), 0).await?),
            };
            let answer = gateway.ask(&host, &format!("{}?{ATTACK}", route.path), cookie.as_deref()).await;
            self.noted(answer, format!("an attack on {place}"), Some(place));
        }
        Ok(())
    }

    /// Notes what was sent, to look for its record later.
    fn noted(&mut self, answer: Result<Answered, String>, what: String, route: Option<String>) -> Option<Answered> {
        match answer {
            Err(why) => {
                self.found.silent.push(format!("{what}: {why}"));
                None
            }
            Ok(answer) => {
                self.found.sent += 1;
                match answer.request.clone() {
                    Some(number) => drop(self.sent.insert(number, (what, route))),
                    None => self.nameless.push(what),
                }
                Some(answer)
            }
        }
    }

    /// Waits for the records, and judges by them.
    async fn end(mut self) -> Result<Last, Error> {
        let until = self.app.env.now() + PATIENCE;
        let query = search::query(&format!("type:gateway.request after:{}", self.ctx.now))?;
        loop {
            // What came while the last pass was made is met by one more.
            let is_last = self.app.env.now() > until;
            let mut before = None;
            loop {
                let page = search::clear_page(self.app, &query, before, search::MAX_PAGE).await?;
                for (_, event) in page.items {
                    let Some((what, place)) = event["request"]["id"].as_str().and_then(|number| self.sent.remove(number)) else { continue };
                    if let Some(place) = place {
                        self.found.judge(what, place, &event["data"], self.ctx.now);
                    }
                }
                before = page.next;
                if before.is_none() || self.sent.is_empty() {
                    break;
                }
            }
            if self.sent.is_empty() || is_last {
                break;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        let attacks = self.sent.values().filter(|(_, place)| place.is_some());
        self.found.silent.extend(attacks.map(|(what, _)| format!("{what}: there is no record of it")));
        self.found.unrecorded = self.sent.into_values().map(|(what, _)| what).chain(self.nameless).collect();
        Ok(self.found)
    }
}

/// A session of the probe's that nobody has used for so many seconds, as the cookie of a browser.
async fn session_of(app: &App, ctx: &Ctx, account: AccountId, (host, cookie): (&str, Cookie), unused: u32) -> Result<String, Error> {
    let rng = &mut { app.env() };
    let then = app.env.now() - Duration::from_secs(u64::from(unused));
    // As strong as any route asks for: only time is to refuse it.
    let assurance = Assurance { aal: AuthStrength::Aal2, amr: vec!["mfa".into(), "pwd".into()], auth_time: then };
    let session = Session::begin(SessionId::new(ctx.now, rng), account, host, None, assurance, session::life_on(app, host), then);
    let token = Token::new(TokenKind::Session, rng);
    let started = SessionStarted { session: session.id, account, amr: &session.assurance.amr, acr: session.assurance.acr(), device: None };
    app.commit(ctx, started, |changeset| changeset.session_insert(&session, token.hash())).await?;
    Ok(format!("{}={}", app.cookies().name(cookie), token.open()))
}
