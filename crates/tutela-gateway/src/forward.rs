//! Passing a request on to its upstream, streaming both ways.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use http::{Request, Response, Uri};
use http_body_util::BodyExt as _;
use hyper_util::{
    client::legacy::Client,
    rt::{TokioExecutor, TokioIo, TokioTimer},
};
use tokio::net::TcpStream;
use tower::Service;

use crate::{
    Config, Error,
    body::{Body, Watched},
    held::Held,
    names::resolve_loopback,
};

/// Connections kept per upstream while idle.
const IDLE_CONNECTIONS: usize = 64;

/// The client side of the gateway.
#[derive(Clone)]
pub(crate) struct Forward {
    client: Client<Connect, Watched<Held>>,
    response_timeout: Duration,
    idle: Duration,
}

impl Forward {
    pub(crate) fn new(config: &Config) -> Self {
        let seconds = |n: u32| Duration::from_secs(u64::from(n));
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(Duration::from_secs(55))
            .pool_max_idle_per_host(IDLE_CONNECTIONS)
            .set_host(false)
            .build(Connect { timeout: seconds(config.connect_timeout) });
        Self { client, response_timeout: seconds(config.response_timeout), idle: seconds(config.idle_timeout) }
    }

    /// Sends the request; the body flows while the answer is awaited. The time limit counts from
    /// the end of the upload, so that a slow but moving upload is not cut.
    pub(crate) async fn send(&self, request: Request<Held>, max_body: u64) -> Result<Response<Body>, Error> {
        let (parts, body) = request.into_parts();
        let has_body = !hyper::body::Body::is_end_stream(&body);
        let request = Request::from_parts(parts, Watched::new(body, max_body, self.idle));
        let answer = self.client.request(request);
        let limit = if has_body { self.response_timeout + Duration::from_secs(86_400) } else { self.response_timeout };
        let response = tokio::time::timeout(limit, answer).await.map_err(|_| Error::Timeout)?.map_err(|e| cause(&e))?;
        Ok(response.map(|body| Watched::new(body, u64::MAX, self.idle).boxed_unsync()))
    }
}

/// Which of our causes stands behind the client library's error.
fn cause(e: &hyper_util::client::legacy::Error) -> Error {
    let mut source: Option<&(dyn std::error::Error + 'static)> = Some(e);
    while let Some(inner) = source {
        match inner.downcast_ref::<Error>() {
            Some(Error::BodyTooLarge) => return Error::BodyTooLarge,
            Some(Error::ClientBody) => return Error::ClientBody,
            _ => source = inner.source(),
        }
    }
    if e.is_connect() { Error::Connect(chain(e)) } else { Error::Upstream(chain(e)) }
}

fn chain(e: &dyn std::error::Error) -> String {
    let mut text = e.to_string();
    let mut source = e.source();
    while let Some(inner) = source {
        text = format!("{text}: {inner}");
        source = inner.source();
    }
    text
}

/// Connects to an upstream; names under `.localhost` are this host.
#[derive(Clone)]
struct Connect {
    timeout: Duration,
}

impl Service<Uri> for Connect {
    type Response = TokioIo<TcpStream>;
    type Error = std::io::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let timeout = self.timeout;
        Box::pin(async move {
            let host = uri.host().unwrap_or_default().to_owned();
            let connect = async {
                let mut last = std::io::Error::new(std::io::ErrorKind::NotFound, "the upstream's name has no address");
                for address in resolve_loopback(&host, uri.port_u16().unwrap_or(80)).await? {
                    match TcpStream::connect(address).await {
                        Ok(stream) => {
                            stream.set_nodelay(true)?;
                            return Ok(TokioIo::new(stream));
                        }
                        Err(e) => last = e,
                    }
                }
                Err(last)
            };
            tokio::time::timeout(timeout, connect).await.unwrap_or_else(|_| Err(std::io::ErrorKind::TimedOut.into()))
        })
    }
}
