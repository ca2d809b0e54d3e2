use std::{
    fmt,
    process::ExitCode,
    time::{Duration, Instant},
};

/// What ran so far. Each step prints its name and its time; the end counts everything.
#[derive(Debug)]
pub struct Steps {
    done: Vec<Done>,
    require_all: bool,
}

/// Why a step did not pass.
#[derive(Debug)]
pub enum Stop {
    /// Something is wrong.
    Failed(String),
    /// It cannot run here, and why.
    Skipped(String),
}

#[derive(Debug)]
struct Done {
    name: String,
    took: Duration,
    stop: Option<Stop>,
}

impl Steps {
    /// No steps yet; with `TUTELA_REQUIRE_ALL` in the environment, a skip will be a failure.
    pub fn from_env() -> Self {
        Self::new(std::env::var_os("TUTELA_REQUIRE_ALL").is_some())
    }

    fn new(require_all: bool) -> Self {
        Self { done: Vec::new(), require_all }
    }

    /// Runs one step. Those after it run whatever comes of it.
    pub fn step(&mut self, name: &str, run: impl FnOnce() -> Result<(), Stop>) {
        println!("== {name}");
        let begun = Instant::now();
        let stop = run().err();
        let took = begun.elapsed();
        match &stop {
            None => println!("== {name}: ok, {:.1} s", took.as_secs_f64()),
            Some(Stop::Failed(why)) => println!("== {name}: FAILED, {:.1} s: {why}", took.as_secs_f64()),
            Some(Stop::Skipped(why)) => println!("SKIPPED: {name}: {why}"),
        }
        self.done.push(Done { name: name.to_owned(), took, stop });
    }

    /// Prints one line a step, and says by exit code whether all passed.
    pub fn finish(self) -> ExitCode {
        print!("{self}");
        if self.is_good() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
    }

    fn is_good(&self) -> bool {
        self.done.iter().all(|done| match done.stop {
            None => true,
            Some(Stop::Failed(_)) => false,
            Some(Stop::Skipped(_)) => !self.require_all,
        })
    }
}

impl fmt::Display for Steps {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "== summary")?;
        for Done { name, took, stop } in &self.done {
            let seconds = took.as_secs_f64();
            match stop {
                None => writeln!(f, "ok      {seconds:7.1} s  {name}")?,
                Some(Stop::Failed(why)) => writeln!(f, "FAILED  {seconds:7.1} s  {name}: {why}")?,
                Some(Stop::Skipped(why)) => writeln!(f, "SKIPPED {seconds:7.1} s  {name}: {why}")?,
            }
        }
        let skipped = self.done.iter().filter(|done| matches!(done.stop, Some(Stop::Skipped(_)))).count();
        let failed = self.done.iter().filter(|done| matches!(done.stop, Some(Stop::Failed(_)))).count();
        let total: f64 = self.done.iter().map(|done| done.took.as_secs_f64()).sum();
        write!(f, "== {} steps in {total:.0} s: {failed} failed, {skipped} skipped", self.done.len())?;
        if skipped > 0 && self.require_all {
            write!(f, " (a failure, since TUTELA_REQUIRE_ALL is set)")?;
        }
        writeln!(f)
    }
}

impl From<String> for Stop {
    fn from(why: String) -> Self {
        Self::Failed(why)
    }
}

impl From<&str> for Stop {
    fn from(why: &str) -> Self {
        Self::Failed(why.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ran(require_all: bool) -> Steps {
        let mut steps = Steps::new(require_all);
        steps.step("first", || Ok(()));
        steps.step("second", || Err(Stop::Skipped("no server".into())));
        steps
    }

    #[test]
    fn a_skip_is_counted_and_fails_only_where_everything_is_required() {
        assert!(ran(false).is_good());
        assert!(!ran(true).is_good());
        assert!(ran(true).to_string().contains("0 failed, 1 skipped (a failure"));
    }

    #[test]
    fn a_failure_does_not_stop_what_comes_after_it() {
        let mut steps = ran(false);
        steps.step("third", || Err("broken".into()));
        steps.step("fourth", || Ok(()));
        assert!(!steps.is_good());
        assert_eq!(steps.done.len(), 4);
    }
}
