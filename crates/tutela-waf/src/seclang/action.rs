//! What a rule does: `id:1,phase:2,block,t:none,setvar:'tx.score=+%{tx.critical}'`.

use crate::{
    seclang::{Id, Switch, Target, read_targets},
    text::Text,
    transform::Transformation,
};

/// One action.
#[derive(Debug, Clone)]
pub(crate) enum Action {
    AuditLog(bool),
    Block,
    Capture,
    Chain,
    Control(Control),
    Disrupt(Disruption),
    Id(u64),
    Log(bool),
    LogData(Text),
    Message(Text),
    MultiMatch,
    Phase(u8),
    /// It says something about the rule, or opens a collection, which is there for as long as the request anyway.
    Remark,
    SetEnv(Vec<u8>, Text),
    SetVar(SetVar),
    Severity(u8),
    Skip(u32),
    SkipAfter(String),
    Status(u16),
    Tag(Text),
    Transform(Transformation),
    /// Forgets the transformations that `SecDefaultAction` gave.
    TransformNone,
}

/// What ends the request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Disruption {
    /// Nothing more is looked at: `all` of it, this phase, or what is left of the request.
    Allow(Allow),
    Deny,
    Drop,
    Pass,
    Redirect(Text),
}

/// How far `allow` reaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Allow {
    Everything,
    Phase,
    Request,
}

/// `setvar`.
#[derive(Debug, Clone)]
pub(crate) struct SetVar {
    pub variable: crate::Variable,
    pub name: Text,
    pub value: SetValue,
}

/// What becomes of it.
#[derive(Debug, Clone)]
pub(crate) enum SetValue {
    Add(Text),
    Be(Text),
    Drop,
    Subtract(Text),
}

/// `ctl`.
#[derive(Debug, Clone)]
pub(crate) enum Control {
    /// What is logged of this request; the verdict stays.
    Audit,
    ForceRequestBody(bool),
    ForceResponseBody(bool),
    RemoveById(Vec<Id>),
    RemoveByMessage(String),
    RemoveByTag(String),
    RemoveTargetById(Vec<Id>, Vec<Target>),
    RemoveTargetByMessage(String, Vec<Target>),
    RemoveTargetByTag(String, Vec<Target>),
    RequestBodyAccess(bool),
    RequestBodyProcessor(String),
    ResponseBodyAccess(bool),
    RuleEngine(Switch),
}

const SEVERITIES: [&str; 8] = ["EMERGENCY", "ALERT", "CRITICAL", "ERROR", "WARNING", "NOTICE", "INFO", "DEBUG"];

/// Reads a list of actions.
pub(crate) fn read_actions(text: &str) -> Result<Vec<Action>, String> {
    parts(text)?.into_iter().map(|(name, value)| action(name, value.as_deref())).collect()
}

/// Names and values between commas; a value in single quotes may hold commas.
fn parts(text: &str) -> Result<Vec<(&str, Option<String>)>, String> {
    let (mut found, mut rest) = (Vec::new(), text.trim_start());
    while !rest.is_empty() {
        let end = rest.find([',', ':']).unwrap_or(rest.len());
        let name = rest[..end].trim();
        let (value, after) = match rest[end..].strip_prefix(':').map(str::trim_start) {
            None => (None, &rest[end..]),
            Some(text) => {
                let (value, after) = value(text).ok_or_else(|| format!("the quote after `{name}:` is not closed"))?;
                (Some(value), after)
            }
        };
        if name.is_empty() {
            return Err("an action is missing between two commas".into());
        }
        found.push((name, value));
        let after = after.trim_start();
        rest = match after.strip_prefix(',') {
            Some(rest) => rest.trim_start(),
            None if after.is_empty() => after,
            None => return Err(format!("a comma is missing after `{name}`")),
        };
    }
    Ok(found)
}

fn value(text: &str) -> Option<(String, &str)> {
    let Some(quoted) = text.strip_prefix('\'') else {
        let end = text.find(',').unwrap_or(text.len());
        return Some((text[..end].trim_end().to_owned(), &text[end..]));
    };
    let (mut value, mut escaped) = (String::new(), false);
    for (at, c) in quoted.char_indices() {
        match c {
            _ if escaped => {
                if c != '\'' {
                    value.push('\\');
                }
                value.push(c);
                escaped = false;
            }
            '\\' => escaped = true,
            '\'' => return Some((value, &quoted[at + 1..])),
            _ => value.push(c),
        }
    }
    None
}

fn action(name: &str, value: Option<&str>) -> Result<Action, String> {
    let need = || value.ok_or_else(|| format!("`{name}` needs a value: `{name}:…`"));
    let text = || Text::read(need()?);
    let number = || need()?.parse::<u32>().map_err(|_| format!("`{name}` is a number"));
    Ok(match name.to_ascii_lowercase().as_str() {
        "allow" => Action::Disrupt(Disruption::Allow(match value {
            None => Allow::Everything,
            Some("phase") => Allow::Phase,
            Some("request") => Allow::Request,
            Some(other) => return Err(format!("`allow:{other}` is not known; there are `allow`, `allow:phase` and `allow:request`")),
        })),
        "append"
        | "deprecatevar"
        | "exec"
        | "expirevar"
        | "pause"
        | "prepend"
        | "proxy"
        | "sanitisearg"
        | "sanitiserequestheader"
        | "sanitiseresponseheader" => {
            return Err(format!("`{name}` is not supported: rules here look and judge, and start or change nothing"));
        }
        "auditlog" => Action::AuditLog(true),
        "block" => Action::Block,
        "capture" => Action::Capture,
        "chain" => Action::Chain,
        "ctl" => Action::Control(control(need()?)?),
        "deny" => Action::Disrupt(Disruption::Deny),
        "drop" => Action::Disrupt(Disruption::Drop),
        "id" => Action::Id(need()?.parse().map_err(|_| "`id` is a number")?),
        "log" => Action::Log(true),
        "logdata" => Action::LogData(text()?),
        "accuracy" | "initcol" | "maturity" | "rev" | "ver" | "xmlns" => Action::Remark,
        "msg" => Action::Message(text()?),
        "multimatch" => Action::MultiMatch,
        "noauditlog" => Action::AuditLog(false),
        "nolog" => Action::Log(false),
        "pass" => Action::Disrupt(Disruption::Pass),
        "phase" => Action::Phase(match need()? {
            "request" => 2,
            "response" => 4,
            "logging" => 5,
            digit => digit.parse().ok().filter(|phase| (1..=5).contains(phase)).ok_or_else(|| format!("`phase:{digit}` is none of 1 to 5"))?,
        }),
        "redirect" => Action::Disrupt(Disruption::Redirect(text()?)),
        "setenv" => {
            let (name, value) = need()?.split_once('=').ok_or("`setenv` is `setenv:NAME=VALUE`")?;
            Action::SetEnv(name.as_bytes().to_vec(), Text::read(value)?)
        }
        "setrsc" | "setsid" | "setuid" => Action::Remark,
        "setvar" => Action::SetVar(set_var(need()?)?),
        "severity" => {
            let named = need()?;
            let known = SEVERITIES.iter().position(|name| name.eq_ignore_ascii_case(named)).map(|number| number as u8);
            Action::Severity(known.or_else(|| named.parse().ok().filter(|number| *number < 8)).ok_or_else(|| format!("`severity:{named}` is not known"))?)
        }
        "skip" => Action::Skip(number()?),
        "skipafter" => Action::SkipAfter(need()?.to_owned()),
        "status" => {
            let status = number()?;
            let fits = u16::try_from(status).ok().filter(|status| (100..600).contains(status));
            Action::Status(fits.ok_or_else(|| format!("`status:{status}` is no status of HTTP"))?)
        }
        "t" => match Transformation::named(need()?) {
            Some(transformation) => Action::Transform(transformation),
            None if need()?.eq_ignore_ascii_case("none") => Action::TransformNone,
            None => return Err(format!("`t:{}` is not known", need()?)),
        },
        "tag" => Action::Tag(text()?),
        _ => return Err(format!("`{name}` is no action")),
    })
}

fn set_var(text: &str) -> Result<SetVar, String> {
    let (dropped, text) = text.strip_prefix('!').map_or((false, text), |text| (true, text));
    let (collection, rest) = text.split_once(['.', ':']).ok_or_else(|| format!("`setvar:{text}` names no collection, as `tx.name` does"))?;
    let variable = crate::Variable::named(collection).filter(|variable| variable.is_writable());
    let variable = variable.ok_or_else(|| format!("rules cannot write to `{collection}`"))?;
    let (name, value) = rest.split_once('=').map_or((rest, None), |(name, value)| (name, Some(value)));
    let value = match (dropped, value) {
        (true, _) => SetValue::Drop,
        (false, None) => SetValue::Be(Text::read("1")?),
        (false, Some(value)) => match value.as_bytes().first() {
            Some(b'+') => SetValue::Add(Text::read(&value[1..])?),
            Some(b'-') => SetValue::Subtract(Text::read(&value[1..])?),
            _ => SetValue::Be(Text::read(value)?),
        },
    };
    Ok(SetVar { variable, name: Text::read(name)?, value })
}

fn control(text: &str) -> Result<Control, String> {
    let (name, value) = text.split_once('=').ok_or_else(|| format!("`ctl:{text}` has no value"))?;
    let switch = || match value.to_ascii_lowercase().as_str() {
        "on" => Ok(true),
        "off" => Ok(false),
        _ => Err(format!("`ctl:{name}` is `On` or `Off`")),
    };
    let of = || value.split_once(';').ok_or_else(|| format!("`ctl:{name}` is `{name}=WHICH;VARIABLE`"));
    let targets = |text: &str| read_targets(text);
    Ok(match name.to_ascii_lowercase().as_str() {
        "auditengine" | "auditlogparts" | "debugloglevel" => Control::Audit,
        "forcerequestbodyvariable" => Control::ForceRequestBody(switch()?),
        "forceresponsebodyvariable" => Control::ForceResponseBody(switch()?),
        "requestbodyaccess" => Control::RequestBodyAccess(switch()?),
        "requestbodyprocessor" => match value.to_ascii_uppercase() {
            known if ["JSON", "MULTIPART", "URLENCODED", "XML"].contains(&known.as_str()) => Control::RequestBodyProcessor(known),
            other => return Err(format!("`{other}` is no way to read a body; there are JSON, MULTIPART, URLENCODED and XML")),
        },
        "responsebodyaccess" => Control::ResponseBodyAccess(switch()?),
        "ruleengine" => Control::RuleEngine(Switch::read(value)?),
        "ruleremovebyid" => Control::RemoveById(Id::read(value)?),
        "ruleremovebymsg" => Control::RemoveByMessage(value.to_owned()),
        "ruleremovebytag" => Control::RemoveByTag(value.to_owned()),
        "ruleremovetargetbyid" => Control::RemoveTargetById(Id::read(of()?.0)?, targets(of()?.1)?),
        "ruleremovetargetbymsg" => Control::RemoveTargetByMessage(of()?.0.to_owned(), targets(of()?.1)?),
        "ruleremovetargetbytag" => Control::RemoveTargetByTag(of()?.0.to_owned(), targets(of()?.1)?),
        _ => return Err(format!("`ctl:{name}` is not known")),
    })
}
