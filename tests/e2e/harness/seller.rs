//! A seller whose results are what a test says: asks and payments go to a sandbox, and where its answer would name a film, it
//! names a file of this one.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::Arc;
use std::thread;

use serde_json::{Value, json};

use super::Sandbox;

/// One answer to whoever fetches a file.
#[derive(Clone, Debug, Default)]
pub struct Served {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    /// What is sent; the connection ends after it.
    pub body: Vec<u8>,
}

/// How results come.
pub enum Sale {
    /// A file of that name.
    File(String),
    /// In the answer, in this place of a URL.
    Url(String),
    /// As the answer itself, of that type.
    Answer(String, Vec<u8>),
}

/// The seller. Its threads end with the test's process.
pub struct Seller {
    /// A catalogue that leads to it: the built-in endpoints, `words`, whose result stands at `/url`, and `pictures` at
    /// `/image/url`.
    pub catalog: PathBuf,
}

impl Served {
    /// These bytes, of that type.
    pub fn of(kind: &str, body: &[u8]) -> Self {
        Self { status: 200, headers: vec![("Content-Type".into(), kind.into())], body: body.to_vec() }
    }
}

type Sold = dyn Fn(&str) -> Sale + Send + Sync;
type Serve = dyn Fn(&str) -> Served + Send + Sync;

struct Shop {
    upstream: String,
    origin: String,
    sold: Box<Sold>,
    serve: Box<Serve>,
}

impl Seller {
    /// Sells before that sandbox: by the job's prompt.
    pub fn before(
        sandbox: &Sandbox,
        sold: impl Fn(&str) -> Sale + Send + Sync + 'static,
        serve: impl Fn(&str) -> Served + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let origin = format!("http://{}", listener.local_addr().unwrap());
        let catalog = sandbox.file("the-sellers.toml");
        let text = std::fs::read_to_string(sandbox.file("catalog.toml")).unwrap().replace(&sandbox.origin, &origin);
        std::fs::write(
            &catalog,
            text + &endpoint(&origin, "words", "/url") + &endpoint(&origin, "pictures", "/image/url"),
        )
        .unwrap();
        let upstream = sandbox.origin.strip_prefix("http://").unwrap().to_owned();
        let shop = Shop { upstream, origin, sold: Box::new(sold), serve: Box::new(serve) };
        let shop = Arc::new(shop);
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let shop = Arc::clone(&shop);
                thread::spawn(move || drop(shop.answer(client)));
            }
        });
        Self { catalog }
    }
}

fn endpoint(origin: &str, name: &str, pointer: &str) -> String {
    format!(
        "\n[endpoint.{name}]\nurl = \"{origin}/api/l402/generate-video?of={name}\"\nmethod = \"POST\"\ndedup_window_s = 0\n\
         [endpoint.{name}.params]\nprompt = {{ type = \"text\", required = true }}\n\
         duration = {{ type = \"integer\", min = 1, max = 20, required = true }}\n\
         [endpoint.{name}.price]\nsats_per_unit = 450\nquantity = \"duration\"\nunit = \"second\"\n\
         [endpoint.{name}.result]\nurl = [\"{pointer}\"]\n"
    )
}

impl Shop {
    fn answer(&self, mut client: TcpStream) -> std::io::Result<()> {
        let mut reader = BufReader::new(client.try_clone()?);
        let (mut first, mut headers) = (String::new(), HashMap::new());
        reader.read_line(&mut first)?;
        loop {
            let mut line = String::new();
            reader.read_line(&mut line)?;
            let Some((name, value)) = line.trim_end().split_once(':') else { break };
            headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
        }
        let length = headers.get("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
        let mut body = vec![0; length];
        reader.read_exact(&mut body)?;
        let words: Vec<&str> = first.split_whitespace().collect();
        let [method, path, ..] = words[..] else { return Ok(()) };
        let served = match path.strip_prefix("/files/") {
            Some(name) => (self.serve)(name),
            None => self.sold_by(method, path, &headers, &body)?,
        };
        send(&mut client, &served)
    }

    /// What the sandbox answers, with what is sold here.
    fn sold_by(
        &self,
        method: &str,
        path: &str,
        headers: &HashMap<String, String>,
        body: &[u8],
    ) -> std::io::Result<Served> {
        let mut upstream = TcpStream::connect(&self.upstream)?;
        let path = path.split('?').next().unwrap();
        let passed: String = ["authorization", "content-type", "accept", "x-no-cache"]
            .iter()
            .filter_map(|name| Some(format!("{name}: {}\r\n", headers.get(*name)?)))
            .collect();
        let (host, length) = (&self.upstream, body.len());
        write!(
            upstream,
            "{method} {path} HTTP/1.1\r\nhost: {host}\r\n{passed}content-length: {length}\r\nconnection: close\r\n\r\n"
        )?;
        upstream.write_all(body)?;
        let mut answer = Vec::new();
        upstream.read_to_end(&mut answer)?;
        let end = answer.windows(4).position(|four| four == b"\r\n\r\n").unwrap();
        let head = String::from_utf8(answer[..end].to_vec()).unwrap();
        let status: u16 = head.split(' ').nth(1).unwrap().parse().unwrap();
        let headers = head.lines().skip(1).filter_map(|line| line.split_once(": "));
        let headers = headers.filter(|(name, _)| {
            !["content-length", "connection", "date"].contains(&name.to_ascii_lowercase().as_str())
        });
        let headers = headers.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        let served = Served { status, headers, body: answer.split_off(end + 4) };
        let prompt =
            serde_json::from_slice::<Value>(body).ok().and_then(|asked| Some(asked["prompt"].as_str()?.to_owned()));
        if status != 200 || !String::from_utf8_lossy(&served.body).contains("videoUrl") {
            return Ok(served);
        }
        let url = match (self.sold)(&prompt.unwrap()) {
            Sale::File(name) => format!("{}/files/{name}", self.origin),
            Sale::Url(url) => url,
            Sale::Answer(kind, body) => return Ok(Served::of(&kind, &body)),
        };
        let said = json!({ "videoUrl": url, "url": url, "image": { "url": url } });
        Ok(Served { body: said.to_string().into_bytes(), ..served })
    }
}

fn send(client: &mut TcpStream, served: &Served) -> std::io::Result<()> {
    let headers: String = served.headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    let length = served.body.len();
    write!(client, "HTTP/1.1 {} x\r\n{headers}Content-Length: {length}\r\nConnection: close\r\n\r\n", served.status)?;
    client.write_all(&served.body)
}
