//! Every switch of `[identity.session]` and `[identity.mfa]`, for every value.

use testkit::engines;
use tutela_app::{
    IdentityConfig, LimitsConfig, MfaProvider,
    sign_in::{self, Next, Progress},
    token,
};
use tutela_core::{Secret, Span};
use tutela_identity::{AuthenticatorKind, Profile, TOKENS, cookie::Cookie};

use crate::{
    house::House,
    people::{ADA, Person, RIGHT, app_code, host},
};

#[tokio::test]
async fn one_factor_or_two_as_configured() {
    for world in engines().await {
        let house = House::for_people(world, |identity, _| identity.mfa.required_factors = 2).await;
        house.account(ADA).await;
        let Progress::Next(pending) = house.password(&Person::new(host()), "192.0.2.7", RIGHT).await.unwrap() else { panic!("one factor was enough") };
        assert_eq!(pending.next, Next::Enrol(vec![AuthenticatorKind::Passkey, AuthenticatorKind::Totp]), "{:?}", house.world.engine);
        // What is set up on the way is the second proof.
        let (person, token) = (Person::new(host()), pending.token.unwrap());
        let offer = sign_in::offer_totp(&house.app, &house.from("192.0.2.7"), &person.visitor, token.open()).await.unwrap();
        let code = app_code(&offer.secret, house.app.env().now());
        let wrong = sign_in::enrol_totp(&house.app, &house.from("192.0.2.7"), &person.visitor, token.open(), &offer.sealed, "000000", "").await;
        assert!(wrong.is_err());
        let done = sign_in::enrol_totp(&house.app, &house.from("192.0.2.7"), &person.visitor, token.open(), &offer.sealed, &code, "").await.unwrap();
        let Progress::Done(done) = done else { panic!("two factors were not enough") };
        assert_eq!((done.session.assurance.acr(), done.recovery_codes.len()), ("aal2", 10));
        house.app.stop().await;
    }
}

#[tokio::test]
async fn a_provider_that_is_not_named_is_not_offered() {
    for (providers, passkeys, offered) in [
        (vec![], true, vec![AuthenticatorKind::Passkey]),
        (vec![MfaProvider::Totp], false, vec![AuthenticatorKind::Totp]),
        (vec![MfaProvider::Email], true, vec![AuthenticatorKind::Passkey]),
    ] {
        for world in engines().await.into_iter().take(1) {
            let change = |identity: &mut IdentityConfig, _: &mut _| {
                identity.mfa.required_factors = 2;
                identity.mfa.providers.clone_from(&providers);
                identity.passkeys = passkeys;
            };
            let house = House::for_people(world, change).await;
            house.account(ADA).await;
            let Progress::Next(pending) = house.password(&Person::new(host()), "192.0.2.7", RIGHT).await.unwrap() else { panic!("one factor was enough") };
            assert_eq!(pending.next, Next::Enrol(offered.clone()), "{providers:?}");
            house.app.stop().await;
        }
    }
}

#[tokio::test]
async fn a_device_is_remembered_only_where_that_is_on_and_for_as_long_as_it_says() {
    for (on, asked_again) in [(true, false), (false, true)] {
        for world in engines().await.into_iter().take(1) {
            let change = |identity: &mut IdentityConfig, _: &mut _| {
                identity.mfa.remember_device = on;
                identity.mfa.remember_for = Span::days(2);
            };
            let house = House::for_people(world, change).await;
            house.account(ADA).await;
            let mut person = Person::new(host());
            let secret = house.with_app(&mut person).await;
            let enter = async |person: &mut Person, step: u64| {
                house.world.env.pass(std::time::Duration::from_secs(step));
                let Progress::Next(pending) = house.password(person, "192.0.2.7", RIGHT).await.unwrap() else { return false };
                let (code, token) = (app_code(&secret, house.app.env().now()), pending.token.unwrap());
                let kind = AuthenticatorKind::Totp;
                match sign_in::code(&house.app, &house.from("192.0.2.7"), &person.visitor, token.open(), kind, &code, true).await.unwrap() {
                    Progress::Done(mut done) => person.keep(&mut done),
                    Progress::Next(pending) => panic!("{:?}", pending.next),
                }
                true
            };
            assert!(enter(&mut person, 60).await);
            assert_eq!(enter(&mut person, 60).await, asked_again, "remember_device = {on}");
            assert!(enter(&mut person, 2 * 86_400).await, "two days are over");
            house.app.stop().await;
        }
    }
}

#[tokio::test]
async fn refresh_tokens_are_given_only_where_that_is_on() {
    for on in [true, false] {
        for world in engines().await.into_iter().take(1) {
            let change = |identity: &mut IdentityConfig, _: &mut _| {
                identity.session.refresh_enabled = on;
                identity.session.access_token = Span::minutes(5);
            };
            let house = House::for_people(world, change).await;
            house.account(ADA).await;
            let mut phone = Person::new(TOKENS);
            let mut done = house.in_at_once(&mut phone, "192.0.2.7").await;
            let tokens = token::issue(&house.app, &house.as_person(&done), &mut done).unwrap();
            assert_eq!((tokens.refresh.is_some(), tokens.expires_in.as_secs()), (on, 300));
            // Without one the sign-in ends with its access token.
            house.world.env.pass(std::time::Duration::from_secs(301));
            assert_eq!(house.is_live(&done).await, on);
            house.app.stop().await;
        }
    }
}

#[tokio::test]
async fn a_session_ends_when_unused_as_long_as_the_timeout_says() {
    for timeout in [600, 3_600] {
        for world in engines().await.into_iter().take(1) {
            let house = House::for_people(world, |identity, _| identity.session.timeout = timeout).await;
            house.account(ADA).await;
            let done = house.in_at_once(&mut Person::new(host()), "192.0.2.7").await;
            house.world.env.pass(std::time::Duration::from_secs(u64::from(timeout) - 1));
            assert!(house.is_live(&done).await);
            house.world.env.pass(std::time::Duration::from_secs(u64::from(timeout)));
            assert!(!house.is_live(&done).await, "{timeout}");
            house.app.stop().await;
        }
    }
}

#[tokio::test]
async fn weakened_cookies_need_the_profile_that_says_so_and_are_named() {
    for (secure, http_only) in [(true, true), (false, true), (true, false), (false, false)] {
        let mut identity = IdentityConfig::default();
        (identity.session.secure, identity.session.http_only) = (secure, http_only);
        assert_eq!(identity.check().is_ok(), secure && http_only, "under the profile `nist`");
        identity.profile = Profile::Legacy;
        identity.check().unwrap();
        let weakened = identity.weakened();
        assert_eq!(weakened.iter().any(|fact| fact.contains("session.secure")), !secure);
        assert_eq!(weakened.iter().any(|fact| fact.contains("session.http_only")), !http_only);
    }
    for world in engines().await.into_iter().take(1) {
        let house = House::for_people(world, |identity, _| (identity.profile, identity.session.secure) = (Profile::Legacy, false)).await;
        let written = house.app.cookies().set(Cookie::OwnSession, "x");
        assert_eq!(written, "tutela=x; Path=/; HttpOnly; SameSite=Lax");
        house.app.stop().await;
    }
}

#[test]
fn a_profile_refuses_what_it_does_not_allow() {
    let with = |profile: Profile, change: &dyn Fn(&mut IdentityConfig)| {
        let mut identity = IdentityConfig { profile, ..IdentityConfig::default() };
        identity.mfa.required_factors = 2;
        identity.session.timeout = 900;
        identity.mfa.remember_device = false;
        change(&mut identity);
        identity.check().err().unwrap_or_default()
    };
    for profile in [Profile::Hipaa, Profile::Pci] {
        assert_eq!(with(profile, &|_| {}), "");
        assert!(with(profile, &|i| i.mfa.required_factors = 1).contains("required_factors = 2"));
        assert!(with(profile, &|i| i.mfa.providers.push(MfaProvider::Email)).contains("`email`"));
    }
    assert!(with(Profile::Pci, &|i| i.mfa.remember_device = true).contains("remember_device = false"));
    assert_eq!(with(Profile::Hipaa, &|i| i.mfa.remember_device = true), "");
    assert!(with(Profile::Pci, &|i| i.session.timeout = 3_600).contains("timeout = 900"));
    let limited = |profile: Profile, attempts: u32, lockout: Span| {
        let login = tutela_limits::Lockout { attempts, lockout, ..LimitsConfig::default().login };
        IdentityConfig { profile, ..IdentityConfig::default() }.check_limits(&LimitsConfig { login, ..LimitsConfig::default() })
    };
    assert!(limited(Profile::Pci, 10, Span::minutes(30)).is_ok());
    assert!(limited(Profile::Pci, 11, Span::minutes(30)).is_err() && limited(Profile::Pci, 10, Span::minutes(29)).is_err());
    assert!(limited(Profile::Nist, 11, Span::minutes(1)).is_ok());
    assert_eq!(with(Profile::Hipaa, &|i| i.session.timeout = 3_600), "");
    assert_eq!(with(Profile::Nist, &|i| i.mfa.required_factors = 1), "");
}

#[tokio::test]
async fn an_old_password_is_a_reminder_that_can_be_put_off() {
    for world in engines().await.into_iter().take(1) {
        let house = House::for_people(world, |_, _| {}).await;
        house.account(ADA).await;
        let mut person = Person::new(host());
        let done = house.in_at_once(&mut person, "192.0.2.7").await;
        assert!(!tutela_app::password::is_reminder_due(&house.app, &house.as_person(&done)).await.unwrap());
        house.world.env.pass(std::time::Duration::from_secs(366 * 86_400));
        let done = house.in_at_once(&mut person, "192.0.2.7").await;
        assert!(tutela_app::password::is_reminder_due(&house.app, &house.as_person(&done)).await.unwrap(), "and the sign-in went on all the same");
        tutela_app::password::dismiss_reminder(&house.app, &house.as_person(&done)).await.unwrap();
        assert!(!tutela_app::password::is_reminder_due(&house.app, &house.as_person(&done)).await.unwrap());
        house.app.stop().await;
    }
}

#[tokio::test]
async fn a_breached_password_lets_nobody_in_before_it_is_changed_and_a_list_that_cannot_be_read_nobody_at_all() {
    // SHA-1 of the right password, as a download of breached ones would have it.
    let hash: String =
        aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA1_FOR_LEGACY_USE_ONLY, RIGHT.as_bytes()).as_ref().iter().map(|b| format!("{b:02X}")).collect();
    for world in engines().await.into_iter().take(1) {
        let file = world.data().join("list.filter");
        let put = |text: String| {
            let out = std::fs::File::create(&file).unwrap();
            tutela_identity::password::breach::build(text.as_bytes(), out, "test", tutela_core::Timestamp::from_secs(0), &mut |_| {}).unwrap();
        };
        put("0000000000000000000000000000000000000001:3\n".into());
        let change = |identity: &mut IdentityConfig, _: &mut _| {
            identity.password.breach_list = Some(file.clone());
            identity.password.breach_list_required = true;
        };
        let house = House::for_people(world, change).await;
        house.account(ADA).await;
        let mut person = Person::new(host());
        house.in_at_once(&mut person, "192.0.2.7").await;
        std::fs::remove_file(&file).unwrap();
        for typed in [RIGHT, "a wrong one of ours"] {
            assert!(matches!(house.password(&person, "192.0.2.7", typed).await, Err(tutela_app::Error::BreachList)), "{typed}");
        }
        put(format!("{hash}:17\n"));
        assert!(matches!(house.password(&person, "192.0.2.7", "a wrong one of ours").await, Err(tutela_app::Error::Unauthenticated(_))));
        let token = house.through_the_mailbox(&person).await;
        let chosen = Secret::new("nine quiet otters swim home".to_owned());
        let done = sign_in::new_password(&house.app, &house.from("192.0.2.7"), &person.visitor, token.open(), chosen).await;
        assert!(matches!(done, Ok(Progress::Done(_))));
        house.app.stop().await;
    }
}
