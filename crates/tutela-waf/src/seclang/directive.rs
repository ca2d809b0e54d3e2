//! One line: its directive and what that says.

use super::{Action, Line, Target, read_actions, read_targets};
use crate::{
    error::Error,
    regex::Regex,
    settings::{OnLimit, Setting, Statuses},
};

/// A directive.
#[derive(Debug)]
pub(crate) enum Directive {
    Action(Vec<Action>),
    DefaultAction(Vec<Action>),
    /// Another file; with `true` it may be missing.
    Include(String, bool),
    Marker(String),
    /// It is known, and about something that this engine does not have.
    Nothing,
    Remove(Which),
    Rule(RawRule),
    Setting(Setting),
    UnicodeMap(String, u32),
    UpdateActions(u64, Vec<Action>),
    UpdateTargets(Which, Vec<Target>),
}

/// `SecRule`, its operator not yet built.
#[derive(Debug)]
pub(crate) struct RawRule {
    pub targets: Vec<Target>,
    pub negated: bool,
    pub operator: String,
    pub argument: String,
    pub actions: Vec<Action>,
}

/// Rules that another directive is about.
#[derive(Debug)]
pub(crate) enum Which {
    Ids(Vec<Id>),
    Message(Regex),
    Tag(Regex),
}

/// Ids from the first to the last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Id {
    pub first: u64,
    pub last: u64,
}

impl Id {
    pub(crate) fn read(text: &str) -> Result<Vec<Self>, String> {
        let words = text.split([',', ' ']).map(|word| word.trim_matches(['"', '\''])).filter(|word| !word.is_empty());
        let read = |word: &str| -> Option<Self> {
            match word.split_once('-') {
                Some((first, last)) => Some(Self { first: first.parse().ok()?, last: last.parse().ok()? }),
                None => word.parse().ok().map(|id| Self { first: id, last: id }),
            }
        };
        let ids: Option<Vec<Self>> = words.map(read).collect();
        ids.filter(|ids| !ids.is_empty()).ok_or_else(|| format!("`{text}` is no list of rule ids, such as `942100` or `942100-942199`"))
    }

    pub(crate) fn holds(self, id: u64) -> bool {
        (self.first..=self.last).contains(&id)
    }
}

/// What the engine does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Switch {
    /// Rules run, and nothing is refused.
    DetectionOnly,
    /// No rule runs.
    Off,
    /// Rules run and refuse.
    On,
}

impl Switch {
    pub(crate) fn read(text: &str) -> Result<Self, String> {
        Ok(match text.to_ascii_lowercase().as_str() {
            "detectiononly" => Self::DetectionOnly,
            "off" => Self::Off,
            "on" => Self::On,
            _ => return Err(format!("`{text}` is none of `On`, `Off` and `DetectionOnly`")),
        })
    }
}

/// Known directives about what is not here: another place for logs and uploads, another engine's limits, other hosts.
const NOTHING: [&str; 36] = [
    "SecAuditLog",
    "SecAuditLog2",
    "SecAuditLogDirMode",
    "SecAuditLogFileMode",
    "SecAuditLogFormat",
    "SecAuditLogStorageDir",
    "SecAuditLogType",
    "SecChrootDir",
    "SecCollectionTimeout",
    "SecComponentSignature",
    "SecConnEngine",
    "SecContentInjection",
    "SecDataDir",
    "SecDebugLog",
    "SecDebugLogLevel",
    "SecGuardianLog",
    "SecInterceptOnError",
    "SecPcreMatchLimit",
    "SecPcreMatchLimitRecursion",
    "SecRequestBodyInMemoryLimit",
    "SecRuleInheritance",
    "SecRulePerfTime",
    "SecSensorId",
    "SecServerSignature",
    "SecStatusEngine",
    "SecStreamInBodyInspection",
    "SecStreamOutBodyInspection",
    "SecTmpDir",
    "SecTmpSaveUploadedFiles",
    "SecUploadDir",
    "SecUploadFileMode",
    "SecUploadKeepFiles",
    "SecWriteStateLimit",
    "SecReadStateLimit",
    "SecXmlExternalEntity",
    "SecParseXmlIntoArgs",
];

/// Directives that reach outside, or that nobody should rely on here.
const REFUSED: [&str; 12] = [
    "SecCacheTransformations",
    "SecDisableBackendCompression",
    "SecGeoLookupDb",
    "SecGsbLookupDb",
    "SecHashEngine",
    "SecHashKey",
    "SecHashMethodPm",
    "SecHashMethodRx",
    "SecHashParam",
    "SecHttpBlKey",
    "SecRemoteRules",
    "SecRuleScript",
];

/// Reads a line.
pub(crate) fn read_directive(line: &Line) -> Result<Directive, Error> {
    let mut words = line.words.iter().map(String::as_str);
    let name = words.next().unwrap_or_default();
    let rest: Vec<&str> = words.collect();
    read(name, &rest).map_err(|what| Error { place: line.place.clone(), what })
}

fn read(name: &str, words: &[&str]) -> Result<Directive, String> {
    let one = || match words {
        [word] => Ok(*word),
        _ => Err(format!("`{name}` has one value")),
    };
    let two = || match words {
        [first, second] => Ok((*first, *second)),
        _ => Err(format!("`{name}` has two values")),
    };
    let on = || match one()?.to_ascii_lowercase().as_str() {
        "on" => Ok(true),
        "off" => Ok(false),
        other => Err(format!("`{name}` is `On` or `Off`, not `{other}`")),
    };
    let number = || one()?.parse::<u64>().map_err(|_| format!("`{name}` is a number"));
    let on_limit = || match one()?.to_ascii_lowercase().as_str() {
        "reject" => Ok(OnLimit::Reject),
        "processpartial" => Ok(OnLimit::Partial),
        other => Err(format!("`{name}` is `Reject` or `ProcessPartial`, not `{other}`")),
    };
    let fits = |text: &str| Regex::new(text, true).map_err(|e| format!("`{text}` is no regular expression: {e}"));
    let same = |known: &str| known.eq_ignore_ascii_case(name);
    if NOTHING.into_iter().any(same) {
        return Ok(Directive::Nothing);
    }
    if REFUSED.into_iter().any(same) {
        return Err(format!("`{name}` is not supported"));
    }
    Ok(match name.to_ascii_lowercase().as_str() {
        "include" => Directive::Include(one()?.to_owned(), false),
        "includeoptional" => Directive::Include(one()?.to_owned(), true),
        "secaction" => Directive::Action(read_actions(one()?)?),
        "secargumentseparator" => match one()?.as_bytes() {
            [byte] => Directive::Setting(Setting::ArgumentSeparator(*byte)),
            _ => return Err(format!("`{name}` is one character")),
        },
        "secargumentslimit" => Directive::Setting(Setting::ArgumentsLimit(number()?)),
        "secauditengine" => Directive::Setting(Setting::AuditEngine(match one()?.to_ascii_lowercase().as_str() {
            "on" => Some(true),
            "off" => Some(false),
            "relevantonly" => None,
            other => return Err(format!("`{name}` is `On`, `Off` or `RelevantOnly`, not `{other}`")),
        })),
        "secauditlogparts" => Directive::Setting(Setting::AuditLogParts(one()?.to_ascii_uppercase())),
        "secauditlogrelevantstatus" => Directive::Setting(Setting::AuditRelevantStatus(Statuses::of(one()?)?)),
        "seccookieformat" => match one()? {
            "0" | "1" => Directive::Nothing,
            other => return Err(format!("`{name}` is 0 or 1, not `{other}`")),
        },
        "secdefaultaction" => Directive::DefaultAction(read_actions(one()?)?),
        "secmarker" => Directive::Marker(one()?.to_owned()),
        "secrequestbodyaccess" => Directive::Setting(Setting::RequestBodyAccess(on()?)),
        "secrequestbodyjsondepthlimit" => Directive::Setting(Setting::JsonDepth(number()?)),
        "secrequestbodylimit" => Directive::Setting(Setting::RequestBodyLimit(number()?)),
        "secrequestbodylimitaction" => Directive::Setting(Setting::OnRequestBodyLimit(on_limit()?)),
        "secrequestbodynofileslimit" => Directive::Setting(Setting::RequestBodyNoFilesLimit(number()?)),
        "secresponsebodyaccess" => Directive::Setting(Setting::ResponseBodyAccess(on()?)),
        "secresponsebodylimit" => Directive::Setting(Setting::ResponseBodyLimit(number()?)),
        "secresponsebodylimitaction" => Directive::Setting(Setting::OnResponseBodyLimit(on_limit()?)),
        "secresponsebodymimetype" => Directive::Setting(Setting::ResponseTypes(words.iter().map(|word| word.to_ascii_lowercase()).collect())),
        "secresponsebodymimetypesclear" => Directive::Setting(Setting::ResponseTypesClear),
        "secrule" => Directive::Rule(rule(words)?),
        "secruleengine" => Directive::Setting(Setting::Engine(Switch::read(one()?)?)),
        "secruleremovebyid" => Directive::Remove(Which::Ids(Id::read(&words.join(" "))?)),
        "secruleremovebymsg" => Directive::Remove(Which::Message(fits(one()?)?)),
        "secruleremovebytag" => Directive::Remove(Which::Tag(fits(one()?)?)),
        "secruleupdateactionbyid" => {
            let (id, actions) = two()?;
            let id = id.split(':').next().unwrap_or_default().parse().map_err(|_| format!("`{id}` is no rule id"))?;
            Directive::UpdateActions(id, read_actions(actions)?)
        }
        "secruleupdatetargetbyid" => Directive::UpdateTargets(Which::Ids(Id::read(two()?.0)?), updated(two()?.1)?),
        "secruleupdatetargetbymsg" => Directive::UpdateTargets(Which::Message(fits(two()?.0)?), updated(two()?.1)?),
        "secruleupdatetargetbytag" => Directive::UpdateTargets(Which::Tag(fits(two()?.0)?), updated(two()?.1)?),
        "secunicodemapfile" => match words {
            [file] => Directive::UnicodeMap((*file).to_owned(), 20_127),
            [file, page] => Directive::UnicodeMap((*file).to_owned(), page.parse().map_err(|_| format!("`{page}` is no code page"))?),
            _ => return Err(format!("`{name}` is a file and a code page")),
        },
        "secuploadfilelimit" => Directive::Setting(Setting::FilesLimit(number()?)),
        "secwebappid" => Directive::Setting(Setting::WebappId(one()?.to_owned())),
        _ => return Err(format!("`{name}` is no directive")),
    })
}

/// Targets of `SecRuleUpdateTarget…`, between commas or bars.
fn updated(text: &str) -> Result<Vec<Target>, String> {
    let mut found = Vec::new();
    for part in text.split(',') {
        found.extend(read_targets(part)?);
    }
    Ok(found)
}

fn rule(words: &[&str]) -> Result<RawRule, String> {
    let (targets, test, actions) = match words {
        [targets, test] => (*targets, *test, ""),
        [targets, test, actions] => (*targets, *test, *actions),
        _ => return Err("`SecRule` is `SecRule VARIABLES \"@operator …\" \"actions\"`".into()),
    };
    let (negated, test) = test.strip_prefix('!').map_or((false, test), |test| (true, test.trim_start()));
    let (operator, argument) = match test.strip_prefix('@') {
        // Without a name it is a regular expression.
        None => ("rx", test),
        Some(test) => test.split_once(char::is_whitespace).unwrap_or((test, "")),
    };
    let argument = if operator.eq_ignore_ascii_case("rx") { argument } else { argument.trim() };
    Ok(RawRule { targets: read_targets(targets)?, negated, operator: operator.to_owned(), argument: argument.to_owned(), actions: read_actions(actions)? })
}
