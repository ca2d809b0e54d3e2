//! What can happen to keys and with them; one struct each, in the past tense.
//!
//! None of them carries a plaintext, a context or a key. Contexts appear as keyed hashes, so that
//! equal ones can be told from others by whoever holds the instance's root key.

use tutela_core::{Event, KeyId, Outcome, Resource, Severity, occurrences};

fn key(event: &mut Event, id: KeyId) {
    event.resource = Some(Resource::of("key", id));
}

fn epoch(event: &mut Event, number: u32) {
    event.resource = Some(Resource::of("epoch", number));
}

fn because(event: &mut Event, reason: &str) {
    event.reason = Some(reason.to_owned());
}

occurrences! {
    /// Every event type of keys.
    TYPES

    /// A provider epoch began.
    EpochBegan { number: u32, provider: &'a str, provider_key: &'a str }
    "key.epoch_began" "A new provider key was made; all data keys move under it." Low AUDIT ENTITY_CREATE "begin" ["provider" = r#""local""#, "provider_key" = r#""epoch-7""#]
    |this, event| { epoch(event, this.number); event.set("provider", this.provider); event.set("provider_key", this.provider_key); }

    /// A provider epoch was destroyed.
    EpochDestroyed { number: u32, provider: &'a str, provider_key: &'a str, reason: &'a str }
    "key.epoch_destroyed" "A provider key was destroyed; what was wrapped under it opens nowhere any more, in no backup either." Medium COMPLIANCE ENTITY_DELETE "destroy" ["provider" = r#""local""#, "provider_key" = r#""epoch-7""#]
    |this, event| { epoch(event, this.number); event.set("provider", this.provider); event.set("provider_key", this.provider_key); because(event, this.reason); }

    /// A field policy was made or changed.
    FieldPolicyChanged { name: &'a str, fields: Vec<String> }
    "field_policy.changed" "Which fields of a record are sealed, and how, was set." Medium AUDIT ENTITY_UPDATE "set" ["fields" = r#"["email", "iban"]"#]
    |this, event| { event.resource = Some(Resource::of("field_policy", this.name)); event.set("fields", this.fields); }

    /// A field policy was deleted.
    FieldPolicyDeleted { name: &'a str }
    "field_policy.deleted" "A field policy was deleted; records sealed by it need it to be opened." Medium AUDIT ENTITY_DELETE "delete" []
    |this, event| { event.resource = Some(Resource::of("field_policy", this.name)); }

    /// The keys were backed up.
    KeyBackedUp { backup: String, keys: u64, recipients: u64, sha256: String }
    "key.backed_up" "All keys were written to a backup that only its recovery recipients can open." Low COMPLIANCE ENTITY_READ "back_up" ["keys" = "12", "recipients" = "2", "sha256" = r#""9f86d081884c7d65""#]
    |this, event| { event.resource = Some(Resource::of("key_backup", this.backup)); event.set("keys", this.keys); event.set("recipients", this.recipients); event.set("sha256", this.sha256); }

    /// A key backup's file was deleted.
    KeyBackupDeleted { backup: String }
    "key.backup_deleted" "An old key backup was deleted from the backup folder; copies made elsewhere are not reached." Low AUDIT ENTITY_DELETE "delete" []
    |this, event| { event.resource = Some(Resource::of("key_backup", this.backup)); }

    /// A restore was rehearsed.
    KeyBackupRehearsed { backup: String, keys: u64, failure: Option<&'a str> }
    "key.backup_rehearsed" "A key backup was restored into a scratch instance, and its canary was opened there." Low COMPLIANCE ENTITY_READ "rehearse" ["keys" = "12"]
    |this, event| {
        event.resource = Some(Resource::of("key_backup", this.backup));
        event.set("keys", this.keys);
        if let Some(failure) = this.failure { event.outcome = Outcome::Failure; event.severity = Severity::High; because(event, failure); }
    }

    /// A key's settings were changed.
    KeyChanged { id: KeyId, min_decryption_version: u32, rotation_schedule: String }
    "key.changed" "The settings of a key were changed." Medium AUDIT ENTITY_UPDATE "change" ["min_decryption_version" = "3", "rotation_schedule" = r#""30 days""#]
    |this, event| { key(event, this.id); event.set("min_decryption_version", this.min_decryption_version); event.set("rotation_schedule", this.rotation_schedule); }

    /// A version of a key was marked as compromised.
    KeyCompromised { id: KeyId, version: u32, reason: &'a str }
    "key.compromised" "A version of a key counts as known to others; what it sealed has to be sealed again." High COMPLIANCE ENTITY_DISABLE "mark" ["version" = "4"]
    |this, event| { key(event, this.id); event.set("version", this.version); because(event, this.reason); }

    /// A key was made.
    KeyCreated { id: KeyId, name: &'a str, purposes: Vec<String>, export: bool }
    "key.created" "A key was made." Low AUDIT ENTITY_CREATE "create" ["name" = r#""photos""#, "purposes" = r#"["encrypt"]"#, "export" = "false"]
    |this, event| { key(event, this.id); event.set("name", this.name); event.set("purposes", this.purposes); event.set("export", this.export); }

    /// A key was destroyed.
    KeyDestroyed { id: KeyId, name: &'a str }
    "key.destroyed" "A key was destroyed after its wait; nothing opens what it sealed." High COMPLIANCE ENTITY_DELETE "destroy" ["name" = r#""photos""#]
    |this, event| { key(event, this.id); event.set("name", this.name); }

    /// A key will be destroyed.
    KeyDestructionScheduled { id: KeyId, name: &'a str, at: String, reason: &'a str }
    "key.destruction_scheduled" "A key stops working now and will be destroyed after a wait, during which it can be kept." High COMPLIANCE ENTITY_DISABLE "schedule_destruction" ["name" = r#""photos""#, "destroy_at" = r#""2026-12-01T00:00:00Z""#]
    |this, event| { key(event, this.id); event.set("name", this.name); event.set("destroy_at", this.at); because(event, this.reason); }

    /// A derived key left the instance.
    KeyExported { id: KeyId, version: u32, context: String }
    "key.exported" "The key of a context was handed out, as the key's policy allows." Medium AUDIT ENTITY_READ "export" ["version" = "4", "context" = r#""6b1d0c""#]
    |this, event| { key(event, this.id); event.set("version", this.version); event.set("context", this.context); }

    /// A key that waited for its destruction is kept.
    KeyKept { id: KeyId, name: &'a str }
    "key.kept" "A key that was about to be destroyed is kept and works again." Medium AUDIT ENTITY_ENABLE "keep" ["name" = r#""photos""#]
    |this, event| { key(event, this.id); event.set("name", this.name); }

    /// The provider's settings endanger keys.
    KeyProviderWarned { provider: &'a str, warnings: Vec<String> }
    "key.provider_warned" "The key provider's own settings would destroy or rotate keys that are in use." High AUDIT ENTITY_READ "warn" ["provider" = r#""local""#, "warnings" = r#"["soft delete is off"]"#]
    |this, event| { event.set("provider", this.provider); event.set("warnings", this.warnings); }

    /// Messages were declared as gone.
    KeyReleased { id: KeyId, version: u32, messages: u64, reason: &'a str }
    "key.released" "Messages of an old version were declared as no longer kept anywhere." Medium AUDIT ENTITY_UPDATE "release" ["version" = "4", "messages" = "120"]
    |this, event| { key(event, this.id); event.set("version", this.version); event.set("messages", this.messages); because(event, this.reason); }

    /// Keys were restored from a backup.
    KeysRestored { keys: u64, skipped: u64 }
    "key.restored" "Keys were restored from a backup; those destroyed since were left alone." High COMPLIANCE ENTITY_CREATE "restore" ["keys" = "12", "skipped" = "1"]
    |this, event| { event.set("keys", this.keys); event.set("skipped", this.skipped); }

    /// A key got a new version.
    KeyRotated { id: KeyId, name: &'a str, version: u32 }
    "key.rotated" "A key has a new version, which seals from now on; earlier ones still open." Low AUDIT ENTITY_UPDATE "rotate" ["name" = r#""photos""#, "version" = "4"]
    |this, event| { key(event, this.id); event.set("name", this.name); event.set("version", this.version); }

    /// A rewrap job ended.
    KeysRewrapped { job: String, epoch_number: u32, moved: u64, quarantined: u64 }
    "key.rewrapped" "Data keys were moved under the newest provider key; no data was touched." Low AUDIT ENTITY_UPDATE "rewrap" ["epoch" = "7", "moved" = "480", "quarantined" = "0"]
    |this, event| { event.resource = Some(Resource::of("key_job", this.job)); event.set("epoch", this.epoch_number); event.set("moved", this.moved); event.set("quarantined", this.quarantined); }

    /// A key was used.
    KeyUsed { id: KeyId, version: u32, operation: &'static str, count: u64, failed: Vec<(&'static str, u64)>, contexts: Vec<String> }
    "key.used" "A key was used; uses at the same moment by the same caller are one event with their number." Informational TRAFFIC DATA_ENCRYPT "use" ["operation" = r#""encrypt""#, "version" = "4", "count" = "3", "failed" = r#"{"commitment": 1}"#, "contexts" = r#"["6b1d0c"]"#]
    |this, event| {
        key(event, this.id);
        event.action = Some(this.operation.into());
        event.set("operation", this.operation);
        event.set("version", this.version);
        event.set("count", this.count);
        if !this.contexts.is_empty() { event.set("contexts", this.contexts); }
        if !this.failed.is_empty() {
            event.outcome = Outcome::Failure;
            event.severity = Severity::Medium;
            event.set("failed", this.failed.into_iter().map(|(why, n)| (why.to_owned(), n.into())).collect::<serde_json::Map<_, _>>());
        }
    }

    /// A data subject's key was destroyed.
    SubjectErased { id: KeyId, reason: &'a str }
    "privacy.subject.erased" "The key of a data subject was destroyed; their sealed fields can no longer be read, here or in the ledger." High COMPLIANCE DATA_DELETE "erase" []
    |this, event| { key(event, this.id); because(event, this.reason); }

    /// Nothing opens what an erased subject's key had sealed.
    SubjectErasureCompleted { id: KeyId }
    "privacy.subject.erasure_completed" "The provider key and all key backups that could still open an erased data subject's fields are destroyed." Low COMPLIANCE DATA_DELETE "complete" []
    |this, event| { key(event, this.id); }

    /// A legal hold was placed.
    SubjectHeld { id: KeyId, reason: &'a str }
    "privacy.subject.held" "A legal hold keeps a data subject's key from being destroyed." Medium COMPLIANCE ENTITY_UPDATE "hold" []
    |this, event| { key(event, this.id); because(event, this.reason); }

    /// A legal hold ended.
    SubjectReleased { id: KeyId, reason: &'a str }
    "privacy.subject.released" "A legal hold on a data subject's key ended." Medium COMPLIANCE ENTITY_UPDATE "release" []
    |this, event| { key(event, this.id); because(event, this.reason); }
}
