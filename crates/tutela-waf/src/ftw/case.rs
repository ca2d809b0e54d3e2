//! The YAML of tests.

use base64::{
    Engine as _, alphabet,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use serde_yaml_ng::{Mapping, Value};

/// Some files leave the padding away, or set what they do not need.
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent).with_decode_allow_trailing_bits(true),
);

/// One stage of a test: a request and what is expected of it.
#[derive(Debug, Clone, Default)]
pub struct Case {
    /// The rule that the file is about, the number of the test and of its stage.
    pub name: String,
    /// The rule that the file is about.
    pub rule: u64,
    pub(super) method: Option<String>,
    pub(super) uri: Option<String>,
    pub(super) version: Option<String>,
    pub(super) headers: Vec<(String, String)>,
    pub(super) data: Option<Vec<u8>>,
    pub(super) raw: Option<Vec<u8>>,
    pub(super) completes: bool,
    pub(super) expected: Vec<u64>,
    pub(super) unexpected: Vec<u64>,
    pub(super) in_log: Option<String>,
    pub(super) not_in_log: Option<String>,
}

impl Case {
    /// Whether a rule has to match.
    pub fn expects_a_match(&self) -> bool {
        !self.expected.is_empty()
    }

    /// Whether it says anything of rules.
    pub fn is_about_rules(&self) -> bool {
        !(self.expected.is_empty() && self.unexpected.is_empty() && self.in_log.is_none() && self.not_in_log.is_none())
    }
}

/// Reads a file of tests; the text says what is wrong with it.
pub fn read_cases(yaml: &str) -> Result<Vec<Case>, String> {
    let file: Value = serde_yaml_ng::from_str(yaml).map_err(|e| e.to_string())?;
    let rule = file.get("rule_id").and_then(Value::as_u64).unwrap_or(0);
    if file.is_null() {
        return Ok(Vec::new());
    }
    if !file.is_mapping() || (rule == 0 && file.get("tests").is_none()) {
        return Err("it has neither `rule_id` nor `tests`".into());
    }
    let mut cases = Vec::new();
    for test in file.get("tests").and_then(Value::as_sequence).into_iter().flatten() {
        let id = test.get("test_id").or_else(|| test.get("test_title")).map(text).unwrap_or_default();
        for (number, stage) in (1..).zip(test.get("stages").and_then(Value::as_sequence).into_iter().flatten()) {
            // Older files wrap each stage once more.
            let stage = stage.get("stage").unwrap_or(stage);
            let name = if number == 1 { format!("{rule}-{id}") } else { format!("{rule}-{id} stage {number}") };
            cases.push(case(rule, name, stage)?);
        }
    }
    Ok(cases)
}

fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        Value::Bool(flag) => flag.to_string(),
        _ => String::new(),
    }
}

fn case(rule: u64, name: String, stage: &Value) -> Result<Case, String> {
    let input = stage.get("input").ok_or_else(|| format!("{name} has no `input`"))?;
    let output = stage.get("output").cloned().unwrap_or(Value::Mapping(Mapping::new()));
    let field = |name: &str| input.get(name).filter(|value| !value.is_null()).map(text);
    let bytes = |field: &str, text: String| LENIENT.decode(text.split_whitespace().collect::<String>()).map_err(|_| format!("{name}: `{field}` is no Base64"));
    let log = output.get("log");
    let ids = |key: &str| log.and_then(|log| log.get(key)).and_then(Value::as_sequence).into_iter().flatten().filter_map(Value::as_u64).collect::<Vec<u64>>();
    let pattern = |key: &str| log.and_then(|log| log.get(key)).map(text);
    let headers = input.get("headers").and_then(Value::as_mapping).into_iter().flatten();
    Ok(Case {
        rule,
        method: field("method"),
        uri: field("uri"),
        version: field("version"),
        headers: headers.map(|(name, value)| (text(name), text(value))).collect(),
        data: match (field("data"), field("encoded_data")) {
            (Some(data), _) => Some(data.into_bytes()),
            (None, Some(data)) => Some(bytes("encoded_data", data)?),
            (None, None) => None,
        },
        raw: field("encoded_request").filter(|text| !text.is_empty()).map(|text| bytes("encoded_request", text)).transpose()?,
        completes: input.get("autocomplete_headers").and_then(Value::as_bool).unwrap_or(true),
        expected: ids("expect_ids"),
        unexpected: ids("no_expect_ids"),
        in_log: pattern("match_regex"),
        not_in_log: pattern("no_match_regex"),
        name,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_of_tests_is_read_in_its_order() {
        let yaml = "rule_id: 7\ntests:\n  - test_id: 1\n    stages:\n      - input:\n          method: POST\n          headers:\n            B: 1\n            A: x\n          data: a=b\n        output:\n          log:\n            expect_ids: [7]\n      - input:\n          encoded_request: R0VU\n        output:\n          status: 400\n";
        let cases = read_cases(yaml).unwrap();
        assert_eq!(cases.iter().map(|case| case.name.as_str()).collect::<Vec<_>>(), ["7-1", "7-1 stage 2"]);
        assert_eq!(cases[0].headers, [("B".to_owned(), "1".to_owned()), ("A".into(), "x".into())]);
        assert!(cases[0].is_about_rules() && !cases[1].is_about_rules());
        assert_eq!(cases[1].raw.as_deref(), Some(&b"GET"[..]));
        assert!(read_cases("a: b").is_err());
    }
}
