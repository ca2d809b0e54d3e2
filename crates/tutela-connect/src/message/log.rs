use std::{
    fs::OpenOptions,
    io::Write as _,
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

use serde_json::{Value, json};
use tutela_app::port::{AlertSender, Mail, MailSender, Notice, SendError, SmsSender, TextMessage};
use tutela_core::seam::BoxFuture;

/// Writes messages to a file that only its owner reads.
pub struct LogFile {
    path: PathBuf,
}

impl LogFile {
    /// Appends to the file at `path`.
    pub fn new(path: &Path) -> Self {
        Self { path: path.to_owned() }
    }

    fn write(&self, line: &Value) -> Result<(), SendError> {
        let mut file = OpenOptions::new().append(true).create(true).mode(0o600).open(&self.path).map_err(|e| SendError::Unavailable(e.to_string()))?;
        // One write, so that lines of two senders do not mix.
        file.write_all(format!("{line}\n").as_bytes()).map_err(|e| SendError::Unavailable(e.to_string()))
    }
}

impl MailSender for LogFile {
    fn send<'a>(&'a self, mail: &'a Mail) -> BoxFuture<'a, Result<(), SendError>> {
        let line = json!({"channel": "mail", "id": mail.id, "to": mail.to, "subject": mail.subject, "body": mail.body.open()});
        Box::pin(async move { self.write(&line) })
    }
}

impl AlertSender for LogFile {
    fn send<'a>(&'a self, to: &'a str, notice: &'a Notice, _below: Option<&'a str>) -> BoxFuture<'a, Result<Option<String>, SendError>> {
        let line = json!({"channel": "alert", "id": notice.id, "to": to, "subject": notice.title, "body": notice.details});
        Box::pin(async move { self.write(&line).map(|()| None) })
    }
}

impl SmsSender for LogFile {
    fn send<'a>(&'a self, message: &'a TextMessage) -> BoxFuture<'a, Result<(), SendError>> {
        let line = json!({"channel": "sms", "id": message.id, "to": message.to, "body": message.body.open()});
        Box::pin(async move { self.write(&line) })
    }
}
