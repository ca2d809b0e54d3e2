//! The listeners of the admin side: accept, serve, let open requests finish.

use std::{net::SocketAddr, time::Duration};

use axum::{Router, body::Body};
use hyper::{Request, body::Incoming, service::service_fn};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::conn::auto,
};
use tokio::net::{TcpListener, UnixListener};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tower::ServiceExt as _;
use tutela_http::PeerUid;

use crate::error::Error;

/// How long open requests may take to finish.
const DRAIN: Duration = Duration::from_secs(10);

/// Listens, or says which setting names a port that cannot be had.
pub async fn bind(address: SocketAddr, key: &str) -> Result<TcpListener, Error> {
    TcpListener::bind(address).await.map_err(|e| match e.kind() {
        std::io::ErrorKind::AddrInUse => {
            Error::Usage(format!("`{key}`: port {} on {} is in use; stop the other program, or choose another port", address.port(), address.ip()))
        }
        _ => Error::Usage(format!("`{key}`: cannot listen on {address}: {e}")),
    })
}

/// Serves the admin listener until stopped.
pub async fn serve_tcp(listener: TcpListener, router: Router, stop: CancellationToken) {
    let tracker = TaskTracker::new();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = stop.cancelled() => break,
        };
        let Ok((stream, peer)) = accepted else {
            tokio::time::sleep(Duration::from_millis(50)).await;
            continue;
        };
        tracker.spawn(connection(TokioIo::new(stream), router.clone(), stop.clone(), move |request| {
            request.extensions_mut().insert(peer);
        }));
    }
    drain(tracker).await;
}

/// Serves the admin socket until stopped; each request carries the peer's uid.
pub async fn serve_socket(listener: UnixListener, router: Router, stop: CancellationToken) {
    let tracker = TaskTracker::new();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = stop.cancelled() => break,
        };
        let Ok((stream, _)) = accepted else {
            tokio::time::sleep(Duration::from_millis(50)).await;
            continue;
        };
        // Without the peer's uid nothing is answered: the request will find none.
        let uid = stream.peer_cred().ok().map(|c| PeerUid(c.uid()));
        tracker.spawn(connection(TokioIo::new(stream), router.clone(), stop.clone(), move |request| {
            if let Some(uid) = uid {
                request.extensions_mut().insert(uid);
            }
        }));
    }
    drain(tracker).await;
}

async fn drain(tracker: TaskTracker) {
    tracker.close();
    let _ = tokio::time::timeout(DRAIN, tracker.wait()).await;
}

async fn connection<S>(io: TokioIo<S>, router: Router, stop: CancellationToken, mark: impl Fn(&mut Request<Body>) + Clone + Send + 'static)
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send + 'static,
{
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new()).header_read_timeout(Duration::from_secs(15));
    let service = service_fn(move |request: Request<Incoming>| {
        let (router, mark) = (router.clone(), mark.clone());
        async move {
            let mut request = request.map(Body::new);
            mark(&mut request);
            router.oneshot(request).await
        }
    });
    let connection = builder.serve_connection(io, service);
    tokio::pin!(connection);
    tokio::select! {
        // A connection that breaks is the peer's affair.
        _ = connection.as_mut() => {}
        () = stop.cancelled() => {
            connection.as_mut().graceful_shutdown();
            let _ = connection.await;
        }
    }
}
