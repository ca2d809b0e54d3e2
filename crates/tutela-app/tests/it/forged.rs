use std::{sync::Arc, time::Duration};

use testkit::{Engine, engines};
use tutela_api::{Group, NewGrant};
use tutela_app::{Error, account, account_check, authenticator, grant, group, password, sign_in::Progress};
use tutela_core::{AccountId, Secret};

use crate::{
    house::House,
    people::{ADA, Person, RIGHT, host},
};

const NEXT: &str = "nine quiet barges drift home";

impl House {
    /// Writes to the database as whoever has its file or its password could.
    async fn write(&self, statements: &[&str]) {
        for sql in statements {
            match self.world.engine {
                Engine::Sqlite => rusqlite::Connection::open(self.world.data().join("tutela.db")).unwrap().execute_batch(sql).unwrap(),
                Engine::Postgres => drop(self.world.query(sql).await),
            }
        }
    }

    async fn differences(&self) -> Vec<String> {
        let found = account_check::verify(&self.app, &self.ctx()).await.unwrap();
        found.differences.into_iter().map(|one| one.what).collect()
    }

    async fn told(&self) -> usize {
        self.app.settle().await;
        let query = tutela_app::search::query("type:account.differs").unwrap();
        tutela_app::search::search(&self.app, &self.ctx(), &query, None, 100).await.unwrap().items.len()
    }
}

#[tokio::test]
async fn a_hash_from_elsewhere_or_of_somebody_else_lets_nobody_in() {
    for world in engines().await {
        let house = House::for_people(world, |_, _| {}).await;
        house.account(ADA).await;
        house.world.env.pass(Duration::from_secs(60));
        house.account("eve@example.com").await;
        let mut person = Person::new(host());
        house.in_at_once(&mut person, "192.0.2.7").await;
        // Eve knows her own password, and has the database: her hash, and one that she made at home.
        let hers = "UPDATE account SET password_hash = (SELECT password_hash FROM account WHERE email = 'eve@example.com') WHERE email = 'ada@example.com'";
        let made = "UPDATE account SET password_hash = '$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4' WHERE email = 'ada@example.com'";
        let dated =
            "UPDATE account SET password_changed_at = (SELECT k.created_at FROM account k WHERE k.email = 'eve@example.com') WHERE email = 'ada@example.com'";
        house.write(&["CREATE TABLE kept AS SELECT id, password_hash FROM account"]).await;
        for forged in [hers, made, dated] {
            house.write(&[forged]).await;
            assert!(matches!(house.password(&person, "192.0.2.7", RIGHT).await, Err(Error::Unauthenticated(_))), "{:?}: {forged}", house.world.engine);
            let back = "UPDATE account SET password_hash = (SELECT kept.password_hash FROM kept WHERE kept.id = account.id)";
            house.write(&[back]).await;
            if !forged.contains("changed_at") {
                house.in_at_once(&mut person, "192.0.2.7").await;
            }
        }
        house.app.stop().await;
    }
}

#[tokio::test]
async fn rows_that_were_put_back_are_found_by_the_ledger_and_their_accounts_have_to_prove_more() {
    for world in engines().await {
        let engine = world.engine;
        let house = House::for_people(world, |_, _| {}).await;
        let (app, all) = (&house.app, house.ctx());
        let ada: AccountId = house.account(ADA).await;
        let mut person = Person::new(host());
        house.with_app(&mut person).await;
        group::set(app, &all, Group { name: "board".into(), roles: vec!["admin".into()] }).await.unwrap();
        group::set_member(app, &all, "board", ada, true).await.unwrap();
        account::set_roles(app, &all, ada, vec!["admin".into()]).await.unwrap();
        let wish = NewGrant {
            account_id: Some(ada.to_string()),
            group: None,
            effect: "allow".into(),
            permission: "keys:read".into(),
            resource: None,
            reason: "a test".into(),
            expires_at: None,
        };
        let given = grant::give(app, &all, wish).await.unwrap();
        assert_eq!((house.differences().await, house.told().await), (vec![], 0), "{engine:?}");
        let tables = ["account", "authenticator", "account_role", "account_group_member", "access_grant"];
        for table in tables {
            house.write(&[&format!("CREATE TABLE kept_{table} AS SELECT * FROM {table}")]).await;
        }

        // Everything is taken from her, properly.
        house.world.env.pass(Duration::from_secs(60));
        let totp = authenticator::list_for(app, &all, ada).await.unwrap().into_iter().find(|way| way.left.is_none()).unwrap();
        authenticator::remove_for(app, &all, ada, totp.id, "lost").await.unwrap();
        group::set_member(app, &all, "board", ada, false).await.unwrap();
        account::set_roles(app, &all, ada, vec![]).await.unwrap();
        grant::end(app, &all, given.id.parse().unwrap(), "no more").await.unwrap();
        let done = house.in_at_once(&mut person, "192.0.2.7").await;
        let ctx = house.as_person(&done);
        password::change(app, &ctx, &person.visitor, Secret::new(RIGHT.into()), Secret::new(NEXT.into())).await.unwrap();
        account::disable(app, &all, ada).await.unwrap();
        assert_eq!(house.differences().await, Vec::<String>::new(), "{engine:?}: what was done properly is no difference");

        // And put back by somebody who has an old copy of the rows.
        let columns =
            ["password_hash", "password_changed_at", "state"].map(|c| format!("{c} = (SELECT k.{c} FROM kept_account k WHERE k.id = account.id)")).join(", ");
        house
            .write(&[
                &format!("UPDATE account SET {columns}"),
                "INSERT INTO authenticator SELECT * FROM kept_authenticator",
                "INSERT INTO account_role SELECT * FROM kept_account_role",
                "INSERT INTO account_group_member SELECT * FROM kept_account_group_member",
                "UPDATE access_grant SET ended_at = NULL",
            ])
            .await;
        assert_eq!(house.differences().await, ["authenticators", "grants", "groups", "password", "roles", "state"], "{engine:?}");
        assert_eq!(house.told().await, 6);
        // What the ledger contradicts is taken back; the old password stays, and is told of once.
        let held = tutela_app::permission::of(app, &all, ada).await.unwrap();
        assert_eq!((held.active, held.roles.len(), held.groups.len(), held.grants.len()), (false, 0, 0, 0), "{engine:?}");
        assert!(authenticator::list_for(app, &all, ada).await.unwrap().is_empty());
        assert_eq!((house.differences().await, house.told().await), (vec!["password".to_owned()], 6));
        account::enable(app, &all, ada, "back").await.unwrap();
        let progress = house.password(&person, "192.0.2.7", RIGHT).await.unwrap();
        assert!(matches!(progress, Progress::Next(_)), "{engine:?}: the old password is right, and opens nothing by itself");
        // The same forgery once more is news again, and so is a role beside it and a group that she never was in.
        group::set(app, &all, Group { name: "night".into(), roles: vec![] }).await.unwrap();
        house
            .write(&[
                "INSERT INTO account_role SELECT * FROM kept_account_role",
                "INSERT INTO account_group_member (group_name, account_id) SELECT 'night', account_id FROM kept_account_group_member",
            ])
            .await;
        assert_eq!((house.differences().await, house.told().await), (vec!["groups".to_owned(), "password".into(), "roles".into()], 8), "{engine:?}");
        house.app.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn people_who_change_things_while_accounts_are_compared_are_no_forgers() {
    for world in engines().await {
        let engine = world.engine;
        let house = Arc::new(House::for_people(world, |_, _| {}).await);
        let mut ids = Vec::new();
        for number in 0..30 {
            ids.push(house.account(&format!("p{number}@example.com")).await);
        }
        group::set(&house.app, &house.ctx(), Group { name: "board".into(), roles: vec![] }).await.unwrap();
        let busy = {
            let house = Arc::clone(&house);
            tokio::spawn(async move {
                let (app, all) = (&house.app, house.ctx());
                for round in 0..6 {
                    for id in &ids {
                        house.world.env.pass(Duration::from_millis(1));
                        group::set_member(app, &all, "board", *id, round % 2 == 0).await.unwrap();
                        let roles = if round % 2 == 0 { vec!["admin".to_owned()] } else { vec![] };
                        account::set_roles(app, &all, *id, roles).await.unwrap();
                    }
                }
            })
        };
        let mut comparisons = 0;
        while !busy.is_finished() {
            assert_eq!(house.differences().await, Vec::<String>::new(), "{engine:?}");
            comparisons += 1;
        }
        busy.await.unwrap();
        assert!(comparisons > 1, "{comparisons}");
        assert_eq!((house.differences().await, house.told().await), (vec![], 0), "{engine:?}");
        house.app.stop().await;
    }
}
