//! Records of AWS CloudTrail as events.

use serde_json::{Value, json};

use super::foreign::{Foreign, find, present, resource};

/// Who did it, by what CloudTrail says of them; the first that is there counts. The ARN of an assumed
/// role holds the session's name, and so the person behind the role.
const WHO: &[&[&str]] = &[
    &["userIdentity", "arn"],
    &["userIdentity", "principalId"],
    &["userIdentity", "userName"],
    &["userIdentity", "onBehalfOf", "userId"],
    &["userIdentity", "invokedBy"],
    &["userIdentity", "accountId"],
];

/// Parameters that name one kind of thing in every service that has them; the more particular one first.
/// `userName` is not among them: a resource can be read by everybody who reads the ledger's bytes, so it
/// must not name a person.
const THINGS: &[(&str, &str)] = &[
    ("bucketName", "AWS::S3::Bucket"),
    ("dBSnapshotIdentifier", "AWS::RDS::DBSnapshot"),
    ("dBInstanceIdentifier", "AWS::RDS::DBInstance"),
    ("dBClusterIdentifier", "AWS::RDS::DBCluster"),
    ("functionName", "AWS::Lambda::Function"),
    ("instanceId", "AWS::EC2::Instance"),
    ("keyId", "AWS::KMS::Key"),
    ("roleArn", "AWS::IAM::Role"),
    ("roleName", "AWS::IAM::Role"),
    ("policyArn", "AWS::IAM::Policy"),
    ("secretId", "AWS::SecretsManager::Secret"),
    ("snapshotId", "AWS::EC2::Snapshot"),
    ("tableName", "AWS::DynamoDB::Table"),
];

/// One record as the JSON of a new event: type `cloudtrail.` and the service, action the event's name.
///
/// Times without a zone are read as UTC. Where `eventTime` is absent (CloudTrail always has it), the event
/// happened when it is imported, for all that anybody can tell. Errors name the field that is wrong.
pub fn cloudtrail(record: &Value) -> Result<Value, String> {
    let mut foreign = Foreign::of(record)?;
    let (source, name) = (foreign.required("eventSource")?, foreign.required("eventName")?);
    let service = source.strip_suffix(".amazonaws.com").unwrap_or(source);
    let kind = foreign.kind("cloudtrail", service, "eventSource", &format!("{service}.amazonaws.com"))?;
    let time = foreign.time("eventTime")?;
    let outcome = outcome(&foreign, name);
    // Its code only: the message beside it often names people, and a reason is not sealed.
    let reason = foreign.action(&["errorCode"]);
    let resource = thing(&foreign);
    let source = present(json!({"ip": foreign.address(&["sourceIPAddress"]), "user_agent": foreign.user_agent(&["userAgent"])}));
    let actor = foreign.actor("aws", WHO);
    let action = foreign.action(&["eventName"]);
    let members = json!({
        "type": kind, "time": time, "action": action, "outcome": outcome, "reason": reason, "actor": actor, "resource": resource, "source": source,
    });
    Ok(foreign.event(members))
}

/// Failed calls have an error code. Sign-ins have none: their answer says `Failure` under the event's own name.
fn outcome(foreign: &Foreign<'_>, name: &str) -> &'static str {
    match foreign.text(&["errorCode"]) {
        Some(code) if ["AccessDenied", "Unauthorized", "NotAuthorized"].iter().any(|word| code.contains(word)) => "denied",
        Some(_) => "failure",
        None if foreign.text(&["responseElements", name]) == Some("Failure") || foreign.text(&["errorMessage"]).is_some() => "failure",
        None => "success",
    }
}

/// What it was done to: the first resource with an ARN, else a parameter that names a thing.
fn thing(foreign: &Foreign<'_>) -> Option<Value> {
    let listed = foreign.value(&["resources"]).and_then(Value::as_array).into_iter().flatten().find_map(|item| {
        let text = |name: &str| find(item, &[name]).and_then(Value::as_str);
        let arn = text("ARN").filter(|arn| !is_person(arn))?;
        resource(text("type").unwrap_or("AWS"), arn)
    });
    listed.or_else(|| THINGS.iter().find_map(|(parameter, kind)| resource(kind, foreign.text(&["requestParameters", *parameter]).filter(|id| !is_person(id))?)))
}

/// Whether an ARN names a person, or a session that is named after one.
fn is_person(arn: &str) -> bool {
    [":user/", ":assumed-role/", ":federated-user/"].iter().any(|part| arn.contains(part))
}

#[cfg(test)]
mod tests {
    use tutela_api::NewEvent;

    use super::*;

    fn record() -> Value {
        json!({
            "eventVersion": "1.11", "eventTime": "2026-11-22T09:30:00Z", "eventSource": "s3.amazonaws.com", "eventName": "GetObject", "awsRegion": "eu-central-1",
            "sourceIPAddress": "192.0.2.7", "userAgent": "aws-cli/2.31", "eventID": "6d0c4a6e-0000-4000-8000-000000000001",
            "userIdentity": {"type": "IAMUser", "arn": "arn:aws:iam::111122223333:user/ada", "accountId": "111122223333", "userName": "ada"},
            "requestParameters": {"bucketName": "reports", "key": "2026/q3.pdf"}, "responseElements": null,
        })
    }

    fn with(change: impl FnOnce(&mut Value)) -> Value {
        let mut record = record();
        change(&mut record);
        cloudtrail(&record).unwrap()
    }

    #[test]
    fn what_has_a_place_is_lifted_and_the_rest_is_metadata() {
        let event = cloudtrail(&record()).unwrap();
        let expected = json!({
            "type": "cloudtrail.s3", "time": "2026-11-22T09:30:00.000000Z", "action": "GetObject", "outcome": "success",
            "actor": {"namespace": "aws", "value": "arn:aws:iam::111122223333:user/ada"}, "resource": {"type": "AWS::S3::Bucket", "id": "reports"},
            "source": {"ip": "192.0.2.7", "user_agent": "aws-cli/2.31"},
            "metadata": {
                "eventVersion": "1.11", "awsRegion": "eu-central-1", "eventID": "6d0c4a6e-0000-4000-8000-000000000001",
                "userIdentity": {"type": "IAMUser", "accountId": "111122223333", "userName": "ada"},
                "requestParameters": {"bucketName": "reports", "key": "2026/q3.pdf"}, "responseElements": null,
            },
        });
        assert_eq!(event, expected);
        serde_json::from_value::<NewEvent>(event).unwrap();
    }

    #[test]
    fn outcomes_follow_the_error_code_and_the_answer_of_a_sign_in() {
        for (code, outcome) in [("AccessDenied", "denied"), ("Client.UnauthorizedOperation", "denied"), ("NoSuchEntity", "failure"), ("", "success")] {
            let event = with(|record| record["errorCode"] = json!(code));
            assert_eq!((&event["outcome"], event["reason"].as_str().unwrap_or_default()), (&json!(outcome), code));
        }
        let failed = with(|record| {
            record["eventName"] = json!("ConsoleLogin");
            record["responseElements"] = json!({"ConsoleLogin": "Failure"});
        });
        assert_eq!(failed["outcome"], "failure");
    }

    #[test]
    fn the_service_that_called_is_no_address_and_stays() {
        let event = with(|record| record["sourceIPAddress"] = json!("cloudformation.amazonaws.com"));
        assert_eq!((&event["source"], &event["metadata"]["sourceIPAddress"]), (&json!({"user_agent": "aws-cli/2.31"}), &json!("cloudformation.amazonaws.com")));
    }

    #[test]
    fn people_are_actors_and_never_resources() {
        let event = with(|record| {
            record["resources"] = json!([{"ARN": "arn:aws:iam::111122223333:user/bob", "type": "AWS::IAM::User"}]);
            record["requestParameters"] = json!({"userName": "bob"});
        });
        assert!(event["resource"].is_null());
        let nobody = with(|record| record["userIdentity"] = json!({}));
        assert_eq!(nobody["actor"], json!({"namespace": "aws", "value": "unknown"}));
        let long = with(|record| record["userIdentity"]["arn"] = json!("a".repeat(300)));
        assert_eq!(long["actor"]["value"], "ada");
    }

    #[test]
    fn what_is_too_long_is_cut_and_kept_whole_beside() {
        let agent = format!("{}é", "x".repeat(511));
        let event = with(|record| record["userAgent"] = json!(agent));
        assert_eq!((event["source"]["user_agent"].as_str().map(str::len), &event["metadata"]["userAgent"]), (Some(511), &json!(agent)));
    }

    #[test]
    fn names_in_lower_case_and_times_without_a_zone_are_understood() {
        let record = json!({"eventsource": "iam.amazonaws.com", "eventname": "CreateUser", "eventtime": "2026-11-22 09:30:00.123", "useridentity": {"principalid": "AIDA"}});
        let event = cloudtrail(&record).unwrap();
        assert_eq!(
            (&event["type"], &event["time"], &event["actor"]["value"]),
            (&json!("cloudtrail.iam"), &json!("2026-11-22T09:30:00.123000Z"), &json!("AIDA"))
        );
        assert_eq!(event["metadata"], json!({"eventtime": "2026-11-22 09:30:00.123", "useridentity": {}}));
    }

    #[test]
    fn errors_name_the_field_and_not_its_value() {
        for (field, value) in [("eventSource", Value::Null), ("eventName", json!("")), ("eventTime", json!("secret")), ("eventTime", json!(1_795_339_800))] {
            let mut record = record();
            record[field] = value;
            let error = cloudtrail(&record).unwrap_err();
            assert!(error.contains(&format!("`{field}`")) && !error.contains("secret"), "{error}");
        }
        assert_eq!(cloudtrail(&json!([])).unwrap_err(), "a record is a JSON object");
    }
}
