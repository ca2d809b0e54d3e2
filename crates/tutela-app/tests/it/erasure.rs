use serde_json::json;
use testkit::{Engine, engines};
use tutela_api::{ExternalId, SubjectAction, SubjectRef};
use tutela_app::{RetentionConfig, ledger, subject};
use tutela_ledger::Checkpoint;

use crate::house::House;

async fn erase(house: &House, value: &str) {
    let subject = SubjectRef::External(ExternalId { namespace: "photos".into(), value: value.into() });
    let action = SubjectAction { subject, reason: "asked for it".into() };
    subject::erase(&house.app, &house.ctx(), action).await.unwrap();
}

#[tokio::test]
async fn an_erased_person_is_found_by_nothing_that_was_theirs_and_the_root_is_the_same() {
    for world in engines().await {
        let house = House::start(world, RetentionConfig::default()).await;
        let event = |person: &str, note: &str| json!({"type": "photo.shared", "actor": {"namespace": "photos", "value": person}, "resource": "album/9", "source": {"ip": "192.0.2.7"}, "metadata": {"note": note}});
        house.record(vec![event("7", "zanzibar"), event("8", "zanzibar"), event("7", "timbuktu")]).await;
        let before = Checkpoint::parse(&ledger::checkpoint(&house.app, &house.ctx()).await.unwrap()).unwrap();
        assert_eq!((house.count("zanzibar").await, house.count("actor:photos:7").await, house.count("ip:192.0.2.7").await), (2, 2, 3));
        erase(&house, "7").await;
        // The words that were theirs are gone from the index; what was never personal is still there.
        crate::house::until("the index was cleaned", async || house.index_holds("k=").await == 1).await;
        assert_eq!((house.count("zanzibar").await, house.count("timbuktu").await, house.count("actor:photos:7").await), (1, 0, 0));
        assert_eq!((house.count("ip:192.0.2.7").await, house.count("type:photo.shared resource:album/9").await), (1, 3));
        assert_eq!(house.count("type:privacy.subject.erased").await, 1);
        let report = house.verify(&[before]).await;
        assert_eq!(report.flaw, None, "{:?}", house.world.engine);
        if house.world.engine == Engine::Sqlite {
            assert_eq!(house.terms("w=").await, house.live_terms("w=").await, "deleted tokens stand in no segment");
        }
        house.app.stop().await;
    }
}
