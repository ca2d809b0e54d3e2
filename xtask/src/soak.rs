//! `soak`: kills a server while several writers record events, starts it again on the same data,
//! and looks for every event that was acknowledged. Then the stored log is verified as a whole.

use std::{
    path::Path,
    process::Command,
    sync::atomic::{AtomicBool, Ordering},
    time::{Duration, Instant},
};

use crate::{
    Place, Steps, Stop, cmd,
    demo::{Begin, Demo},
    http,
};

static WRITERS: [&str; 4] = ["ada", "bob", "cem", "dan"];

/// `soak [--minutes N]`, or `soak --kills N`: so many kills on each engine, through the integration test.
pub fn run(place: &Place, words: &[String], steps: &mut Steps) -> Result<(), String> {
    let minutes: u64 = match words {
        [] => 30,
        [flag, number] if flag == "--kills" => {
            let kills: u32 = number.parse().map_err(|_| "`--kills` needs a whole number")?;
            steps.step("kills on both engines", || {
                let mut test = cmd::cargo(place, &["test", "-p", "tutela", "--test", "it", "--", "--nocapture", "after_kill_9"]);
                cmd::run(test.env("TUTELA_KILLS", kills.to_string()))
            });
            return Ok(());
        }
        [flag, number] if flag == "--minutes" => number.parse().map_err(|_| "`--minutes` needs a whole number")?,
        _ => return Err("`soak` takes `--minutes N` or `--kills N`".into()),
    };
    steps.step("build tutela", || cmd::run(&mut cmd::cargo(place, &["build", "-p", "tutela"])));
    steps.step("soak", || soak(place, Duration::from_secs(minutes * 60)));
    Ok(())
}

fn soak(place: &Place, time: Duration) -> Result<(), Stop> {
    let scratch = place.scratch("soak")?;
    let (program, data, log) = (place.program("debug"), scratch.join("data"), scratch.join("demo.log"));
    let (begun, mut kills, mut acknowledged) = (Instant::now(), 0_u32, 0_usize);
    let mut demo = Demo::start(&program, &data, &log, Begin::Anew)?;
    while begun.elapsed() < time {
        // From 200 ms to 1.7 s, so that a kill meets every phase: first commit, full batches, checkpoints of the WAL.
        let ids = write_for(&demo, Duration::from_millis(200 + u64::from(kills % 16) * 100), kills)?;
        demo.kill();
        kills += 1;
        demo = Demo::start(&program, &data, &log, Begin::Kept)?;
        for id in &ids {
            let answer = http::send(&demo.own, &demo.api_key, "GET", &format!("/v1/events/{id}"), "")?;
            if answer.status != 200 {
                return Err(Stop::Failed(format!("after kill {kills} event {id} is gone although it was acknowledged (status {})", answer.status)));
            }
        }
        acknowledged += ids.len();
        if kills.is_multiple_of(20) {
            println!("{kills} kills, {acknowledged} events acknowledged and found, {} s", begun.elapsed().as_secs());
        }
    }
    demo.stop()?;
    verify(&program, &data)?;
    println!("{kills} kills, {acknowledged} events acknowledged, none lost, log verified");
    Ok(())
}

/// Writes from several threads until `time` is over, with the kill following at once; gives the ids that were acknowledged.
fn write_for(demo: &Demo, time: Duration, round: u32) -> Result<Vec<String>, Stop> {
    let over = AtomicBool::new(false);
    let ids: Vec<String> = std::thread::scope(|scope| {
        let over = &over;
        let writers: Vec<_> = WRITERS.iter().map(|writer| scope.spawn(move || write(demo, over, round, writer))).collect();
        std::thread::sleep(time);
        over.store(true, Ordering::Relaxed);
        writers.into_iter().flat_map(|writer| writer.join().unwrap_or_default()).collect()
    });
    if ids.is_empty() { Err("no event was acknowledged: the server takes none".into()) } else { Ok(ids) }
}

fn write(demo: &Demo, over: &AtomicBool, round: u32, writer: &str) -> Vec<String> {
    let mut ids = Vec::new();
    let mut number = 0_u32;
    while !over.load(Ordering::Relaxed) {
        let body = serde_json::json!({"type": "soak.written", "action": "write", "resource": format!("{round}/{writer}/{number}")}).to_string();
        number += 1;
        // An error here is a refusal or a cut: that event was not acknowledged, so nothing is owed for it.
        let Ok(answer) = http::send(&demo.own, &demo.api_key, "POST", "/v1/events", &body) else { continue };
        let id = serde_json::from_str::<serde_json::Value>(&answer.body).ok().and_then(|json| json["id"].as_str().map(str::to_owned));
        ids.extend(id.filter(|_| answer.status == 201));
    }
    ids
}

/// The log as a stranger would check it: with the program's own verifier, over the files.
fn verify(program: &Path, data: &Path) -> Result<(), Stop> {
    cmd::run(Command::new(program).args(["audit", "verify", "--data"]).arg(data.join("tutela")))
}
