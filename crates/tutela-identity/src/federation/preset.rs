//! The ways of known providers, as data.

use super::{OpenidKind, ResponseMode};

/// What a provider does differently.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Preset {
    /// What the button says.
    pub label: &'static str,
    /// Its one issuer.
    pub issuer: Option<&'static str>,
    /// Scopes asked for.
    pub scopes: &'static [&'static str],
    /// How it answers.
    pub response_mode: ResponseMode,
    /// Whether its issuer has a directory's id in it, and tokens of several come through one registration.
    pub many_issuers: bool,
    /// Whether its secret is a statement that the registration's key signs.
    pub signed_secret: bool,
    /// Whether mail addresses there are whatever an administrator of some directory has typed; they are never believed.
    pub email_is_hearsay: bool,
    /// The claim with groups.
    pub groups: Option<&'static str>,
}

/// A provider that keeps to the standard.
pub(crate) const STANDARD: Preset = Preset {
    label: "",
    issuer: None,
    scopes: &["openid", "email", "profile"],
    response_mode: ResponseMode::Query,
    many_issuers: false,
    signed_secret: false,
    email_is_hearsay: false,
    groups: None,
};

pub(crate) fn preset(kind: Option<OpenidKind>) -> Preset {
    match kind {
        None => STANDARD,
        // Name and mail come only if they are asked for, and then only as a posted form.
        Some(OpenidKind::Apple) => Preset {
            label: "Apple",
            issuer: Some("https://appleid.apple.com"),
            scopes: &["openid", "email", "name"],
            response_mode: ResponseMode::FormPost,
            signed_secret: true,
            ..STANDARD
        },
        Some(OpenidKind::Entra) => Preset { label: "Microsoft", many_issuers: true, email_is_hearsay: true, ..STANDARD },
        Some(OpenidKind::Gitlab) => Preset { label: "GitLab", issuer: Some("https://gitlab.com"), groups: Some("groups_direct"), ..STANDARD },
        Some(OpenidKind::Google) => Preset { label: "Google", issuer: Some("https://accounts.google.com"), ..STANDARD },
        Some(OpenidKind::Keycloak) => Preset { label: "Keycloak", ..STANDARD },
    }
}
