//! `fuzz`: the entry points of `fuzz/`, bounded by time.

use crate::{Place, Steps, cmd};

/// `fuzz [--seconds N] [TARGET]`.
pub fn run(place: &Place, words: &[String], steps: &mut Steps) -> Result<(), String> {
    let (mut seconds, mut target) = (60, None);
    let mut words = words.iter();
    while let Some(word) = words.next() {
        match word.as_str() {
            "--seconds" => seconds = words.next().and_then(|n| n.parse().ok()).ok_or("`--seconds` needs a whole number")?,
            name if !name.starts_with('-') && target.is_none() => target = Some(name),
            other => return Err(format!("`fuzz` takes `--seconds N` and one target, not `{other}`")),
        }
    }
    self::steps(place, seconds, target, steps);
    Ok(())
}

/// One step: all targets, or one, each for `seconds`. The debug build is used on purpose: it checks arithmetic.
pub(crate) fn steps(place: &Place, seconds: u64, target: Option<&str>, steps: &mut Steps) {
    steps.step("fuzz", || {
        let mut command = cmd::cargo(place, &["run", "-q", "-p", "fuzz", "--", "--seconds"]);
        cmd::run(command.arg(seconds.to_string()).args(target))
    });
}
