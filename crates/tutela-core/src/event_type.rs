//! Event types: each is declared once, beside the code that emits it. Search, exports, retention,
//! the reference and the schemas all read the declaration; one without mapping or example does
//! not compile.

use std::{borrow::Cow, fmt};

use crate::{Mapping, Severity};

/// The declaration of an event type: what an auditor and a machine need to know of it.
#[derive(Debug, Clone)]
pub struct EventType {
    /// Dotted name in the past tense, for example `session.started`.
    pub name: &'static str,
    /// What it means, for an auditor.
    pub sentence: &'static str,
    /// How grave it is by itself.
    pub severity: Severity,
    /// Which rule of retention it falls under.
    pub class: Class,
    /// What it is called in the schemas that others read.
    pub mapping: Mapping,
    /// The fields it carries beside the common ones.
    pub fields: &'static [Field],
}

/// One declared field of an event type.
#[derive(Debug, Clone, Copy)]
pub struct Field {
    /// Its name.
    pub name: &'static str,
    /// Whether it is about a person; such fields are sealed.
    pub personal: bool,
    /// A value it could have, as JSON; it says the field's shape too.
    pub example: &'static str,
}

impl Field {
    /// A field that says nothing about a person.
    pub const fn clear(name: &'static str, example: &'static str) -> Self {
        Self { name, personal: false, example }
    }

    /// A field about a person.
    pub const fn personal(name: &'static str, example: &'static str) -> Self {
        Self { name, personal: true, example }
    }
}

/// A class of retention: events of one class are kept equally long.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Class(Cow<'static, str>);

impl Class {
    /// What people, programs and tutela did; the default.
    pub const AUDIT: Self = Self(Cow::Borrowed("audit"));
    /// What an auditor asks for years later: erasures, holds, destroyed keys, exports, restores.
    pub const COMPLIANCE: Self = Self(Cow::Borrowed("compliance"));
    /// Single requests and single uses of keys.
    pub const TRAFFIC: Self = Self(Cow::Borrowed("traffic"));
    /// Those that our own types use.
    pub const OWN: [Self; 3] = [Self::AUDIT, Self::COMPLIANCE, Self::TRAFFIC];

    /// From its name: 1 to 32 characters of `a-z _`.
    pub fn parse(name: &str) -> Option<Self> {
        let fine = (1..=32).contains(&name.len()) && name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
        let own = Self::OWN.into_iter().find(|class| class.0 == name);
        fine.then(|| own.unwrap_or_else(|| Self(Cow::Owned(name.to_owned()))))
    }

    /// Its name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Declares event types in a table: for each a struct with its fields, the declaration, and how the
/// fields are written into the event; personal fields stand behind a semicolon. The first name becomes
/// the list of them all.
#[macro_export]
macro_rules! occurrences {
    ($(#[$list_doc:meta])* $list:ident
     $($(#[$doc:meta])* $name:ident { $($(#[$field_doc:meta])* $field:ident: $type:ty),* $(,)? }
       $kind:literal $sentence:literal $severity:ident $class:ident $mapping:ident $action:literal
       [$($declared:literal = $example:literal),* $(; $($personal:literal = $about:literal),+)?] |$this:ident, $event:ident| $fill:block)*) => {
        $(#[$list_doc])*
        pub const $list: &[$crate::EventType] = &[$(<$name as $crate::Occurrence>::TYPE),*];
        $($(#[$doc])*
        pub struct $name<'a> { $($(#[$field_doc])* $field: $type,)* lifetime: std::marker::PhantomData<&'a ()> }

        impl<'a> $name<'a> {
            /// What happened.
            #[allow(clippy::too_many_arguments, reason = "one for each field that the event has")]
            pub fn new($($field: $type),*) -> Self {
                Self { $($field,)* lifetime: std::marker::PhantomData }
            }
        }

        impl $crate::Occurrence for $name<'_> {
            const TYPE: $crate::EventType = $crate::EventType {
                name: $kind,
                sentence: $sentence,
                severity: $crate::Severity::$severity,
                class: $crate::Class::$class,
                mapping: $crate::mapping::$mapping,
                fields: &[$($crate::Field::clear($declared, $example),)* $($($crate::Field::personal($personal, $about)),+)?],
            };
            fn fill(self, $event: &mut $crate::Event) {
                let $this = self;
                $event.action = Some($action.into());
                $fill
            }
        })*
    };
}
