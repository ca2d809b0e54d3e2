//! Incidents: alerts about the same people and things, and what is done about them.

use serde::{Deserialize, Serialize};

/// How far an incident has come. It only goes forward; what comes back is a new incident.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum IncidentState {
    /// Nobody has looked at it.
    Open,
    /// Somebody looks at it.
    Acknowledged,
    /// It goes no further.
    Contained,
    /// It is over.
    Resolved,
    /// What it teaches is written down.
    Reviewed,
}

impl IncidentState {
    /// All of them, in their order.
    pub const ALL: [Self; 5] = [Self::Open, Self::Acknowledged, Self::Contained, Self::Resolved, Self::Reviewed];

    /// As it is written.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Acknowledged => "acknowledged",
            Self::Contained => "contained",
            Self::Resolved => "resolved",
            Self::Reviewed => "reviewed",
        }
    }

    /// From its word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == word)
    }

    /// Whether alerts join it.
    pub fn is_live(self) -> bool {
        self < Self::Resolved
    }

    /// Whether it can go there: forward, and reviewed only what is over.
    pub fn may_become(self, next: Self) -> bool {
        next > self && (next != Self::Reviewed || self == Self::Resolved)
    }
}

/// Members of a rule's key that name somebody or something whose alerts belong together.
const ENTITIES: [&str; 7] = ["account", "actor", "client", "device", "email", "ip", "session"];

/// Of what an alert is about, that which ties it to others.
pub fn entities(about: &[(String, String)]) -> impl Iterator<Item = (&'static str, &str)> {
    about.iter().filter_map(|(name, value)| Some((ENTITIES.into_iter().find(|entity| entity == name)?, value.as_str())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_incident_goes_forward_only_and_is_reviewed_when_it_is_over() {
        use IncidentState::{Acknowledged, Contained, Open, Resolved, Reviewed};
        let may: Vec<(IncidentState, Vec<IncidentState>)> =
            IncidentState::ALL.into_iter().map(|from| (from, IncidentState::ALL.into_iter().filter(|to| from.may_become(*to)).collect())).collect();
        let expected = [
            (Open, vec![Acknowledged, Contained, Resolved]),
            (Acknowledged, vec![Contained, Resolved]),
            (Contained, vec![Resolved]),
            (Resolved, vec![Reviewed]),
            (Reviewed, vec![]),
        ];
        assert_eq!(may, expected);
        assert!(IncidentState::ALL.into_iter().all(|state| IncidentState::parse(state.as_str()) == Some(state)));
    }

    #[test]
    fn places_and_routes_tie_nothing_together() {
        let about: Vec<(String, String)> =
            [("ip", "192.0.2.7"), ("country", "CH"), ("account", "ada"), ("route", "photos")].map(|(a, b)| (a.into(), b.into())).into();
        assert_eq!(entities(&about).collect::<Vec<_>>(), [("ip", "192.0.2.7"), ("account", "ada")]);
    }
}
