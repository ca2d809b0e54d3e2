//! Statements as data: every SQL text of the house is registered with its parameter types, so
//! that one test prepares them all on both engines and PostgreSQL never has to guess.

use std::sync::OnceLock;

use crate::value::Type;

/// Which engine runs a statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum On {
    /// The same text on both.
    Both,
    /// PostgreSQL only.
    Postgres,
    /// SQLite only.
    Sqlite,
}

/// A registered statement with `$1` placeholders.
#[derive(Debug)]
pub struct Sql {
    /// Its name, as it stands in errors and in the prepare test.
    pub name: &'static str,
    /// Which engine runs it.
    pub on: On,
    /// The text.
    pub text: &'static str,
    pub(crate) params: &'static [Type],
    sqlite: OnceLock<String>,
}

impl Sql {
    pub(crate) const fn new(name: &'static str, on: On, params: &'static [Type], text: &'static str) -> Self {
        Self { name, on, text, params, sqlite: OnceLock::new() }
    }

    /// How many parameters it declares.
    pub fn parameter_count(&self) -> usize {
        self.params.len()
    }

    /// The text with SQLite's numbered placeholders: `?1` for `$1`.
    pub fn sqlite(&self) -> &str {
        self.sqlite.get_or_init(|| {
            let mut out = String::with_capacity(self.text.len());
            let mut chars = self.text.chars().peekable();
            while let Some(c) = chars.next() {
                let placeholder = c == '$' && chars.peek().is_some_and(char::is_ascii_digit);
                out.push(if placeholder { '?' } else { c });
            }
            out
        })
    }
}

/// Declares statements and lists them in `STATEMENTS`.
macro_rules! statements {
    ($($(#[$doc:meta])* $name:ident $(on $on:ident)? ($($param:ident),*) = $text:expr;)*) => {
        $($(#[$doc])*
        pub(crate) static $name: $crate::sql::Sql = $crate::sql::Sql::new(
            stringify!($name), $crate::sql::statements!(@on $($on)?), &[$($crate::value::Type::$param),*], $text,
        );)*
        pub(crate) static STATEMENTS: &[&$crate::sql::Sql] = &[$(&$name),*];
    };
    (@on) => { $crate::sql::On::Both };
    (@on $on:ident) => { $crate::sql::On::$on };
}
pub(crate) use statements;
