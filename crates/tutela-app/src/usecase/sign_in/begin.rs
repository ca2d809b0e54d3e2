//! The one place where a sign-in goes on or becomes a session.

use serde::{Deserialize, Serialize};
use tutela_core::{AuthStrength, DeviceId, Occurrence, Secret, SessionId, SignInId, Timestamp};
use tutela_identity::{
    Account, Assurance, AuthenticatorKind, Proof, Session, SessionEndReason, TOKENS, Token, TokenKind,
    device::Device,
    event::{DeviceSeen, SessionEnded, SessionStarted, SessionStrengthened},
    federation::{Arrival, Handle},
    sign_in::{SignIn, Step, Wanted},
};
use tutela_store::{BLOCKED, Changeset, OutsideSessionRow, Record, SignInRow};

use super::{Next, Pending, Person, Progress, REFUSED, SignedIn, Visitor, failed, masked_mail, masked_phone};
use crate::{
    App, Ctx, Error, text,
    usecase::{
        block, federation,
        link::{self, Purpose},
        message,
        sign_in::attempts::Reserved,
    },
};

/// Method reference of ours: a remembered device spared the second factor.
pub(crate) const REMEMBERED: &str = "remembered";

const OUTSIDE: &[u8] = b"outside session";

/// The session at an outside provider that a session here comes from.
#[derive(Serialize, Deserialize)]
pub(crate) struct CameFrom {
    pub provider: String,
    pub subject: String,
    pub session: Option<String>,
    /// What a request to end it there has to repeat.
    pub handle: Option<Handle>,
}

impl CameFrom {
    pub(crate) fn open(app: &App, sealed: &str) -> Option<Self> {
        app.open_as(OUTSIDE, sealed)
    }

    /// As a row of `session`; what was sealed stays as it is.
    fn row(&self, app: &App, session: SessionId, sealed: String) -> OutsideSessionRow {
        let hash = |kind: &str, text: &str| federation::outside_hash(app, &self.provider, kind, text);
        OutsideSessionRow {
            session,
            provider: self.provider.clone(),
            subject_hash: hash("subject", &self.subject),
            outside_hash: self.session.as_deref().map(|id| hash("session", id)),
            sealed,
        }
    }
}

/// What is done to rows along with a step.
type Change = Box<dyn FnOnce(Changeset) -> Changeset + Send + Sync>;

/// One step of a sign-in: who, how far, and what goes into the commit with it.
pub(crate) struct Flow<'a> {
    pub app: &'a App,
    pub ctx: &'a Ctx,
    pub visitor: &'a Visitor,
    pub person: Person,
    pub row: SignInRow,
    /// Whether the row is in storage already; the first step makes it.
    stored: bool,
    reserved: Option<Reserved>,
    changes: Vec<Change>,
    events: Vec<Record>,
    prepared: Option<Changeset>,
    /// Whether the person asked for the device to be remembered.
    pub remember: bool,
    /// Shown once, at the end.
    pub recovery_codes: Vec<Secret<String>>,
}

impl<'a> Flow<'a> {
    /// A sign-in whose first proof has just been given.
    pub(crate) fn first(app: &'a App, ctx: &'a Ctx, visitor: &'a Visitor, person: Person) -> Self {
        let ways = person.ways(app);
        let sign_in = SignIn {
            id: SignInId::new(ctx.now, &mut { app.env() }),
            account: person.account.id,
            session: None,
            device: person.device.as_ref().map(|d| d.id),
            proofs: Vec::new(),
            wanted: person.wanted(app, &ways, ctx.now),
            started_at: ctx.now,
        };
        Self::new(app, ctx, visitor, person, SignInRow { sign_in, code: None, version: 0, outside: None }, false)
    }

    /// A session that is to be made stronger.
    pub(crate) fn stronger(app: &'a App, ctx: &'a Ctx, visitor: &'a Visitor, person: Person, session: SessionId, wanted: Wanted) -> Self {
        let mut flow = Self::first(app, ctx, visitor, person);
        flow.row.sign_in.session = Some(session);
        flow.row.sign_in.wanted = wanted;
        flow
    }

    /// The sign-in behind `token`, which is under way.
    pub(crate) async fn resume(app: &'a App, ctx: &'a Ctx, visitor: &'a Visitor, token: &str) -> Result<Self, Error> {
        let over = || Error::NotFound("sign-in: it took longer than 15 minutes or went on somewhere else; begin again");
        let token = Token::parse(TokenKind::SignIn, token).ok_or_else(over)?;
        let row = app.store.sign_in_get(token.hash()).await?.filter(|row| row.sign_in.is_open(ctx.now)).ok_or_else(over)?;
        let person = Person::load(app, row.sign_in.account, visitor.device.as_deref()).await?.ok_or_else(over)?;
        Ok(Self::new(app, ctx, visitor, person, row, true))
    }

    /// As [`resume`](Self::resume), if the sign-in asks for a proof of this kind.
    pub(crate) async fn asked(app: &'a App, ctx: &'a Ctx, visitor: &'a Visitor, token: &str, kind: AuthenticatorKind) -> Result<Self, Error> {
        let flow = Self::resume(app, ctx, visitor, token).await?;
        match flow.standing().next {
            Next::Challenge(kinds) if kinds.contains(&kind) => Ok(flow),
            _ => Err(Error::Conflict("this sign-in does not ask for that; begin again".into())),
        }
    }

    fn new(app: &'a App, ctx: &'a Ctx, visitor: &'a Visitor, person: Person, row: SignInRow, stored: bool) -> Self {
        let (changes, events, recovery_codes) = (Vec::new(), Vec::new(), Vec::new());
        Self { app, ctx, visitor, person, row, stored, reserved: None, changes, events, prepared: None, remember: false, recovery_codes }
    }

    /// Who signs in.
    pub(crate) fn account(&self) -> &Account {
        &self.person.account
    }

    /// Whether the account could give another proof beside a password.
    pub(crate) fn can_prove_more(&self) -> bool {
        self.person.ways(self.app).has.iter().any(|kind| *kind != AuthenticatorKind::Password)
    }

    /// Keeps what the provider calls the session that this sign-in comes from, for when it ends there.
    pub(crate) fn came_from(&mut self, provider: &str, arrival: &Arrival) -> Result<(), Error> {
        let from = CameFrom {
            provider: provider.to_owned(),
            subject: arrival.handle.as_ref().map_or_else(|| arrival.subject.clone(), |handle| handle.called.clone()),
            session: arrival.session.clone(),
            handle: arrival.handle.clone(),
        };
        self.row.outside = Some(self.app.seal_as(OUTSIDE, &from)?);
        Ok(())
    }

    /// What was counted for this step is forgotten when it commits.
    pub(crate) fn counted(&mut self, reserved: Reserved) {
        self.reserved = Some(reserved);
    }

    /// Something more that is done with this step.
    pub(crate) fn with(&mut self, change: impl FnOnce(Changeset) -> Changeset + Send + Sync + 'static) {
        self.changes.push(Box::new(change));
    }

    /// Something more that happened.
    pub(crate) async fn record<T: Occurrence>(&mut self, what: T) -> Result<(), Error> {
        self.events.push(self.app.record(self.ctx, what).await?);
        Ok(())
    }

    /// Events that another use case has made ready.
    pub(crate) fn events_of(&mut self, changeset: Changeset) {
        self.prepared = Some(changeset);
    }

    /// Takes a proof and goes on as far as it leads.
    pub(crate) async fn prove(mut self, proof: Proof) -> Result<Progress, Error> {
        self.row.sign_in.prove(proof);
        let strong = [AuthenticatorKind::Passkey, AuthenticatorKind::Recovery, AuthenticatorKind::Sms, AuthenticatorKind::Totp];
        if self.person.password.mail_reset_at.is_some() && strong.contains(&proof.kind) {
            let account = self.account().id;
            self.with(move |c| c.account_set_mail_reset(account, None));
        }
        self.advance().await
    }

    /// Goes on from what was proven.
    pub(crate) async fn advance(mut self) -> Result<Progress, Error> {
        let now = self.ctx.now;
        match self.next() {
            Ok(assurance) => match self.row.sign_in.session {
                None => self.begin(assurance).await,
                Some(session) => self.strengthen(session, assurance).await,
            },
            Err(next) => {
                let token = (!self.stored).then(|| Token::new(TokenKind::SignIn, &mut { self.app.env() }));
                let hash = token.as_ref().map(Token::hash);
                let row = self.row.clone();
                self.commit(move |changeset| match hash {
                    Some(hash) => changeset.sign_in_insert(&row, hash),
                    None => changeset.sign_in_prove(&row),
                })
                .await?;
                let pending = self.pending(token, next, now);
                Ok(Progress::Next(Box::new(pending)))
            }
        }
    }

    /// Where it stands, without a step.
    pub(crate) fn standing(&self) -> Pending {
        let next = self.next().err().unwrap_or(Next::Stuck);
        self.pending(None, next, self.ctx.now)
    }

    fn next(&self) -> Result<Assurance, Next> {
        let must_change = self.person.password.must_change.clone().filter(|_| self.row.sign_in.session.is_none());
        match self.row.sign_in.step(&self.person.ways(self.app), self.ctx.now) {
            Step::Done(assurance) => must_change.map_or(Ok(assurance), |why| Err(Next::NewPassword(why))),
            Step::Challenge(kinds) => Err(Next::Challenge(kinds)),
            Step::Enrol(kinds) => Err(Next::Enrol(kinds)),
            Step::Stuck => Err(Next::Stuck),
        }
    }

    fn pending(&self, token: Option<Token>, next: Next, now: Timestamp) -> Pending {
        let account = self.account();
        Pending {
            token,
            next,
            email: masked_mail(account.email.as_str()),
            phone: account.phone.as_deref().map(masked_phone),
            sent: self.row.code.as_ref().filter(|(_, code)| code.usable(now).is_ok()).map(|(kind, _)| *kind),
            can_remember: self.app.identity.mfa.remember_device && self.row.sign_in.session.is_none() && self.visitor.host != TOKENS,
            step_up: self.row.sign_in.session.is_some(),
            outside: federation::buttons(self.app).into_iter().filter(|button| self.person.outsides.iter().any(|row| row.provider == button.name)).collect(),
        }
    }

    async fn begin(mut self, mut assurance: Assurance) -> Result<Progress, Error> {
        let (app, ctx, now) = (self.app, self.ctx, self.ctx.now);
        if self.is_spared() {
            // Tokens say that a second factor was proven here before, and not now.
            assurance.amr.push(REMEMBERED.to_owned());
        }
        let rng = &mut { app.env() };
        let account = self.account().id;
        let (device, device_token, is_new) = self.device(&assurance);
        let life = if self.visitor.host == TOKENS { app.identity.session.token_life() } else { app.identity.session.life() };
        let session = Session::begin(SessionId::new(now, rng), account, &self.visitor.host, Some(device.id), assurance, life, now);
        let token = Token::new(TokenKind::Session, rng);
        let as_account = ctx.as_account(account, session.id, session.assurance.aal, Default::default());
        let started = SessionStarted { session: session.id, account, amr: &session.assurance.amr, acr: session.assurance.acr(), device: Some(device.id) };
        let started = app.record(&as_account, started).await?;
        self.events.push(started);
        if is_new {
            self.tell_of(&device).await?;
        }
        let refresh = if self.visitor.host == TOKENS { crate::usecase::token::first(app, &session, &self.visitor.audience, now)? } else { None };
        let (refresh, refresh_row) = refresh.unzip();
        // A browser holds one session; the one before it would live on with nobody to end it (ASVS 7.2.4).
        let before = ctx.principal.session().filter(|_| self.visitor.host != TOKENS);
        if let Some(live) = match before {
            Some(id) => app.store.session_get(id).await?.filter(|session| session.is_live(now)),
            None => None,
        } {
            self.record(SessionEnded { session: live.login, account: live.account, reason: SessionEndReason::SignOut, note: None }).await?;
        }
        let outside = self.row.outside.clone().and_then(|sealed| Some(CameFrom::open(app, &sealed)?.row(app, session.id, sealed)));
        let (row, stored, hash) = (self.row.clone(), self.stored, token.hash());
        let had = self.visitor.device.as_deref().is_some_and(|had| had.hash() == device_token.hash());
        let (begun, seen) = (session.clone(), (device, device_token.hash()));
        let good = session.assurance.aal >= AuthStrength::Aal2;
        self.commit(move |changeset| {
            let changeset = if good { block::good_sign_in(app, ctx, changeset, account) } else { changeset };
            let changeset = if stored { changeset.sign_in_end(&row) } else { changeset };
            let changeset = changeset.device_seen(&seen.0, seen.1).session_insert(&begun, hash);
            let changeset = outside.iter().fold(changeset, Changeset::outside_session_insert);
            let changeset = before.iter().fold(changeset, |set, id| set.session_end_if_live(*id, now));
            refresh_row.iter().fold(changeset, Changeset::refresh_insert)
        })
        .await?;
        metrics::counter!("tutela_sign_ins_total", "outcome" => "success").increment(1);
        if let Some(before) = before {
            app.forget(before.0);
        }
        let device = (!had).then_some(device_token);
        let audience = self.visitor.audience.clone();
        Ok(Progress::Done(Box::new(SignedIn { session, token, device, refresh, audience, recovery_codes: self.recovery_codes })))
    }

    /// Whether the device spared the second factor.
    fn is_spared(&self) -> bool {
        let wanted = &self.row.sign_in.wanted;
        let without = Wanted::to_sign_in(self.app.identity.mfa.required_factors, &self.person.ways(self.app).has, false);
        wanted.factors < without.factors
    }

    /// The device of this sign-in as it is from now on, its token, and whether the account has not seen it before.
    fn device(&self, assurance: &Assurance) -> (Device, Token, bool) {
        let now = self.ctx.now;
        let rng = &mut { self.app.env() };
        let mfa = &self.app.identity.mfa;
        // It is remembered by whoever proved two factors with it just now, never by way of being remembered.
        let remember = self.remember && mfa.remember_device && assurance.amr.iter().any(|method| method == "mfa");
        // What spares the second factor was never in another's hands: somebody may have planted the cookie.
        let token = match self.visitor.device.as_deref().and_then(|token| Token::parse(TokenKind::Device, token.open())) {
            Some(token) if !remember => token,
            _ => Token::new(TokenKind::Device, rng),
        };
        let remembered_until = remember.then(|| now + mfa.remember_for.duration());
        let device = match &self.person.device {
            Some(known) => Device { hints: self.visitor.hints.clone(), last_seen_at: now, remembered_until, ..known.clone() },
            None => Device {
                id: DeviceId::new(now, rng),
                account: self.account().id,
                hints: self.visitor.hints.clone(),
                first_seen_at: now,
                last_seen_at: now,
                remembered_until,
            },
        };
        (device, token, self.person.device.is_none())
    }

    /// Records that an account was signed in with from a new device, and tells its owner; the very first one is no news.
    async fn tell_of(&mut self, device: &Device) -> Result<(), Error> {
        let (app, ctx, account) = (self.app, self.ctx, self.account().id);
        self.record(DeviceSeen::new(account, device.id, &device.hints.label)).await?;
        if app.store.device_list(account, 1).await?.is_empty() {
            return Ok(());
        }
        let made = link::make(app, ctx, Purpose::NotMe, Some(account), Some(&device.id.to_string()))?;
        let when = when_text(ctx.now);
        let mail = text::Mail::NewDevice { device: &device.hints.label, when: &when, url: &made.url };
        let change = message::mail(app, ctx, self.account().email.as_str(), &mail, None)?;
        self.with(move |changeset| change(changeset.link_insert(&made.row)));
        Ok(())
    }

    async fn strengthen(mut self, id: SessionId, assurance: Assurance) -> Result<Progress, Error> {
        let (app, ctx, now) = (self.app, self.ctx, self.ctx.now);
        let gone = || Error::Unauthenticated("the session has ended; sign in again");
        let session = app.store.session_get(id).await?.filter(|s| s.is_live(now) && s.account == self.account().id).ok_or_else(gone)?;
        // What was proven before is not made younger by what was proven now: only the latter counts from here on.
        let session = Session { assurance: Assurance { auth_time: now, ..assurance }, ..session };
        // Another token with every proof, so that one that was planted before it is worth nothing (ASVS 7.2.4).
        let token = Token::new(TokenKind::Session, &mut { app.env() });
        let as_account = ctx.as_account(session.account, id, session.assurance.aal, Default::default());
        let proven = app.record(&as_account, SessionStrengthened::new(session.account, id, &session.assurance.amr)).await?;
        self.events.push(proven);
        let (row, stored, hash, stronger) = (self.row.clone(), self.stored, token.hash(), session.clone());
        self.commit(move |changeset| {
            let changeset = if stored { changeset.sign_in_end(&row) } else { changeset };
            changeset.session_strengthen(&stronger, hash)
        })
        .await?;
        app.forget(id.0);
        let (refresh, audience) = (None, String::new());
        Ok(Progress::Done(Box::new(SignedIn { session, token, device: None, refresh, audience, recovery_codes: self.recovery_codes })))
    }

    /// Everything of this step, at once.
    async fn commit(&mut self, last: impl FnOnce(Changeset) -> Changeset) -> Result<(), Error> {
        let events = std::mem::take(&mut self.events);
        let changeset = match self.prepared.take() {
            Some(prepared) => events.into_iter().fold(prepared, Changeset::and),
            None => Changeset::of_all(events).unwrap_or_else(Changeset::sign_in_step),
        };
        let changeset = std::mem::take(&mut self.changes).into_iter().fold(changeset, |set, change| change(set));
        let changeset = match &self.reserved {
            Some(reserved) => reserved.clear(self.app, changeset),
            None => changeset,
        };
        let changeset = block::unless_blocked(self.app, self.ctx, last(changeset));
        match self.app.store.commit(changeset).await {
            // Whoever was blocked while their proof was looked at has come too late, and is told no more than anybody else.
            Err(tutela_store::Error::Conflict(BLOCKED)) => {
                let account = self.account();
                failed(self.app, self.ctx, Some(account), account.email.as_str(), "address_blocked", &[]).await?;
                return Err(Error::Unauthenticated(REFUSED));
            }
            done => done?,
        }
        // What was right is no guess, whether or not more is asked for.
        if let Some(reserved) = self.reserved.take() {
            reserved.give_back(self.app);
        }
        Ok(())
    }
}

/// For people, to the minute: `2026-11-22 09:30 UTC`.
pub(crate) fn when_text(time: Timestamp) -> String {
    let text = time.to_string();
    format!("{} {} UTC", text.get(..10).unwrap_or_default(), text.get(11..16).unwrap_or_default())
}
