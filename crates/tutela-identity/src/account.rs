use tutela_core::{AccountId, Timestamp};

use crate::Error;

/// A login record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// Its id.
    pub id: AccountId,
    /// The name used to sign in.
    pub email: Email,
    /// The name shown to people.
    pub name: String,
    /// Whether it may sign in.
    pub state: AccountState,
    /// When it was made.
    pub created_at: Timestamp,
    /// When mail was seen to arrive at the address.
    pub email_verified_at: Option<Timestamp>,
    /// Phone number (E.164).
    pub phone: Option<String>,
    /// When a code sent to the phone came back.
    pub phone_verified_at: Option<Timestamp>,
}

/// Whether an account may sign in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AccountState {
    /// It may.
    Active,
    /// It may not; its sessions are ended.
    Disabled,
    /// It signed itself up, and nobody has shown yet that its mail address is theirs.
    Unverified,
}

impl AccountState {
    /// As stored and shown.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Disabled => "disabled",
            Self::Unverified => "unverified",
        }
    }

    /// From its word; anything unknown is disabled (unknown is no).
    pub fn parse(word: &str) -> Self {
        match word {
            "active" => Self::Active,
            "unverified" => Self::Unverified,
            _ => Self::Disabled,
        }
    }
}

/// A mail address, trimmed and in lower case, its domain as it is asked for (RFC 5890): what looks like another domain
/// and is none reads `xn--…`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Email(String);

impl Email {
    /// Checks the shape `local@domain`; whether mail arrives there only mail can tell.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let text = text.trim().to_lowercase();
        let bad = |why: &str| Err(Error::invalid("email", format!("{why}; expected an address such as `ada@example.com`")));
        let Some((local, domain)) = text.rsplit_once('@') else { return bad("there is no `@` in it") };
        if !local.is_ascii() {
            return bad("the part before `@` has ASCII letters only: mail servers rarely take others, and some look alike");
        }
        // What is checked is what is kept: a domain may grow, and lose its strange letters, on the way to ASCII.
        let domain = match domain.is_ascii() {
            true => domain.to_owned(),
            false => match idna::domain_to_ascii_cow(domain.as_bytes(), idna::AsciiDenyList::STD3) {
                Ok(domain) => domain.into_owned(),
                Err(_) => return bad("the part after `@` is not a domain"),
            },
        };
        let text = format!("{local}@{domain}");
        if text.len() > 254 || local.is_empty() || local.len() > 64 {
            return bad("the part before `@` has 1 to 64 characters, the whole at most 254, as it is asked for (`xn--…`)");
        }
        if text.chars().any(|c| !c.is_ascii_graphic() || "<>()[],;:\"".contains(c)) || local.contains('@') {
            return bad("it holds a character that addresses do not have");
        }
        if domain.split('.').any(|label| label.is_empty() || label.len() > 63) {
            return bad("the part after `@` is not a domain");
        }
        Ok(Self(text))
    }

    /// An address that was parsed before it was stored.
    pub fn from_stored(text: String) -> Self {
        Self(text)
    }

    /// The address.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Account {
    /// A new account that may sign in.
    pub fn new(id: AccountId, email: Email, name: &str, now: Timestamp) -> Result<Self, Error> {
        let name = display_name(name)?;
        let (email_verified_at, phone, phone_verified_at) = (None, None, None);
        Ok(Self { id, email, name, state: AccountState::Active, created_at: now, email_verified_at, phone, phone_verified_at })
    }
}

/// A name as people see it: trimmed, 1 to 128 characters, nothing that hides, reverses or breaks the text around it,
/// and no word that mixes alphabets whose letters look alike (UTS 39 §5.1, the case that is met: `аdmin`).
pub fn display_name(text: &str) -> Result<String, Error> {
    let name = text.trim();
    let tricky = |c: char| {
        c.is_control()
            || matches!(c, '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{180e}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{ffa0}' | '\u{1d400}'..='\u{1d7ff}' | '\u{e0000}'..='\u{e0fff}')
            || matches!(c, '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}')
    };
    if name.is_empty() || name.chars().count() > 128 || name.chars().any(tricky) {
        return Err(Error::invalid("name", "a name has 1 to 128 characters, and none that is invisible or changes the direction of the text"));
    }
    if name.split(|c: char| c.is_whitespace() || c.is_ascii_punctuation()).any(mixes_alphabets) {
        return Err(Error::invalid("name", "a word of a name is written in one alphabet; letters of another one look like it and are not"));
    }
    Ok(name.to_owned())
}

/// Whether Latin stands beside Greek, Cyrillic, Armenian or Cherokee in one word, or they beside each other.
fn mixes_alphabets(word: &str) -> bool {
    let alphabet = |c: char| match c {
        'A'..='Z' | 'a'..='z' | '\u{c0}'..='\u{24f}' | '\u{1e00}'..='\u{1eff}' | '\u{ff21}'..='\u{ff5a}' => 1,
        '\u{370}'..='\u{3ff}' | '\u{1f00}'..='\u{1fff}' => 2,
        '\u{400}'..='\u{52f}' | '\u{1c80}'..='\u{1c8f}' => 3,
        '\u{530}'..='\u{58f}' => 4,
        '\u{13a0}'..='\u{13ff}' => 5,
        // Joiners that other scripts need have no place between these.
        '\u{200c}' | '\u{200d}' => 6,
        _ => 0,
    };
    let mut found = word.chars().map(alphabet).filter(|which| *which > 0);
    found.next().is_some_and(|first| found.any(|which| which != first))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_trimmed_and_lowered_and_bad_ones_refused() {
        assert_eq!(Email::parse(" Ada@Example.COM ").unwrap().as_str(), "ada@example.com");
        for bad in ["", "ada", "@example.com", "ada@", "a b@example.com", "ada@example..com", "a@b@c", "<a>@b", &format!("{}@b.c", "a".repeat(65))] {
            assert!(Email::parse(bad).is_err(), "{bad}");
        }
        // What is kept parses again, however it was written; what grows too long or hides a comma on the way is refused.
        for odd in
            [format!("a@{}fr", "\u{e9}.".repeat(80)), "a@exa\u{ff0c}mple.com".into(), format!("a@{}.com", "\u{e9}".repeat(70)), "a@exa_mple\u{e9}.com".into()]
        {
            assert!(Email::parse(&odd).is_err(), "{odd}");
        }
        for fine in ["ada@exämple.com", "ada@EXAMPLE.com", "a+b@xn--exmple-cua.com", "ada@пример.рф"] {
            let once = Email::parse(fine).unwrap();
            assert_eq!(Email::parse(once.as_str()).unwrap(), once, "{fine}");
        }
    }
}
