/// Why a request was not answered by an application.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The request's body was larger than the route allows.
    #[error("the request's body is larger than the route allows")]
    BodyTooLarge,
    /// No connection within the time, or none at all.
    #[error("the upstream cannot be reached: {0}")]
    Connect(String),
    /// The client stopped sending, or nothing moved for too long.
    #[error("the client's body ended early or stood still")]
    ClientBody,
    /// There is no room for one more body that is to be inspected.
    #[error("there is no room for one more body that is to be inspected: `gateway.waf.max_held_mib`")]
    Crowded,
    /// The session, or the route, has ended meanwhile.
    #[error("the session or the route has ended")]
    Ended,
    /// The firewall did not come to a verdict.
    #[error("the firewall did not come to a verdict")]
    Inspection,
    /// No server of the upstream is well, or all are drained.
    #[error("no server of the upstream is well")]
    NoServer,
    /// The head of the answer did not come in time.
    #[error("the upstream did not answer in time")]
    Timeout,
    /// All of it took longer than it may.
    #[error("it took longer than it may in all")]
    TooSlow,
    /// Card numbers could not be looked for in its answer.
    #[error("card numbers in the upstream's answer could not be masked: {0}")]
    Unmasked(&'static str),
    /// What the upstream sent is not HTTP, or it broke off.
    #[error("the upstream's answer broke off: {0}")]
    Upstream(String),
}
