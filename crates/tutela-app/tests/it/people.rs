use std::{net::IpAddr, sync::Arc, time::Duration};

use testkit::engines;
use tutela_api::NewAccount;
use tutela_app::{
    Ctx, Error, account, authenticator, password, session,
    sign_in::{self, Next, Progress, SignedIn, Visitor},
    token, unlock,
};
use tutela_core::{AccountId, Grants, Pii, Principal, Secret, Timestamp};
use tutela_identity::{AuthenticatorKind, TOKENS, device::Hints};

use crate::house::House;

pub const ADA: &str = "ada@example.com";
pub const RIGHT: &str = "seven plain ponies graze";
const WRONG: &str = "eleven green lamps hum";

/// A browser with the cookie of its device.
#[derive(Clone)]
pub struct Person {
    pub visitor: Visitor,
}

impl Person {
    pub fn new(host: &str) -> Self {
        Self {
            visitor: Visitor {
                host: host.to_owned(),
                device: None,
                hints: Hints { label: "Firefox on Linux".into(), language: "en".into() },
                audience: "photos".into(),
            },
        }
    }

    /// Keeps what a browser keeps.
    pub fn keep(&mut self, done: &mut SignedIn) {
        if let Some(device) = done.device.take() {
            self.visitor.device = Some(Arc::new(device));
        }
    }
}

impl House {
    pub async fn account(&self, email: &str) -> AccountId {
        let new = NewAccount { email: email.into(), name: "Ada".into(), password: Some(RIGHT.into()), roles: vec![] };
        account::create(&self.app, &self.ctx(), new).await.unwrap().id.parse().unwrap()
    }

    pub fn from(&self, ip: &str) -> Ctx {
        let ip: IpAddr = ip.parse().unwrap();
        Ctx { ip: Some(Pii::new(ip)), ..Ctx::new(self.app.env(), Principal::Anonymous) }
    }

    pub async fn password(&self, person: &Person, ip: &str, typed: &str) -> Result<Progress, Error> {
        sign_in::password(&self.app, &self.from(ip), &person.visitor, ADA, Secret::new(typed.to_owned())).await
    }

    pub async fn in_at_once(&self, person: &mut Person, ip: &str) -> Box<SignedIn> {
        match self.password(person, ip, RIGHT).await.unwrap() {
            Progress::Done(mut done) => {
                person.keep(&mut done);
                done
            }
            Progress::Next(pending) => panic!("{:?}", pending.next),
        }
    }

    /// The context of somebody who has just signed in.
    pub fn as_person(&self, done: &SignedIn) -> Ctx {
        let s = &done.session;
        Ctx::new(self.app.env(), Principal::Anonymous).as_account(s.account, s.id, s.assurance.aal, Grants::default())
    }

    /// Signs in and sets up an app; gives its secret.
    pub async fn with_app(&self, person: &mut Person) -> Secret<String> {
        let done = self.in_at_once(person, "192.0.2.7").await;
        let offer = authenticator::offer_totp(&self.app, &self.as_person(&done)).await.unwrap();
        let code = app_code(&offer.secret, self.app.env().now());
        authenticator::add_totp(&self.app, &self.as_person(&done), &offer.sealed, &code, "").await.unwrap();
        offer.secret
    }

    /// From a password that others may know to the step that asks for a new one, with the code in the mail between.
    pub async fn through_the_mailbox(&self, person: &Person) -> Secret<String> {
        let Progress::Next(pending) = self.password(person, "192.0.2.7", RIGHT).await.unwrap() else { panic!("the password was enough") };
        assert_eq!(pending.next, Next::Challenge(vec![AuthenticatorKind::Email]));
        let (ctx, token) = (self.from("192.0.2.7"), pending.token.unwrap());
        sign_in::send_code(&self.app, &ctx, &person.visitor, token.open(), AuthenticatorKind::Email).await.unwrap();
        let mail = self.post.wait(ADA, "Your code is").await;
        let code = mail.lines().find_map(|line| line.strip_prefix("    ")).unwrap().to_owned();
        let next = sign_in::code(&self.app, &ctx, &person.visitor, token.open(), AuthenticatorKind::Email, &code, false).await.unwrap();
        assert!(matches!(next, Progress::Next(pending) if matches!(pending.next, Next::NewPassword(_))));
        Secret::new(token.open().to_owned())
    }

    async fn reasons(&self) -> Vec<String> {
        let query = tutela_app::search::query("type:sign_in.failed").unwrap();
        let found = tutela_app::search::search(&self.app, &self.ctx(), &query, None, 1_000).await.unwrap();
        found.items.iter().map(|item| item.event["reason"].as_str().unwrap().to_owned()).collect()
    }

    pub async fn is_live(&self, done: &SignedIn) -> bool {
        self.app.live_session(&done.session.host, done.token.open(), self.app.env().now()).await.unwrap().is_some()
    }
}

pub fn host() -> &'static str {
    "tutela.localhost"
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_guesses_at_once_no_more_are_verified_than_the_limit() {
    for world in engines().await {
        let house = Arc::new(House::for_people(world, |_, limits| limits.login_address.attempts = 1_000).await);
        house.account(ADA).await;
        let guesses: Vec<_> = (0..64)
            .map(|_| {
                let house = Arc::clone(&house);
                tokio::spawn(async move { house.password(&Person::new(host()), "192.0.2.7", WRONG).await.is_err() })
            })
            .collect();
        for guess in guesses {
            assert!(guess.await.unwrap());
        }
        house.app.settle().await;
        let reasons = house.reasons().await;
        let verified = reasons.iter().filter(|r| *r == "wrong_password").count();
        assert_eq!((verified, reasons.len()), (5, 64), "{:?}", house.world.engine);
        // The right password is refused too from a device that is not known, and says nothing else.
        let Err(refused) = house.password(&Person::new(host()), "198.51.100.1", RIGHT).await else { panic!("it was let in") };
        assert_eq!(refused.to_string(), sign_in::REFUSED);
        house.app.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_tries_by_an_outsider_let_nobody_in_and_keep_nobody_out() {
    for world in engines().await {
        let house = Arc::new(House::for_people(world, |_, _| {}).await);
        house.account(ADA).await;
        let mut owner = Person::new(host());
        house.in_at_once(&mut owner, "203.0.113.9").await;
        let lanes: Vec<_> = (0..50)
            .map(|lane: u32| {
                let house = Arc::clone(&house);
                tokio::spawn(async move {
                    let mut entered = 0;
                    for attempt in 0..200 {
                        // From two hundred addresses, so that the limit of each of them does not end it.
                        let ip = format!("10.{}.{}.{}", lane, attempt / 50, attempt % 50);
                        entered += usize::from(house.password(&Person::new(host()), &ip, WRONG).await.is_ok());
                    }
                    entered
                })
            })
            .collect();
        let mut entered = 0;
        for lane in lanes {
            entered += lane.await.unwrap();
        }
        assert_eq!(entered, 0);
        // The owner comes from the device that the account knows, and has the mail that says what happened.
        house.in_at_once(&mut owner, "203.0.113.9").await;
        let stranger = Person::new(host());
        assert!(house.password(&stranger, "203.0.113.9", RIGHT).await.is_err(), "new devices wait");
        let link = house.post.link(ADA, "/unlock/").await;
        unlock::by_owner(&house.app, &house.from("203.0.113.9"), &link, "").await.unwrap();
        assert!(house.password(&stranger, "203.0.113.9", RIGHT).await.is_ok(), "{:?}", house.world.engine);
        assert!(unlock::by_owner(&house.app, &house.from("203.0.113.9"), &link, "").await.is_err(), "the link works once");
        house.app.stop().await;
    }
}

#[tokio::test]
async fn a_lock_ends_after_a_day_and_a_clock_that_jumps_back_opens_nothing() {
    for world in engines().await {
        let house = House::for_people(world, |_, _| {}).await;
        house.account(ADA).await;
        let person = Person::new(host());
        for _ in 0..5 {
            assert!(house.password(&person, "192.0.2.7", WRONG).await.is_err());
        }
        assert!(house.password(&person, "192.0.2.7", RIGHT).await.is_err());
        house.world.env.pass(Duration::from_secs(86_400 - 60));
        assert!(house.password(&person, "192.0.2.7", RIGHT).await.is_err());
        house.world.env.pass(Duration::from_secs(120));
        assert!(house.password(&person, "192.0.2.7", RIGHT).await.is_ok());
        house.app.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_refreshes_of_one_token_at_once_are_one_family_and_sign_nobody_out() {
    for world in engines().await {
        let house = Arc::new(House::for_people(world, |_, _| {}).await);
        house.account(ADA).await;
        let mut phone = Person::new(TOKENS);
        let mut done = house.in_at_once(&mut phone, "192.0.2.7").await;
        let tokens = token::issue(&house.app, &house.as_person(&done), &mut done).unwrap();
        let (first, device) = (tokens.refresh.unwrap(), phone.visitor.device.clone().unwrap());
        let refreshes: Vec<_> = (0..100)
            .map(|_| {
                let (house, first, device) = (Arc::clone(&house), first.open().to_owned(), device.open().to_owned());
                tokio::spawn(async move {
                    token::refresh(&house.app, &house.from("192.0.2.7"), &first, Some(&device)).await.unwrap().refresh.unwrap().open().to_owned()
                })
            })
            .collect();
        let mut successors = Vec::new();
        for refresh in refreshes {
            successors.push(refresh.await.unwrap());
        }
        successors.dedup();
        assert_eq!(successors.len(), 1, "every tab got the same successor");
        assert_ne!(successors[0], first.open());
        let next = token::refresh(&house.app, &house.from("192.0.2.7"), &successors[0], Some(device.open())).await;
        assert!(next.is_ok(), "{:?}", house.world.engine);
        house.app.stop().await;
    }
}

#[tokio::test]
async fn a_stolen_refresh_token_is_dead_in_one_request() {
    for world in engines().await {
        let house = House::for_people(world, |_, _| {}).await;
        house.account(ADA).await;
        // A thief without the device, and one who comes later than the owner.
        for thief_is_late in [false, true] {
            let mut phone = Person::new(TOKENS);
            let mut done = house.in_at_once(&mut phone, "192.0.2.7").await;
            let tokens = token::issue(&house.app, &house.as_person(&done), &mut done).unwrap();
            let (stolen, device) = (tokens.refresh.unwrap(), phone.visitor.device.clone().unwrap());
            let refresh = async |text: &str, device: Option<&str>| token::refresh(&house.app, &house.from("198.51.100.7"), text, device).await;
            let mut newest = stolen.open().to_owned();
            if thief_is_late {
                newest = refresh(stolen.open(), Some(device.open())).await.unwrap().refresh.unwrap().open().to_owned();
                house.world.env.pass(Duration::from_secs(9));
                assert!(refresh(stolen.open(), Some(device.open())).await.is_ok(), "an answer that got lost may be asked for again");
                house.world.env.pass(Duration::from_secs(2));
                assert!(refresh(stolen.open(), Some(device.open())).await.is_err());
            } else {
                assert!(refresh(stolen.open(), None).await.is_err());
            }
            assert!(refresh(&newest, Some(device.open())).await.is_err(), "the owner has to sign in again, and so learns of it");
            let now = house.app.env().now();
            assert!(matches!(house.app.live_token(&tokens.access, "photos", now).await.unwrap(), tutela_app::Bearer::Refused), "{:?}", house.world.engine);
        }
        house.app.settle().await;
        assert_eq!(house.count("type:refresh_token.replayed").await, 2);
        house.app.stop().await;
    }
}

#[tokio::test]
async fn an_access_token_is_for_its_audience_and_ends_with_its_session() {
    for world in engines().await {
        let house = House::for_people(world, |_, _| {}).await;
        house.account(ADA).await;
        let mut phone = Person::new(TOKENS);
        let mut done = house.in_at_once(&mut phone, "192.0.2.7").await;
        let tokens = token::issue(&house.app, &house.as_person(&done), &mut done).unwrap();
        let worth = async |audience: &str| house.app.live_token(&tokens.access, audience, house.app.env().now()).await.unwrap();
        assert!(matches!(worth("photos").await, tutela_app::Bearer::Live(..)));
        assert!(matches!(worth("videos").await, tutela_app::Bearer::Refused));
        session::end(&house.app, &house.ctx(), done.session.id, Some("left the company".into())).await.unwrap();
        assert!(matches!(worth("photos").await, tutela_app::Bearer::Refused), "though it is good for a quarter of an hour");
        let mut again = house.in_at_once(&mut phone, "192.0.2.7").await;
        let tokens = token::issue(&house.app, &house.as_person(&again), &mut again).unwrap();
        house.world.env.pass(Duration::from_secs(900));
        let expired = house.app.live_token(&tokens.access, "photos", house.app.env().now()).await.unwrap();
        assert!(matches!(expired, tutela_app::Bearer::Refused), "{:?}", house.world.engine);
        house.app.stop().await;
    }
}

#[tokio::test]
async fn a_reset_ends_every_session_keeps_the_second_factor_and_works_once() {
    for world in engines().await {
        let house = House::for_people(world, |_, _| {}).await;
        house.account(ADA).await;
        let mut browser = Person::new(host());
        let done = house.in_at_once(&mut browser, "192.0.2.7").await;
        let offer = authenticator::offer_totp(&house.app, &house.as_person(&done)).await.unwrap();
        let code = app_code(&offer.secret, house.app.env().now());
        authenticator::add_totp(&house.app, &house.as_person(&done), &offer.sealed, &code, "").await.unwrap();
        assert!(house.is_live(&done).await, "the session it was done in goes on");
        // Somebody who has no account gets no mail, and the same answer.
        password::request_reset(&house.app, &house.from("192.0.2.7"), "nobody@example.com").await.unwrap();
        password::request_reset(&house.app, &house.from("192.0.2.7"), ADA).await.unwrap();
        let link = house.post.link(ADA, "/reset/").await;
        password::find_reset(&house.app, &house.from("192.0.2.7"), &link).await.unwrap();
        password::find_reset(&house.app, &house.from("192.0.2.7"), &link).await.unwrap();
        let reset = async |chosen: &str| password::reset(&house.app, &house.from("192.0.2.7"), &link, Secret::new(chosen.into())).await;
        assert!(reset("short").await.is_err(), "a refused password uses nothing up");
        reset("nine quiet otters swim home").await.unwrap();
        assert!(reset("nine quiet otters swim home").await.is_err());
        assert!(!house.is_live(&done).await);
        match sign_in::password(&house.app, &house.from("192.0.2.7"), &browser.visitor, ADA, Secret::new("nine quiet otters swim home".into())).await.unwrap() {
            Progress::Next(pending) => assert_eq!(
                pending.next,
                Next::Challenge(vec![AuthenticatorKind::Totp, AuthenticatorKind::Recovery]),
                "no code by mail to whoever has the mailbox"
            ),
            Progress::Done(_) => panic!("the second factor was skipped"),
        }
        assert!(!house.post.all().iter().any(|(to, _)| to == "nobody@example.com"), "{:?}", house.world.engine);
        house.app.stop().await;
    }
}

#[tokio::test]
async fn a_link_is_dead_after_its_time() {
    for world in engines().await {
        let house = House::for_people(world, |_, _| {}).await;
        house.account(ADA).await;
        password::request_reset(&house.app, &house.from("192.0.2.7"), ADA).await.unwrap();
        let link = house.post.link(ADA, "/reset/").await;
        house.world.env.pass(Duration::from_secs(1_800));
        assert!(password::find_reset(&house.app, &house.from("192.0.2.7"), &link).await.is_err(), "{:?}", house.world.engine);
        // Three an hour to one mailbox, whoever asks.
        for _ in 0..3 {
            password::request_reset(&house.app, &house.from("192.0.2.8"), ADA).await.ok();
        }
        assert!(matches!(password::request_reset(&house.app, &house.from("192.0.2.9"), ADA).await, Err(Error::TooMany { .. })));
        house.app.stop().await;
    }
}

#[tokio::test]
async fn a_sign_in_that_was_not_mine_ends_and_the_next_one_asks_for_a_new_password() {
    for world in engines().await {
        let house = House::for_people(world, |_, _| {}).await;
        house.account(ADA).await;
        let (mut mine, mut thief) = (Person::new(host()), Person::new(host()));
        let owner = house.in_at_once(&mut mine, "192.0.2.7").await;
        let stolen = house.in_at_once(&mut thief, "198.51.100.7").await;
        let link = house.post.link(ADA, "/not-me/").await;
        tutela_app::device::find_disowning(&house.app, &house.from("192.0.2.7"), &link).await.unwrap();
        assert!(house.is_live(&stolen).await, "looking at the page ends nothing");
        tutela_app::device::disown(&house.app, &house.from("192.0.2.7"), &link).await.unwrap();
        assert!(!house.is_live(&stolen).await && house.is_live(&owner).await);
        // Whoever stole the password is not the one to choose the next: the mailbox is asked for first.
        let token = house.through_the_mailbox(&mine).await;
        let chosen = |text: &str| Secret::new(text.to_owned());
        let same = sign_in::new_password(&house.app, &house.from("192.0.2.7"), &mine.visitor, token.open(), chosen(RIGHT)).await;
        assert!(same.is_err(), "the old one is no new one");
        let done = sign_in::new_password(&house.app, &house.from("192.0.2.7"), &mine.visitor, token.open(), chosen("nine quiet otters swim home")).await;
        assert!(matches!(done, Ok(Progress::Done(_))), "{:?}", house.world.engine);
        house.app.stop().await;
    }
}

#[tokio::test]
async fn credentials_are_changed_only_by_whoever_has_just_proven_who_they_are() {
    for world in engines().await {
        let house = House::for_people(world, |_, _| {}).await;
        house.account(ADA).await;
        let mut browser = Person::new(host());
        let done = house.in_at_once(&mut browser, "192.0.2.7").await;
        house.world.env.pass(Duration::from_secs(301));
        let asked = house.as_person(&done);
        let change = password::change(&house.app, &asked, &browser.visitor, Secret::new(RIGHT.into()), Secret::new("nine quiet otters swim home".into()));
        assert!(matches!(change.await, Err(Error::NotFresh { .. })));
        let Progress::Next(pending) =
            sign_in::step_up(&house.app, &house.as_person(&done), &browser.visitor, tutela_core::AuthStrength::Aal1, 1).await.unwrap()
        else {
            panic!("nothing was asked")
        };
        assert_eq!(pending.next, Next::Challenge(vec![AuthenticatorKind::Password]));
        let token = pending.token.unwrap();
        let again = sign_in::password_again(&house.app, &house.from("192.0.2.7"), &browser.visitor, token.open(), Secret::new(RIGHT.into())).await.unwrap();
        let Progress::Done(stronger) = again else { panic!("it is not enough") };
        assert_eq!(stronger.session.id, done.session.id);
        assert!(!house.is_live(&done).await && house.is_live(&stronger).await, "the session has another token from then on");
        let mut other = Person::new(host());
        let elsewhere = house.in_at_once(&mut other, "192.0.2.7").await;
        password::change(
            &house.app,
            &house.as_person(&stronger),
            &browser.visitor,
            Secret::new(RIGHT.into()),
            Secret::new("nine quiet otters swim home".into()),
        )
        .await
        .unwrap();
        assert!(house.is_live(&stronger).await && !house.is_live(&elsewhere).await, "{:?}", house.world.engine);
        house.app.stop().await;
    }
}

/// What an app shows (RFC 6238), by another implementation than the one that is tested.
pub fn app_code(secret: &Secret<String>, now: Timestamp) -> String {
    const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    let bits: String = secret.open().bytes().filter_map(|c| ALPHABET.iter().position(|a| *a == c)).map(|n| format!("{n:05b}")).collect();
    let key: Vec<u8> = bits.as_bytes().chunks_exact(8).map(|b| u8::from_str_radix(std::str::from_utf8(b).unwrap(), 2).unwrap()).collect();
    let counter = u64::try_from(now.secs() / 30).unwrap();
    let mac = aws_lc_rs::hmac::sign(&aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, &key), &counter.to_be_bytes());
    let offset = usize::from(mac.as_ref()[19] & 15);
    let word = u32::from_be_bytes(mac.as_ref()[offset..offset + 4].try_into().unwrap()) & 0x7fff_ffff;
    format!("{:06}", word % 1_000_000)
}
