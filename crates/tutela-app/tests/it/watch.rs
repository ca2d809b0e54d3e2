use std::time::Duration;

use serde_json::json;
use testkit::engines;
use tutela_app::RetentionConfig;

use crate::house::{House, until};

const HOUR: Duration = Duration::from_secs(3_600);

#[tokio::test]
async fn what_always_came_is_missed_and_a_clock_that_was_set_is_told() {
    for world in engines().await {
        let house = House::start(world, RetentionConfig::default()).await;
        house.world.env.pass(HOUR);
        for _ in 0..24 {
            house.record(vec![json!({"type": "photo.viewed"}), json!({"type": "photo.viewed"})]).await;
            house.world.env.pass(HOUR);
        }
        house.record(vec![json!({"type": "photo.shared"})]).await;
        house.world.env.pass(HOUR);
        // The first hour without is no silence yet; after the second one it is, and it is told once.
        assert_eq!(house.count("type:ledger.silent").await, 0);
        house.world.env.pass(HOUR + HOUR / 2);
        until("the silence is recorded", async || house.count("type:ledger.silent").await == 1).await;
        assert_eq!(house.count("type:ledger.silent resource:photo.viewed").await, 1);
        house.world.env.pass(HOUR);
        assert_eq!(house.count("type:server.clock_changed").await, 0, "time passed, and nobody set the clock");
        house.world.env.jump_back(HOUR);
        until("the clock is told", async || house.count("type:server.clock_changed").await == 1).await;
        assert_eq!(house.count("type:ledger.silent").await, 1);
        house.app.stop().await;
    }
}
