//! Offences that are counted, and answered, in their own commit.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use testkit::{World, engines};
use tutela_core::{
    BlockId, Env, Timestamp,
    seam::{CommitGuard, Effect, Facts, Strike},
};
use tutela_store::{Changeset, Error, Store};

const TAG: [u8; 32] = [7; 32];
const WINDOW: Duration = Duration::from_secs(300);

/// Six failures within five minutes block for an hour, then for four, then for a day.
struct Six(Arc<dyn Env>);

impl CommitGuard for Six {
    fn effects(&self, facts: &Facts) -> Vec<Effect> {
        let Some(at) = facts.time.filter(|_| facts.kind == "fail") else { return Vec::new() };
        let hours = |n| at + Duration::from_hours(n);
        vec![Effect::Strike(Strike {
            rule: "six".into(),
            tag: TAG,
            at,
            count: 6,
            since: at - WINDOW,
            block: BlockId::new(at, &mut { &*self.0 }),
            sealed: "sealed".into(),
            until: [hours(1), hours(4), hours(24)],
            again_since: at - Duration::from_hours(24),
            shared_by: 5,
        })]
    }
}

async fn open(world: &World) -> Store {
    world.open_with(Arc::new(Six(Arc::<testkit::TestEnv>::clone(&world.env)))).await.unwrap()
}

fn fail(world: &World, at: Timestamp) -> Changeset {
    let mut record = world.record("fail", &[]);
    (record.facts.kind, record.facts.time) = ("fail".into(), Some(at));
    Changeset::of(record)
}

#[tokio::test]
async fn the_sixth_within_the_window_blocks_and_five_do_not() {
    for world in engines().await {
        let store = open(&world).await;
        let begin = world.env.now();
        let at = |secs| begin + Duration::from_secs(secs);
        // One a minute too far apart: the sixth comes when the first is over.
        for n in 0..6 {
            store.commit(fail(&world, at(n * 61))).await.unwrap();
        }
        assert_eq!(store.block_list_live_of(TAG, at(400)).await.unwrap().len(), 0, "{:?}", world.engine);
        let changes = store.change_last().await.unwrap();
        // The window reaches back to the second.
        store.commit(fail(&world, at(306))).await.unwrap();
        let blocks = store.block_list_live_of(TAG, at(306)).await.unwrap();
        assert_eq!((blocks.len(), blocks[0].until, blocks[0].rule.as_deref(), blocks[0].told_at), (1, at(306 + 3_600), Some("six"), None));
        assert_eq!(store.change_last().await.unwrap(), changes + 1, "other nodes hear of it");
        // As long as it is blocked nothing more is made of it.
        for n in 0..10 {
            store.commit(fail(&world, at(307 + n))).await.unwrap();
        }
        assert_eq!(store.block_list().await.unwrap().len(), 1);
        // After it the second block is longer, and the third a day.
        let mut ends = Vec::new();
        let mut now = 306 + 3_601;
        for _ in 0..2 {
            for _ in 0..6 {
                store.commit(fail(&world, at(now))).await.unwrap();
            }
            let until = store.block_list_live_of(TAG, at(now)).await.unwrap()[0].until;
            ends.push(until.since(at(now)).as_secs() / 3_600);
            now += until.since(at(now)).as_secs() + 1;
        }
        assert_eq!(ends, [4, 24], "{:?}", world.engine);
        store.close().await;
    }
}

#[tokio::test]
async fn what_was_lifted_is_forgotten_and_told_once() {
    for world in engines().await {
        let store = open(&world).await;
        let now = world.env.now();
        for _ in 0..6 {
            store.commit(fail(&world, now)).await.unwrap();
        }
        let untold = store.block_list_untold(now + Duration::from_secs(1)).await.unwrap();
        assert_eq!((untold.len(), store.block_list_untold(now).await.unwrap().len()), (1, 0));
        let tell = || Changeset::of(world.record("told", &[])).block_tell(untold[0].id, now);
        store.commit(tell()).await.unwrap();
        assert!(matches!(store.commit(tell()).await, Err(Error::Conflict(_))));
        let lift = Changeset::of(world.record("lifted", &[])).block_end(untold[0].id, now).strike_forget(TAG);
        store.commit(lift).await.unwrap();
        for _ in 0..5 {
            store.commit(fail(&world, now)).await.unwrap();
        }
        assert!(store.block_list_live_of(TAG, now).await.unwrap().is_empty(), "{:?}", world.engine);
        store.commit(Changeset::of(world.record("swept", &[])).strike_sweep(now + Duration::from_secs(1))).await.unwrap();
        store.commit(fail(&world, now)).await.unwrap();
        assert!(store.block_list_live_of(TAG, now).await.unwrap().is_empty(), "{:?}", world.engine);
        store.close().await;
    }
}

#[tokio::test]
async fn an_address_that_many_share_is_not_blocked() {
    for world in engines().await {
        let store = open(&world).await;
        let now = world.env.now();
        for n in 0..5 {
            let account = tutela_core::AccountId(uuid::Uuid::from_u128(n));
            store.commit(Changeset::of(world.record("in", &[])).good_sign_in(TAG, account, now)).await.unwrap();
            store.commit(Changeset::of(world.record("in", &[])).good_sign_in(TAG, account, now)).await.unwrap();
        }
        assert_eq!(store.good_sign_in_count(TAG, now - Duration::from_secs(1)).await.unwrap(), 5, "each counts once");
        for _ in 0..8 {
            store.commit(fail(&world, now)).await.unwrap();
        }
        assert!(store.block_list().await.unwrap().is_empty(), "{:?}", world.engine);
        // A day later nobody of them has been there.
        for n in 0..6 {
            store.commit(fail(&world, now + Duration::from_secs(86_401 + n))).await.unwrap();
        }
        assert_eq!(store.block_list().await.unwrap().len(), 1, "{:?}", world.engine);
        store.close().await;
    }
}

/// However many come at a time: no success is committed after the sixth failure.
#[tokio::test]
async fn of_many_at_a_time_none_succeeds_after_the_sixth_has_failed() {
    for world in engines().await {
        let store = open(&world).await;
        let now = world.env.now();
        let (failed, late) = (Arc::new(AtomicU32::new(0)), Arc::new(AtomicU32::new(0)));
        let tasks: Vec<_> = (0..64)
            .map(|n| {
                let (store, failed, late) = (store.clone(), Arc::clone(&failed), Arc::clone(&late));
                let (fail, win) = (fail(&world, now), Changeset::of(world.record("win", &[])).unless_blocked(TAG, now));
                tokio::spawn(async move {
                    if n % 2 == 0 {
                        store.commit(fail).await.unwrap();
                        failed.fetch_add(1, Ordering::SeqCst);
                    } else {
                        // Whoever begins when six failures were answered has come too late, for certain.
                        let too_late = failed.load(Ordering::SeqCst) >= 6;
                        if store.commit(win).await.is_ok() && too_late {
                            late.fetch_add(1, Ordering::SeqCst);
                        }
                    }
                })
            })
            .collect();
        for task in tasks {
            task.await.unwrap();
        }
        assert_eq!((late.load(Ordering::SeqCst), store.block_list().await.unwrap().len()), (0, 1), "{:?}", world.engine);
        let win = Changeset::of(world.record("win", &[])).unless_blocked(TAG, now);
        assert!(matches!(store.commit(win).await, Err(Error::Conflict(tutela_store::BLOCKED))));
        let elsewhere = Changeset::of(world.record("win", &[])).unless_blocked([8; 32], now);
        store.commit(elsewhere).await.unwrap();
        store.close().await;
    }
}
