//! `fuzz [--seconds N] [--seed N] [TARGET]`: mutates the corpus and runs the targets on it for a
//! bounded time. It measures no coverage; it finds what lies near the corpus.

mod mutate;

use std::{
    fs,
    hash::{DefaultHasher, Hasher as _},
    path::{Path, PathBuf},
    process::ExitCode,
    time::{Duration, Instant},
};

use fuzz::{TARGETS, Target};
use mutate::Mutator;

fn main() -> ExitCode {
    let done = Options::parse(std::env::args().skip(1)).and_then(|options| run(&options));
    match done {
        Ok(0) => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(why) => {
            eprintln!("fuzz: {why}");
            ExitCode::from(2)
        }
    }
}

/// Runs what was asked for; gives the number of targets that failed.
fn run(options: &Options) -> Result<u32, String> {
    let home = home()?;
    let (mut passed, mut failed) = (0, 0);
    for (name, target) in TARGETS.iter().filter(|(name, _)| options.target.as_deref().is_none_or(|wanted| wanted == *name)) {
        let corpus = read_corpus(&home.join("corpus").join(name))?;
        let (executions, crash) = attack(*target, &corpus, options);
        match crash {
            None => {
                println!("ok {name}: {executions} executions");
                passed += 1;
            }
            Some(input) => {
                let kept = keep(&home, name, &input)?;
                println!("not ok {name}: {executions} executions, the input is kept as {kept}");
                failed += 1;
            }
        }
    }
    println!("{passed} passed, {failed} failed");
    if passed + failed == 0 { Err("there is no such target".into()) } else { Ok(failed) }
}

/// First the corpus itself, then mutations of it until the time is over or an input breaks the target.
fn attack(target: Target, corpus: &[Vec<u8>], options: &Options) -> (u64, Option<Vec<u8>>) {
    let mut executions = 0;
    for input in corpus {
        executions += 1;
        if breaks(target, input) {
            return (executions, Some(input.clone()));
        }
    }
    let mut mutator = Mutator::new(options.seed);
    let begun = Instant::now();
    while begun.elapsed() < options.time {
        let input = mutator.mutate(corpus);
        executions += 1;
        if breaks(target, &input) {
            return (executions, Some(input));
        }
    }
    (executions, None)
}

fn breaks(target: Target, input: &[u8]) -> bool {
    std::panic::catch_unwind(|| target(input)).is_err()
}

/// Writes the input that broke a target to `artifacts/`, and gives its path from the repository.
fn keep(home: &Path, name: &str, input: &[u8]) -> Result<String, String> {
    let mut hasher = DefaultHasher::new();
    hasher.write(input);
    let (dir, file) = (home.join("artifacts"), format!("{name}-{:016x}", hasher.finish()));
    fs::create_dir_all(&dir).and_then(|()| fs::write(dir.join(&file), input)).map_err(|e| format!("{}: {e}", dir.display()))?;
    Ok(format!("fuzz/artifacts/{file}"))
}

fn read_corpus(dir: &Path) -> Result<Vec<Vec<u8>>, String> {
    let read = || -> std::io::Result<Vec<Vec<u8>>> {
        // Sorted, so that a seed means the same on every machine.
        let mut paths = fs::read_dir(dir)?.map(|entry| entry.map(|entry| entry.path())).collect::<Result<Vec<PathBuf>, _>>()?;
        paths.sort();
        paths.iter().map(fs::read).collect()
    };
    read().map_err(|e| format!("{}: {e}", dir.display()))
}

fn home() -> Result<PathBuf, String> {
    let dir = std::env::var_os("CARGO_MANIFEST_DIR").map_or_else(|| PathBuf::from("fuzz"), PathBuf::from);
    if dir.join("corpus").is_dir() { Ok(dir) } else { Err("run it with cargo, or in the repository's root".into()) }
}

struct Options {
    /// For each target.
    time: Duration,
    seed: u64,
    target: Option<String>,
}

impl Options {
    fn parse(mut words: impl Iterator<Item = String>) -> Result<Self, String> {
        let mut options = Self { time: Duration::from_secs(10), seed: 1, target: None };
        while let Some(word) = words.next() {
            let mut number = || words.next().and_then(|n| n.parse::<u64>().ok()).ok_or(format!("`{word}` needs a whole number"));
            match word.as_str() {
                "--seconds" => options.time = Duration::from_secs(number()?),
                "--seed" => options.seed = number()?,
                name if !name.starts_with('-') => options.target = Some(name.to_owned()),
                _ => return Err("usage: fuzz [--seconds N] [--seed N] [TARGET]".into()),
            }
        }
        Ok(options)
    }
}
