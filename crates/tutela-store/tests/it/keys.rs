use testkit::{World, engines};
use tutela_core::{Env, KeyId};
use tutela_kms::{BUDGET, VersionState};
use tutela_store::{Changeset, EpochRow, Error, Housekeeping, KeyVersionRow, Sealed, Store};

fn id(n: u128) -> KeyId {
    KeyId(uuid::Uuid::from_u128(n))
}

fn epoch(world: &World, number: u32) -> EpochRow {
    EpochRow {
        number,
        id: id(u128::from(number) + 1_000),
        provider: "local".into(),
        provider_key: format!("k{number}"),
        wrapped: Some(vec![1]),
        check: [0; 32],
        state: "active".into(),
        created_at: world.env.now(),
        retired_at: None,
        destroyed_at: None,
        references: 0,
    }
}

fn version(world: &World, key: u128, epoch: u32, wrapped: u8) -> KeyVersionRow {
    KeyVersionRow {
        key: id(key),
        version: 1,
        state: VersionState::Active,
        epoch: Some(epoch),
        wrapped: Some(vec![wrapped; 126]),
        created_at: world.env.now(),
        messages: 0,
        plain_messages: 0,
        released: 0,
    }
}

fn job() -> Changeset {
    Changeset::housekeeping(Housekeeping::Job)
}

async fn begin(world: &World, store: &Store, number: u32) -> Result<(), Error> {
    store.commit(Changeset::of(world.record(&format!("epoch {number}"), &["t=a"])).epoch_begin(&epoch(world, number))).await
}

#[tokio::test]
async fn of_many_nodes_that_begin_an_epoch_one_wins_and_no_key_goes_under_an_older_one() {
    for world in engines().await {
        let store = world.open().await.unwrap();
        begin(&world, &store, 1).await.unwrap();
        assert!(matches!(begin(&world, &store, 1).await, Err(Error::Conflict("another node began an epoch meanwhile"))));
        store.commit(job().key_version_insert(&version(&world, 1, 1, 7))).await.unwrap();
        begin(&world, &store, 2).await.unwrap();
        let late = store.commit(job().key_version_insert(&version(&world, 2, 1, 7))).await;
        assert!(matches!(late, Err(Error::Conflict(_))), "{:?}: {late:?}", world.engine);
        store.subject_key_ensure(&[([9; 32], version(&world, 3, 1, 7))]).await.unwrap();
        assert!(store.subject_key_get_by_tag([9; 32]).await.unwrap().is_none(), "nobody gets a key under an epoch that is over");

        // An epoch ends only when nothing is under it, and nothing gets under it after that.
        assert!(store.commit(job().epoch_end(1)).await.is_err());
        assert!(store.commit(job().epoch_end(2)).await.is_err(), "the active one never");
        let row = store.key_version_get(id(1), 1).await.unwrap().unwrap();
        store.commit(job().key_version_rewrap(&row, 2, vec![8; 126])).await.unwrap();
        store.commit(job().epoch_end(1)).await.unwrap();
        store.commit(job().epoch_destroy(1, world.env.now())).await.unwrap();
        let moved = store.key_version_get(id(1), 1).await.unwrap().unwrap();
        assert_eq!((moved.epoch, moved.wrapped.unwrap()[0]), (Some(2), 8));
        store.close().await;
    }
}

#[tokio::test]
async fn a_rewrap_is_a_compare_and_swap() {
    for world in engines().await {
        let store = world.open().await.unwrap();
        begin(&world, &store, 1).await.unwrap();
        store.commit(job().key_version_insert(&version(&world, 1, 1, 7))).await.unwrap();
        begin(&world, &store, 2).await.unwrap();
        let seen = store.key_version_get(id(1), 1).await.unwrap().unwrap();
        store.commit(job().key_version_rewrap(&seen, 2, vec![8; 126])).await.unwrap();
        store.commit(job().key_version_rewrap(&seen, 2, vec![9; 126])).await.unwrap();
        assert_eq!(store.key_version_get(id(1), 1).await.unwrap().unwrap().wrapped.unwrap()[0], 8, "the second saw what was no longer so");
        store.close().await;
    }
}

#[tokio::test]
async fn the_budget_of_the_plain_suites_is_exact() {
    for world in engines().await {
        let store = world.open().await.unwrap();
        begin(&world, &store, 1).await.unwrap();
        store.commit(job().key_version_insert(&version(&world, 1, 1, 7))).await.unwrap();
        let count = |plain: u64| job().key_version_count(id(1), 1, Sealed { messages: plain, plain, released: 0 }, BUDGET);
        store.commit(count(BUDGET - 3)).await.unwrap();
        assert!(matches!(store.commit(count(4)).await, Err(Error::Conflict(_))));
        store.commit(count(3)).await.unwrap();
        assert!(matches!(store.commit(count(1)).await, Err(Error::Conflict(_))));
        let row = store.key_version_get(id(1), 1).await.unwrap().unwrap();
        assert_eq!((row.messages, row.plain_messages), (BUDGET, BUDGET));
        // A destroyed key counts nothing.
        store.commit(job().key_version_destroy(id(1))).await.unwrap();
        assert!(store.commit(job().key_version_count(id(1), 1, Sealed::default(), BUDGET)).await.is_err());
        store.close().await;
    }
}

#[tokio::test]
async fn a_key_that_was_destroyed_is_not_restored() {
    for world in engines().await {
        let store = world.open().await.unwrap();
        begin(&world, &store, 1).await.unwrap();
        store.commit(job().key_version_insert(&version(&world, 1, 1, 7))).await.unwrap();
        store.commit(job().key_version_destroy(id(1))).await.unwrap();
        store.commit(job().key_version_restore(&version(&world, 1, 1, 8)).key_version_restore(&version(&world, 2, 1, 8))).await.unwrap();
        assert!(store.key_version_get(id(1), 1).await.unwrap().unwrap().wrapped.is_none());
        assert!(store.key_version_get(id(2), 1).await.unwrap().unwrap().wrapped.is_some());
        store.close().await;
    }
}
