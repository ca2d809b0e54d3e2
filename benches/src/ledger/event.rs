use serde_json::json;
use tutela_core::{Env, EventId, SystemEnv, Timestamp, seam::Facts};
use tutela_ledger::{Entry, canonical};
use tutela_store::{IndexRow, Record};

/// How many people act; few of them often, most of them seldom.
pub const ACTORS: u64 = 10_000;
/// Event types, all equally common.
pub const TYPES: &[&str] = &[
    "account.created",
    "auth.sign_in",
    "auth.sign_out",
    "client.created",
    "consent.given",
    "photo.deleted",
    "photo.shared",
    "photo.viewed",
    "role.changed",
    "session.begun",
    "session.ended",
    "session.renewed",
];

/// Each word and of how many events one has it.
pub const WORDS: &[(&str, u64)] = &[("common", 1), ("half", 2), ("third", 3), ("tenth", 10), ("rare", 20_000)];

/// The `number`-th event at this moment: some 420 bytes of canonical JSON and some twenty tokens, as the
/// use cases make them.
pub fn record(number: u64) -> Result<Record, String> {
    record_at(number, SystemEnv.now())
}

/// The `number`-th event, recorded at `now`.
pub fn record_at(number: u64, now: Timestamp) -> Result<Record, String> {
    let env: &dyn Env = &SystemEnv;
    let chance = mix(number);
    let id = EventId::batch(now, &mut { env });
    let (actor, kind) = (actor(chance), TYPES[(chance >> 32) as usize % TYPES.len()]);
    let outcome = if chance.is_multiple_of(50) { "denied" } else { "success" };
    let sealed = format!("{:016x}{:016x}{:016x}", mix(chance), mix(chance + 1), mix(chance + 2));
    let body = json!({
        "v": 1, "id": id.to_string(), "time": now, "recorded_at": now, "type": kind, "outcome": outcome, "severity": 1, "action": "read",
        "actor": {"type": "account", "id": format!("019aab00-0000-7000-8000-{actor:012}")},
        "resource": {"type": "photo", "id": (chance % 100_000).to_string()},
        "source": {"$e": 1, "k": "instance", "n": "AAAAAAAAAAAAAAAA", "c": sealed},
    });
    let entry = Entry::new(id, now, now, canonical(&body).map_err(|e| e.to_string())?).map_err(|e| e.to_string())?;
    let family = kind.split_once('.').map_or(kind, |(family, _)| family);
    let mut tokens = vec![
        format!("t={kind}"),
        format!("o={outcome}"),
        "s=1".to_owned(),
        actor_token(actor),
        format!("r={:016x}", mix(chance % 100_000)),
        format!("t={family}.*"),
        "c=audit".to_owned(),
        format!("x={:016x}", mix(7)),
        format!("r={:016x}", mix(chance % 100_000 + 500_000)),
        format!("k={:016x}{:016x}", mix(actor), mix(actor + 1)),
        format!("e={:016x}", mix(actor + 1_000_000)),
        format!("i={:016x}", mix(actor + 2_000_000)),
        net_token(actor),
        format!("i={:016x}", mix(actor / 2_000 + 4_000_000)),
        format!("i={:016x}", mix(5_000_000)),
        format!("g={:016x}", mix(chance % 40)),
    ];
    let spread = mix(chance + 9);
    tokens.extend(WORDS.iter().enumerate().filter(|(n, (_, share))| (spread >> (n * 8)).is_multiple_of(*share)).map(|(_, (word, _))| word_token(word)));
    Ok(Record { entry, index: vec![IndexRow { item: 0, tokens }], facts: Facts::default() })
}

/// The index token of a word.
pub fn word_token(word: &str) -> String {
    format!("w={:016x}", mix(word.bytes().fold(0, |sum, byte| sum * 31 + u64::from(byte))))
}

/// The index token of the /24 that an actor comes from.
pub fn net_token(actor: u64) -> String {
    format!("i={:016x}", mix(actor / 40 + 3_000_000))
}

/// The index token of an actor.
pub fn actor_token(actor: u64) -> String {
    format!("a={:016x}", mix(actor))
}

/// One of [`ACTORS`], the first ones more often.
pub fn actor(chance: u64) -> u64 {
    let share = (chance % 1_000_003) as f64 / 1_000_003.0;
    (share * share * ACTORS as f64) as u64
}

/// Spreads numbers (splitmix64).
pub fn mix(number: u64) -> u64 {
    let mut z = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_has_the_size_that_the_documents_speak_of() {
        let sizes: Vec<usize> = (0..100).map(|n| record(n).unwrap().entry.body.len()).collect();
        let mean = sizes.iter().sum::<usize>() / sizes.len();
        assert!((340..460).contains(&mean), "{mean}");
        assert!((0..1_000).map(mix).all(|chance| actor(chance) < ACTORS));
    }
}
