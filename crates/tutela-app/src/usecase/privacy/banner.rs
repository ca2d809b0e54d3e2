//! Choosing on a guarded host what one consents to, signed in or not.

use std::{
    collections::BTreeMap,
    net::IpAddr,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use ipnet::IpNet;
use moka::sync::Cache;
use tutela_core::{
    Pii, Principal, Subject, Timestamp,
    seam::{Asked, Choice, Chosen},
};
use tutela_privacy::{Basis, Purpose, Said};

use super::{
    consent::{OfPerson, known, write},
    person::Person,
};
use crate::{App, Ctx, Error, network::household};

/// The namespace of browsers that nobody is signed in with.
const VISITOR: &str = "visitor";
/// How often may be chosen from one address, each time an event and a receipt.
const MOST_CHOICES: u32 = 60;
const AN_HOUR: Duration = Duration::from_secs(3_600);
const MOST_ADDRESSES: u64 = 100_000;

/// How often addresses have chosen of late.
pub(crate) struct Choosers(Cache<IpNet, Arc<AtomicU32>>);

impl Choosers {
    pub(crate) fn new() -> Self {
        Self(Cache::builder().max_capacity(MOST_ADDRESSES).time_to_live(AN_HOUR).build())
    }

    fn count(&self, address: IpAddr) -> bool {
        self.0.get_with(household(address), Arc::default).fetch_add(1, Ordering::Relaxed) < MOST_CHOICES
    }
}

/// By which name what somebody says is kept.
pub(crate) fn subject(who: Asked<'_>) -> Subject {
    match who {
        Asked::Person(identity) => Subject::Account(identity.account),
        Asked::Visitor(id) => Subject::External { namespace: VISITOR.into(), value: id.to_owned() },
    }
}

/// What can be chosen, with what somebody has said.
pub(crate) async fn choices(app: &App, who: Option<Asked<'_>>, signal: bool) -> Result<Vec<Choice>, Error> {
    let of = match who {
        Some(who) => known(app, &Person::of(app, subject(who)).await?).await?,
        None => OfPerson::default(),
    };
    let choice = |purpose: &Arc<Purpose>| {
        let row = of.said.get(&purpose.name);
        // A yes to other words is none, where they say so; a no stays one.
        let current = |given: bool| !given || !purpose.notice.renew || row.is_some_and(|row| row.notice_version == purpose.notice.version);
        Choice {
            given: row.map(|row| row.said == Said::Given.as_str()).filter(|given| current(*given)),
            purpose: purpose.name.clone(),
            title: purpose.title.clone(),
            notice: purpose.notice.text.clone(),
            notice_version: purpose.notice.version.clone(),
            recipients: purpose.recipients.iter().map(|of| of.name.clone()).collect(),
            sells: purpose.sells,
            allowed: of.refuses(app, purpose, signal).is_none(),
        }
    };
    Ok(asked(app).iter().map(choice).collect())
}

/// Writes down what was chosen: yes or no to each purpose that was shown, all at once.
pub(crate) async fn choose(app: &App, who: Asked<'_>, chosen: &[Chosen], from: IpAddr, now: Timestamp) -> Result<(), Error> {
    let all = asked(app);
    let mut answers: BTreeMap<&str, (&Arc<Purpose>, bool)> = BTreeMap::new();
    for one in chosen {
        let purpose = all.iter().find(|purpose| purpose.name == one.purpose);
        let purpose = purpose.ok_or_else(|| Error::invalid("purpose", format!("`{}` is no purpose that is chosen here", one.purpose)))?;
        if purpose.notice.version != one.notice_version {
            return Err(Error::invalid("notice_version", format!("the notice of `{}` is another one now: show `{}`", one.purpose, purpose.notice.version)));
        }
        answers.insert(&purpose.name, (purpose, one.given));
    }
    if !app.choosers.count(from) {
        return Err(Error::TooMany { after: AN_HOUR });
    }
    let mut ctx = Ctx { now, ip: Some(Pii::new(from)), ..Ctx::new(app.env(), Principal::Anonymous) };
    if let Asked::Person(identity) = who {
        ctx = ctx.as_account(identity.account, identity.session, identity.strength, identity.grants.clone());
    }
    let person = Person::of(app, subject(who)).await?;
    let before = known(app, &person).await?;
    let said = |(purpose, yes): (&Arc<Purpose>, bool)| {
        let was = before.said.get(&purpose.name).map(|row| (row.said == Said::Given.as_str(), row.notice_version == purpose.notice.version));
        let said = match (was, yes) {
            (Some((true, true)), true) | (Some((false, _)), false) => return None,
            (_, true) => Said::Given,
            (Some((true, _)), false) => Said::Withdrawn,
            (None, false) => Said::Refused,
        };
        Some((Arc::clone(purpose), said))
    };
    let answers: Vec<_> = answers.into_values().filter_map(said).collect();
    if !answers.is_empty() {
        write(app, &ctx, &person, &answers, "banner").await?;
    }
    Ok(())
}

/// The purposes that wait for a yes.
fn asked(app: &App) -> Vec<Arc<Purpose>> {
    app.purposes.load().values().filter(|purpose| purpose.basis == Basis::Consent).cloned().collect()
}
