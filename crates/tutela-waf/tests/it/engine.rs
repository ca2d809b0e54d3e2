//! What no set of rules may be led to.

use tutela_waf::{Source, Verdict};

use crate::rules::{Request, judge, load};

#[test]
fn a_request_that_fills_what_rules_keep_hides_nothing_behind_it() {
    let rules = r#"
SecRuleEngine On
SecArgumentsLimit 20000
SecAction "id:1,phase:1,pass,nolog,setvar:tx.score=0"
SecRule ARGS_NAMES "@rx ^n" "id:2,phase:2,pass,nolog,setvar:tx.seen_%{MATCHED_VAR}=1"
SecRule ARGS:q "@streq attack" "id:3,phase:2,pass,setvar:tx.score=+5"
SecRule TX:SCORE "@ge 5" "id:4,phase:2,deny"
"#;
    let rules = load(&[Source::Text { name: "rules", text: rules }]);
    let ask = |names: u32| {
        let target = (0..names).map(|number| format!("n{number}=1&")).collect::<String>() + "q=attack";
        judge(&rules, &Request { method: "GET".into(), target: format!("/?{target}"), ..Request::default() })
    };
    assert!(matches!(ask(10).0, Verdict::Refuse(refusal) if refusal.rule == Some(4)));
    let (verdict, report) = ask(11_000);
    assert!(verdict != Verdict::Pass, "{:?} {:?}", report.scores, report.marks);
}
