//! How easy a password is to guess, by `zxcvbn`, within a bounded time.
//!
//! That crate asks the clock for the year, once, to know which dates are near: the one thing here that does not come in
//! as an argument.

use zxcvbn::{feedback::Warning, zxcvbn};

use super::normalize;

/// Most and fewest characters that strength is estimated over.
const ESTIMATED: usize = 64;
const ESTIMATED_LEAST: usize = 16;
/// Signs that zxcvbn takes for letters. It tries each choice of one sign a letter, and 15 signs make 576 choices.
const DISGUISES: [&str; 8] = ["4@", "({[<", "69", "1!|", "1|7", "$5", "+7", "%"];
/// What an estimate may cost, in characters squared times choices: some 10 ms.
const EFFORT: usize = 20_000;
/// How many words about the person are compared, and how long they may be.
const MOST_WORDS: usize = 64;
const LONGEST_WORD: usize = 256;

/// What was found.
pub(super) struct Estimate {
    /// From 0 to 4: guesses below 10^3, 10^6, 10^8, 10^10, or more.
    pub score: u8,
    /// Whether the whole password stands on the list of common ones, in any case.
    pub common: bool,
    /// What makes it easy, where the score is 2 or less.
    pub why: &'static str,
}

impl Estimate {
    /// Of a normalised password; `words` are guessed first.
    pub(super) fn of(password: &str, words: &[String]) -> Self {
        let head = head(password);
        let known: Vec<&str> = words.iter().map(String::as_str).collect();
        let found = zxcvbn(head, &known);
        let warning = found.feedback().and_then(|feedback| feedback.warning());
        Self { score: found.score().into(), common: is_common(warning) && head.len() == password.len(), why: why(warning) }
    }
}

/// As much of a password as is estimated. The time grows with the square of the length and with the choices that
/// [`DISGUISES`] leave: all of 100 bad characters take two seconds. Less can only look weaker, and what has many kinds of
/// signs looks strong soon.
fn head(password: &str) -> &str {
    let cut = |length: usize| password.char_indices().nth(length).and_then(|(at, _)| password.get(..at)).unwrap_or(password);
    let choices = |head: &str| DISGUISES.iter().map(|signs| signs.chars().filter(|sign| head.contains(*sign)).count().max(1)).product::<usize>();
    let affordable = |length: &usize| *length == ESTIMATED_LEAST || length * length * (3 + choices(cut(*length))) <= EFFORT;
    (ESTIMATED_LEAST..=ESTIMATED).rev().find(affordable).map_or(password, cut)
}

/// Each entry and each word in it, in lower case, the longest first.
pub(super) fn words(context: &[&str]) -> Vec<String> {
    let entries = context.iter().take(MOST_WORDS).map(|entry| normalize(&entry.chars().take(LONGEST_WORD).collect::<String>()).open().to_lowercase());
    let mut words: Vec<String> = Vec::new();
    for entry in entries {
        let pieces = entry.split(|c: char| !c.is_alphanumeric()).chain([entry.trim()]);
        words.extend(pieces.filter(|piece| piece.chars().count() >= 3).map(str::to_owned));
    }
    words.sort_by(|a, b| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
    words.dedup();
    words.truncate(MOST_WORDS);
    words
}

/// Whether nothing but digits and punctuation is left once the words are taken out.
pub(super) fn consists_of(password: &str, words: &[String]) -> bool {
    let lower = password.to_lowercase();
    let rest = words.iter().fold(lower.clone(), |rest, word| rest.replace(word, " "));
    rest != lower && !rest.chars().any(char::is_alphabetic)
}

/// Whether the whole password stands on zxcvbn's list, in any case.
fn is_common(warning: Option<Warning>) -> bool {
    matches!(warning, Some(Warning::ThisIsATop10Password | Warning::ThisIsATop100Password | Warning::ThisIsACommonPassword))
}

fn why(warning: Option<Warning>) -> &'static str {
    match warning {
        None => "it follows a pattern that is tried early",
        Some(Warning::AWordByItselfIsEasyToGuess) => "it is one word",
        Some(Warning::CommonNamesAndSurnamesAreEasyToGuess | Warning::NamesAndSurnamesByThemselvesAreEasyToGuess) => "it is built on a name",
        Some(Warning::DatesAreOftenEasyToGuess | Warning::RecentYearsAreEasyToGuess) => "it is built on a date or a year",
        Some(Warning::RepeatsLikeAaaAreEasyToGuess | Warning::RepeatsLikeAbcAbcAreOnlySlightlyHarderToGuess) => "it repeats itself",
        Some(Warning::SequencesLikeAbcAreEasyToGuess) => "it holds a sequence such as `abc` or `6543`",
        Some(Warning::ShortKeyboardPatternsAreEasyToGuess | Warning::StraightRowsOfKeysAreEasyToGuess) => "it follows the keys of the keyboard",
        Some(Warning::ThisIsACommonPassword | Warning::ThisIsATop100Password | Warning::ThisIsATop10Password) => "it begins with a common password",
        Some(Warning::ThisIsSimilarToACommonlyUsedPassword) => "it is close to a password that many people have",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_would_take_long_to_estimate_is_cut_short() {
        let signs: String = DISGUISES.concat();
        for (password, length) in [("correct horse battery".repeat(9), 64), ("короткий".to_owned(), 8), (signs.repeat(9), 16), ("pa$5w0rd!(".repeat(9), 63)]
        {
            assert_eq!(head(&password).chars().count(), length, "{password}");
        }
        assert_eq!(Estimate::of(&signs.repeat(30), &[]).score, 4);
    }

    #[test]
    fn words_are_taken_apart_and_the_longest_comes_first() {
        assert_eq!(words(&["Ada@Example.com", "Ada K."]), ["ada@example.com", "example", "ada k.", "ada", "com"]);
        assert_eq!(words(&["", "a.b", "x".repeat(1_000).as_str()])[0].len(), LONGEST_WORD);
        assert_eq!(words(&vec!["one two three"; 1_000]).len(), 4);
        let many: Vec<String> = (0..1_000).map(|n| format!("word{n}")).collect();
        assert_eq!(words(&many.iter().map(String::as_str).collect::<Vec<_>>()).len(), MOST_WORDS);
    }
}
