//! The words for kinds of data and for uses: the first levels of Fideslang's taxonomies, and short words for them.
//!
//! What is below a known first level is taken as it is: maps of customers have names of their own there.

/// First levels of categories of data below `user`, and the roots.
const CATEGORIES: &[&str] = &[
    "system",
    "user",
    "user.account",
    "user.authorization",
    "user.behavior",
    "user.biometric",
    "user.childrens",
    "user.contact",
    "user.content",
    "user.criminal_history",
    "user.demographic",
    "user.device",
    "user.employment",
    "user.financial",
    "user.genetic",
    "user.government_id",
    "user.health_and_medical",
    "user.location",
    "user.name",
    "user.payment",
    "user.political_opinion",
    "user.privacy_preferences",
    "user.sensor",
    "user.social",
    "user.telemetry",
    "user.unique_id",
    "user.user_sensor",
    "user.workplace",
];

/// First levels of uses.
const USES: &[&str] = &[
    "analytics",
    "collect",
    "employment",
    "essential",
    "finance",
    "functional",
    "marketing",
    "operations",
    "personalize",
    "sales",
    "third_party_sharing",
    "train_ai_system",
];

/// Short words for categories.
const CATEGORY_ALIASES: &[(&str, &str)] = &[
    ("behavioral", "user.behavior"),
    ("biometric", "user.biometric"),
    ("contact", "user.contact"),
    ("email", "user.contact.email"),
    ("financial", "user.financial"),
    ("health", "user.health_and_medical"),
    ("location", "user.location"),
    ("medical", "user.health_and_medical"),
    ("payment", "user.payment"),
    ("personal", "user"),
    ("phi", "user.health_and_medical"),
    ("pii", "user"),
    ("sensitive", "user"),
];

/// Short words for uses.
const USE_ALIASES: &[(&str, &str)] = &[
    ("advertising", "marketing.advertising"),
    ("billing", "finance"),
    ("fraud_prevention", "essential.fraud_detection"),
    ("legal", "essential.legal_obligation"),
    ("personalization", "personalize"),
    ("security", "essential.service.security"),
    ("service_delivery", "essential.service"),
    ("support", "essential.service.operations.support"),
];

/// Whether a category is another one or lies below it.
pub fn is_within(category: &str, of: &str) -> bool {
    category.strip_prefix(of).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

/// Whether what is of a category is about a person.
pub fn is_personal(category: &str) -> bool {
    is_within(category, "user")
}

/// A category by its name or a short word; where it is none, the words that there are.
pub fn category(word: &str) -> Result<&str, Vec<&'static str>> {
    known(word, CATEGORIES, CATEGORY_ALIASES)
}

/// A use by its name or a short word; where it is none, the words that there are.
pub fn data_use(word: &str) -> Result<&str, Vec<&'static str>> {
    known(word, USES, USE_ALIASES)
}

fn known<'a>(word: &'a str, names: &'static [&'static str], aliases: &'static [(&'static str, &'static str)]) -> Result<&'a str, Vec<&'static str>> {
    if let Some((_, name)) = aliases.iter().find(|(alias, _)| *alias == word) {
        return Ok(name);
    }
    let fits =
        word.len() <= 128 && word.split('.').all(|part| !part.is_empty() && part.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_'));
    let below = |name: &&str| word == *name || (*name != "user" && is_within(word, name));
    if fits && names.iter().any(below) {
        return Ok(word);
    }
    Err(names.iter().copied().chain(aliases.iter().map(|(alias, _)| *alias)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_words_mean_names_and_unknown_ones_are_none() {
        assert_eq!((category("personal"), data_use("service_delivery")), (Ok("user"), Ok("essential.service")));
        assert_eq!(
            (category("user.contact.email"), data_use("marketing.advertising.first_party")),
            (Ok("user.contact.email"), Ok("marketing.advertising.first_party"))
        );
        for bad in ["", "userx", "user.nonsense", "user.contact.", "User", "user.contact.e-mail"] {
            assert!(category(bad).is_err(), "{bad}");
        }
        assert!(data_use("essential.").is_err() && data_use("whim").unwrap_err().contains(&"service_delivery"));
    }
}
