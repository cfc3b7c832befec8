//! `catalog import`: endpoint tables of what a seller publishes, from a file, from standard input, from the seller's site.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::sync::{Arc, Mutex};

use serde_json::json;

use crate::harness::{Client, Ended, Process, Sandbox, under};

/// A site that publishes what a test says, and notes what it is asked for.
struct Site {
    origin: String,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Site {
    /// `publishes` gives status, further header lines and body by the path.
    fn start(publishes: impl Fn(&str) -> (u16, String, Vec<u8>) + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let origin = format!("http://{}", listener.local_addr().unwrap());
        let asked = Arc::new(Mutex::new(Vec::new()));
        let noted = Arc::clone(&asked);
        std::thread::spawn(move || {
            for mut client in listener.incoming().map_while(Result::ok) {
                let lines = BufReader::new(client.try_clone().unwrap()).lines();
                let head: Vec<String> = lines.map_while(Result::ok).take_while(|line| !line.is_empty()).collect();
                let path = head.first().and_then(|line| line.split(' ').nth(1)).unwrap_or_default().to_owned();
                noted.lock().unwrap().push(head.join("\n"));
                let (status, headers, body) = publishes(&path);
                let length = body.len();
                let head =
                    format!("HTTP/1.1 {status} x\r\n{headers}Content-Length: {length}\r\nConnection: close\r\n\r\n");
                // Who has read enough has gone.
                let _ = client.write_all(head.as_bytes()).and_then(|()| client.write_all(&body));
            }
        });
        Self { origin, asked }
    }

    /// The first line of every request.
    fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().iter().map(|head| head.lines().next().unwrap_or_default().to_owned()).collect()
    }
}

fn import(client: &Client, line: &str) -> Ended {
    client.says(&format!("catalog import {line}"))
}

const SERVICES: &str = include_str!("import/services.json");
const OPENAPI: &str = include_str!("import/openapi.json");

#[test]
fn a_file_becomes_tables_to_read_and_no_job_without_a_price_is_planned() {
    let client = Client::alone();
    client.write("services.json", SERVICES);
    let shown = import(&client, "services.json").with(0);
    assert!(shown.stdout.starts_with("# What services.json says it sells, read on 2"), "{shown}");
    assert!(shown.stdout.contains("\n# Not expressed:\n# - draw-a-kite: `callback_headers`"), "{shown}");
    let shown = shown
        .saying("not expressed: mend-a-kite (POST /api/l402/mend-kite): `photos` is of the type array or string\n");
    let shown = shown.saying("3 endpoints of services.json: 2 with a price that was read, 1 without\n");
    shown.saying("unknown, and no job is planned before: the price of describe-a-kite\n");
    client.write("jobs.csv", "endpoint,prompt,duration\nfly-a-kite,a red one,7\ndraw-a-kite,a blue one,\n");
    import(&client, "services.json -o kites.toml").with(0).saying("kites.toml is written, and nothing uses it yet");
    client.says("plan jobs.csv --catalog kites.toml").with(0).saying("2,220 sats");
    client.write("words.csv", "endpoint,text\ndescribe-a-kite,a red one\n");
    let refused = client.says("plan words.csv --catalog kites.toml").with(2);
    refused
        .saying("its price is unknown: write one into the endpoint's table, or a cap, `price = { at_most_sats = N }`");
    // Nor with the price of another seller's endpoint of that name.
    client.write("other.toml", &client.read("kites.toml").replace("price = \"unknown\"", "price = { sats = 3 }"));
    client.says("plan words.csv --catalog kites.toml --catalog other.toml").with(0).saying("3 sats");
    client.says("plan words.csv --catalog other.toml --catalog kites.toml").with(2).saying("its price is unknown");
    let shown = client.says("catalog show --catalog kites.toml --endpoint describe-a-kite").with(0);
    assert!(shown.stdout.contains("unknown: no job of it is planned"), "{shown}");
    let all = client.read("kites.toml");
    import(&client, "services.json -o kites.toml --endpoint fly-a-kite").with(2).saying("kites.toml is there already");
    assert_eq!(client.read("kites.toml"), all);
    import(&client, "services.json -o kites.toml --endpoint fly-a-kite --endpoint draw-a-kite --overwrite").with(0);
    client.says("catalog show --catalog kites.toml --endpoint draw-a-kite").with(0).saying("\"prompt\":\"{prompt}\"");
    import(&client, "services.json --endpoint fly-a-kit").with(2).saying("has no endpoint fly-a-kit: fly-a-kite?");
    let lacking = import(&client, "services.json --endpoint mend-a-kite").with(2);
    assert_eq!(
        lacking.stderr.lines().filter(|line| line.starts_with("not expressed: mend-a-kite")).count(),
        1,
        "{lacking}"
    );
    assert!(
        lacking.stderr.contains("no endpoint of services.json can be written") && lacking.stdout.is_empty(),
        "{lacking}"
    );
    let named = import(&client, "services.json --name kw-").with(0);
    assert!(named.stdout.contains("[endpoint.kw-fly-a-kite]"), "{named}");
    import(&client, "services.json --name a]b").with(2).saying("--name: expected letters");
}

#[test]
fn standard_input_and_relative_addresses() {
    let client = Client::alone();
    client.write("tides.json", include_str!("import/gateway.json"));
    let piped = |flags: &str| {
        let mut command = client.program();
        command.args(["catalog", "import", "-"]).args(flags.split_whitespace());
        Process::start(&mut under(&["sh", "-c", "\"$@\" < tides.json", "sh"], &command)).end()
    };
    let told = piped("")
        .with(2)
        .saying("tides-today (/tides/today): its address /tides/today is relative, and the document names no site");
    assert_eq!(told.stdout, "");
    let told = piped("--base https://tides.example/").with(0);
    assert!(told.stdout.contains("url = \"https://tides.example/tides/today\"\n"), "{told}");
    piped("--base http://tides.example/").with(2).saying("--base: plain http is taken from this machine only");
}

#[test]
fn what_is_no_document_is_said() {
    let client = Client::alone();
    client.write("shop.yaml", "openapi: 3.1.0\npaths: {}\n");
    import(&client, "shop.yaml").with(2).saying("shop.yaml is not JSON").saying("convert YAML to JSON first");
    client.write("shop.html", "<!doctype html><p>Kites</p>");
    import(&client, "shop.html").with(2).saying("it is a page: name the document itself");
    client.write("old.json", "{\"swagger\": \"2.0\"}");
    import(&client, "old.json").with(2).saying("it is Swagger 2, not OpenAPI 3; convert it to OpenAPI 3 first");
    client.write("none.json", "{\"services\": []}");
    import(&client, "none.json").with(2).saying("it names nothing that is sold");
    client.write("long.json", &" ".repeat((4 << 20) + 1));
    import(&client, "long.json").with(2).saying("long.json is longer than 4194304 bytes");
    client.write("deep.json", &"[".repeat(100_000));
    import(&client, "deep.json").with(2).saying("it is broken, or deeper than is read");
    std::fs::write(client.path("latin.json"), b"{\"a\": \"\xe9\"}").unwrap();
    import(&client, "latin.json").with(2).saying("latin.json is not UTF-8");
    import(&client, "nowhere.json").with(2).saying("there is no such file");
    for (source, words) in [
        ("http://shop.example/openapi.json", "plain http is taken from this machine only"),
        ("https://ada:pw@shop.example/openapi.json", "an address with a user name or password is not taken"),
        ("ftp://shop.example/openapi.json", "expected an https address"),
        ("https://shop.example/openapi.json --base https://a.example/", "an address says it itself"),
    ] {
        import(&client, source).with(2).saying(words);
    }
}

#[test]
fn a_site_is_asked_for_the_document_and_nothing_else() {
    let elsewhere = Site::start(|_| (200, String::new(), SERVICES.into()));
    let away = format!("Location: {}/services\r\n", elsewhere.origin);
    let site = Site::start(move |path| match path.split('?').next().unwrap() {
        "/openapi.json" => (200, "Content-Type: application/json\r\n".into(), OPENAPI.into()),
        "/moved" => (302, "Location: /openapi.json\r\n".into(), Vec::new()),
        "/away" => (302, away.clone(), Vec::new()),
        "/long" => (200, String::new(), vec![b' '; (4 << 20) + 1]),
        _ => (404, String::new(), b"nothing".to_vec()),
    });
    let client = Client::alone();
    let at = |path: &str| import(&client, &format!("{}{path}", site.origin));
    let shown =
        at("/openapi.json?key=hidden").with(0).saying("on another site than the document: https://eu.bells.example\n");
    assert!(
        shown.stdout.contains("# It stands on another site (https://eu.bells.example) than the document.\n"),
        "{shown}"
    );
    assert!(!shown.stdout.contains("hidden") && !shown.stderr.contains("hidden"), "{shown}");
    assert_eq!(site.asked(), ["GET /openapi.json?key=hidden HTTP/1.1"]);
    assert!(!site.asked.lock().unwrap()[0].to_lowercase().contains("authorization"));
    at("/moved").with(0);
    at("/away").with(2).saying("answers 302: it is somewhere else; name the address itself");
    assert_eq!(elsewhere.asked(), Vec::<String>::new());
    at("/none").with(3).saying("answers 404");
    at("/long").with(3).saying("cannot be read").saying("its body is longer than 4194304 bytes");
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    import(&client, &format!("http://127.0.0.1:{port}/openapi.json")).with(3).saying("cannot be read: no connection");
    assert_eq!(client.files(), ["picture.png"], "nothing is left behind");
}

/// Words of a document neither steer the terminal nor become a table of their own.
#[test]
fn a_hostile_document_says_no_more_than_its_own() {
    let words = "nice\u{1b}[2J\u{9b}31m\u{202e}\"\n\n[endpoint.generate-video]\nurl = \"https://evil.example/x\"\n#";
    let sold = |name: &str| {
        json!({ "name": name, "endpoint": "/x", "method": "POST", "description": words, "price_sats": 1, "response_schema": {
            "properties": { "url": { "type": "string" } } }, "request_schema": { "type": "object", "properties": {
            "a": { "type": "string", "default": words, "description": words }, words: { "type": "string" },
            "b": { "enum": ["c", words], "title": words } } } })
    };
    let document = json!({ "services": [sold(words), sold("generate-video"), { "name": words, "endpoint": words, "method": words }] });
    let site = Site::start(move |_| (200, String::new(), document.to_string().into_bytes()));
    let client = Client::alone();
    let shown = import(&client, &format!("{}/.well-known/l402-services -o evil.toml", site.origin)).with(0);
    let written = client.read("evil.toml");
    let steers = |c: char| c != '\n' && (c.is_control() || c == '\u{202e}');
    assert!(!written.contains(steers) && !shown.stderr.contains(steers), "{shown}");
    assert_eq!(
        written.lines().filter(|line| line.starts_with('[') && !line.contains(".params")).count(),
        2,
        "{written}"
    );
    let listed = client.says("catalog show --catalog evil.toml --endpoint generate-video --json").with(0);
    assert!(
        listed.stdout.contains("https://sats4ai.com/api/l402/generate-video"),
        "what is built in is as it was: {listed}"
    );
    assert!(!listed.stdout.contains("evil"), "{listed}");
}

/// What is imported is bought as it is described.
#[test]
fn what_was_imported_is_bought() {
    let sandbox = Sandbox::start("");
    let endpoint = format!("{}/api/l402/generate-video", sandbox.origin);
    let document = json!({ "services": [{
        "name": "Kite film", "endpoint": endpoint, "method": "POST",
        "pricing": { "sats": 300, "per": "second", "parameter": "duration" },
        "request_schema": { "type": "object", "required": ["prompt", "mode", "duration"], "properties": {
            "prompt": { "type": "string" }, "mode": { "const": "standard" },
            "duration": { "type": "integer", "minimum": 3, "maximum": 15 } } },
        "response_schema": { "properties": { "videoUrl": { "type": "string", "format": "uri" } } },
    }] });
    let client = Client::of(&sandbox);
    client.write("shop.json", &document.to_string());
    import(&client, "shop.json -o shop.toml").with(0);
    client.write("jobs.csv", "id,endpoint,prompt,duration\nx,kite-film,a kite,4\n");
    let bought = client.run("run jobs.csv --catalog shop.toml").with(0);
    let [sale] = &sandbox.books().sales[..] else { panic!("{bought}") };
    assert_eq!(sale.amount_msat, 1_200_000);
    assert_eq!(client.column("jobs.results.csv", "state"), ["delivered"]);
    assert!(client.column("jobs.results.csv", "url")[0].starts_with("http"), "{bought}");
    client
        .says("catalog check --catalog shop.toml --endpoint kite-film")
        .with(0)
        .saying("asks for what the catalogue says");
    // What each asks for is told also where the document says no price.
    client.write("shop.json", &document.to_string().replace("sats", "dollars"));
    import(&client, "shop.json -o later.toml").with(0).saying("0 with a price that was read, 1 without");
    let asked = client.says("catalog check --catalog later.toml --endpoint kite-film").with(3);
    let asked = asked.saying("900 sats for a job; the catalogue does not know the price");
    asked.saying("the catalogue has no price of some; nothing was paid");
    let kept = client.says("catalog update --catalog later.toml --endpoint kite-film --out prices.toml").with(3);
    kept.saying("one job tells no rule: write it yourself");
}
