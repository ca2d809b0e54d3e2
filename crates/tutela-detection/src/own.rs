//! The rules, metrics and playbooks that come with tutela: `rules/detection`, `rules/playbooks`.

/// Files of rules, each a name and its text.
pub const OWN_RULES: &[(&str, &str)] = &[
    ("at-the-gateway.yml", include_str!("../../../rules/detection/at-the-gateway.yml")),
    ("inside.yml", include_str!("../../../rules/detection/inside.yml")),
    ("signing-in.yml", include_str!("../../../rules/detection/signing-in.yml")),
];

/// Metrics.
pub const OWN_METRICS: &str = include_str!("../../../rules/detection/metrics.yml");

/// Playbooks, each a name and its text.
pub const OWN_PLAYBOOKS: &[(&str, &str)] = &[
    ("account_takeover.yml", include_str!("../../../rules/playbooks/account_takeover.yml")),
    ("data_breach.yml", include_str!("../../../rules/playbooks/data_breach.yml")),
    ("insider_export.yml", include_str!("../../../rules/playbooks/insider_export.yml")),
];
