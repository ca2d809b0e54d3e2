//! The rules and metrics that come with tutela: `rules/detection`.

/// Files of rules, each a name and its text.
pub const OWN_RULES: &[(&str, &str)] = &[
    ("at-the-gateway.yml", include_str!("../../../rules/detection/at-the-gateway.yml")),
    ("inside.yml", include_str!("../../../rules/detection/inside.yml")),
    ("signing-in.yml", include_str!("../../../rules/detection/signing-in.yml")),
];

/// Metrics.
pub const OWN_METRICS: &str = include_str!("../../../rules/detection/metrics.yml");
