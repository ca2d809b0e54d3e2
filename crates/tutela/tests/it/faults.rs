use std::{net::TcpListener, process::Output};

use crate::server::{Instance, exists};

fn said(out: &Output) -> String {
    String::from_utf8_lossy(&out.stderr).into_owned()
}

fn edit(instance: &Instance, from: &str, to: &str) {
    let file = instance.dir.path().join("tutela.toml");
    let text = std::fs::read_to_string(&file).unwrap();
    assert!(text.contains(from));
    std::fs::write(&file, text.replace(from, to)).unwrap();
}

#[tokio::test]
async fn what_cannot_start_says_why_in_one_sentence_with_the_fix_and_changes_nothing() {
    let unknown = Instance::new("sqlite", "[gatway]\n");
    let out = unknown.cli(&["serve"]).await;
    assert!(said(&out).contains("did you mean `gateway`?"), "{}", said(&out));
    assert_eq!((out.status.code(), exists(&unknown.data())), (Some(2), false));

    let busy = Instance::new("sqlite", "");
    let holder = TcpListener::bind(("127.0.0.1", busy.port)).unwrap();
    let out = busy.cli(&["serve"]).await;
    assert!(said(&out).contains(&format!("port {} on 127.0.0.1 is in use", busy.port)), "{}", said(&out));
    assert_eq!((out.status.code(), exists(&busy.data().join("tutela.db"))), (Some(2), false));
    drop(holder);

    let folder = Instance::new("sqlite", "");
    std::fs::write(folder.dir.path().join("file"), "x").unwrap();
    edit(&folder, "data = \"data\"", "data = \"file/data\"");
    let out = folder.cli(&["serve"]).await;
    assert!(said(&out).contains("file/data") && out.status.code() == Some(2), "{}", said(&out));

    let secret = Instance::new("sqlite", "[kms]\nkey_file = \"missing/instance.key\"\n");
    let out = secret.cli(&["serve"]).await;
    assert!(said(&out).contains("missing/instance.key") && out.status.code() == Some(2), "{}", said(&out));

    let weak = Instance::new("sqlite", "");
    edit(&weak, "allow_weak_for_tests = true", "allow_weak_for_tests = false");
    let out = weak.cli(&["config", "check"]).await;
    assert!(said(&out).contains("identity.password: `memory_kib` is 64, the least is 47104"), "{}", said(&out));

    let clash = Instance::new("sqlite", "[[gateway.routes]]\nhost = \"tutela.localhost\"\nupstream = \"http://127.0.0.1:1\"\n");
    let out = clash.cli(&["serve"]).await;
    assert!(said(&out).contains("tutela's own host"), "{}", said(&out));
}

#[tokio::test]
async fn a_second_server_on_the_same_data_is_refused_and_the_first_goes_on() {
    let first = Instance::start("sqlite", "").await;
    let second = Instance::new("sqlite", "");
    edit(&second, "data = \"data\"", &format!("data = \"{}\"", first.data().display()));
    let out = second.cli(&["serve"]).await;
    assert!(said(&out).contains("another tutela is running") && out.status.code() == Some(5), "{}", said(&out));
    assert_eq!(first.cli(&["account", "list"]).await.status.code(), Some(0));
}

#[tokio::test]
async fn a_lost_key_is_told_and_never_replaced() {
    let instance = Instance::start("sqlite", "").await;
    assert_eq!(instance.stop("-INT").await, Some(0));
    let key = instance.data().join("instance.key");
    let kept = std::fs::read(&key).unwrap();
    std::fs::remove_file(&key).unwrap();
    let out = instance.cli(&["serve"]).await;
    assert!(said(&out).contains("put the key back") && !exists(&key), "{}", said(&out));
    std::fs::write(&key, "11".repeat(32)).unwrap();
    assert!(said(&instance.cli(&["serve"]).await).contains("chmod 600"), "a key that others can read is not used");
    std::fs::set_permissions(&key, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    assert!(said(&instance.cli(&["serve"]).await).contains("another root key"));
    std::fs::write(&key, kept).unwrap();
    instance.run().await;
}

#[tokio::test]
async fn the_command_line_says_when_no_server_runs_and_uses_its_exit_codes() {
    let instance = Instance::new("sqlite", "");
    let out = instance.cli(&["session", "list"]).await;
    assert!(said(&out).contains("tutela serve") && out.status.code() == Some(5), "{}", said(&out));
    instance.run().await;
    assert_eq!(instance.cli(&["session", "revoke", "01890a5d-ac96-774b-bcce-b302099a8057", "--reason", "x"]).await.status.code(), Some(3));
    assert_eq!(instance.cli(&["nonsense"]).await.status.code(), Some(2));
    assert_eq!(instance.cli(&["migrate", "--dry-run"]).await.status.code(), Some(0));
}

#[tokio::test]
async fn init_makes_a_file_and_a_key_once() {
    let dir = tempfile::TempDir::new().unwrap();
    let run = || {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_tutela"));
        command.arg("init").current_dir(dir.path()).output().unwrap()
    };
    let first = run();
    assert!(first.status.success(), "{}", said(&first));
    use std::os::unix::fs::PermissionsExt as _;
    let mode = |path: &str| std::fs::metadata(dir.path().join(path)).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode("tutela-data"), mode("tutela-data/instance.key")), (0o700, 0o600));
    let second = run();
    assert!(said(&second).contains("exists already") && second.status.code() == Some(2));
}
