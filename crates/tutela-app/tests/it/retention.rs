use std::{collections::BTreeMap, time::Duration};

use serde_json::{Value, json};
use testkit::{Engine, engines};
use tutela_api::NewHold;
use tutela_app::{RetentionConfig, event_type, hold, ledger, retention, search};
use tutela_core::EventId;
use tutela_ledger::{Checkpoint, Flaw};

use crate::house::House;

const DAY: u64 = 86_400;

fn days(classes: &[(&str, u32)]) -> RetentionConfig {
    RetentionConfig { classes: classes.iter().map(|(name, days)| ((*name).to_owned(), *days)).collect::<BTreeMap<_, _>>(), ..RetentionConfig::default() }
}

async fn declare(house: &House, name: &str, class: &str) {
    let body = json!({"sentence": "Something happened to a photo.", "severity": 1, "class": class, "fields": [{"name": "album", "example": "summer"}]});
    event_type::set(&house.app, &house.ctx(), name, serde_json::from_value(body).unwrap()).await.unwrap();
}

fn events(kind: &str, count: usize, person: usize) -> Vec<Value> {
    (0..count)
        .map(|n| json!({"type": kind, "actor": {"namespace": "photos", "value": person}, "metadata": {"album": format!("a{n}"), "note": "seen"}}))
        .collect()
}

async fn apply(house: &House) -> u64 {
    retention::apply(&house.app, &house.ctx()).await.unwrap()
}

async fn checkpoint(house: &House) -> Checkpoint {
    Checkpoint::parse(&ledger::checkpoint(&house.app, &house.ctx()).await.unwrap()).unwrap()
}

#[tokio::test]
async fn short_classes_go_first_the_beginning_goes_when_all_has_and_everything_later_is_still_proven() {
    for world in engines().await {
        let house = House::start(world, days(&[("views", 30), ("audit", 300), ("compliance", 400)])).await;
        declare(&house, "photo.viewed", "views").await;
        house.record(events("photo.viewed", 900, 1)).await;
        house.record(events("photo.shared", 300, 2)).await;
        let early = checkpoint(&house).await;

        assert_eq!(apply(&house).await, 0, "nothing is old enough");
        house.world.env.pass(Duration::from_secs(31 * DAY));
        assert_eq!(apply(&house).await, 900);
        assert_eq!(apply(&house).await, 0, "what is gone does not go again");
        assert_eq!((house.count("type:photo.viewed").await, house.count("type:photo.shared").await), (0, 300));
        let report = house.verify(std::slice::from_ref(&early)).await;
        assert_eq!((report.flaw, report.expired, report.first), (None, 900, 0), "{:?}", house.world.engine);

        // Everything of the first day has expired: the beginning is deleted, later events still verify and are proven.
        house.record(events("photo.shared", 400, 3)).await;
        house.world.env.pass(Duration::from_secs(280 * DAY));
        house.record(events("photo.shared", 300, 4)).await;
        assert!(apply(&house).await > 300);
        house.world.env.pass(Duration::from_secs(150 * DAY));
        house.record(events("photo.shared", 10, 5)).await;
        apply(&house).await;
        let shown = retention::show(&house.app, &house.ctx()).await.unwrap();
        assert!(shown.first_position >= 1_024 && shown.first_position.is_multiple_of(256), "{shown:?}");
        let kept = search::search(&house.app, &house.ctx(), &search::query("type:photo.shared").unwrap(), None, 1_000).await.unwrap().items;
        assert_eq!(kept.len(), 310);
        let key = tutela_ledger::VerifyingKey::parse(&ledger::key(&house.app)).unwrap();
        for stored in [&kept[0], &kept[309]] {
            let id: EventId = stored.event["id"].as_str().unwrap().parse().unwrap();
            let (_, sealed) = search::get(&house.app, &house.ctx(), id).await.unwrap();
            ledger::proof(&house.app, &house.ctx(), id).await.unwrap().verify(&sealed, &key).unwrap();
        }
        let late = checkpoint(&house).await;
        let report = house.verify(&[early.clone(), late]).await;
        assert_eq!(report.flaw, None, "{:?}", house.world.engine);
        assert_eq!((report.first, report.unreachable), (shown.first_position, vec![early.size]));
        house.app.stop().await;
    }
}

#[tokio::test]
async fn a_hold_keeps_what_matches_and_says_so_until_it_is_released() {
    for world in engines().await {
        let house = House::start(world, days(&[("audit", 30), ("compliance", 3_000)])).await;
        house.record(events("photo.shared", 50, 1)).await;
        house.record(events("photo.shared", 50, 2)).await;
        let new = NewHold { case: "2026-117".into(), reason: "court order".into(), q: "actor:photos:2".into(), until: None };
        let placed = hold::place(&house.app, &house.ctx(), new).await.unwrap();
        house.world.env.pass(Duration::from_secs(31 * DAY));
        assert!(apply(&house).await >= 50);
        assert_eq!(house.count("type:photo.shared").await, 50);
        assert_eq!(house.count("actor:photos:2 type:photo.shared").await, 50);
        assert_eq!(house.count("type:ledger.retention_refused").await, 1);
        assert_eq!(house.verify(&[]).await.flaw, None);
        hold::release(&house.app, &house.ctx(), &placed.id, "settled").await.unwrap();
        assert!(hold::release(&house.app, &house.ctx(), &placed.id, "again").await.is_err());
        assert_eq!(apply(&house).await, 50);
        assert_eq!(house.count("type:photo.shared").await, 0);
        assert_eq!(house.verify(&[]).await.flaw, None, "{:?}", house.world.engine);
        house.app.stop().await;
    }
}

#[tokio::test]
async fn a_body_that_somebody_else_took_out_is_not_taken_for_retention() {
    for world in engines().await.into_iter().filter(|w| w.engine == Engine::Sqlite) {
        let house = House::start(world, days(&[("views", 30)])).await;
        declare(&house, "photo.viewed", "views").await;
        house.record(events("photo.viewed", 50, 1)).await;
        house.record(events("photo.shared", 100, 1)).await;
        house.record(events("photo.viewed", 50, 1)).await;
        house.world.env.pass(Duration::from_secs(31 * DAY));
        assert_eq!(apply(&house).await, 100);
        assert_eq!(house.verify(&[]).await.flaw, None);
        house.record(events("photo.shared", 100, 1)).await;
        let last = checkpoint(&house).await.size - 1;
        let file = rusqlite::Connection::open(house.world.data().join("tutela.db")).unwrap();
        file.execute("UPDATE log SET body = NULL WHERE seq = ?1", [i64::try_from(last).unwrap()]).unwrap();
        assert_eq!(house.verify(&[]).await.flaw, Some(Flaw::Removed { from: last, to: last }));
        // Not even within the span of what has expired: the event names each position.
        let body: Vec<u8> = kept_body(&file, last - 180);
        file.execute("UPDATE log SET body = NULL WHERE seq = ?1", [i64::try_from(last - 180).unwrap()]).unwrap();
        assert_eq!(house.verify(&[]).await.flaw, Some(Flaw::Removed { from: last - 180, to: last - 180 }));
        file.execute("UPDATE log SET body = ?2 WHERE seq = ?1", (i64::try_from(last - 180).unwrap(), body)).unwrap();
        house.app.stop().await;
    }
}

fn kept_body(file: &rusqlite::Connection, position: u64) -> Vec<u8> {
    file.query_row("SELECT body FROM log WHERE seq = ?1", [i64::try_from(position).unwrap()], |row| row.get(0)).unwrap()
}

#[tokio::test]
async fn a_clock_that_was_set_back_deletes_nothing_early() {
    for world in engines().await {
        let house = House::start(world, days(&[("audit", 30)])).await;
        house.world.env.pass(Duration::from_secs(100 * DAY));
        house.record(events("photo.shared", 20, 1)).await;
        house.world.env.jump_back(Duration::from_secs(100 * DAY));
        house.record(events("photo.shared", 20, 2)).await;
        house.world.env.pass(Duration::from_secs(31 * DAY));
        apply(&house).await;
        // What was recorded under the wrong date blocks what stands behind it; nothing goes too early.
        assert_eq!(house.count("type:photo.shared").await, 40, "{:?}", house.world.engine);
        house.world.env.pass(Duration::from_secs(100 * DAY));
        apply(&house).await;
        assert_eq!(house.count("type:photo.shared").await, 0);
        assert_eq!(house.verify(&[]).await.flaw, None);
        house.app.stop().await;
    }
}
