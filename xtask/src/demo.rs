//! A running `tutela demo`, and what it said about itself.

use std::{
    fs::File,
    io::{BufRead as _, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::mpsc,
    time::{Duration, Instant},
};

use serde_json::Value;

use crate::Stop;

const READY_WITHIN: Duration = Duration::from_secs(60);
const STOPPED_WITHIN: Duration = Duration::from_secs(20);

/// The process is ended when this is dropped, whatever happened.
#[derive(Debug)]
pub struct Demo {
    /// Origin of the guarded app.
    pub app: String,
    /// Origin of the own host.
    pub own: String,
    /// Origin of the console.
    pub console: String,
    /// A key for the API.
    pub api_key: String,
    /// Where it keeps everything.
    pub data: PathBuf,
    /// Where its mails and text messages go.
    pub messages: PathBuf,
    /// Somebody who is no administrator.
    pub person: Person,
    /// Somebody whose account may be deleted.
    pub leaver: Person,
    /// An administrator.
    pub admin: Person,
    child: Child,
}

/// Who can sign in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    /// Address.
    pub email: String,
    /// Password.
    pub password: String,
}

/// Whether the demo begins anew or goes on with the data it has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Begin {
    /// Old data is thrown away.
    Anew,
    /// Old data is kept.
    Kept,
}

impl Demo {
    /// Starts `program` on free ports and waits for its one line of JSON. Its log goes to `log`.
    pub fn start(program: &Path, data: &Path, log: &Path, begin: Begin) -> Result<Self, Stop> {
        let mut command = Command::new(program);
        command.arg("demo").arg("--data").arg(data).args(["--json", "--port", "0", "--admin-port", "0"]);
        if begin == Begin::Anew {
            command.arg("--reset");
        }
        let stderr = File::options().create(true).append(true).open(log).map_err(|e| format!("{}: {e}", log.display()))?;
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(stderr).spawn().map_err(|e| format!("{}: {e}", program.display()))?;
        match first_line(&mut child).and_then(|line| described(&line)) {
            Ok(told) => Ok(Self {
                app: told.app,
                own: told.own,
                console: told.console,
                api_key: told.api_key,
                data: data.to_owned(),
                messages: data.join("messages.jsonl"),
                person: told.person,
                leaver: told.leaver,
                admin: told.admin,
                child,
            }),
            Err(why) => {
                end(&mut child);
                Err(Stop::Failed(format!("the demo did not start: {why}; the end of its log:\n{}", tail(log))))
            }
        }
    }

    /// Asks it to stop, as Ctrl-C does, and checks that it ends well and in time.
    pub fn stop(mut self) -> Result<(), Stop> {
        let sent = Command::new("kill").arg("-INT").arg(self.child.id().to_string()).status().map_err(|e| format!("kill: {e}"))?;
        if !sent.success() {
            return Err("the demo was gone before it was asked to stop".into());
        }
        let asked = Instant::now();
        while asked.elapsed() < STOPPED_WITHIN {
            match self.child.try_wait().map_err(|e| e.to_string())? {
                Some(status) if status.success() => return Ok(()),
                Some(status) => return Err(Stop::Failed(format!("the demo ended with {status}"))),
                None => std::thread::sleep(Duration::from_millis(50)),
            }
        }
        Err(Stop::Failed(format!("the demo did not stop within {} s", STOPPED_WITHIN.as_secs())))
    }

    /// Ends it at once, as a power cut would.
    pub fn kill(mut self) {
        end(&mut self.child);
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        end(&mut self.child);
    }
}

fn end(child: &mut Child) {
    let _ = child.kill();
    let _ = child.wait();
}

/// Reads the first line; what follows is read and thrown away, so that the demo never waits for us.
fn first_line(child: &mut Child) -> Result<String, String> {
    let stdout = child.stdout.take().ok_or("it has no standard output")?;
    let (send, receive) = mpsc::channel();
    std::thread::spawn(move || {
        for line in BufReader::new(stdout).lines().map_while(Result::ok) {
            let _ = send.send(line);
        }
    });
    receive.recv_timeout(READY_WITHIN).map_err(|e| match e {
        mpsc::RecvTimeoutError::Timeout => format!("it said nothing for {} s", READY_WITHIN.as_secs()),
        mpsc::RecvTimeoutError::Disconnected => "it ended without a word".to_owned(),
    })
}

#[derive(Debug)]
struct Told {
    app: String,
    own: String,
    console: String,
    api_key: String,
    person: Person,
    leaver: Person,
    admin: Person,
}

fn described(line: &str) -> Result<Told, String> {
    let json: Value = serde_json::from_str(line).map_err(|_| format!("expected one line of JSON, got `{line}`"))?;
    let text = |json: &Value, name: &str| json[name].as_str().map(str::to_owned).ok_or_else(|| format!("its JSON has no `{name}`"));
    let people = json["people"].as_array().ok_or("its JSON has no `people`")?;
    let is_admin = |person: &&Value| person["roles"].as_array().is_some_and(|roles| roles.iter().any(|role| role == "admin"));
    let read = |person: Option<&Value>, who: &str| {
        let person = person.ok_or_else(|| format!("among its people is no {who}"))?;
        Ok::<_, String>(Person { email: text(person, "email")?, password: text(person, "password")? })
    };
    Ok(Told {
        app: text(&json, "app")?,
        own: text(&json, "own")?,
        console: text(&json, "console")?,
        api_key: text(&json, "api_key")?,
        person: read(people.iter().find(|person| !is_admin(person)), "ordinary person")?,
        leaver: read(people.iter().rfind(|person| !is_admin(person)), "person who leaves")?,
        admin: read(people.iter().find(is_admin), "administrator")?,
    })
}

fn tail(log: &Path) -> String {
    let text = std::fs::read_to_string(log).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(20)..].join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_ordinary_person_and_the_first_administrator_are_taken() {
        let line = r#"{"app":"http://photos.localhost:1","own":"http://tutela.localhost:1","console":"http://console.tutela.localhost:2","api_key":"tck_x",
            "people":[{"email":"root@x","password":"r","roles":["admin"]},{"email":"ada@x","password":"a","roles":["member"]},{"email":"fay@x","password":"f","roles":["member"]}]}"#;
        let told = described(line).unwrap();
        assert_eq!((told.person.email.as_str(), told.leaver.email.as_str(), told.admin.password.as_str()), ("ada@x", "fay@x", "r"));
        assert!(described("listening").unwrap_err().contains("one line of JSON"));
        assert!(described(r#"{"people":[]}"#).is_err());
    }
}
