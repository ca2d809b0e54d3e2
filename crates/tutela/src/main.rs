//! The tutela program: command line, configuration, wiring, shutdown. No logic of its own.

mod command;
mod config;
#[cfg(feature = "demo")]
mod demo;
mod detection;
mod error;
mod instance_restore;
mod keys;
mod listen;
mod log;
mod outside;
mod public;
mod restore;
mod serve;
mod stores;

use std::process::ExitCode;

use clap::Parser as _;

fn main() -> ExitCode {
    // One TLS and crypto library for the whole process.
    if rustls::crypto::aws_lc_rs::default_provider().install_default().is_err() {
        eprintln!("error: the cryptographic library is installed twice; please report this");
        return ExitCode::from(1);
    }
    let cli = command::Cli::parse();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(e) => {
            eprintln!("error: the process cannot start its threads: {e}");
            return ExitCode::from(1);
        }
    };
    match runtime.block_on(command::run(cli)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            eprintln!("error: {e}");
            ExitCode::from(e.exit_code())
        }
    }
}
