use testkit::{Engine, engines};
use tutela_store::{Error, On, Store, registered};

/// How many there are.
const MIGRATIONS: i64 = 7;

#[tokio::test]
async fn every_statement_prepares_on_its_engines_with_the_parameters_it_declares() {
    for world in engines().await {
        let store = world.open().await.unwrap();
        let other = if world.engine == Engine::Sqlite { On::Postgres } else { On::Sqlite };
        for sql in registered().filter(|sql| sql.on != other) {
            let found = store.prepare(sql).await.unwrap_or_else(|e| panic!("{}: {e}", sql.name));
            assert_eq!(found, sql.parameter_count(), "{}", sql.name);
        }
        store.close().await;
    }
}

#[tokio::test]
async fn a_second_process_on_the_same_file_is_refused_and_changes_nothing() {
    for world in engines().await.into_iter().filter(|w| w.engine == Engine::Sqlite) {
        let first = world.open().await.unwrap();
        assert!(matches!(world.open().await, Err(Error::InUse(_))));
        first.close().await;
        drop(first);
        world.open().await.unwrap().close().await;
    }
}

#[tokio::test]
async fn a_database_of_a_newer_version_or_another_key_is_refused_with_the_fix() {
    for world in engines().await.into_iter().filter(|w| w.engine == Engine::Sqlite) {
        world.open().await.unwrap().close().await;
        let state = Store::migration_state(&world.config, &world.data()).await.unwrap();
        assert_eq!((state.applied, state.pending.len()), (MIGRATIONS, 0));
        let sql = rusqlite::Connection::open(world.data().join("tutela.db")).unwrap();
        sql.execute_batch("UPDATE instance SET key_fingerprint = x'00'").unwrap();
        assert!(matches!(world.open().await, Err(Error::ForeignKey)));
        sql.execute_batch("INSERT INTO schema_migration VALUES (99, x'00')").unwrap();
        let refused = world.open().await.err().unwrap();
        assert!(refused.to_string().contains("version 99"), "{refused}");
        sql.execute_batch("DELETE FROM schema_migration WHERE version = 99; UPDATE schema_migration SET checksum = x'00'").unwrap();
        assert!(matches!(world.open().await, Err(Error::Rewritten(1))));
    }
}

#[tokio::test]
async fn a_dry_run_of_migrations_changes_nothing() {
    for world in engines().await {
        let before = Store::migration_state(&world.config, &world.data()).await.unwrap();
        assert_eq!((before.applied, before.pending.len()), (0, MIGRATIONS as usize), "{:?}", world.engine);
        assert_eq!(Store::migration_state(&world.config, &world.data()).await.unwrap(), before);
    }
}
