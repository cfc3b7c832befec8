//! A server that does to each request what a script says, and remembers what was asked.

use std::sync::{Arc, Mutex};

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// One thing that the server does in answer to a request.
#[derive(Clone, Debug)]
pub enum Act {
    /// Writes these bytes.
    Write(Vec<u8>),
    /// The start of an answer whose body comes in chunks.
    Head(u16),
    /// One chunk of such a body.
    Chunk(Vec<u8>),
    /// The end of such a body.
    End,
    /// Says nothing more, and keeps the connection.
    Hang,
    /// Resets the connection.
    Reset,
    /// Closes the connection.
    Close,
}

/// What is to be done with the n-th request, from 0.
type Answer = dyn Fn(usize, &str) -> Vec<Act> + Send + Sync;

/// The server.
pub struct Replay {
    pub url: String,
    seen: Arc<Mutex<Seen>>,
}

#[derive(Default)]
struct Seen {
    requests: Vec<String>,
    connections: usize,
}

impl Replay {
    /// The n-th request gets the n-th script, the last one again and again.
    pub async fn start(scripts: Vec<Vec<Act>>) -> Self {
        Self::answering(move |number, _| scripts[number.min(scripts.len() - 1)].clone()).await
    }

    /// Each request, head (in small letters) and body, gets what this says.
    pub async fn answering(answer: impl Fn(usize, &str) -> Vec<Act> + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let seen = Arc::new(Mutex::new(Seen::default()));
        let (answer, shared): (Arc<Answer>, _) = (Arc::new(answer), Arc::clone(&seen));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                shared.lock().unwrap().connections += 1;
                tokio::spawn(serve(stream, Arc::clone(&answer), Arc::clone(&shared)));
            }
        });
        Self { url, seen }
    }

    /// Every request so far: head and body.
    pub fn requests(&self) -> Vec<String> {
        self.seen.lock().unwrap().requests.clone()
    }

    /// How many connections were made.
    pub fn connections(&self) -> usize {
        self.seen.lock().unwrap().connections
    }
}

async fn serve(mut stream: TcpStream, answer: Arc<Answer>, seen: Arc<Mutex<Seen>>) {
    while let Some(request) = read_request(&mut stream).await {
        let script = {
            let mut seen = seen.lock().unwrap();
            seen.requests.push(request);
            let number = seen.requests.len() - 1;
            answer(number, &seen.requests[number])
        };
        for act in script {
            let bytes = match act {
                Act::Write(bytes) => bytes,
                Act::Head(status) => head(status, "Transfer-Encoding: chunked"),
                Act::Chunk(bytes) => [format!("{:x}\r\n", bytes.len()).as_bytes(), &bytes, b"\r\n"].concat(),
                Act::End => b"0\r\n\r\n".to_vec(),
                Act::Hang => return std::future::pending().await,
                Act::Reset => return stream.set_zero_linger().unwrap(),
                Act::Close => return,
            };
            if stream.write_all(&bytes).await.is_err() {
                return;
            }
            stream.flush().await.unwrap();
        }
    }
}

/// One request, or nothing where the client has gone.
pub async fn read_request(stream: &mut (impl AsyncRead + AsyncWrite + Unpin)) -> Option<String> {
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") {
        request.push(stream.read_u8().await.ok()?);
    }
    let head = String::from_utf8(request).unwrap().to_lowercase();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
    let mut body = vec![0; length.map_or(0, |length| length.parse().unwrap())];
    stream.read_exact(&mut body).await.ok()?;
    Some(head + &String::from_utf8(body).unwrap())
}

fn head(status: u16, more: &str) -> Vec<u8> {
    format!(
        "HTTP/1.1 {status} X\r\nContent-Type: application/json\r\nDate: Fri, 20 Nov 2026 17:36:35 GMT\r\n{more}\r\n\r\n"
    )
    .into_bytes()
}

/// A whole answer with a body of known length.
pub fn http(status: u16, body: &str) -> Vec<Act> {
    let head = head(status, &format!("Content-Length: {}", body.len()));
    vec![Act::Write([&head, body.as_bytes()].concat())]
}

/// A streamed answer of these lines, to its end.
pub fn stream(lines: &[String]) -> Vec<Act> {
    let mut acts = unended(lines);
    acts.push(Act::End);
    acts
}

/// The same, without the end.
pub fn unended(lines: &[String]) -> Vec<Act> {
    std::iter::once(Act::Head(200)).chain(lines.iter().map(|line| Act::Chunk(line.clone().into_bytes()))).collect()
}
