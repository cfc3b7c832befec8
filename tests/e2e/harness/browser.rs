//! A real Chromium, driven over its driver's own HTTP (W3C WebDriver): without any network but the driver's loopback.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;

use super::{PATIENCE, Process};

const LOOK_EVERY: Duration = Duration::from_millis(20);

/// A page in a browser.
pub struct Browser {
    address: String,
    session: String,
    folder: TempDir,
    _driver: Process,
}

impl Browser {
    /// Starts one. None where this machine has none, which is said.
    pub fn start() -> Option<Self> {
        if Command::new("chromedriver").arg("--version").output().is_err() {
            eprintln!("SKIPPED: there is no chromedriver");
            return None;
        }
        let driver = Process::start(Command::new("chromedriver").arg("--port=0"));
        let said = driver.wait_for("started successfully on port ");
        let port = said.rsplit("on port ").next().unwrap();
        let port: String = port.chars().take_while(char::is_ascii_digit).collect();
        let folder = tempfile::tempdir().unwrap();
        let mut browser =
            Self { address: format!("127.0.0.1:{port}"), session: String::new(), folder, _driver: driver };
        let profile = browser.folder.path().join("profile");
        let capabilities = json!({ "capabilities": { "alwaysMatch": {
            "goog:chromeOptions": {
                "args": ["--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--window-size=1280,1400",
                    "--autoplay-policy=no-user-gesture-required", "--host-resolver-rules=MAP * ~NOTFOUND",
                    format!("--user-data-dir={}", profile.display())],
                "prefs": { "download.default_directory": browser.folder.path() },
            },
            "goog:loggingPrefs": { "browser": "ALL", "performance": "ALL" },
        } } });
        let made = browser.ask("POST", "/session", &capabilities);
        browser.session = format!("/session/{}", made["sessionId"].as_str().unwrap());
        Some(browser)
    }

    /// Opens a file of the disk.
    pub fn open(&self, page: &Path) {
        self.post("/url", &json!({ "url": format!("file://{}", page.display()) }));
    }

    /// What a script gives, as the body of a function.
    pub fn script(&self, script: &str) -> Value {
        self.post("/execute/sync", &json!({ "script": script, "args": [] }))
    }

    /// Waits until a script gives true.
    pub fn wait_until(&self, what: &str) {
        let give_up = Instant::now() + PATIENCE;
        while self.script(&format!("return Boolean({what})")) != Value::Bool(true) {
            assert!(Instant::now() < give_up, "never: {what}");
            thread::sleep(LOOK_EVERY);
        }
    }

    /// Presses these keys, one after the other, wherever the focus is.
    pub fn types(&self, keys: &str) {
        let press = |key: char| ["keyDown", "keyUp"].map(|kind| json!({ "type": kind, "value": key.to_string() }));
        let actions: Vec<Value> = keys.chars().flat_map(press).collect();
        self.post("/actions", &json!({ "actions": [{ "type": "key", "id": "keys", "actions": actions }] }));
    }

    /// Moves the mouse over the first element of that selector.
    pub fn hovers(&self, selector: &str) {
        let found = self.post("/element", &json!({ "using": "css selector", "value": selector }));
        let to = json!({ "type": "pointerMove", "origin": found, "x": 0, "y": 0, "duration": 0 });
        self.post("/actions", &json!({ "actions": [{ "type": "pointer", "id": "mouse", "actions": [to] }] }));
    }

    /// As a person has it who likes it dark, or light.
    pub fn likes(&self, scheme: &str) {
        let features = json!([{ "name": "prefers-color-scheme", "value": scheme }]);
        self.post(
            "/goog/cdp/execute",
            &json!({ "cmd": "Emulation.setEmulatedMedia", "params": { "features": features } }),
        );
    }

    /// What it has saved under that name, once it is whole.
    pub fn saved(&self, name: &str) -> String {
        let (path, give_up) = (self.folder.path().join(name), Instant::now() + PATIENCE);
        while !path.exists() {
            assert!(Instant::now() < give_up, "{name} is never saved");
            thread::sleep(LOOK_EVERY);
        }
        std::fs::read_to_string(path).unwrap()
    }

    /// What it complained of, and every address that it asked for, since it was asked last.
    pub fn complaints_and_requests(&self) -> (Vec<String>, Vec<String>) {
        let log = |kind: &str| {
            let entries = self.post("/se/log", &json!({ "type": kind }));
            let messages =
                entries.as_array().unwrap().iter().map(|entry| entry["message"].as_str().unwrap().to_owned());
            messages.collect::<Vec<_>>()
        };
        let asked = log("performance").into_iter().filter_map(|message| {
            let message: Value = serde_json::from_str(&message).unwrap();
            let sent = message["message"]["method"] == "Network.requestWillBeSent";
            sent.then(|| message["message"]["params"]["request"]["url"].as_str().unwrap().to_owned())
        });
        let asked = asked.collect();
        (log("browser"), asked)
    }

    /// A picture of what it shows, where the variable `SCREENSHOTS` names a folder.
    pub fn picture(&self, name: &str) {
        use data_encoding::BASE64;
        let Some(folder) = std::env::var_os("SCREENSHOTS") else { return };
        let picture = self.ask("GET", &format!("{}/screenshot", self.session), &Value::Null);
        let bytes = BASE64.decode(picture.as_str().unwrap().as_bytes()).unwrap();
        std::fs::write(Path::new(&folder).join(format!("{name}.png")), bytes).unwrap();
    }

    fn post(&self, path: &str, body: &Value) -> Value {
        self.ask("POST", &format!("{}{path}", self.session), body)
    }

    fn ask(&self, method: &str, path: &str, body: &Value) -> Value {
        let value = self.try_ask(method, path, body).unwrap_or_else(|error| panic!("{method} {path} {body}: {error}"));
        assert!(value["error"].is_null(), "{method} {path} {body}: {value}");
        value
    }

    /// The driver leaves its connections open, whatever it is asked: the length of an answer tells its end.
    fn try_ask(&self, method: &str, path: &str, body: &Value) -> std::io::Result<Value> {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let mut stream = TcpStream::connect(&self.address)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        let (address, length) = (&self.address, body.len());
        let kind = "Content-Type: application/json";
        let head = format!("{method} {path} HTTP/1.1\r\nHost: {address}\r\n{kind}\r\nContent-Length: {length}\r\n\r\n");
        stream.write_all(format!("{head}{body}").as_bytes())?;
        let (mut reader, mut length) = (BufReader::new(stream), 0);
        loop {
            let mut line = String::new();
            reader.read_line(&mut line)?;
            let line = line.trim_end().to_ascii_lowercase();
            match line.split_once("content-length:") {
                Some((_, told)) => length = told.trim().parse().map_err(std::io::Error::other)?,
                None if line.is_empty() => break,
                None => {}
            }
        }
        let mut answer = vec![0; length];
        reader.read_exact(&mut answer)?;
        let mut answer: Value = serde_json::from_slice(&answer)?;
        Ok(answer["value"].take())
    }
}

impl Drop for Browser {
    /// The browser goes before its driver, which would leave it behind.
    fn drop(&mut self) {
        if !self.session.is_empty() {
            let _ = self.try_ask("DELETE", &self.session, &Value::Null);
        }
    }
}
