//! Addresses and networks that the gateway refuses: made by rules or by hand, until a time comes or somebody lifts them.

use std::{
    collections::{BTreeSet, HashMap},
    net::IpAddr,
    sync::Arc,
    time::Duration,
};

use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use tutela_api as api;
use tutela_core::{AccountId, AlertId, BlockId, Timestamp, seam::Strike};
use tutela_detection::Bounded;
use tutela_store::{BlockRow, Changeset};

use crate::{
    App, Ctx, Error,
    monitor::settings::AGAIN,
    network::household,
    occurrence::{AddressBlocked, AddressUnblocked},
    usecase::{account::reason, grant::approver, protect::Done, sign_in},
};

/// Most that are in force at a time; the newest count.
const MOST: u32 = 100_000;
/// What keeps a sealed network from being taken for something else.
const PURPOSE: &[u8] = b"block";
/// So many people who signed in from an address with two factors within a day, and no rule blocks it.
const SHARED: u64 = 5;
/// How long an alert has to tell of a block that is there before it.
const TOLD_BY_ALERT: Duration = Duration::from_secs(10);
/// Widest networks that are blocked by hand.
const WIDEST: [u8; 2] = [16, 32];

/// What is refused, and until when: looked up once for each width of network that there is.
#[derive(Debug, Clone, Default)]
pub(crate) struct Blocks {
    networks: HashMap<IpNet, Timestamp>,
    widths: BTreeSet<u8>,
    /// The network of each, so that those which were opened before are not opened again.
    opened: HashMap<BlockId, IpNet>,
}

impl Blocks {
    fn of(networks: impl Iterator<Item = (BlockId, IpNet, Timestamp)>) -> Self {
        let mut blocks = Self::default();
        for (id, network, until) in networks {
            blocks.opened.insert(id, network);
            blocks.widths.insert(network.prefix_len());
            let known = blocks.networks.entry(network).or_insert(until);
            *known = until.max(*known);
        }
        blocks
    }

    /// Until when an address is refused.
    pub(crate) fn until(&self, address: IpAddr, now: Timestamp) -> Option<Timestamp> {
        let address = address.to_canonical();
        let found = self.widths.iter().filter_map(|width| self.networks.get(&IpNet::new(address, *width).ok()?.trunc()).copied());
        found.filter(|until| *until > now).max()
    }
}

#[derive(Serialize, Deserialize)]
struct Sealed {
    network: String,
}

/// Why something is blocked.
pub(crate) enum Why<'a> {
    /// Somebody said so.
    Reason(&'a str),
    /// A rule has found something.
    Rule(&'a str, AlertId),
}

/// Those in force and those that ended, the newest 1,000.
pub async fn list(app: &App, ctx: &Ctx) -> Result<Vec<api::Block>, Error> {
    app.permit(ctx, "detection:read").await?;
    Ok(app.store.block_list().await?.into_iter().map(|row| shown(app, row)).collect())
}

/// Blocks an address or a network by hand.
pub async fn make(app: &App, ctx: &Ctx, new: &api::NewBlock) -> Result<(), Error> {
    sign_in::permit_fresh(app, ctx, "detection:write").await?;
    let why = reason(&new.reason)?;
    let network = parse(&new.network)?;
    let minutes = new.minutes.unwrap_or(60);
    if !(1..=43_200).contains(&minutes) {
        return Err(Error::invalid("minutes", format!("`minutes` is {minutes}; it goes from 1 to 43200, which is 30 days")));
    }
    if let Some(spared) = spared(app, network) {
        return Err(Error::invalid("network", spared));
    }
    if ctx.ip.as_ref().is_some_and(|ip| network.contains(&ip.open().to_canonical())) {
        return Err(Error::invalid("network", "this is where you are: nobody locks themselves out"));
    }
    let (event, row) = blocked(app, ctx, network, Duration::from_secs(u64::from(minutes) * 60), &Why::Reason(&why)).await?;
    app.commit(ctx, event, |set| set.block_insert(&row).announce("block", row.id)).await?;
    load(app).await
}

/// Lifts a block, or all of an address.
pub async fn lift(app: &App, ctx: &Ctx, lift: &api::LiftBlock) -> Result<(), Error> {
    sign_in::permit_fresh(app, ctx, "detection:write").await?;
    let why = reason(&lift.reason)?;
    let live = app.store.block_list_live(ctx.now, MOST).await?;
    let wanted: Vec<BlockRow> = match lift.block.parse::<BlockId>() {
        Ok(id) => live.into_iter().filter(|row| row.id == id).collect(),
        Err(_) => {
            let tag = tag(app, parse(&lift.block)?);
            live.into_iter().filter(|row| row.tag == tag).collect()
        }
    };
    if wanted.is_empty() {
        return Err(Error::NotFound("block"));
    }
    for row in wanted {
        let network = opened(app, &row).unwrap_or_default();
        // What it was blocked for counts no more, or the next offence would be the sixth again.
        let end = |set: Changeset| set.block_end(row.id, ctx.now).strike_forget(row.tag).announce("block", row.id);
        app.commit(ctx, AddressUnblocked::new(row.id, network, &why), end).await?;
    }
    load(app).await
}

/// Prepares that a network is blocked. Where that was done in the commit of the offence already, the ledger is told of
/// it. The inner error is a guardrail.
pub(crate) async fn prepare(app: &App, ctx: &Ctx, network: IpNet, why: Why<'_>) -> Result<Result<Done, String>, Error> {
    if let Some(spared) = spared(app, network) {
        return Ok(Err(spared.into()));
    }
    let tag = tag(app, network);
    let live = app.store.block_list_live_of(tag, ctx.now).await?;
    if let Why::Rule(rule, alert) = &why
        && let Some(row) = live.iter().find(|row| row.told_at.is_none() && row.rule.as_deref() == Some(rule))
    {
        let (record, id, now) = (app.record(ctx, recorded(app, row, Some(*alert))).await?, row.id, ctx.now);
        return Ok(Ok(Box::new(move |set: Changeset| set.and(record).block_tell(id, now))));
    }
    // Another rule has found the same attack, and the address is refused already: that is no second time.
    if matches!(why, Why::Rule(..)) && live.iter().any(|row| row.rule.is_some()) {
        return Ok(Ok(Box::new(|set| set)));
    }
    let people = app.store.good_sign_in_count(tag, ctx.now.minus(AGAIN)).await?;
    if people >= SHARED && matches!(why, Why::Rule(..)) {
        return Ok(Err(format!("{people} people signed in from this address with two factors within a day; they would be refused too")));
    }
    let before = app.store.block_count(tag, ctx.now.minus(AGAIN)).await?;
    let [first, second, further] = app.detection.lengths();
    let length = match before {
        0 => first,
        1 => second,
        _ => further,
    };
    let (event, row) = blocked(app, ctx, network, length, &why).await?;
    let record = app.record(ctx, event).await?;
    Ok(Ok(Box::new(move |set: Changeset| set.and(record).block_insert(&row).announce("block", row.id))))
}

/// Blocks that were made in the commit of an offence, and that no alert has told of: the rule may have been silent,
/// because it had told of the same address before.
pub(crate) async fn tell(app: &App, ctx: &Ctx) -> Result<(), Error> {
    for row in app.store.block_list_untold(ctx.now.minus(TOLD_BY_ALERT)).await? {
        let first = app.record(ctx, recorded(app, &row, None)).await?;
        match app.store.commit(Changeset::of(first).block_tell(row.id, ctx.now)).await {
            Ok(()) | Err(tutela_store::Error::Conflict(_)) => {}
            Err(e) => return Err(e.into()),
        }
    }
    Ok(())
}

fn recorded<'a>(app: &App, row: &'a BlockRow, alert: Option<AlertId>) -> AddressBlocked<'a> {
    let network = opened(app, row).unwrap_or_else(|| "unreadable".into());
    AddressBlocked::new(row.id, network, row.until.to_string(), row.rule.as_deref(), alert, &row.reason)
}

/// What the commit of an offence does; nothing where the address must not be blocked.
pub(crate) fn strike(app: &App, rule: &Bounded, address: IpAddr, at: Timestamp) -> Option<Strike> {
    let network = household(address);
    if spared(app, network).is_some() {
        return None;
    }
    Some(Strike {
        rule: rule.rule.clone(),
        tag: tag(app, network),
        at,
        count: rule.count,
        since: at.minus(rule.window.duration()),
        block: BlockId::new(at, &mut { app.env() }),
        sealed: app.seal_as(PURPOSE, &Sealed { network: network.to_string() }).ok()?,
        until: app.detection.lengths().map(|length| at + length),
        again_since: at.minus(AGAIN),
        shared_by: SHARED,
    })
}

/// Takes up what the commit of an offence may have done, before the offender is answered: whatever they ask for next
/// is refused. Other nodes hear of it within a second.
pub(crate) async fn take_up(app: &App, ctx: &Ctx) -> Result<(), Error> {
    let Some(address) = ctx.ip.as_ref().map(|ip| *ip.open()).filter(|_| app.detection.running().blocks_at_once()) else { return Ok(()) };
    if app.blocked.load().until(address, ctx.now).is_none() && !app.store.block_list_live_of(tag(app, household(address)), ctx.now).await?.is_empty() {
        load(app).await?;
    }
    Ok(())
}

/// Notes that somebody signed in with two factors from where they are: an address that many share is not blocked by a rule.
pub(crate) fn good_sign_in(app: &App, ctx: &Ctx, set: Changeset, account: AccountId) -> Changeset {
    match ctx.ip.as_ref() {
        Some(ip) => set.good_sign_in(tag(app, household(*ip.open())), account, ctx.now),
        None => set,
    }
}

/// Has a commit fail where the address that asks for it was blocked meanwhile.
pub(crate) fn unless_blocked(app: &App, ctx: &Ctx, set: Changeset) -> Changeset {
    match ctx.ip.as_ref() {
        Some(ip) => set.unless_blocked(tag(app, household(*ip.open())), ctx.now),
        None => set,
    }
}

async fn blocked<'a>(app: &App, ctx: &Ctx, network: IpNet, length: Duration, why: &Why<'a>) -> Result<(AddressBlocked<'a>, BlockRow), Error> {
    let (rule, alert, text) = match why {
        Why::Reason(text) => (None, None, *text),
        Why::Rule(rule, alert) => (Some(*rule), Some(*alert), "a rule of detection"),
    };
    let until = ctx.now + length;
    let row = BlockRow {
        id: BlockId::new(ctx.now, &mut { app.env() }),
        tag: tag(app, network),
        sealed: app.seal_as(PURPOSE, &Sealed { network: network.to_string() })?,
        rule: rule.map(str::to_owned),
        reason: text.to_owned(),
        made_by: if rule.is_some() { "detection".to_owned() } else { approver(app, ctx).await? },
        made_at: ctx.now,
        until,
        ended_at: None,
        told_at: None,
    };
    let event = AddressBlocked::new(row.id, network.to_string(), until.to_string(), rule, alert, text);
    Ok((event, row))
}

/// What is in force, for the gateway.
pub(crate) async fn load(app: &App) -> Result<(), Error> {
    let rows = app.store.block_list_live(app.env.now(), MOST).await?;
    let before = app.blocked.load();
    let network = |row: &BlockRow| before.opened.get(&row.id).copied().or_else(|| opened(app, row)?.parse().ok());
    let of = |row: &BlockRow| Some((row.id, network(row)?, row.until));
    app.blocked.store(Arc::new(Blocks::of(rows.iter().filter_map(of))));
    Ok(())
}

/// Why a network must not be blocked.
pub(crate) fn spared(app: &App, network: IpNet) -> Option<&'static str> {
    let touches = |other: &IpNet| other.contains(&network) || network.contains(other);
    app.detection.spared.iter().any(touches).then_some("this address is among those that are never blocked (`detection.never_block`)")
}

/// A keyed hash, by which a network is found again.
pub(crate) fn tag(app: &App, network: IpNet) -> [u8; 32] {
    app.keyed_hash(b"block", network.to_string().as_bytes())
}

pub(crate) fn parse(text: &str) -> Result<IpNet, Error> {
    let wrong = || Error::invalid("network", format!("`{text}` is no address or network, such as 192.0.2.7 or 2001:db8::/64"));
    let network = match text.parse::<IpAddr>() {
        Ok(address) => household(address),
        Err(_) => text.parse::<IpNet>().map_err(|_| wrong())?.trunc(),
    };
    let widest = if network.addr().is_ipv4() { WIDEST[0] } else { WIDEST[1] };
    if network.prefix_len() < widest {
        return Err(Error::invalid("network", format!("`{network}` is too wide; the widest is a /{widest}")));
    }
    Ok(network)
}

fn opened(app: &App, row: &BlockRow) -> Option<String> {
    app.open_as::<Sealed>(PURPOSE, &row.sealed).map(|sealed| sealed.network)
}

fn shown(app: &App, row: BlockRow) -> api::Block {
    api::Block {
        id: row.id.to_string(),
        network: opened(app, &row).unwrap_or_else(|| "unreadable".into()),
        rule: row.rule,
        reason: row.reason,
        made_by: row.made_by,
        made_at: row.made_at.to_string(),
        until: row.until.to_string(),
        ended_at: row.ended_at.map(|at| at.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_refused_with_all_of_its_network_and_until_the_time_that_was_said() {
        let at = Timestamp::from_secs;
        let env: &dyn tutela_core::Env = &tutela_core::SystemEnv;
        let of = |text: &str, until| (BlockId::new(at(until), &mut { &*env }), text.parse::<IpNet>().unwrap(), at(until));
        let blocks = Blocks::of([of("192.0.2.7/32", 100), of("198.51.100.0/24", 100), of("198.51.100.9/32", 200), of("2001:db8:1:2::/64", 100)].into_iter());
        let until = |address: &str, now| blocks.until(address.parse().unwrap(), at(now)).map(Timestamp::secs);
        assert_eq!(until("192.0.2.7", 50), Some(100));
        assert_eq!(until("::ffff:192.0.2.7", 50), Some(100));
        assert_eq!(until("192.0.2.7", 100), None);
        assert_eq!(until("192.0.2.8", 50), None);
        assert_eq!(until("198.51.100.1", 50), Some(100));
        assert_eq!(until("198.51.100.9", 150), Some(200));
        assert_eq!(until("2001:db8:1:2:3::4", 50), Some(100));
        assert_eq!(until("2001:db8:1:3::4", 50), None);
    }

    #[test]
    fn what_is_blocked_by_hand_is_an_address_or_a_network_that_is_not_too_wide() {
        assert_eq!(parse("192.0.2.7").unwrap().to_string(), "192.0.2.7/32");
        assert_eq!(parse("2001:db8::9").unwrap().to_string(), "2001:db8::/64");
        assert_eq!(parse("192.0.2.77/24").unwrap().to_string(), "192.0.2.0/24");
        for wrong in ["0.0.0.0/0", "10.0.0.0/8", "2000::/3", "nobody", ""] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }
}
