//! What the program says when it cannot go on: one sentence that says what to do, and an exit code.

use std::fmt;
use std::process::ExitCode;

/// The result of everything that the command line asks for.
pub(crate) type Outcome<T = ()> = Result<T, Failure>;

/// The end of a run that did not succeed. Its sentence is for the person at the terminal: it names what is wrong and what
/// would put it right, and holds no secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Failure {
    code: u8,
    sentence: String,
}

impl Failure {
    /// The command line or the configuration is wrong: exit code 2.
    pub(crate) fn usage(sentence: impl Into<String>) -> Self {
        Self { code: 2, sentence: sentence.into() }
    }

    /// The request was good and could not be carried out: exit code 1.
    pub(crate) fn failed(sentence: impl Into<String>) -> Self {
        Self { code: 1, sentence: sentence.into() }
    }

    /// What the process ends with.
    pub(crate) fn exit_code(&self) -> ExitCode {
        ExitCode::from(self.code)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Paths, names and other programs' words may hold anything; a terminal must not obey it (attack row I6).
        for character in self.sentence.chars() {
            if character.is_control() {
                fmt::Display::fmt(&character.escape_debug(), f)?;
            } else {
                fmt::Write::write_char(f, character)?;
            }
        }
        Ok(())
    }
}

/// Says why the system refused, in words that a sentence can end with.
pub(crate) fn reason(error: &std::io::Error) -> String {
    use std::io::ErrorKind;
    match error.kind() {
        ErrorKind::PermissionDenied => String::from("permission denied"),
        ErrorKind::NotFound => String::from("it does not exist"),
        ErrorKind::StorageFull => String::from("the disk is full"),
        ErrorKind::ReadOnlyFilesystem => String::from("the file system is read-only"),
        ErrorKind::NotADirectory => String::from("it is not a folder"),
        ErrorKind::AlreadyExists => String::from("there is a file of that name already"),
        ErrorKind::IsADirectory => String::from("it is a folder"),
        _ => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sentence_stays_on_one_line_and_steers_no_terminal() {
        let failure = Failure::failed("cannot read \u{1b}[2Jmail\nroot");
        assert_eq!(failure.to_string(), "cannot read \\u{1b}[2Jmail\\nroot");
    }
}
