//! A listener that says one thing: come over TLS.

use std::{convert::Infallible, sync::Arc, time::Duration};

use http::{Method, Request, Response, StatusCode};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{net::TcpListener, sync::Semaphore};
use tokio_util::sync::CancellationToken;

use crate::{
    Body,
    handle::host_of,
    pages::{answer, moved},
};

/// How long a connection may take in all.
const PATIENCE: Duration = Duration::from_secs(10);
/// Connections at the same time.
const MOST: usize = 1_000;

/// Serves until `stop` is cancelled; `port` is that of the listener with TLS, `:8443`, or empty.
pub async fn redirect_to_tls(listener: TcpListener, port: String, stop: CancellationToken) {
    let places = Arc::new(Semaphore::new(MOST));
    loop {
        let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = stop.cancelled() => return,
        };
        let Ok((stream, _)) = accepted else {
            tokio::time::sleep(Duration::from_millis(50)).await;
            continue;
        };
        let port = port.clone();
        tokio::spawn(async move {
            let service = service_fn(|request| std::future::ready(Ok::<_, Infallible>(redirect(&request, &port))));
            let served = http1::Builder::new().timer(TokioTimer::new()).keep_alive(false).serve_connection(TokioIo::new(stream), service);
            let _ = tokio::time::timeout(PATIENCE, served).await;
            drop(place);
        });
    }
}

fn redirect(request: &Request<Incoming>, port: &str) -> Response<Body> {
    match host_of(request) {
        Some(host) => over_tls(request, &format!("https://{host}{port}"), false),
        None => answer(false, StatusCode::BAD_REQUEST, "invalid", "The request names no host, or several", "Send exactly one Host header."),
    }
}

/// Whoever came over plain HTTP comes again to `origin`; what they have sent in clear is refused.
pub(crate) fn over_tls<B>(request: &Request<B>, origin: &str, page: bool) -> Response<Body> {
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        return answer(page, StatusCode::FORBIDDEN, "forbidden", "Use HTTPS", "This server speaks HTTPS only. What was sent has travelled in clear.");
    }
    moved(&format!("{origin}{}", request.uri().path_and_query().map_or("/", |p| p.as_str())))
}
