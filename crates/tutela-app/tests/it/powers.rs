use std::sync::Arc;

use testkit::engines;
use tutela_api::{Group, NewAccount, NewGrant, Role};
use tutela_app::{
    Ctx, Error, SignUp, account, grant, group, profile, role,
    sign_in::{self, Progress, Visitor},
    sign_up::{self, Wish},
};
use tutela_core::{AccountId, AuthStrength, Grants, Principal, Secret};
use tutela_identity::AuthenticatorKind;

use crate::{
    house::House,
    people::{ADA, Person, RIGHT, app_code, host},
};

impl House {
    async fn somebody(&self, email: &str, roles: &[&str]) -> AccountId {
        let roles = roles.iter().map(|name| (*name).to_owned()).collect();
        let new = NewAccount { email: email.into(), name: "Somebody".into(), password: Some(RIGHT.into()), roles };
        account::create(&self.app, &self.ctx(), new).await.unwrap().id.parse().unwrap()
    }

    /// Somebody who has just signed in, with what they may do.
    async fn as_account(&self, id: AccountId) -> Ctx {
        let held = tutela_app::permission::of(&self.app, &self.ctx(), id).await.unwrap();
        let email = account::get(&self.app, &self.ctx(), id).await.unwrap().account.email;
        let (ctx, visitor) = (self.from("192.0.2.9"), Person::new(host()).visitor);
        let signed_in = sign_in::password(&self.app, &ctx, &visitor, &email, Secret::new(RIGHT.to_owned())).await.unwrap();
        let Progress::Done(done) = signed_in else { panic!("the password was not enough") };
        Ctx::new(self.app.env(), Principal::Anonymous).as_account(id, done.session.id, AuthStrength::Aal1, Grants::new(held.permissions))
    }
}

fn given(to: Option<AccountId>, group: Option<&str>, effect: &str, permission: &str) -> NewGrant {
    let (account_id, group) = (to.map(|id| id.to_string()), group.map(str::to_owned));
    NewGrant { account_id, group, effect: effect.into(), permission: permission.into(), resource: None, reason: "a test".into(), expires_at: None }
}

#[tokio::test]
async fn nobody_acts_on_somebody_who_may_do_more_whichever_way_they_may() {
    for world in engines().await {
        let house = House::for_people(world, |_, _| {}).await;
        let (app, all) = (&house.app, house.ctx());
        let helping: Vec<String> = ["accounts:write", "accounts:read", "groups:write", "grants:write"].map(str::to_owned).into();
        role::set(app, &all, Role { name: "help-desk".into(), permissions: helping }).await.unwrap();
        group::set(app, &all, Group { name: "board".into(), roles: vec!["admin".into()] }).await.unwrap();
        group::set(app, &all, Group { name: "keys".into(), roles: vec![] }).await.unwrap();
        grant::give(app, &all, given(None, Some("keys"), "allow", "*")).await.unwrap();
        let helper = house.somebody("helper@example.com", &["help-desk"]).await;
        let (by_group, by_grant, plain) =
            (house.somebody("g@example.com", &[]).await, house.somebody("k@example.com", &[]).await, house.somebody("p@example.com", &[]).await);
        group::set_member(app, &all, "board", by_group, true).await.unwrap();
        group::set_member(app, &all, "keys", by_grant, true).await.unwrap();
        let ctx = house.as_account(helper).await;
        for over in [by_group, by_grant] {
            assert!(matches!(account::invite(app, &ctx, over).await, Err(Error::Conflict(_))), "{:?}", house.world.engine);
            assert!(matches!(account::disable(app, &ctx, over).await, Err(Error::Conflict(_))));
            assert!(matches!(account::delete(app, &ctx, over, "why").await, Err(Error::Conflict(_))));
            assert!(matches!(account::require_password_change(app, &ctx, over, "why").await, Err(Error::Conflict(_))));
            assert!(matches!(grant::give(app, &ctx, given(Some(over), None, "deny", "accounts:write")).await, Err(Error::Conflict(_))));
        }
        for name in ["board", "keys"] {
            assert!(matches!(group::set_member(app, &ctx, name, helper, true).await, Err(Error::Conflict(_))), "{name}");
            assert!(matches!(grant::give(app, &ctx, given(None, Some(name), "deny", "accounts:write")).await, Err(Error::Conflict(_))), "{name}");
        }
        account::invite(app, &ctx, plain).await.unwrap();
        grant::give(app, &ctx, given(Some(plain), None, "deny", "accounts:write")).await.unwrap();
        house.app.stop().await;
    }
}

#[tokio::test]
async fn whoever_signs_up_with_anothers_address_gets_in_nowhere() {
    for world in engines().await {
        let house = House::for_people(world, |identity, _| identity.sign_up = SignUp::Open).await;
        let wish = |password: &str| Wish { email: ADA.into(), name: "Mallory".into(), password: Secret::new(password.into()) };
        sign_up::sign_up(&house.app, &house.from("198.51.100.7"), wish(RIGHT)).await.unwrap();
        let mallory = Person::new(host());
        assert!(matches!(house.password(&mallory, "198.51.100.7", RIGHT).await, Err(Error::Unauthenticated(_))), "{:?}", house.world.engine);
        // The owner of the mailbox takes the account over, with a password of their own.
        house.post.link(ADA, "/verify-email/").await;
        tutela_app::password::request_reset(&house.app, &house.from("192.0.2.7"), ADA).await.unwrap();
        let link = house.post.link(ADA, "/reset/").await;
        let own = "nine quiet otters swim home";
        tutela_app::password::reset(&house.app, &house.from("192.0.2.7"), &link, Secret::new(own.into())).await.unwrap();
        assert!(house.password(&mallory, "198.51.100.7", RIGHT).await.is_err());
        assert!(matches!(house.password(&Person::new(host()), "192.0.2.7", own).await, Ok(Progress::Done(_))));
        house.app.stop().await;
    }
}

#[tokio::test]
async fn an_account_is_used_once_its_address_is_confirmed() {
    for world in engines().await {
        let house = House::for_people(world, |identity, _| identity.sign_up = SignUp::Open).await;
        let wish = Wish { email: ADA.into(), name: "Ada".into(), password: Secret::new(RIGHT.into()) };
        sign_up::sign_up(&house.app, &house.from("192.0.2.7"), wish).await.unwrap();
        let link = house.post.link(ADA, "/verify-email/").await;
        profile::verify_email(&house.app, &house.from("192.0.2.7"), &link).await.unwrap();
        house.in_at_once(&mut Person::new(host()), "192.0.2.7").await;
        house.app.stop().await;
    }
}

#[tokio::test]
async fn an_office_that_signs_in_in_two_steps_is_not_locked_out() {
    for world in engines().await {
        let house = House::for_people(world, |_, _| {}).await;
        house.account(ADA).await;
        let mut person = Person::new(host());
        let secret = house.with_app(&mut person).await;
        for turn in 0..60 {
            house.world.env.pass(std::time::Duration::from_secs(31));
            let Ok(Progress::Next(pending)) = house.password(&person, "192.0.2.7", RIGHT).await else { panic!("turn {turn}") };
            let (ctx, token) = (house.from("192.0.2.7"), pending.token.unwrap());
            let code = app_code(&secret, house.app.env().now());
            let done = sign_in::code(&house.app, &ctx, &person.visitor, token.open(), AuthenticatorKind::Totp, &code, false).await;
            assert!(matches!(done, Ok(Progress::Done(_))), "turn {turn}, {:?}", house.world.engine);
        }
        house.app.stop().await;
    }
}

#[tokio::test]
async fn a_session_alone_sets_up_no_passkey() {
    for world in engines().await {
        let house = House::for_people(world, |_, _| {}).await;
        house.account(ADA).await;
        let mut person = Person::new(host());
        let done = house.in_at_once(&mut person, "192.0.2.7").await;
        let step = sign_in::step_up(&house.app, &house.as_person(&done), &person.visitor, AuthStrength::Aal2, 1).await.unwrap();
        let Progress::Next(pending) = step else { panic!("nothing was asked for") };
        assert_eq!(pending.next, sign_in::Next::Challenge(vec![AuthenticatorKind::Password]), "{:?}", house.world.engine);
        let token = pending.token.unwrap();
        let (ctx, visitor): (Ctx, &Visitor) = (house.from("192.0.2.7"), &person.visitor);
        assert!(sign_in::enrol_totp(&house.app, &ctx, visitor, token.open(), "", "000000", "").await.is_err());
        house.app.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_code_of_an_app_lets_one_of_many_in() {
    for world in engines().await {
        let house = Arc::new(House::for_people(world, |_, _| {}).await);
        house.account(ADA).await;
        let mut person = Person::new(host());
        let secret = house.with_app(&mut person).await;
        house.world.env.pass(std::time::Duration::from_secs(60));
        let mut tokens = Vec::new();
        for _ in 0..4 {
            let Ok(Progress::Next(pending)) = house.password(&person, "192.0.2.7", RIGHT).await else { panic!("the password was enough") };
            tokens.push(pending.token.unwrap());
        }
        let code = app_code(&secret, house.app.env().now());
        // As from many nodes at once: each looks at the same step before any has taken it.
        let tries = tokens.into_iter().map(|token| {
            let (house, visitor, code) = (Arc::clone(&house), person.visitor.clone(), code.clone());
            tokio::spawn(async move {
                let ctx = house.from("192.0.2.7");
                sign_in::code(&house.app, &ctx, &visitor, token.open(), AuthenticatorKind::Totp, &code, false).await.is_ok()
            })
        });
        let tries: Vec<_> = tries.collect();
        let mut entered = 0;
        for one in tries {
            entered += usize::from(one.await.unwrap());
        }
        assert_eq!(entered, 1, "{:?}", house.world.engine);
        house.app.stop().await;
    }
}

#[tokio::test]
async fn what_gives_or_takes_power_asks_for_a_sign_in_that_is_fresh() {
    for world in engines().await {
        let house = House::for_people(world, |_, _| {}).await;
        let (app, all) = (&house.app, house.ctx());
        let ada = house.somebody(ADA, &["admin"]).await;
        let eve = house.somebody("eve@example.com", &[]).await;
        group::set(app, &all, Group { name: "board".into(), roles: vec![] }).await.unwrap();
        let given_before = grant::give(app, &all, given(Some(eve), None, "allow", "keys:read")).await.unwrap().id.parse().unwrap();
        let ctx = house.as_account(ada).await;
        house.world.env.pass(std::time::Duration::from_secs(301));
        let ctx = Ctx { now: app.env().now(), ..ctx };
        let new = || NewAccount { email: "new@example.com".into(), name: "New".into(), password: None, roles: vec![] };
        let client = || tutela_api::NewClient { name: "c".into(), scopes: vec!["events:write".into()], ..tutela_api::NewClient::default() };
        let way = tutela_core::AuthenticatorId::new(ctx.now, &mut { app.env() });
        let client_id = tutela_core::ClientId::new(ctx.now, &mut { app.env() });
        let refused: Vec<(&str, Result<(), Error>)> = vec![
            ("make an account", account::create(app, &ctx, new()).await.map(drop)),
            ("set-up link of an administrator", tutela_app::setup::create_first(app, &ctx).await.map(drop)),
            ("invite", account::invite(app, &ctx, eve).await.map(drop)),
            ("disable", account::disable(app, &ctx, eve).await),
            ("enable", account::enable(app, &ctx, eve, "why").await),
            ("delete", account::delete(app, &ctx, eve, "why").await),
            ("another password", account::require_password_change(app, &ctx, eve, "why").await),
            ("unlock", tutela_app::unlock::by_admin(app, &ctx, eve, "why").await),
            ("roles of an account", account::set_roles(app, &ctx, eve, vec!["admin".into()]).await),
            ("a way to sign in", tutela_app::authenticator::remove_for(app, &ctx, eve, way, "why").await),
            ("compare", tutela_app::account_check::verify(app, &ctx).await.map(drop)),
            ("a role", role::set(app, &ctx, Role { name: "r".into(), permissions: vec![] }).await),
            ("a group", group::set(app, &ctx, Group { name: "g".into(), roles: vec![] }).await),
            ("delete a group", group::delete(app, &ctx, "board").await),
            ("a member", group::set_member(app, &ctx, "board", eve, true).await),
            ("a grant", grant::give(app, &ctx, given(Some(eve), None, "allow", "keys:read")).await.map(drop)),
            ("end a grant", grant::end(app, &ctx, given_before, "why").await),
            ("a client", tutela_app::client::create(app, &ctx, client()).await.map(drop)),
            ("revoke a client", tutela_app::client::revoke(app, &ctx, client_id).await),
        ];
        for (what, answer) in refused {
            assert!(matches!(answer, Err(Error::NotFresh { .. })), "{:?}: {what}: {answer:?}", house.world.engine);
        }
        // Ending a session is for emergencies; it asks for nothing more.
        let ben = house.in_at_once(&mut Person::new(host()), "192.0.2.7").await;
        assert!(tutela_app::session::end(app, &ctx, ben.session.id, Some("lost laptop".into())).await.is_ok());
        house.app.stop().await;
    }
}

#[tokio::test]
async fn administrators_change_their_own_account_as_its_owner() {
    for world in engines().await.into_iter().take(1) {
        let house = House::for_people(world, |_, _| {}).await;
        let ada = house.somebody(ADA, &["admin"]).await;
        let ctx = house.as_account(ada).await;
        let way = tutela_core::AuthenticatorId::new(ctx.now, &mut { house.app.env() });
        assert!(matches!(account::invite(&house.app, &ctx, ada).await, Err(Error::Conflict(_))), "a link sets a password without the old one");
        assert!(matches!(tutela_app::authenticator::remove_for(&house.app, &ctx, ada, way, "why").await, Err(Error::Conflict(_))));
        house.app.stop().await;
    }
}
