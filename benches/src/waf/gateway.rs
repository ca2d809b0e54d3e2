//! The firewall where it stands: whole gateways with the Core Rule Set, under the same load.

use std::{fs, path::Path};

use serde_json::json;

use super::detection::Cases;
use crate::{
    flags::Flags,
    load::{HOST, Proxy, Round, backend},
    machine,
    report::Report,
    server::Server,
    stats::median,
};

/// A request as shops get them.
const TARGET: &str = "/search?q=red+shoes&size=42&sort=price&page=2";
/// Debian's, with libmodsecurity.
const MODULE: &str = "/usr/lib/nginx/modules/ngx_http_modsecurity_module.so";

/// nginx without rules, nginx with libmodsecurity, tutela: CPU of one request, and how much memory it takes.
pub(super) fn measure(flags: &Flags, crs: &Path, directives: &Path, cases: &Cases, report: &mut Report) -> Result<(), String> {
    let dir = tempfile::tempdir().map_err(|e| e.to_string())?;
    let crs = fs::canonicalize(crs).map_err(|e| e.to_string())?;
    let (setup, rules) = (crs.join("crs-setup.conf.example").display().to_string(), crs.join("rules").display().to_string());
    let backend = backend(dir.path())?;
    let bare = Proxy::nginx_before(dir.path(), "bare", "", backend.port, "")?;
    let guarded = if Path::new(MODULE).exists() {
        let more = format!("modsecurity on; modsecurity_rules_file {};", directives.display());
        Some(Proxy::nginx_before(dir.path(), "modsecurity", &format!("load_module {MODULE};"), backend.port, &more)?)
    } else {
        println!("skipped: nginx with libmodsecurity is not installed (libnginx-mod-http-modsecurity)");
        None
    };
    let config = format!(
        "[gateway.waf]\nrules = [\"{setup}\", \"{rules}/*.conf\"]\n[[gateway.routes]]\nname = \"bench\"\nhost = \"{HOST}\"\nupstream = \"http://127.0.0.1:{}\"\nrequire = \"public\"\n",
        backend.port
    );
    let (tutela, ready) = Server::start(dir.path(), &config)?;
    let seconds = flags.seconds("seconds", 4);
    let mut rounds = Vec::new();
    for _ in 0..flags.number("rounds", 3) {
        let a = Round::of(bare.port, bare.pid(), TARGET, seconds)?;
        let b = Round::of(tutela.port, tutela.pid(), TARGET, seconds)?;
        let c = guarded.as_ref().map(|guarded| Round::of(guarded.port, guarded.pid(), TARGET, seconds)).transpose()?;
        let theirs = c.as_ref().map_or_else(String::new, |c| format!("; nginx + libmodsecurity {:.1} us", c.cpu_us()));
        println!("nginx {:.1} us; tutela with the Core Rule Set {:.1} us{theirs}", a.cpu_us(), b.cpu_us());
        rounds.push((a, b, c));
    }
    report.raw(
        "gateways",
        rounds.iter().map(|(a, b, c)| json!({"nginx": a.json(), "tutela": b.json(), "nginx_modsecurity": c.as_ref().map(Round::json)})).collect(),
    );
    report.figure("gateway_nginx_us", median(rounds.iter().map(|(a, ..)| a.cpu_us()).collect()));
    report.figure("gateway_tutela_us", median(rounds.iter().map(|(_, b, _)| b.cpu_us()).collect()));
    report.figure("gateway_tutela_rss_mb", machine::rss_mb(tutela.pid())?);
    report.figure("gateway_ready_s", ready.as_secs_f64());
    if let Some(guarded) = &guarded {
        cases.gateway(report, "libmodsecurity in nginx, Core Rule Set", guarded.port)?;
        let theirs = median(rounds.iter().filter_map(|(.., c)| c.as_ref().map(Round::cpu_us)).collect());
        report.figure("gateway_modsecurity_us", theirs);
        report.figure("gateway_modsecurity_rss_mb", machine::rss_mb(guarded.pid())?);
        report.figure("gateway_modsecurity_over_tutela", theirs / median(rounds.iter().map(|(_, b, _)| b.cpu_us()).collect()));
    }
    tutela.stop()
}
