use std::time::Duration;

use testkit::engines;
use tutela_store::{Bounds, Changeset, Match, Position, Store};

async fn find(store: &Store, tokens: &'static [&'static str], before: Option<Position>, limit: u32) -> Vec<u64> {
    let of = |_: i64| Ok(Match { all: tokens.iter().map(|t| (*t).to_owned()).collect(), ..Match::default() });
    store.search(&of, Bounds { from: 0, before }, limit).await.unwrap().into_iter().map(|p| p.entry).collect()
}

#[tokio::test]
async fn pages_run_newest_first_over_months_even_when_the_clock_jumped_back() {
    for world in engines().await {
        let store = world.open().await.unwrap();
        for i in 0..30_u64 {
            match i {
                10 => world.env.pass(Duration::from_secs(40 * 86_400)),
                20 => world.env.jump_back(Duration::from_secs(40 * 86_400)),
                _ => {}
            }
            let tokens: &[&str] = if i % 3 == 0 { &["t=auth.login", "o=success"] } else { &["t=auth.login", "o=denied"] };
            store.commit(Changeset::of(world.record(&i.to_string(), tokens))).await.unwrap();
            store.settle().await.unwrap();
        }
        assert_eq!(find(&store, &["t=auth.login"], None, 5).await, [29, 28, 27, 26, 25]);
        assert_eq!(find(&store, &["o=success", "t=auth.login"], None, 50).await, [27, 24, 21, 18, 15, 12, 9, 6, 3, 0]);
        assert_eq!(find(&store, &[], None, 50).await.len(), 30);
        assert!(find(&store, &["t=other"], None, 50).await.is_empty());
        let (mut all, mut before) = (Vec::new(), None);
        loop {
            let page = find(&store, &["t=auth.login"], before, 7).await;
            let Some(last) = page.last() else { break };
            before = Some(Position { entry: *last, item: None });
            all.extend(page);
        }
        assert_eq!(all, (0..30).rev().collect::<Vec<u64>>(), "{:?}", world.engine);
        store.close().await;
    }
}

#[tokio::test]
async fn time_bounds_hold_backdated_events_too() {
    for world in engines().await {
        let store = world.open().await.unwrap();
        let now = tutela_core::Env::now(&*world.env);
        let old = now.minus(Duration::from_secs(400 * 86_400));
        let times: Vec<_> = (0..600_u64).map(|i| if i == 300 { old } else { now }).collect();
        let records = times.iter().map(|t| testkit::record(&*world.env, "x", &["t=x"], *t)).collect();
        store.commit(Changeset::of_all(records).unwrap()).await.unwrap();
        store.settle().await.unwrap();
        let (from, to) = store.log_time_bounds(old, old + Duration::from_secs(1)).await.unwrap().unwrap();
        assert_eq!((from, to), (256, 512), "{:?}", world.engine);
        assert_eq!(store.log_time_bounds(old.minus(Duration::from_secs(10)), old).await.unwrap(), None);
        store.close().await;
    }
}
