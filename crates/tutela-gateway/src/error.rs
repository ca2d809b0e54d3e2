/// Why an upstream gave no answer.
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
    /// The firewall did not come to a verdict.
    #[error("the firewall did not come to a verdict")]
    Inspection,
    /// The head of the answer did not come in time.
    #[error("the upstream did not answer in time")]
    Timeout,
    /// What the upstream sent is not HTTP, or it broke off.
    #[error("the upstream's answer broke off: {0}")]
    Upstream(String),
}
