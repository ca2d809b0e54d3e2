use testkit::engines;
use tutela_app::{
    Error, profile,
    sign_in::{self, Next, Progress},
};
use tutela_core::Secret;
use tutela_identity::AuthenticatorKind;

use crate::{
    house::House,
    people::{ADA, Person, RIGHT, host},
};

const PHONE: &str = "+4915112345678";

/// The eight digits of a text message.
fn code_in(text: &str) -> String {
    text.split(" is your code").next().unwrap().to_owned()
}

impl House {
    /// Signs in and sets up the phone.
    async fn with_phone(&self, person: &mut Person) {
        let done = self.in_at_once(person, "192.0.2.7").await;
        let ctx = self.as_person(&done);
        let sealed = profile::begin_phone(&self.app, &ctx, PHONE).await.unwrap();
        let code = code_in(&self.post.wait(PHONE, "is your code").await);
        let wrong = if code.starts_with('0') { "1111 1111" } else { "0000 0000" };
        assert!(profile::verify_phone(&self.app, &ctx, &sealed, wrong).await.is_err());
        profile::verify_phone(&self.app, &ctx, &sealed, &code).await.unwrap();
    }
}

#[tokio::test]
async fn a_code_by_text_message_is_the_second_factor_of_one_sign_in() {
    for world in engines().await {
        let house = House::for_people(world, |_, limits| limits.messages.attempts = 10).await;
        house.account(ADA).await;
        house.with_phone(&mut Person::new(host())).await;
        let begin = async || {
            let person = Person::new(host());
            let Progress::Next(pending) = house.password(&person, "192.0.2.8", RIGHT).await.unwrap() else { panic!("the password was enough") };
            assert!(matches!(&pending.next, Next::Challenge(kinds) if kinds.contains(&AuthenticatorKind::Sms)), "{:?}", pending.next);
            assert_eq!(pending.phone.as_deref().map(|phone| phone.contains("151123456")), Some(false), "the number is not shown");
            (person, Secret::new(pending.token.unwrap().open().to_owned()))
        };
        let ctx = house.from("192.0.2.8");
        let (person, token) = begin().await;
        sign_in::send_code(&house.app, &ctx, &person.visitor, token.open(), AuthenticatorKind::Sms).await.unwrap();
        let texts = || house.post.all().into_iter().filter(|(to, _)| to == PHONE).map(|(_, text)| text).collect::<Vec<_>>();
        crate::house::until("the second text", async || texts().len() == 2).await;
        let text = texts().pop().unwrap();
        assert!(text.lines().last().unwrap().starts_with("@tutela.localhost #"), "{text}");
        let code = code_in(&text);
        // It is a code of this sign-in, and of none beside it.
        let (thief, other) = begin().await;
        let stolen = sign_in::code(&house.app, &ctx, &thief.visitor, other.open(), AuthenticatorKind::Sms, &code, false).await;
        assert!(matches!(stolen, Err(Error::Unauthenticated(_))), "{:?}", house.world.engine);
        let done = sign_in::code(&house.app, &ctx, &person.visitor, token.open(), AuthenticatorKind::Sms, &code, false).await.unwrap();
        let Progress::Done(done) = done else { panic!("the code was not enough") };
        assert_eq!(done.session.assurance.amr, ["mfa", "pwd", "sms"]);
        house.app.stop().await;
    }
}

#[tokio::test]
async fn text_messages_go_to_few_numbers_and_not_often() {
    for world in engines().await {
        let house = House::for_people(world, |identity, _| identity.mfa.sms_prefixes = vec!["+49".into(), "+41".into()]).await;
        house.account(ADA).await;
        let done = house.in_at_once(&mut Person::new(host()), "192.0.2.7").await;
        let ctx = house.as_person(&done);
        let refused = profile::begin_phone(&house.app, &ctx, "+8835100000000").await;
        assert!(matches!(&refused, Err(e) if e.field().is_some_and(|(field, _)| field == "phone")), "{refused:?}");
        for _ in 0..3 {
            profile::begin_phone(&house.app, &ctx, PHONE).await.unwrap();
        }
        assert!(matches!(profile::begin_phone(&house.app, &ctx, PHONE).await, Err(Error::TooMany { .. })), "{:?}", house.world.engine);
        crate::house::until("three texts", async || house.post.all().iter().filter(|(to, _)| to == PHONE).count() == 3).await;
        house.app.stop().await;
    }
}
