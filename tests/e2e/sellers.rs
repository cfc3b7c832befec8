//! The sellers of `docs/catalog`, each bought from as its table stands there: the server behaves as such servers do, counts for itself what
//! a request costs, and holds what it is sent against what its own documentation would ask for.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::harness::{Asked, Audit, Client, Front, PATIENCE, Sandbox, Sells, Served};

/// A table of `docs/catalog` with the example's host replaced by the server's, and a client who buys there.
fn client(sandbox: &Sandbox, front: &Front, table: &str) -> Client {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/catalog").join(table);
    let text = std::fs::read_to_string(file).unwrap();
    assert!(text.contains("https://api.example.com/"));
    let catalog = sandbox.file("seller.toml");
    std::fs::write(&catalog, text.replace("https://api.example.com", &front.origin)).unwrap();
    Client::at(&sandbox.node, &catalog, sandbox)
}

/// Plans and buys `jobs.toml` with its results in `out`; what is planned is what the server takes. A second run buys nothing.
#[track_caller]
fn buy(client: &Client, sandbox: &Sandbox, jobs: usize) {
    let catalog = sandbox.file("seller.toml").display().to_string();
    let plan = client.says(&format!("plan jobs.toml --catalog {catalog} --json")).with(0).stdout;
    let planned = serde_json::from_str::<Value>(&plan).unwrap()["total_msat"].as_u64().unwrap();
    client.run("run jobs.toml --download out").with(0);
    let books = sandbox.books();
    let taken: u64 = books.sales.iter().filter(|sale| sale.paid).map(|sale| sale.amount_msat).sum();
    assert_eq!(planned, taken, "{books:?}");
    Audit::of_any(client, "jobs", &books).all_downloaded(jobs);
    client.run("run jobs.toml --download out").with(0);
    assert_eq!(
        (sandbox.books().sales.len(), sandbox.books().payments.len()),
        (jobs, jobs),
        "nothing more was asked for"
    );
}

/// The files of `out`, by name, with what they hold.
fn out(client: &Client) -> Vec<(String, Vec<u8>)> {
    let entries = std::fs::read_dir(client.path("out")).unwrap().map(Result::unwrap);
    let mut files: Vec<_> =
        entries.map(|one| (one.file_name().into_string().unwrap(), std::fs::read(one.path()).unwrap())).collect();
    files.sort();
    files
}

fn json_of(status: u16, body: &Value) -> Served {
    Served { status, ..Served::of("application/json", body.to_string().as_bytes()) }
}

/// A request that is wrong, in the words of such servers.
fn refused(message: &str) -> Served {
    json_of(400, &json!({ "error": { "message": message, "type": "invalid_request_error" } }))
}

fn picture(n: u8) -> Vec<u8> {
    [b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR".as_slice(), &[n; 60]].concat()
}

fn head<'a>(asked: &'a Asked, name: &str) -> &'a str {
    asked.headers.get(name).map_or("", String::as_str)
}

/// Chat and images. The address of a picture is named, or the picture stands in the answer.
#[derive(Default)]
struct OpenAi {
    /// Whoever fetches a picture first of that number waits for good.
    stalls_at: Arc<AtomicU8>,
}

impl Sells for OpenAi {
    fn price(&self, asked: &Asked) -> Result<u64, Served> {
        if asked.method != "POST" || !head(asked, "content-type").starts_with("application/json") {
            return Err(refused("POST JSON"));
        }
        let body: Value = serde_json::from_slice(&asked.body).map_err(|_| refused("no JSON"))?;
        match asked.path.as_str() {
            "/v1/chat/completions" if body["messages"].is_array() && body["stream"] == false => Ok(20_000),
            "/v1/images/generations" if body["prompt"] == "nothing decent" => Err(json_of(
                400,
                &json!({ "error": { "message": "Your request was rejected.", "code": "content_policy_violation" } }),
            )),
            "/v1/images/generations" => {
                let each = if body["size"] == "512x512" { 15_000 } else { 40_000 };
                Ok(each * body["n"].as_u64().ok_or_else(|| refused("n is no number"))?)
            }
            _ => Err(json_of(404, &json!({ "error": { "message": "Unknown request URL" } }))),
        }
    }

    fn goods(&self, asked: &Asked, origin: &str) -> Served {
        let body: Value = serde_json::from_slice(&asked.body).unwrap();
        if asked.path == "/v1/chat/completions" {
            let said = format!("You said: {}", body["messages"][1]["content"].as_str().unwrap());
            let message = json!({ "role": "assistant", "content": said, "refusal": null });
            let choice = json!({ "index": 0, "message": message, "logprobs": null, "finish_reason": "stop" });
            let usage = json!({ "prompt_tokens": 9, "completion_tokens": 12, "total_tokens": 21 });
            return json_of(
                200,
                &json!({
                    "id": "chatcmpl-1", "object": "chat.completion", "created": 1_790_000_000, "model": body["model"],
                    "choices": [choice], "usage": usage,
                }),
            );
        }
        let one = |n: u64| match body["response_format"].as_str() {
            Some("b64_json") => json!({ "b64_json": data_encoding::BASE64.encode(&picture(u8::try_from(n).unwrap())) }),
            _ if n == 0 => json!({ "url": "/files/0.png" }),
            _ => json!({ "url": format!("{origin}/files/{n}.png"), "revised_prompt": "more of it" }),
        };
        let data: Vec<Value> = (0..body["n"].as_u64().unwrap()).map(one).collect();
        json_of(200, &json!({ "created": 1_790_000_000, "data": data }))
    }

    fn free(&self, asked: &Asked, _: &str) -> Option<Served> {
        let n: u8 = asked.path.strip_prefix("/files/")?.strip_suffix(".png")?.parse().unwrap();
        if n > 0 && self.stalls_at.compare_exchange(n, 0, Ordering::SeqCst, Ordering::SeqCst).is_ok() {
            thread::sleep(2 * PATIENCE);
        }
        Some(Served::of("image/png", &picture(n)))
    }
}

#[test]
fn chat_and_images_of_the_shape_of_openai() {
    let sandbox = Sandbox::start("");
    let front = Front::before(&sandbox, OpenAi::default());
    let client = client(&sandbox, &front, "openai-compatible.toml");
    client.write(
        "jobs.toml",
        "version = 1\n\
         [[job]]\nid = \"words\"\nendpoint = \"chat\"\nprompt = \"\"\"a \"kite\"\nand a boat\"\"\"\ntemperature = 0.30\n\
         [[job]]\nid = \"four\"\nendpoint = \"images\"\nprompt = \"a kite\"\nn = 4\nsize = \"512x512\"\n\
         [[job]]\nid = \"inside\"\nendpoint = \"images\"\nprompt = \"a boat\"\nn = 2\nresponse_format = \"b64_json\"\n",
    );
    buy(&client, &sandbox, 3);
    let mut bought: Vec<(String, Value)> =
        front.bought().into_iter().map(|one| (one.path, serde_json::from_slice(&one.body).unwrap())).collect();
    bought.sort_by_key(|(path, body)| (path.clone(), body["prompt"].to_string()));
    let images = |prompt: &str, n: u64, size: &str, how: &str| json!({ "model": "pictures-1", "prompt": prompt, "n": n, "size": size, "response_format": how });
    let messages = json!([
        { "role": "system", "content": "Answer in one paragraph." },
        { "role": "user", "content": "a \"kite\"\nand a boat" },
    ]);
    let chat = json!({ "model": "kites-2", "messages": messages, "temperature": 0.3, "stream": false });
    let (at_chat, at_images) = ("/v1/chat/completions".to_owned(), "/v1/images/generations".to_owned());
    assert_eq!(
        bought,
        [
            (at_chat, chat),
            (at_images.clone(), images("a boat", 2, "1024x1024", "b64_json")),
            (at_images, images("a kite", 4, "512x512", "url")),
        ]
    );
    let said = b"You said: a \"kite\"\nand a boat".to_vec();
    let names = ["four-2.png", "four-3.png", "four-4.png", "four.png", "inside-2.png", "inside.png"];
    let pictures = [1, 2, 3, 0, 1, 0].map(picture);
    let mut expected: Vec<_> = names.into_iter().map(str::to_owned).zip(pictures).collect();
    expected.push(("words.txt".to_owned(), said));
    assert_eq!(out(&client), expected);
    several_are_told(&client, &front.origin);
}

/// Of four pictures the first is the job's result, and the others stand beside it wherever it is told.
fn several_are_told(client: &Client, origin: &str) {
    let row = client.rows("jobs.results.csv").into_iter().find(|row| row["id"] == "four").unwrap();
    let list = |cell: &str| serde_json::from_str::<Vec<String>>(&row[cell]).unwrap();
    let urls: Vec<String> = (1..4).map(|n| format!("{origin}/files/{n}.png")).collect();
    let files: Vec<String> = (2..5)
        .map(|n| client.path(&format!("out/four-{n}.png")).canonicalize().unwrap().display().to_string())
        .collect();
    assert_eq!(
        (row["url"].clone(), list("more_urls"), list("more_files")),
        (format!("{origin}/files/0.png"), urls.clone(), files.clone())
    );
    let told = client.says("status jobs.toml --job four --json").with(0).stdout;
    let take = serde_json::from_str::<Value>(&told).unwrap()["jobs"][0]["takes"][0].clone();
    assert_eq!((&take["more_urls"], &take["more_files"]), (&json!(urls), &json!(files)));
    let ended = client.says("status jobs.toml --job four").with(0);
    files.iter().for_each(|file| assert!(ended.stdout.contains(file), "{ended}"));
    // One of them is moved away: it alone comes again, and buys nothing.
    std::fs::rename(client.path("out/four-3.png"), client.path("kept.png")).unwrap();
    client.says("download jobs.toml --missing").with(0);
    assert_eq!(
        client.rows("jobs.results.csv").into_iter().find(|row| row["id"] == "four").unwrap()["more_files"],
        row["more_files"]
    );
    assert_eq!(std::fs::read(client.path("out/four-3.png")).unwrap(), picture(2));
    // A results file is a manifest: its last columns are its own.
    client.says("plan jobs.results.csv").with(0);
    // What the seller refuses before it asks for money is said in its words.
    client.write("no.toml", "version = 1\n[[job]]\nid = \"no\"\nendpoint = \"images\"\nprompt = \"nothing decent\"\n");
    client.run("run no.toml").with(4).saying("Your request was rejected.");
}

/// The process is killed while the third of four pictures comes: the next one fetches what is missing, and buys nothing.
#[test]
fn of_several_results_the_next_run_fetches_what_is_missing() {
    let sandbox = Sandbox::start("");
    let stalls_at = Arc::new(AtomicU8::new(2));
    let front = Front::before(&sandbox, OpenAi { stalls_at: Arc::clone(&stalls_at) });
    let client = client(&sandbox, &front, "openai-compatible.toml");
    let job = "version = 1\n[[job]]\nid = \"four\"\nendpoint = \"images\"\nprompt = \"a kite\"\nn = 4\n";
    client.write("jobs.toml", job);
    let run = client.start("run jobs.toml --download out");
    let give_up = Instant::now() + PATIENCE;
    while stalls_at.load(Ordering::SeqCst) != 0 {
        assert!(Instant::now() < give_up, "nobody asks for the third picture");
        thread::sleep(Duration::from_millis(5));
    }
    run.kill();
    let stands = client.says("status jobs.toml --job four --json").stdout;
    let take = serde_json::from_str::<Value>(&stands).unwrap()["jobs"][0]["takes"][0].clone();
    assert_eq!((&take["state"], &take["more_files"]), (&json!("delivered"), &json!([])), "it is not done yet");
    let told = client.run("run jobs.toml --download out --json").with(0).stdout;
    let lines = told.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let downloaded = lines.into_iter().find(|line| line["state"] == "downloaded").unwrap();
    let of = |list: &str| downloaded[list].as_array().map_or(0, Vec::len);
    assert_eq!((of("more_urls"), of("more_files")), (3, 3), "{downloaded}");
    Audit::of_any(&client, "jobs", &sandbox.books()).all_downloaded(1);
    let expected = [("four-2.png", 1), ("four-3.png", 2), ("four-4.png", 3), ("four.png", 0)];
    assert_eq!(out(&client), expected.map(|(name, n)| (name.to_owned(), picture(n))));
}

#[test]
fn of_one_purchase_the_first_result_is_handed_out_and_the_others_are_said() {
    let sandbox = Sandbox::start("");
    let front = Front::before(&sandbox, OpenAi::default());
    let client = client(&sandbox, &front, "openai-compatible.toml");
    let line = "get images prompt=kites n=3 size=512x512 --max-sats 100 -o kites.png";
    let ended = client.asks(line).with(0);
    assert_eq!(ended.stderr.matches("a further result is ").count(), 2, "{ended}");
    assert_eq!(std::fs::read(client.path("kites.png")).unwrap(), picture(0));
    let last = ended.stderr.lines().filter_map(|line| line.strip_prefix("a further result is ")).next_back().unwrap();
    assert_eq!(std::fs::read(last).unwrap(), picture(2));
    let books = sandbox.books();
    assert_eq!(books.settled().values().map(|paid| paid.amount_msat).collect::<Vec<_>>(), [45_000], "{books:?}");
}

/// Text to speech: each thousand characters begun.
struct Speech;

impl Sells for Speech {
    fn price(&self, asked: &Asked) -> Result<u64, Served> {
        let voice = asked.path.strip_prefix("/v1/text-to-speech/").and_then(|rest| rest.split_once("?format="));
        let Some(("alba" | "luz", "mp3" | "wav")) = voice else { return Err(refused("no such voice")) };
        let body: Value = serde_json::from_slice(&asked.body).map_err(|_| refused("no JSON"))?;
        let characters = body["text"].as_str().ok_or_else(|| refused("no text"))?.chars().count() as u64;
        Ok((characters.div_ceil(1_000) * 15).max(40) * 1_000)
    }

    fn goods(&self, asked: &Asked, _: &str) -> Served {
        if asked.path.ends_with("wav") {
            return Served::of("audio/wav", &[b"RIFF\x24\0\0\0WAVEfmt ".as_slice(), &[1; 40]].concat());
        }
        Served::of("audio/mpeg", &[b"ID3\x04\0\0\0\0\0\0".as_slice(), &[0xff, 0xfb, 0x90, 0x64], &[0; 80]].concat())
    }
}

#[test]
fn speech_priced_by_the_character() {
    let sandbox = Sandbox::start("");
    let front = Front::before(&sandbox, Speech);
    let client = client(&sandbox, &front, "text-to-speech.toml");
    let long = "é".repeat(2_001);
    client.write(
        "jobs.toml",
        &format!(
            "version = 1\ndefaults.endpoint = \"speech\"\n[[job]]\nid = \"short\"\ntext = \"hello\"\n\
             [[job]]\nid = \"long\"\ntext = \"{long}\"\nvoice = \"luz\"\nformat = \"wav\"\nspeed = 1.50\n"
        ),
    );
    buy(&client, &sandbox, 2);
    assert_eq!(client.column("jobs.results.csv", "price_sats"), ["40", "45"]);
    let mut bought = front.bought();
    bought.sort_by_key(|one| one.body.len());
    let line = |at: usize| (bought[at].method.as_str(), bought[at].path.as_str(), head(&bought[at], "accept"));
    assert_eq!(line(0), ("POST", "/v1/text-to-speech/alba?format=mp3", "audio/*"));
    assert_eq!(line(1), ("POST", "/v1/text-to-speech/luz?format=wav", "audio/*"));
    assert_eq!(bought[0].body, br#"{"text":"hello"}"#);
    assert_eq!(String::from_utf8_lossy(&bought[1].body), format!(r#"{{"text":"{long}","speed":1.5}}"#));
    let files = out(&client);
    let names: Vec<&str> = files.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["long.wav", "short.mp3"]);
    assert!(files[0].1.starts_with(b"RIFF") && files[1].1.starts_with(b"ID3"));
}

/// Data by GET.
struct Data;

impl Sells for Data {
    fn price(&self, asked: &Asked) -> Result<u64, Served> {
        match asked.path.split_once('?') {
            _ if asked.method != "GET" || !asked.body.is_empty() => Err(refused("GET, without a body")),
            Some((path, _)) if path.starts_with("/v1/weather/") => Ok(2_500),
            Some(("/v1/define", query)) if query.starts_with("word=") => Ok(500),
            _ => Err(json_of(404, &json!({ "title": "Not found", "status": 404 }))),
        }
    }

    fn goods(&self, asked: &Asked, _: &str) -> Served {
        if asked.path.starts_with("/v1/define") {
            return Served::of("text/plain; charset=utf-8", "kite: a toy that flies\n".as_bytes());
        }
        json_of(200, &json!({ "place": asked.path, "temperature": 21.5, "wind": { "kmh": 12 } }))
    }
}

#[test]
fn data_by_get() {
    let sandbox = Sandbox::start("");
    let front = Front::before(&sandbox, Data);
    let client = client(&sandbox, &front, "data.toml");
    client.write("rows.csv", "id,endpoint,city,day,word\nhere,weather,São Paulo,,\nthere,weather,a/b,2026-12-01,\nwhat,definition,,,kite & co\n");
    client.write("jobs.toml", "version = 1\nrows.file = \"rows.csv\"\n");
    buy(&client, &sandbox, 3);
    let mut lines: Vec<String> = front.bought().iter().map(|one| format!("{} {}", one.method, one.path)).collect();
    lines.sort();
    let expected = [
        "GET /v1/define?word=kite%20%26%20co",
        "GET /v1/weather/S%C3%A3o%20Paulo?units=metric",
        "GET /v1/weather/a%2Fb?day=2026-12-01&units=metric",
    ];
    assert_eq!(lines, expected);
    let files = out(&client);
    let names: Vec<&str> = files.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["here.json", "there.json", "what.txt"]);
    assert_eq!(serde_json::from_slice::<Value>(&files[0].1).unwrap()["temperature"], 21.5);
    assert_eq!(files[2].1, b"kite: a toy that flies\n");
}

/// An upscaler that counts the pixels of what it is sent.
struct Upscaler;

/// The parts of a multipart body: name, what stands in its head besides, content.
fn parts(asked: &Asked) -> Option<Vec<(String, String, Vec<u8>)>> {
    let boundary = head(asked, "content-type").strip_prefix("multipart/form-data; boundary=")?;
    let marks: Vec<usize> = {
        let mark = format!("--{boundary}");
        asked
            .body
            .windows(mark.len())
            .enumerate()
            .filter(|(_, at)| *at == mark.as_bytes())
            .map(|(at, _)| at + mark.len())
            .collect()
    };
    let pieces = marks.windows(2).map(|two| &asked.body[two[0] + 2..two[1] - boundary.len() - 4]);
    let read = |piece: &[u8]| {
        let end = piece.windows(4).position(|four| four == b"\r\n\r\n")?;
        let said = String::from_utf8(piece[..end].to_vec()).ok()?;
        let (_, rest) = said.split_once("Content-Disposition: form-data; name=\"")?;
        let (name, rest) = rest.split_once('"')?;
        Some((name.to_owned(), rest.to_owned(), piece[end + 4..].to_vec()))
    };
    (asked.body.ends_with(format!("--{boundary}--\r\n").as_bytes())).then(|| pieces.filter_map(read).collect())
}

impl Sells for Upscaler {
    fn price(&self, asked: &Asked) -> Result<u64, Served> {
        let parts = parts(asked).filter(|_| asked.path == "/v1/upscale").ok_or_else(|| refused("a form, please"))?;
        let part = |wanted: &str| parts.iter().find(|(name, ..)| name == wanted).map(|(.., content)| content.clone());
        let (image, scale) = (part("image").ok_or_else(|| refused("no image"))?, part("scale").unwrap_or_default());
        let side = |at: usize| u64::from(u32::from_be_bytes(image[at..at + 4].try_into().unwrap()));
        let megapixels = (side(16) * side(20)).div_ceil(1_000_000);
        let scale: u64 = std::str::from_utf8(&scale).unwrap().parse().unwrap();
        Ok((megapixels * 8 * scale).max(20) * 1_000)
    }

    fn goods(&self, _: &Asked, _: &str) -> Served {
        json_of(200, &json!({ "id": "up-1", "output": { "url": "/out/large.webp", "width": 4000 } }))
    }

    fn free(&self, asked: &Asked, _: &str) -> Option<Served> {
        let large = [b"RIFF\x64\0\0\0WEBPVP8 ".as_slice(), &[3; 90]].concat();
        (asked.path == "/out/large.webp").then(|| Served::of("image/webp", &large))
    }
}

#[test]
fn a_multipart_upscaler() {
    let sandbox = Sandbox::start("");
    let front = Front::before(&sandbox, Upscaler);
    let client = client(&sandbox, &front, "upscaler.toml");
    let png = |width: u32, height: u32| {
        let size = [width.to_be_bytes(), height.to_be_bytes()].concat();
        let drawn = [&500_u32.to_be_bytes(), b"IDAT".as_slice(), &[7; 504]].concat();
        let ends = b"\0\0\0\0IEND\xae\x42\x60\x82".as_slice();
        [b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR".as_slice(), &size, &[8, 2, 0, 0, 0], &[9; 4], &drawn, ends].concat()
    };
    std::fs::write(client.path("small.png"), png(640, 480)).unwrap();
    std::fs::write(client.path("my large one.png"), png(2_000, 1_200)).unwrap();
    client.write(
        "jobs.toml",
        "version = 1\ndefaults.endpoint = \"upscale\"\n[[job]]\nid = \"small\"\npicture = \"small.png\"\nmegapixels = 0.3072\n\
         [[job]]\nid = \"large\"\npicture = \"my large one.png\"\nmegapixels = 2.4\nscale = 4\n",
    );
    buy(&client, &sandbox, 2);
    assert_eq!(client.column("jobs.results.csv", "price_sats"), ["20", "96"]);
    let mut bought: Vec<_> = front.bought().iter().map(|one| parts(one).unwrap()).collect();
    bought.sort_by_key(|parts| parts[1].2.clone());
    let file = "; filename=\"file.png\"\r\nContent-Type: image/png".to_owned();
    let sent = |picture: Vec<u8>, scale: &str| {
        let text = |name: &str, text: &str| (name.to_owned(), String::new(), text.as_bytes().to_vec());
        vec![("image".to_owned(), file.clone(), picture), text("scale", scale), text("model", "sharp-3")]
    };
    assert_eq!(bought, [sent(png(640, 480), "2"), sent(png(2_000, 1_200), "4")]);
    let names: Vec<String> = out(&client).into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["large.webp", "small.webp"]);
    // Who says less than the server counts pays nothing.
    let large =
        "version = 1\n[[job]]\nendpoint = \"upscale\"\npicture = \"my large one.png\"\nmegapixels = 1.9\nscale = 3\n";
    client.write("wrong.toml", large);
    client.run("run wrong.toml").with(6).saying("48 sats").saying("72 sats");
    assert_eq!(sandbox.books().payments.len(), 2);
}

/// The `Payment` scheme alone, and a job that takes its time.
struct Clips;

impl Sells for Clips {
    fn price(&self, asked: &Asked) -> Result<u64, Served> {
        let body: Value = serde_json::from_slice(&asked.body).map_err(|_| refused("no JSON"))?;
        let seconds = body["input"]["seconds"].as_u64().filter(|_| asked.path == "/v1/clips");
        seconds.map(|seconds| seconds * 35_000).ok_or_else(|| refused("how long?"))
    }

    fn goods(&self, _: &Asked, _: &str) -> Served {
        json_of(202, &json!({ "id": "c1", "status": "queued", "links": { "self": "/v1/clips/c1" } }))
    }

    fn free(&self, asked: &Asked, origin: &str) -> Option<Served> {
        match asked.path.as_str() {
            "/v1/clips/c1" => Some(json_of(
                200,
                &json!({
                    "id": "c1", "status": "succeeded", "clip": { "url": format!("{origin}/clips/c1.mp4") },
                }),
            )),
            "/clips/c1.mp4" => Some(Served::of("video/mp4", &[b"\0\0\0\x20ftypisom".as_slice(), &[5; 99]].concat())),
            _ => None,
        }
    }
}

#[test]
fn a_seller_of_the_payment_scheme_alone() {
    let sandbox = Sandbox::start("--sandbox-scheme payment");
    let front = Front::before(&sandbox, Clips);
    let client = client(&sandbox, &front, "payment-only.toml");
    client.write(
        "jobs.toml",
        "version = 1\ndefaults.endpoint = \"clip\"\n[[job]]\nid = \"kite\"\nprompt = \"a kite\"\nseconds = 4\n",
    );
    buy(&client, &sandbox, 1);
    let bought = front.bought();
    assert_eq!((bought[0].method.as_str(), bought[0].path.as_str()), ("POST", "/v1/clips"));
    assert_eq!(bought[0].body, br#"{"input":{"prompt":"a kite","seconds":4}}"#);
    assert_eq!(out(&client).remove(0).0, "kite.mp4");
    let asked = front.asked();
    assert!(!asked[0].headers.contains_key("idempotency-key"), "{asked:?}");
    assert!(
        head(&asked[1], "authorization").starts_with("Payment ") && asked[1].headers.contains_key("idempotency-key")
    );
    client.says("status jobs.toml --job kite").with(0).saying("its receipt says success, by lightning");
}
