//! Requests over the unix sockets of engines: HTTP/1.1 for docker's API, gRPC over HTTP/2 for the
//! others.
//!
//! Nothing that answers is trusted: every answer has a limit of size and time.

use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use std::path::Path;
use std::time::Duration;
use tokio::net::UnixStream;
use tokio::time::timeout;

/// Longest answer that is read, in bytes; descriptions of containers have some thousands.
const MAX_ANSWER: usize = 4 << 20;
/// Longest time for a whole answer.
pub(super) const PATIENCE: Duration = Duration::from_secs(2);

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum NoAnswer {
    /// Connecting failed; there may be no such socket.
    #[error("{}", describe(*.0))]
    Connect(std::io::ErrorKind),
    /// The connection broke, or what came is not the protocol.
    #[error("{0}")]
    Protocol(String),
    #[error("no answer within {} s", PATIENCE.as_secs())]
    Time,
    #[error("the answer is larger than {} MiB", MAX_ANSWER >> 20)]
    Size,
    /// The engine answered that there is no such container.
    #[error("it knows no such container")]
    Unknown,
    /// The engine answered with another error.
    #[error("it answered with error {0}")]
    Status(u32),
    #[error("the answer cannot be understood")]
    Garbage,
}

fn describe(kind: std::io::ErrorKind) -> String {
    use std::io::ErrorKind as K;
    match kind {
        K::ConnectionRefused => "nobody listens there".to_owned(),
        other => other.to_string(),
    }
}

impl From<hyper::Error> for NoAnswer {
    fn from(error: hyper::Error) -> Self {
        Self::Protocol(error.to_string())
    }
}

async fn connect(socket: &Path) -> Result<UnixStream, NoAnswer> {
    UnixStream::connect(socket).await.map_err(|e| NoAnswer::Connect(e.kind()))
}

fn request(builder: hyper::http::request::Builder, body: Bytes) -> Result<Request<Full<Bytes>>, NoAnswer> {
    builder.body(Full::new(body)).map_err(|e| NoAnswer::Protocol(e.to_string()))
}

/// Sends `GET path` and returns the answer when its body has only begun.
async fn begin_get(socket: &Path, path: &str) -> Result<Response<Incoming>, NoAnswer> {
    let stream = connect(socket).await?;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    let answer = sender.send_request(request(Request::get(path).header("host", "localhost"), Bytes::new())?);
    let answer = answer.await?;
    match answer.status().as_u16() {
        200 => Ok(answer),
        404 => Err(NoAnswer::Unknown),
        other => Err(NoAnswer::Status(u32::from(other))),
    }
}

/// The answer to `GET path`, as JSON.
pub(super) async fn get(socket: &Path, path: &str) -> Result<serde_json::Value, NoAnswer> {
    let whole = async {
        let answer = begin_get(socket, path).await?;
        let mut bytes = Vec::new();
        let mut body = answer.into_body();
        while let Some(piece) = next_piece(&mut body).await? {
            if bytes.len() + piece.len() > MAX_ANSWER {
                return Err(NoAnswer::Size);
            }
            bytes.extend_from_slice(&piece);
        }
        serde_json::from_slice(&bytes).map_err(|_| NoAnswer::Garbage)
    };
    timeout(PATIENCE, whole).await.unwrap_or(Err(NoAnswer::Time))
}

/// Follows an answer to `GET path` that has a JSON text a line and no end; returns when it ends.
pub(super) async fn follow(
    socket: &Path,
    path: &str,
    mut each: impl FnMut(serde_json::Value),
) -> Result<(), NoAnswer> {
    let mut body =
        timeout(PATIENCE, begin_get(socket, path)).await.unwrap_or(Err(NoAnswer::Time))?.into_body();
    let mut line = Vec::new();
    while let Some(piece) = next_piece(&mut body).await? {
        for byte in piece {
            match byte {
                b'\n' => {
                    if let Ok(value) = serde_json::from_slice(&line) {
                        each(value);
                    }
                    line.clear();
                }
                _ if line.len() >= MAX_ANSWER => return Err(NoAnswer::Size),
                byte => line.push(byte),
            }
        }
    }
    Ok(())
}

async fn next_piece(body: &mut Incoming) -> Result<Option<Bytes>, NoAnswer> {
    while let Some(frame) = body.frame().await {
        if let Ok(data) = frame?.into_data() {
            return Ok(Some(data));
        }
    }
    Ok(None)
}

/// Calls a method of a gRPC service, such as `/runtime.v1.RuntimeService/ContainerStatus`, and
/// returns its one answer. `namespace` is that of containerd; other services ignore it.
pub(super) async fn call<Q: prost::Message, A: prost::Message + Default>(
    socket: &Path,
    method: &str,
    namespace: &str,
    question: &Q,
) -> Result<A, NoAnswer> {
    let whole = async {
        let mut answers = begin_call(socket, method, namespace, question).await?;
        answers.next().await?.ok_or(NoAnswer::Garbage)
    };
    timeout(PATIENCE, whole).await.unwrap_or(Err(NoAnswer::Time))
}

/// As [`call`] of a method that goes on to answer.
pub(super) async fn begin_call<Q: prost::Message>(
    socket: &Path,
    method: &str,
    namespace: &str,
    question: &Q,
) -> Result<Answers, NoAnswer> {
    let stream = connect(socket).await?;
    let io = TokioIo::new(stream);
    let (mut sender, connection) = hyper::client::conn::http2::handshake(TokioExecutor::new(), io).await?;
    tokio::spawn(connection);
    let message = question.encode_to_vec();
    let mut body = vec![0];
    body.extend_from_slice(&(message.len() as u32).to_be_bytes());
    body.extend_from_slice(&message);
    let builder = Request::post(format!("http://localhost{method}"))
        .header("content-type", "application/grpc")
        .header("te", "trailers")
        .header("containerd-namespace", namespace);
    let answer = sender.send_request(request(builder, body.into())?).await?;
    // An error that is known at once is in the head, any other behind the body.
    status(answer.headers())?;
    Ok(Answers { body: answer.into_body(), bytes: Vec::new(), _sender: sender })
}

fn status(headers: &hyper::HeaderMap) -> Result<(), NoAnswer> {
    const NOT_FOUND: u32 = 5;
    let Some(code) = headers.get("grpc-status") else { return Ok(()) };
    match code.to_str().ok().and_then(|code| code.parse().ok()) {
        Some(0) => Ok(()),
        Some(NOT_FOUND) => Err(NoAnswer::Unknown),
        Some(code) => Err(NoAnswer::Status(code)),
        None => Err(NoAnswer::Garbage),
    }
}

/// The answers of a gRPC method.
pub(super) struct Answers {
    body: Incoming,
    bytes: Vec<u8>,
    /// The connection ends when nobody can ask any more.
    _sender: hyper::client::conn::http2::SendRequest<Full<Bytes>>,
}

impl Answers {
    /// The next one, `None` when there are no more.
    pub async fn next<A: prost::Message + Default>(&mut self) -> Result<Option<A>, NoAnswer> {
        /// Not compressed, and the length.
        const HEAD: usize = 5;
        loop {
            if let Some((head, rest)) = self.bytes.split_first_chunk::<HEAD>() {
                let len = u32::from_be_bytes([head[1], head[2], head[3], head[4]]) as usize;
                if len > MAX_ANSWER {
                    return Err(NoAnswer::Size);
                }
                if let Some(message) = rest.get(..len) {
                    let answer = A::decode(message).map_err(|_| NoAnswer::Garbage);
                    self.bytes.drain(..HEAD + len);
                    return answer.map(Some);
                }
            }
            match self.body.frame().await.transpose()? {
                None if self.bytes.is_empty() => return Ok(None),
                None => return Err(NoAnswer::Garbage),
                Some(frame) => match frame.into_data() {
                    Ok(data) => self.bytes.extend_from_slice(&data),
                    Err(frame) => {
                        if let Some(trailers) = frame.trailers_ref() {
                            status(trailers)?;
                        }
                    }
                },
            }
        }
    }
}
