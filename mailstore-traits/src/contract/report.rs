//! What came of it.

use std::fmt;

/// One thing that the contract promises.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Behaviour {
    /// Its number in the contract.
    pub number: u8,
    /// Its name, for [`run_one`](super::run_one).
    pub name: &'static str,
    /// What is promised.
    pub sentence: &'static str,
}

impl Behaviour {
    /// One of another kit, by the same numbers.
    pub const fn new(number: u8, name: &'static str, sentence: &'static str) -> Self {
        Self { number, name, sentence }
    }
}

/// What came of testing one behaviour.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Outcome {
    /// The store keeps it.
    Passed,
    /// The store does not keep it; the words say what happened instead.
    Failed(String),
    /// It was not tested; the words say why.
    Skipped(String),
}

/// What came of a run. Its `Display` is a list for people to read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    outcomes: Vec<(Behaviour, Outcome)>,
}

impl Report {
    /// What came of these.
    pub fn new(outcomes: Vec<(Behaviour, Outcome)>) -> Self {
        Self { outcomes }
    }

    /// What came of each behaviour, in the order of the contract.
    pub fn outcomes(&self) -> impl Iterator<Item = (&Behaviour, &Outcome)> {
        self.outcomes.iter().map(|(behaviour, outcome)| (behaviour, outcome))
    }

    /// What came of the behaviour of that name, if it was in the run.
    pub fn outcome(&self, name: &str) -> Option<&Outcome> {
        self.outcomes.iter().find(|(behaviour, _)| behaviour.name == name).map(|(_, outcome)| outcome)
    }

    /// The behaviours that the store does not keep.
    pub fn failed(&self) -> impl Iterator<Item = (&Behaviour, &str)> {
        self.outcomes.iter().filter_map(|(behaviour, outcome)| match outcome {
            Outcome::Failed(why) => Some((behaviour, why.as_str())),
            Outcome::Passed | Outcome::Skipped(_) => None,
        })
    }

    /// The behaviours that were not tested, and why.
    pub fn skipped(&self) -> impl Iterator<Item = (&Behaviour, &str)> {
        self.outcomes.iter().filter_map(|(behaviour, outcome)| match outcome {
            Outcome::Skipped(why) => Some((behaviour, why.as_str())),
            Outcome::Passed | Outcome::Failed(_) => None,
        })
    }

    /// Prints what was skipped, for whoever reads the test's output, and ends the test if something failed.
    ///
    /// # Panics
    /// With the list of all that failed, if anything did.
    #[allow(clippy::print_stderr, reason = "what a test was not able to test has to be said somewhere")]
    pub fn assert_passed(&self) {
        for (behaviour, why) in self.skipped() {
            eprintln!("skipped {:>3} {}: {why}", behaviour.number, behaviour.name);
        }
        assert!(self.failed().next().is_none(), "the store does not keep the contract\n{self}");
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (behaviour, outcome) in &self.outcomes {
            let (word, why) = match outcome {
                Outcome::Passed => ("passed", ""),
                Outcome::Failed(why) => ("FAILED", why.as_str()),
                Outcome::Skipped(why) => ("skipped", why.as_str()),
            };
            writeln!(f, "{word:>7} {:>3} {}: {}", behaviour.number, behaviour.name, behaviour.sentence)?;
            if !why.is_empty() {
                writeln!(f, "            {why}")?;
            }
        }
        Ok(())
    }
}
