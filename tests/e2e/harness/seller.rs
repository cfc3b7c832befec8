//! A seller whose results are what a test says: asks and payments go to a sandbox, and where its answer would name a film, it
//! names a file of this one.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::thread;

use data_encoding::HEXLOWER;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

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
        let asked = Asked::read(&client)?;
        let served = match asked.path.strip_prefix("/files/") {
            Some(name) => (self.serve)(name),
            None => self.sold_by(&asked)?,
        };
        send(&mut client, &served)
    }

    /// What the sandbox answers, with what is sold here.
    fn sold_by(&self, asked: &Asked) -> std::io::Result<Served> {
        let served = asked.forward(&self.upstream)?;
        let prompt = serde_json::from_slice::<Value>(&asked.body)
            .ok()
            .and_then(|asked| Some(asked["prompt"].as_str()?.to_owned()));
        if served.status != 200 || !String::from_utf8_lossy(&served.body).contains("videoUrl") {
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

/// A request as it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    pub method: String,
    /// With its query.
    pub path: String,
    /// By name in lower case.
    pub headers: HashMap<String, String>,
    pub body: Vec<u8>,
}

impl Asked {
    pub(super) fn read(client: &TcpStream) -> std::io::Result<Self> {
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
        let mut words = first.split_whitespace().map(str::to_owned);
        let (method, path) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        Ok(Self { method, path, headers, body })
    }

    /// What the sandbox answers to it.
    pub(super) fn forward(&self, upstream: &str) -> std::io::Result<Served> {
        let mut stream = TcpStream::connect(upstream)?;
        let path = self.path.split('?').next().unwrap();
        let passed: String = ["authorization", "content-type", "accept", "x-no-cache", "idempotency-key"]
            .iter()
            .filter_map(|name| Some(format!("{name}: {}\r\n", self.headers.get(*name)?)))
            .collect();
        let (method, length) = (&self.method, self.body.len());
        write!(
            stream,
            "{method} {path} HTTP/1.1\r\nhost: {upstream}\r\n{passed}content-length: {length}\r\nconnection: close\r\n\r\n"
        )?;
        stream.write_all(&self.body)?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer)?;
        let end = answer.windows(4).position(|four| four == b"\r\n\r\n").unwrap();
        let head = String::from_utf8(answer[..end].to_vec()).unwrap();
        let status: u16 = head.split(' ').nth(1).unwrap().parse().unwrap();
        let headers = head.lines().skip(1).filter_map(|line| line.split_once(": "));
        let headers = headers.filter(|(name, _)| {
            !["content-length", "connection", "date"].contains(&name.to_ascii_lowercase().as_str())
        });
        let headers = headers.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        Ok(Served { status, headers, body: answer.split_off(end + 4) })
    }
}

/// A seller of one thing, three seconds of film for 900 sats, that takes any request whatever: a sandbox is paid, and holds the second one to
/// be the first, since the prompt it is sent is all that came, headers apart.
pub struct AnyRequest {
    /// Where it listens, without a path.
    pub origin: String,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl AnyRequest {
    /// What it answers in the place of a film, where it answers something else; its own address is its argument.
    pub fn before(sandbox: &Sandbox, sold: impl Fn(&str) -> Option<Served> + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let origin = format!("http://{}", listener.local_addr().unwrap());
        let seller = Self { origin: origin.clone(), asked: Arc::default() };
        let upstream = sandbox.origin.strip_prefix("http://").unwrap().to_owned();
        let (asked, shop) = (Arc::clone(&seller.asked), Arc::new((upstream, origin, sold)));
        thread::spawn(move || {
            for mut client in listener.incoming().map_while(Result::ok) {
                let (asked, shop) = (Arc::clone(&asked), Arc::clone(&shop));
                thread::spawn(move || {
                    let (upstream, origin, sold) = &*shop;
                    let served = answer_any(&asked, &client, upstream)?;
                    let is_film = served.status == 200 && String::from_utf8_lossy(&served.body).contains("videoUrl");
                    send(&mut client, &sold(origin).filter(|_| is_film).unwrap_or(served))
                });
            }
        });
        seller
    }

    /// Each request that came for something, in turn: not those for its files.
    pub fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }
}

fn answer_any(asked: &Mutex<Vec<Asked>>, client: &TcpStream, upstream: &str) -> std::io::Result<Served> {
    let came = Asked::read(client)?;
    asked.lock().unwrap().push(came.clone());
    let all = [came.method.as_bytes(), came.path.as_bytes(), &came.body].concat();
    let body = json!({ "prompt": HEXLOWER.encode(&Sha256::digest(&all)), "duration": 3, "mode": "standard" })
        .to_string()
        .into_bytes();
    let headers = [("content-type".to_owned(), "application/json".to_owned())];
    let credential = came.headers.get_key_value("authorization").map(|(name, value)| (name.clone(), value.clone()));
    let headers = headers.into_iter().chain(credential).collect();
    Asked { method: "POST".to_owned(), path: "/api/l402/generate-video".to_owned(), headers, body }.forward(upstream)
}

pub(super) fn send(client: &mut TcpStream, served: &Served) -> std::io::Result<()> {
    let headers: String = served.headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    let length = served.body.len();
    write!(client, "HTTP/1.1 {} x\r\n{headers}Content-Length: {length}\r\nConnection: close\r\n\r\n", served.status)?;
    client.write_all(&served.body)
}
