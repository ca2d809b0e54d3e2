//! One rule, two spellings.

use std::collections::BTreeMap;

use testkit::{files, shared};
use tutela_detection::{Metrics, OWN_METRICS, OWN_RULES, Rules, Spelling, convert};

fn metrics() -> Metrics {
    let mut metrics = Metrics::default();
    metrics.add(OWN_METRICS).unwrap();
    metrics
}

fn meanings(text: &str) -> BTreeMap<String, u64> {
    let rules = Rules::load(&[("rules".into(), text.into())], &metrics()).unwrap_or_else(|e| panic!("{e}\n{text}"));
    rules.iter().map(|rule| (rule.name.clone(), rule.meaning())).collect()
}

#[test]
fn rules_of_ours_mean_the_same_in_sigma_and_back() {
    let mut left_out = Vec::new();
    let mut kept = 0;
    for (file, text) in OWN_RULES {
        let sigma = convert(file, text, Spelling::Sigma, &metrics()).unwrap();
        left_out.extend(sigma.left_out);
        let (before, after) = (meanings(text), meanings(&sigma.text));
        assert!(after.iter().all(|(name, meaning)| before.get(name) == Some(meaning)), "{before:?} {after:?}\n{}", sigma.text);
        let back = convert(file, &sigma.text, Spelling::Short, &metrics()).unwrap();
        assert_eq!((meanings(&back.text), back.left_out), (after, Vec::<String>::new()), "{}", back.text);
        // Their tests come along, and pass.
        for rule in Rules::load(&[("sigma".into(), sigma.text)], &metrics()).unwrap().iter() {
            kept += 1;
            let failed: Vec<String> = rule.run_tests().into_iter().filter_map(|outcome| outcome.failure).collect();
            assert!(failed.is_empty() && !rule.tests.is_empty(), "{}: {failed:?}", rule.name);
        }
    }
    assert!(kept >= 30, "{kept}");
    let operators = ["first", "travel", "rare hour", "spike", "unusual_access_pattern"];
    assert!(left_out.iter().all(|why| operators.iter().any(|name| why.contains(&format!("`{name}` has no counterpart")))), "{left_out:#?}");
}

#[test]
fn rules_of_sigmahq_mean_the_same_in_the_short_form() {
    let Some(folder) = shared("sigma") else { return };
    let all = files(&folder, "yml");
    let mut converted = 0;
    for (file, text) in &all {
        let short = convert(file, text, Spelling::Short, &metrics()).unwrap();
        assert_eq!(short.left_out, Vec::<String>::new(), "{file}");
        assert_eq!(meanings(&short.text), meanings(text), "{file}\n{}", short.text);
        let rules = Rules::load(&[(file.clone(), short.text)], &metrics()).unwrap();
        assert!(rules.iter().all(|rule| rule.credit.is_some()), "{file}: whoever wrote it is still named");
        converted += short.rules;
    }
    assert!(converted > 380, "{converted}");
}

#[test]
fn correlations_go_both_ways_and_what_does_not_is_named() {
    let sigma = r"
title: Refused
name: refused
logsource: {product: tutela}
detection:
  selection: {type: sign_in.failed}
  filter_own: {source.ip|cidr: 10.0.0.0/8}
  filter_health: {source.user_agent|startswith: probe}
  condition: selection and not 1 of filter_*
---
title: Worked
name: worked
logsource: {product: tutela}
detection: {selection: {type: session.started}, condition: selection}
---
title: Often
name: often
correlation: {type: event_count, rules: [refused, worked], group-by: ip, timespan: 5m, condition: {gt: 10}}
---
title: Many people
name: many
level: critical
correlation: {type: value_count, rules: refused, group-by: [ip], timespan: 1h, condition: {gte: 5, field: account}}
tutela: {action: block_ip, mode: alert}
---
title: In the end
name: at_last
correlation: {type: temporal_ordered, rules: [refused, worked], group-by: [account], timespan: 10m}
";
    let short = convert("sigma", sigma, Spelling::Short, &metrics()).unwrap();
    assert_eq!((short.rules, short.left_out.len()), (3, 0), "{short:?}");
    assert_eq!(meanings(&short.text), meanings(sigma), "{}", short.text);
    for said in ["condition: events > 10", "condition: distinct account in events >= 5", "condition: refused then worked", "action"] {
        assert!(short.text.contains(said), "{said}\n{}", short.text);
    }
    let back = convert("short", &short.text, Spelling::Sigma, &metrics()).unwrap();
    assert_eq!(meanings(&back.text), meanings(sigma), "{}", back.text);
    // Counted parts one after another.
    let guessed = "name: guessed\ncondition: failed_login_attempts >= 5 then successful_logins\nwindow: 10m\nkey: account\n";
    let there = convert("short", guessed, Spelling::Sigma, &metrics()).unwrap();
    assert_eq!(meanings(&there.text), meanings(guessed), "{}", there.text);
    let aliased = sigma.replace("group-by: [account], timespan: 10m}", "group-by: [who], timespan: 10m, aliases: {who: {refused: ip, worked: source.ip}}}");
    let left = convert("sigma", &aliased, Spelling::Short, &metrics()).unwrap();
    assert!(left.rules == 2 && left.left_out[0].contains("`aliases` has no counterpart"), "{left:?}");
    // Correlations that name each other end nowhere.
    let of = |name: &str, other: &str| {
        format!("title: {name}\nname: {name}\ncorrelation: {{type: event_count, rules: {other}, timespan: 5m, condition: {{gte: 2}}}}\n")
    };
    let round = convert("sigma", &format!("{}---\n{}---\n{}", of("a", "b"), of("b", "a"), of("c", "a")), Spelling::Short, &metrics()).unwrap();
    assert!(round.rules == 0 && round.left_out[0].contains("through another correlation"), "{round:?}");
    assert!(convert("x", "- 1\n", Spelling::Short, &metrics()).is_err());
}
