use crate::{
    seclang::{Kind, Pick, Target},
    variable::Variable,
};

/// What an operator has excepted from a rule: one place, or all of it. Unlike `ctl`, it needs no rule of its own.
#[derive(Debug)]
pub struct Exclusion {
    pub(crate) rule: u64,
    pub(crate) target: Option<Target>,
}

impl Exclusion {
    /// `place` is written as reports have it: `ARGS:comment`, `REQUEST_COOKIES:theme`, `REQUEST_URI`; all of the rule where absent.
    pub fn new(rule: u64, place: Option<&str>) -> Result<Self, String> {
        Ok(Self { rule, target: place.map(target).transpose()? })
    }
}

/// Names are taken as they are; nothing in them is an expression.
fn target(place: &str) -> Result<Target, String> {
    let (name, one) = place.split_once(':').map_or((place, None), |(name, one)| (name, Some(one)));
    let variable = Variable::named(name).ok_or_else(|| format!("`{name}` is no place that rules look at; an example is `ARGS:comment`"))?;
    let pick = match one {
        None | Some("") if variable.is_collection() => {
            return Err(format!("`{name}` is many values; name one, such as `{name}:comment`, or no place at all for the whole rule"));
        }
        None | Some("") => Pick::All,
        Some(_) if !variable.is_collection() => return Err(format!("`{name}` is a single value; nothing goes after a `:`")),
        Some(one) => Pick::Named(one.as_bytes().to_vec()),
    };
    Ok(Target { variable, pick, kind: Kind::Except })
}
