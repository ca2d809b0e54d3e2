//! Sample people, one sample key, and what the demo says.

use std::{fs, io::Write as _, os::unix::fs::OpenOptionsExt as _, path::Path};

use serde::{Deserialize, Serialize};
use serde_json::json;
use tutela_api::{ClientOauth, FieldMode, FieldPolicy, FieldRule, Group, KeyPurpose, NewAccount, NewClient, NewKey, Purpose, Role};
use tutela_app::{App, Ctx, Urls, account, client, event, event::Wait, event_type, group, key, policy, privacy::purpose, role};
use tutela_core::{Principal, random_bytes};

use super::{billing::Billing, elsewhere};
use crate::error::{Error, at};

/// What earlier runs made; kept in the demo's folder so that the sign-ins stay the same.
#[derive(Serialize, Deserialize)]
pub struct Seeded {
    people: Vec<Person>,
    api_key: String,
    /// The client that the key is of.
    #[serde(default)]
    client_id: String,
}

#[derive(Serialize, Deserialize)]
struct Person {
    name: String,
    email: String,
    password: String,
    roles: Vec<String>,
}

/// Where the demo is reached, for those who come later.
#[derive(Serialize, Deserialize)]
pub struct Place {
    pub own: String,
    pub console: String,
}

impl Place {
    pub fn of(urls: &Urls) -> Self {
        Self { own: urls.public.clone(), console: urls.admin.clone() }
    }

    pub fn write(&self, data: &Path) -> Result<(), Error> {
        let file = data.join("place.json");
        fs::write(&file, serde_json::to_string_pretty(self).unwrap_or_default()).map_err(|e| at(&file, &e))
    }
}

/// Words for sample passwords: 64, so that each gives six bits.
const WORDS: &[&str; 64] = &[
    "amber", "anchor", "autumn", "basil", "beacon", "birch", "bridge", "candle", "cedar", "cloud", "clover", "copper", "coral", "cotton", "crane", "delta",
    "ember", "falcon", "fern", "field", "finch", "flint", "forest", "garden", "ginger", "glacier", "granite", "harbor", "hazel", "heron", "indigo", "island",
    "ivory", "jasper", "juniper", "lagoon", "lantern", "laurel", "linen", "maple", "marble", "meadow", "mellow", "meteor", "mint", "mosaic", "nectar", "oasis",
    "olive", "orchid", "pebble", "pepper", "pine", "prairie", "quartz", "raven", "river", "saffron", "silver", "spruce", "summit", "thistle", "velvet",
    "willow",
];

/// Who pays for the photo app, and may want to leave it.
const LEAVER: (&str, &str) = ("Fay Leaver", "fay@example.com");

/// Somebody pays for the photo app from the first day on.
pub async fn subscribe(app: &App, billing: &Billing) -> Result<(), Error> {
    let ctx = Ctx::new(app.env(), Principal::System("demo"));
    let fay = account::list(app, &ctx, None, 100).await?.into_iter().find(|account| account.email == LEAVER.1);
    fay.iter().for_each(|account| billing.subscribe(&account.id));
    Ok(())
}

/// Makes the sample people on the first run; later runs find them.
pub async fn people(app: &App, data: &Path) -> Result<Seeded, Error> {
    let file = data.join("sign-ins.json");
    if let Ok(text) = fs::read_to_string(&file)
        && let Ok(seeded) = serde_json::from_str(&text)
    {
        return Ok(seeded);
    }
    let ctx = Ctx::new(app.env(), Principal::System("demo"));
    role::set(app, &ctx, Role { name: "member".into(), permissions: vec!["photos:view".into(), "photos:upload".into()] }).await?;
    // Who is an editor at the company next door is a member here.
    group::set(app, &ctx, Group { name: elsewhere::GROUPS.1.into(), roles: vec!["member".into()] }).await?;
    let mut people = Vec::new();
    let member = || vec!["member".to_owned()];
    for (name, email, roles) in
        [("Ada Admin", "ada@example.com", vec!["admin".to_owned()]), ("Ben Member", "ben@example.com", member()), (LEAVER.0, LEAVER.1, member())]
    {
        let words = random_bytes::<5>(&mut { app.env() }).map(|b| WORDS[usize::from(b) % WORDS.len()]);
        let password = words.join("-");
        account::create(app, &ctx, NewAccount { email: email.into(), name: name.into(), password: Some(password.clone()), roles: roles.clone() }).await?;
        people.push(Person { name: name.into(), email: email.into(), password, roles });
    }
    sealing(app, &ctx).await?;
    auditing(app, &ctx).await?;
    purposes(app, &ctx).await?;
    let scopes =
        ["crypto:decrypt", "crypto:encrypt", "events:write", "keys:read", "ledger:read", "permissions:check", "tokens:introspect"].map(str::to_owned).to_vec();
    let oauth = ClientOauth { grant_types: vec!["client_credentials".into()], audiences: vec![app.urls().public.clone()], ..ClientOauth::default() };
    let key = client::create(app, &ctx, NewClient { name: "demo".into(), scopes, oauth: Some(oauth), ..NewClient::default() }).await?;
    let seeded = Seeded { people, api_key: key.api_key.unwrap_or_default(), client_id: key.id };
    let mut out = fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&file).map_err(|e| at(&file, &e))?;
    let text = serde_json::to_string_pretty(&seeded).map_err(|e| Error::Failed(e.to_string()))?;
    out.write_all(text.as_bytes()).map_err(|e| at(&file, &e))?;
    Ok(seeded)
}

/// A key of the app's own, and a policy for its customers: what is sealed, and what can still be looked for.
async fn sealing(app: &App, ctx: &Ctx) -> Result<(), Error> {
    let purposes = vec![KeyPurpose::Encrypt, KeyPurpose::Index];
    key::create(app, ctx, NewKey { name: "photos".into(), purposes, ..NewKey::default() }).await?;
    let rule = |path: &str, mode| FieldRule { path: path.into(), mode, optional: true, index_bits: None, leaks: None };
    let fields = vec![rule("email", FieldMode::Equality), rule("home.street", FieldMode::Random), rule("birthday", FieldMode::Random)];
    policy::set(app, ctx, "customers", FieldPolicy { key: Some("photos".into()), fields }).await?;
    Ok(())
}

/// A declared event type of the photo app, and a few events of it.
async fn auditing(app: &App, ctx: &Ctx) -> Result<(), Error> {
    let declaration = json!({
        "sentence": "Somebody let somebody else see an album.", "severity": 2, "class": "audit",
        "fields": [{"name": "album", "example": "summer"}, {"name": "with", "personal": true, "example": "cem@example.com"}],
        "ocsf": {"class_uid": 6003, "activity_id": 3}, "ecs": {"category": ["web"], "type": ["change"]},
    });
    let body = serde_json::from_value(declaration).map_err(|e| Error::Failed(e.to_string()))?;
    event_type::set(app, ctx, "photo.shared", body).await?;
    let shared = |person: u32, album: &str, with: &str, ip: &str, outcome: &str| {
        json!({"type": "photo.shared", "action": "share", "outcome": outcome, "actor": {"namespace": "photos", "value": person}, "resource": {"type": "album", "id": album},
            "metadata": {"album": album, "with": with, "ip": ip, "user_agent": "Mozilla/5.0", "note": "by link"}})
    };
    let events = vec![
        shared(7, "summer", "cem@example.com", "192.0.2.7", "success"),
        shared(7, "winter", "dan@example.com", "192.0.2.7", "success"),
        shared(8, "private", "eve@example.com", "198.51.100.3", "denied"),
    ];
    for answer in event::record_batch(app, ctx, events, Wait::Durable).await? {
        answer?;
    }
    Ok(())
}

/// What the photo app uses data for.
async fn purposes(app: &App, ctx: &Ctx) -> Result<(), Error> {
    let all = json!([
        {"name": "essential.service", "title": "Your photos and albums", "basis": "contract", "required": true, "categories": ["user.content"],
            "notice": {"version": "2026-11", "text": "We keep your photos and show them to whom you allow it."}},
        {"name": "personalize", "title": "Suggestions", "basis": "consent", "categories": ["user.behavior"],
            "notice": {"version": "2026-11", "text": "We look at what you open, and suggest photos by it."}},
        {"name": "marketing.advertising", "title": "Advertising", "basis": "legitimate_interests", "sells": true, "categories": ["user.content.public"],
            "recipients": [{"name": "Sample Ads Inc", "country": "US"}], "retention_days": 90,
            "notice": {"version": "2026-11", "text": "Sample Ads Inc learns which of your albums are public."}},
    ]);
    let all: Vec<Purpose> = serde_json::from_value(all).map_err(|e| Error::Failed(e.to_string()))?;
    for purpose in &all {
        purpose::set(app, ctx, &purpose.name, purpose).await?;
    }
    Ok(())
}

impl Seeded {
    /// What the first run made.
    pub fn read(data: &Path) -> Result<Self, Error> {
        let file = data.join("sign-ins.json");
        let text = fs::read_to_string(&file).map_err(|e| at(&file, &e))?;
        serde_json::from_str(&text).map_err(|e| Error::Failed(format!("`{}`: {e}", file.display())))
    }

    /// Address and password of somebody.
    pub fn person(&self, email: &str) -> Option<(String, String)> {
        self.people.iter().find(|person| person.email == email).map(|person| (person.email.clone(), person.password.clone()))
    }

    /// For scripts, on one line.
    pub fn json(&self, app_url: &str, urls: &Urls) -> String {
        json!({"app": app_url, "own": urls.public, "console": urls.admin, "people": self.people, "api_key": self.api_key}).to_string()
    }

    /// For people.
    pub fn welcome(&self, app_url: &str, urls: &Urls, data: &Path) -> String {
        let people: Vec<String> = self.people.iter().map(|p| format!("    {:<12} {:<18} {}   ({})", p.name, p.email, p.password, p.roles.join(", "))).collect();
        format!(
            "\nready\n\n  photo app   {app_url}\n  own pages   {own}\n  console     {console}\n\n  sign in as\n{people}\n\n  things to try\n\
             \x20   1. open {app_url}/profile, sign in as Ben, and land where you wanted to go\n\
             \x20   2. open {app_url}/admin as Ben and be refused; then look for it in the console's ledger\n\
             \x20   3. open {console}/ledger as Ada, start the live view, and sign in elsewhere\n\
             \x20   4. download the proof of an event from its page in the console\n\
             \x20   5. curl -s {own}/v1/events -H 'Authorization: Bearer {key}' -H 'Content-Type: application/json' -d '{{\"type\": \"secure_access\", \"action\": \"read\"}}'\n\
             \x20   6. seal a customer's fields, then look at {console}/keys and for `key.used` in the ledger:\n\
             \x20      curl -s {own}/v1/crypto/records/seal -H 'Authorization: Bearer {key}' -H 'Content-Type: application/json' -d '{{\"policy\": \"customers\", \"record_id\": \"7\", \"record\": {{\"email\": \"ben@example.com\", \"plan\": \"free\"}}}}'\n\
             \x20   7. ask who shared what: tutela audit search --data {ledger} 'type:photo.shared outcome:denied', then export it with --with-proofs and check it offline\n\
             \x20   8. make an account at {own}/sign-up; its mail is a line of {messages}; set up an app under Security,\n\
             \x20      sign in again, and see as Ada in {console}/people how that account signs in and what it may do\n\
             \x20   9. sign in at {own}/sign-in as Eve of Meadow Ltd, another company, by OpenID Connect, OAuth 2.0 or SAML;\n\
             \x20      {console}/clients/providers shows its directory, and Eve's group there makes her a member here\n\
             \x20  10. get an access token for the API, as a program of yours would (OAuth 2.0, client credentials):\n\
             \x20      curl -s {own}/oauth/token -u {client}:{key} -d grant_type=client_credentials\n\
             \x20  11. attack it: open {app_url}/?q=1%27%20UNION%20SELECT%20password%20FROM%20users and be refused with a number;\n\
             \x20      as Ada, see why in {console}/gateway/firewall, except those rules for a day, and it passes; or hear why offline:\n\
             \x20      printf 'GET /?q=1%%27%%20UNION%%20SELECT%%201 HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n' | tutela waf explain - --rules base\n\
             \x20  12. run `tutela demo attack --data {data}` in another window: guessing, spraying, a stolen token, an export in bulk;\n\
             \x20      as Ada, see in {console}/incidents what was blocked and ended, work through one, take its timeline along\n\
             \x20  13. as Ben, open {own}/account/privacy: allow suggestions, take it back, keep the receipt, and check it anywhere:\n\
             \x20      tutela privacy receipt verify consent-….json --key \"$(curl -s {own}/v1/ledger/key)\"\n\n\
             \x20  14. as Fay, open {app_url}/profile and {app_url}/photos, then {own}/account/data: take everything along, then delete the account;\n\
             \x20      her pictures, rows, subscription and keys are gone, and the confirmation checks offline:\n\
             \x20      tutela privacy receipt verify confirmation.json --key \"$(curl -s {own}/v1/ledger/key)\"\n\n\
             \x20  15. in a private window, open {app_url}/tour: allow suggestions or do not; what you chose, and a receipt of it,\n\
             \x20      is in the ledger as consent.given or consent.refused, though nobody knows who you are\n\n\
             \x20  16. as Ada, open {console}/compliance: what holds of four frameworks, what does not, and what to change. Put that into {settings},\n\
             \x20      for example `[identity.session]` and `timeout = 900`, start the demo again, and PCI DSS 8.2.8 holds: a session was really tried\n\n\
             \x20 all state is in {data}; Ctrl-C ends the demo, --reset starts over\n",
            own = urls.public,
            console = urls.admin,
            people = people.join("\n"),
            key = self.api_key,
            client = self.client_id,
            data = data.display(),
            ledger = data.join("tutela").display(),
            settings = data.join(super::OWN_WORDS).display(),
            messages = data.join("messages.jsonl").display(),
        )
    }
}
