use testkit::{Engine, World, engines};
use tutela_ledger::{Batch, Checkpoint, Flaw, canonical, inclusion_ranges, root_from_inclusion};
use tutela_store::{Changeset, Position, Report, Store, Verification};

async fn fill(world: &World, store: &Store, count: u64) {
    for chunk in (0..count).collect::<Vec<_>>().chunks(700) {
        let records = chunk.iter().map(|i| world.record(&i.to_string(), &["t=x"])).collect();
        store.commit(Changeset::of_all(records).unwrap()).await.unwrap();
    }
    store.settle().await.unwrap();
}

async fn verify(world: &World, store: &Store, held: &[Checkpoint]) -> Report {
    let key = world.signer(&store.instance().origin).key().clone();
    Verification::open(&world.config, &world.data()).await.unwrap().run(&key, held, &|_, _| {}).await.unwrap()
}

#[tokio::test]
async fn every_event_is_proven_under_the_signed_checkpoint() {
    for world in engines().await {
        let store = world.open().await.unwrap();
        fill(&world, &store, 2_100).await;
        let (size, note) = store.log_head().await.unwrap();
        let checkpoint = Checkpoint::open(&note, world.signer(&store.instance().origin).key()).unwrap();
        assert_eq!((size, checkpoint.size), (2_100, 2_100));
        for index in [0, 255, 256, 2_047, 2_048, 2_099] {
            let row = store.log_at(Position { entry: index, item: None }).await.unwrap().unwrap();
            let mut proof = Vec::new();
            for range in inclusion_ranges(index, size) {
                proof.push(store.log_subtree(range).await.unwrap());
            }
            assert_eq!(root_from_inclusion(index, size, row.leaf, &proof).unwrap(), checkpoint.root);
        }
        let report = verify(&world, &store, &[checkpoint]).await;
        assert_eq!(report, Report { first: 0, entries: 2_100, expired: 0, records: 0, checkpoints: 4, unreachable: vec![], flaw: None }, "{:?}", world.engine);
        store.close().await;
    }
}

#[tokio::test]
async fn records_of_a_batch_are_found_by_their_own_ids_and_verified() {
    for world in engines().await {
        let store = world.open().await.unwrap();
        let (batch, _) = Batch::new((0..3).map(|i| canonical(&serde_json::json!({"n": i})).unwrap()).collect());
        let mut record = world.record("batch", &[]);
        use base64::Engine as _;
        let root = base64::engine::general_purpose::STANDARD.encode(batch.root());
        let body = canonical(&serde_json::json!({"id": record.entry.id.to_string(), "items": {"count": 3, "root": root}})).unwrap();
        record.entry = tutela_ledger::Entry::new(record.entry.id, record.entry.time, record.entry.recorded_at, body).unwrap();
        record.entry.items = Some(batch);
        record.index = (0..3).map(|item| tutela_store::IndexRow { item, tokens: vec![format!("n={item}")] }).collect();
        let id = record.entry.id;
        store.commit(Changeset::of(record)).await.unwrap();
        store.settle().await.unwrap();
        let found = store.log_get(id.item(2)).await.unwrap().unwrap();
        assert_eq!((found.body, found.position.to_string()), (b"{\"n\":2}".to_vec(), "0.2".into()));
        assert_eq!(store.log_get(id.item(3)).await.unwrap().map(|r| r.position), None);
        let of = |_: i64| Ok(tutela_store::Match { all: vec!["n=1".to_owned()], ..Default::default() });
        let hits = store.search(&of, tutela_store::Bounds { from: 0, before: None }, 10).await.unwrap();
        assert_eq!(store.log_rows(&hits).await.unwrap()[0].body, b"{\"n\":1}");
        assert_eq!(
            verify(&world, &store, &[]).await,
            Report { first: 0, entries: 1, expired: 0, records: 3, checkpoints: 1, unreachable: vec![], flaw: None },
            "{:?}",
            world.engine
        );
        store.close().await;
    }
}

#[tokio::test]
async fn tampering_with_the_file_is_named_with_its_position() {
    for world in engines().await.into_iter().filter(|w| w.engine == Engine::Sqlite) {
        let store = world.open().await.unwrap();
        fill(&world, &store, 2_100).await;
        let (_, note) = store.log_head().await.unwrap();
        let elsewhere = Checkpoint::parse(&note).unwrap();
        let file = rusqlite::Connection::open(world.data().join("tutela.db")).unwrap();
        for (hurt, heal, flaw) in [
            (
                "UPDATE log SET body = CAST(body || x'20' AS BLOB) WHERE seq = 1234",
                "UPDATE log SET body = substr(body, 1, length(body) - 1) WHERE seq = 1234",
                Flaw::BodyChanged(1_234),
            ),
            ("UPDATE log SET seq = 900000 WHERE seq = 77", "UPDATE log SET seq = 77 WHERE seq = 900000", Flaw::Missing(77)),
            (
                "UPDATE log SET id = CAST(x'ff' || substr(id, 2) AS BLOB) WHERE seq = 9",
                "UPDATE log SET id = CAST(x'01' || substr(id, 2) AS BLOB) WHERE seq = 9",
                Flaw::IdChanged(9),
            ),
            (
                "UPDATE log_checkpoint SET size = -1000 WHERE size = 1000",
                "UPDATE log_checkpoint SET size = 1000 WHERE size = -1000",
                Flaw::CheckpointMissing(1_000),
            ),
            ("INSERT INTO log_item VALUES (99999999, x'7b7d')", "DELETE FROM log_item WHERE row_id = 99999999", Flaw::Stray(2_100)),
            (
                "UPDATE log_node SET idx = 500 WHERE level = 1 AND idx = 3",
                "UPDATE log_node SET idx = 3 WHERE idx = 500",
                Flaw::NodeChanged { from: 768, to: 1_023 },
            ),
        ] {
            file.execute_batch(hurt).unwrap();
            assert_eq!(verify(&world, &store, &[]).await.flaw, Some(flaw));
            file.execute_batch(heal).unwrap();
        }
        assert_eq!(verify(&world, &store, &[]).await.flaw, None);
        // Whoever can sign for the log can cut it; only a checkpoint held elsewhere tells.
        let signer = world.signer(&store.instance().origin);
        let mut edge = tutela_ledger::Frontier::default();
        for row in store.log_range(0, 2_000).await.unwrap() {
            edge.append(row.leaf, &mut Vec::new());
        }
        file.execute_batch("DELETE FROM log WHERE seq >= 2000; DELETE FROM log_node WHERE idx >= 7").unwrap();
        file.execute("UPDATE log_head SET size = 2000, frontier = ?1, checkpoint = ?2", (edge.to_bytes(), signer.sign(2_000, edge.root()))).unwrap();
        assert_eq!(verify(&world, &store, &[]).await.flaw, None);
        assert_eq!(verify(&world, &store, &[elsewhere]).await.flaw, Some(Flaw::Shorter { found: 2_000, signed: 2_100 }));
        store.close().await;
    }
}

#[tokio::test]
async fn two_nodes_write_one_log_and_the_other_goes_on_when_one_stops() {
    for world in engines().await.into_iter().filter(|w| w.engine == Engine::Postgres) {
        let (a, b) = (world.open().await.unwrap(), world.open().await.unwrap());
        fill(&world, &a, 50).await;
        fill(&world, &b, 50).await;
        a.close().await;
        fill(&world, &b, 50).await;
        assert_eq!(verify(&world, &b, &[]).await, Report { first: 0, entries: 150, expired: 0, records: 0, checkpoints: 1, unreachable: vec![], flaw: None });
        b.close().await;
    }
}

#[tokio::test]
async fn a_head_that_was_changed_outside_is_never_signed() {
    for world in engines().await.into_iter().filter(|w| w.engine == Engine::Sqlite) {
        let store = world.open().await.unwrap();
        fill(&world, &store, 10).await;
        store.close().await;
        drop(store);
        let file = rusqlite::Connection::open(world.data().join("tutela.db")).unwrap();
        let mut edge = tutela_ledger::Frontier::default();
        for i in 0..10_u8 {
            edge.append(tutela_ledger::leaf_hash(&[i]), &mut Vec::new());
        }
        file.execute("UPDATE log_head SET frontier = ?1", [edge.to_bytes()]).unwrap();
        let refused = world.open().await.err().unwrap();
        assert!(refused.to_string().contains("audit verify"), "{refused}");
        file.execute("DELETE FROM log_head", []).unwrap();
        assert!(world.open().await.is_err(), "a missing head is not an empty log");
    }
}

#[tokio::test]
async fn on_postgresql_a_partition_that_lies_wholly_before_the_beginning_is_dropped() {
    for world in engines().await.into_iter().filter(|w| w.engine == Engine::Postgres) {
        let store = world.open().await.unwrap();
        fill(&world, &store, 10).await;
        assert!(store.log_drop_partitions(1_000).await.unwrap().is_empty(), "its last position is still kept");
        let mut dropped = store.log_drop_partitions(1 << 20).await.unwrap();
        dropped.sort();
        assert_eq!(dropped, ["log_0", "log_item_0"]);
        assert_eq!(store.log_oldest().await.unwrap(), None);
        store.close().await;
    }
}
