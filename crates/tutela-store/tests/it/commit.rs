use std::{sync::Arc, time::Duration};

use testkit::engines;
use tutela_core::{
    AccountId, ClientId, Env,
    seam::{CommitGuard, Effect, Facts},
};
use tutela_identity::{Account, Assurance, Client, Email, Session, SessionConfig};
use tutela_store::{Changeset, Error};

#[tokio::test]
async fn a_conflict_leaves_neither_change_nor_event_and_spares_its_neighbours() {
    for world in engines().await {
        let store = world.open().await.unwrap();
        let now = world.env.now();
        let env: &dyn Env = &*world.env;
        let account = |email: &str| Account::new(AccountId::new(now, &mut { env }), Email::parse(email).unwrap(), "Ada", now).unwrap();
        let insert = |email: &str| Changeset::of(world.record(email, &["t=a"])).account_insert(&account(email), None);
        // Many at once, so that on SQLite they meet in one batch.
        let emails = ["a@x.org", "b@x.org", "a@x.org", "c@x.org", "a@x.org"];
        let mut running = Vec::new();
        for email in emails {
            let (store, changeset) = (store.clone(), insert(email));
            running.push(tokio::spawn(async move { store.commit(changeset).await }));
        }
        let mut conflicts = 0;
        for task in running {
            if let Err(e) = task.await.unwrap() {
                assert!(matches!(e, Error::Conflict("an account with this address exists already")), "{e:?}");
                conflicts += 1;
            }
        }
        store.settle().await.unwrap();
        assert_eq!((conflicts, store.account_count().await.unwrap(), store.log_head().await.unwrap().0), (2, 3, 3), "{:?}", world.engine);
        store.close().await;
    }
}

#[tokio::test]
async fn of_many_that_use_one_code_exactly_one_succeeds() {
    for world in engines().await {
        let store = world.open().await.unwrap();
        let (env, now): (&dyn Env, _) = (&*world.env, world.env.now());
        let account = Account::new(AccountId::new(now, &mut { env }), Email::parse("a@x.org").unwrap(), "Ada", now).unwrap();
        let session = Session::begin(
            tutela_core::SessionId::new(now, &mut { env }),
            account.id,
            "tutela.localhost",
            None,
            Assurance::of(&[], now),
            SessionConfig::default().life(),
            now,
        );
        let begin = Changeset::of(world.record("begin", &[])).account_insert(&account, None).session_insert(&session, [1; 32]);
        store.commit(begin).await.unwrap();
        store.commit(Changeset::code_insert([2; 32], session.id, "http://p", [3; 32], now + Duration::from_secs(60))).await.unwrap();
        assert_eq!(store.code_login([2; 32], "http://p", [3; 32], now).await.unwrap(), Some(session.id));
        assert_eq!(store.code_login([2; 32], "http://p", [4; 32], now).await.unwrap(), None, "another browser");
        assert_eq!(store.code_login([2; 32], "http://q", [3; 32], now).await.unwrap(), None, "another host");
        let tries: Vec<_> = (0..32)
            .map(|i| {
                let (store, used) = (store.clone(), Changeset::of(world.record(&format!("use {i}"), &[])).code_use([2; 32], "http://p", [3; 32], now));
                tokio::spawn(async move { store.commit(used).await.is_ok() })
            })
            .collect();
        let mut wins = 0;
        for attempt in tries {
            wins += usize::from(attempt.await.unwrap());
        }
        store.settle().await.unwrap();
        assert_eq!((wins, store.log_head().await.unwrap().0), (1, 2), "{:?}", world.engine);
        store.close().await;
    }
}

struct CountKind;

impl CommitGuard for CountKind {
    fn effects(&self, facts: &Facts) -> Vec<Effect> {
        match facts.kind.as_str() {
            "fail" => vec![Effect::CounterAdd { key: "fails".into(), by: 1 }],
            "win" => vec![Effect::CounterMove { key: "fails".into(), into: "before".into() }],
            _ => vec![],
        }
    }
}

#[tokio::test]
async fn guard_counters_move_in_the_commit_of_their_event_and_none_is_lost() {
    for world in engines().await {
        let store = world.open_with(Arc::new(CountKind)).await.unwrap();
        let changeset = |kind: &str| {
            let mut record = world.record(kind, &[]);
            record.facts.kind = kind.into();
            Changeset::of(record)
        };
        let tasks: Vec<_> = (0..40)
            .map(|_| {
                tokio::spawn({
                    let (s, c) = (store.clone(), changeset("fail"));
                    async move { s.commit(c).await }
                })
            })
            .collect();
        for task in tasks {
            task.await.unwrap().unwrap();
        }
        assert_eq!(store.counter_get("fails").await.unwrap(), 40);
        store.commit(changeset("win")).await.unwrap();
        assert_eq!((store.counter_get("fails").await.unwrap(), store.counter_get("before").await.unwrap()), (0, 40));
        store.commit(changeset("win")).await.unwrap();
        assert_eq!(store.counter_get("before").await.unwrap(), 0, "{:?}", world.engine);
        store.close().await;
    }
}

#[tokio::test]
async fn a_conflicting_changeset_moves_no_counter() {
    for world in engines().await {
        let store = world.open_with(Arc::new(CountKind)).await.unwrap();
        let mut record = world.record("fail", &[]);
        record.facts.kind = "fail".into();
        let unknown = ClientId::new(world.env.now(), &mut { &*world.env as &dyn Env });
        assert!(matches!(store.commit(Changeset::of(record).client_revoke(unknown, world.env.now())).await, Err(Error::Conflict(_))));
        assert_eq!((store.counter_get("fails").await.unwrap(), store.change_last().await.unwrap()), (0, 0), "{:?}", world.engine);
        store.close().await;
    }
}

#[tokio::test]
async fn what_was_written_is_read_back_the_same() {
    for world in engines().await {
        let store = world.open().await.unwrap();
        let (env, now): (&dyn Env, _) = (&*world.env, world.env.now());
        let client = Client::new(ClientId::new(now, &mut { env }), "photos", vec!["events:write".into()], None, None, &["events:write"], now).unwrap();
        store
            .commit(Changeset::of(world.record("client", &[])).client_insert(&client).client_key_insert(client.id, [9; 32], now, client.expires_at.unwrap()))
            .await
            .unwrap();
        let found = store.client_get_by_key([9; 32]).await.unwrap().unwrap();
        assert_eq!((found.client, found.revoked_at), (client.clone(), None));
        store.commit(Changeset::of(world.record("revoke", &[])).client_revoke(client.id, now)).await.unwrap();
        assert_eq!(store.client_get_by_key([9; 32]).await.unwrap().unwrap().revoked_at, Some(now));
        assert_eq!(store.change_list(0, 10).await.unwrap()[0].topic, "client");

        let reserve = || Changeset::idempotency_reserve([1; 32], [2; 32], now + Duration::from_secs(60), now);
        store.commit(reserve()).await.unwrap();
        assert!(matches!(store.commit(reserve()).await, Err(Error::Conflict(_))));
        store.commit(Changeset::idempotency_fill([1; 32], 201, "application/json", b"{}".to_vec())).await.unwrap();
        let stored = store.idempotency_get([1; 32], now).await.unwrap().unwrap();
        assert_eq!(stored.answer, Some((201, "application/json".into(), b"{}".to_vec())), "{:?}", world.engine);
        assert!(store.idempotency_get([1; 32], now + Duration::from_secs(61)).await.unwrap().is_none());
        store.close().await;
    }
}

#[tokio::test]
async fn a_job_is_held_by_one_at_a_time_and_comes_back_when_its_holder_dies() {
    for world in engines().await {
        let store = world.open().await.unwrap();
        let (env, now): (&dyn Env, _) = (&*world.env, world.env.now());
        for _ in 0..2 {
            store.job_ensure(tutela_core::JobId::new(now, &mut { env }), "house", "sweep", now).await.unwrap();
        }
        let minute = Duration::from_secs(60);
        let job = store.job_take("house", now, now + minute).await.unwrap().unwrap();
        assert!(store.job_take("house", now, now + minute).await.unwrap().is_none());
        let again = store.job_take("house", now + minute, now + minute * 2).await.unwrap().unwrap();
        assert_eq!((again.id, again.attempts), (job.id, 1));
        store.job_done(&job, now + minute * 3).await.unwrap();
        assert!(store.job_take("house", now + minute + minute / 2, now + minute * 4).await.unwrap().is_none(), "the first holder's word counts no more");
        store.job_done(&again, now + minute * 5).await.unwrap();
        assert!(store.job_take("house", now + minute * 4, now + minute * 6).await.unwrap().is_none());
        let mut long = store.job_take("house", now + minute * 5, now + minute * 6).await.unwrap().unwrap();
        // It takes long, and is held longer; who has lost it cannot hold it.
        let mut lost = long.clone();
        store.job_keep(&mut long, now + minute * 8).await.unwrap();
        assert!(store.job_take("house", now + minute * 7, now + minute * 9).await.unwrap().is_none(), "{:?}", world.engine);
        assert!(matches!(store.job_keep(&mut lost, now + minute * 9).await, Err(tutela_store::Error::Conflict(_))));
        store.job_done(&long, now + minute * 10).await.unwrap();
        assert!(store.job_take("house", now + minute * 10, now + minute * 11).await.unwrap().is_some());
        store.close().await;
    }
}
