//! `cargo xtask COMMAND`: everything this project does to itself.

use std::process::ExitCode;

use xtask::{Place, Steps, bench, e2e, fuzz, peers, soak, test, tidy};

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let (command, rest) = words.split_first().map_or(("help", &[][..]), |(first, rest)| (first.as_str(), rest));
    let run = match command {
        "bench" => bench::run,
        "e2e" => e2e::run,
        "fuzz" => fuzz::run,
        "peers" => peers::run,
        "soak" => soak::run,
        "test" => test::run,
        "tidy" => tidy::run,
        "help" | "--help" | "-h" => {
            print!("{HELP}");
            return ExitCode::SUCCESS;
        }
        other => {
            eprint!("there is no command `{other}`\n\n{HELP}");
            return ExitCode::from(2);
        }
    };
    let place = match Place::find() {
        Ok(place) => place,
        Err(why) => {
            eprintln!("{why}");
            return ExitCode::FAILURE;
        }
    };
    let mut steps = Steps::from_env();
    match run(&place, rest, &mut steps) {
        Ok(()) => steps.finish(),
        Err(usage) => {
            eprintln!("{usage}");
            ExitCode::from(2)
        }
    }
}

const HELP: &str = "\
cargo xtask COMMAND

  test [-p CRATE]           format, clippy, tidy, all tests on both engines, Python SDK, test doubles, browser, fuzz targets
  test --fast [-p CRATE]    format, tidy and tests of what a change needs
  tidy                      the house rules that a tool can check
  bench NAME... [--FLAG..]  crypto, ledger, proxy, waf and others; flags go to the benchmark, for example --events 10000000
  e2e [WORDS]               browser suite and live SDK tests against a demo; with words, only the cases they name
  fuzz [--seconds N] [TARGET]
  peers [NAME...]           comparisons with other programs
  soak [--minutes N]        kills a writing server again and again and looks for lost events
  help                      this page

TUTELA_REQUIRE_ALL=1 turns every skip into a failure. Exit codes: 0 all passed, 1 something failed, 2 usage.
";
