//! What is a message is no result, and what may be the result that was paid for is kept; a person's word beats every guess.

use std::collections::HashMap;

use data_encoding::BASE64;

use crate::harness::{Client, Sale, Sandbox, Seller, Served};

/// What a job of that id sells: bytes, type and ending of the address.
struct Good {
    id: String,
    endpoint: &'static str,
    bytes: Vec<u8>,
    kind: &'static str,
    address: &'static str,
}

const TEXT: &[u8] = b"Once upon a time there was a kite.\n";
const SRT: &[u8] = b"1\n00:00:00,000 --> 00:00:02,000\nHello\n";
const JSON: &[u8] = b"{\"text\":\"so it was said\",\"segments\":[]}";
const PAGE: &[u8] = b"<!doctype html><html><body>page sold</body></html>";

/// How a good is sold.
type How = fn(&Good) -> Sale;

fn good(id: &str, endpoint: &'static str, bytes: &[u8], kind: &'static str, address: &'static str) -> Good {
    Good { id: id.to_owned(), endpoint, bytes: bytes.to_vec(), kind, address }
}

/// A client who has ordered all of that; `how` makes of a good what is sold.
fn ordered(sandbox: &Sandbox, goods: &[Good], how: How) -> Client {
    let rows: String = goods.iter().map(|good| format!("{0},{1},the {0},3\n", good.id, good.endpoint)).collect();
    let sales: HashMap<String, Sale> = goods.iter().map(|good| (format!("the {}", good.id), how(good))).collect();
    let served: HashMap<String, Served> =
        goods.iter().map(|good| (name_of(good), Served::of(good.kind, &good.bytes))).collect();
    let seller = Seller::before(
        sandbox,
        move |prompt| match &sales[prompt] {
            Sale::File(name) => Sale::File(name.clone()),
            Sale::Url(url) => Sale::Url(url.clone()),
            Sale::Answer(kind, body) => Sale::Answer(kind.clone(), body.clone()),
        },
        move |name| served.get(name).cloned().unwrap_or(Served { status: 404, ..Served::default() }),
    );
    let client = Client::at(&sandbox.node, &seller.catalog, sandbox);
    client.write("jobs.csv", &format!("id,endpoint,prompt,duration\n{rows}"));
    client
}

fn name_of(good: &Good) -> String {
    format!("{}{}", good.id, good.address)
}

fn as_file(good: &Good) -> Sale {
    Sale::File(name_of(good))
}

fn as_data(good: &Good) -> Sale {
    Sale::Url(format!("data:{};base64,{}", good.kind, BASE64.encode(&good.bytes)))
}

fn as_answer(good: &Good) -> Sale {
    Sale::Answer(good.kind.to_owned(), good.bytes.clone())
}

#[track_caller]
fn are_files(client: &Client, goods: &[Good], endings: &[&str]) {
    let rows = client.rows("jobs.results.csv");
    for ((good, ending), row) in goods.iter().zip(endings).zip(rows) {
        assert_eq!(row["state"], "downloaded", "{row:?}");
        assert!(row["file"].ends_with(&format!("/{}.{ending}", good.id)), "{ending}: {row:?}");
        assert!(std::fs::read(&row["file"]).unwrap() == good.bytes, "{row:?}");
    }
}

/// Who sells no film may sell text, whatever its type and its address look like; and a picture may be text.
#[test]
fn what_may_be_the_result_is_taken_and_ends_as_it_is() {
    let obj = b"o cube\nv 1 1 1\n";
    let (playlist, picture) =
        (b"#EXTM3U\n#EXT-X-VERSION:3\n".as_slice(), b"<?xml version=\"1.0\"?>\n<svg/>".as_slice());
    let cases = [
        (good("txt", "words", TEXT, "text/plain", ""), "txt"),
        (good("srt", "words", SRT, "text/plain", ""), "txt"),
        (good("srt2", "words", SRT, "text/plain", ".srt"), "srt"),
        (good("sub", "words", SRT, "application/octet-stream", ".vtt"), "vtt"),
        (good("py", "words", TEXT, "text/plain", ".py"), "txt"),
        (good("docx", "words", TEXT, "text/plain", ".docx"), "txt"),
        (good("rtf", "words", b"{\\rtf1 a kite}", "text/plain", ".rtf"), "rtf"),
        (good("json", "words", JSON, "application/json", ""), "json"),
        (good("page", "words", PAGE, "text/html", ""), "html"),
        (good("php", "words", PAGE, "text/html; charset=utf-8", ".php"), "html"),
        (good("md", "words", b"# Title\n", "text/markdown", ""), "md"),
        (good("csv", "words", b"a,b\n1,2\n", "text/csv", ""), "csv"),
        (good("obj", "words", obj, "text/plain", ".obj"), "obj"),
        (good("list", "words", playlist, "text/plain", ".m3u8"), "m3u8"),
        (good("dash", "words", b"<?xml version=\"1.0\"?><MPD></MPD>", "application/dash+xml", ""), "mpd"),
        (good("svg", "pictures", picture, "image/svg+xml", ""), "svg"),
        (good("svg2", "pictures", picture, "text/plain", ".svg"), "svg"),
        (good("eps", "pictures", b"%!PS-Adobe-3.0 EPSF-3.0\n", "image/x-eps", ".eps"), "eps"),
        (good("ppm", "pictures", b"P3\n1 1\n255\n255 0 0\n", "image/x-portable-pixmap", ".ppm"), "ppm"),
        (good("ppm2", "words", b"P3\n1 1\n255\n255 0 0\n", "image/x-portable-pixmap", ""), "ppm"),
        (good("xpm", "pictures", b"/* XPM */\nstatic char * x[] = {};\n", "image/x-xpixmap", ".xpm"), "xpm"),
        (good("xbm", "pictures", b"#define x_width 1\n", "image/x-xbitmap", ""), "xbm"),
        (good("odd", "pictures", b"#FIG 3.2\n", "image/x-unheard-of", ""), "bin"),
    ];
    let (goods, endings): (Vec<Good>, Vec<&str>) = cases.into_iter().unzip();
    let sandbox = Sandbox::start("");
    let client = ordered(&sandbox, &goods, as_file);
    client.run("run jobs.csv --download files").with(0);
    are_files(&client, &goods, &endings);
    assert_eq!(sandbox.books().settled().len(), goods.len());
}

/// A host that calls a film a page does not make it one: it is taken, and ends as what it is.
#[test]
fn what_is_seen_to_be_a_film_or_a_sound_is_no_page() {
    let frames = |head: &[u8], length: usize| {
        let frame: Vec<u8> = head.iter().copied().chain([0; 500]).take(length).collect();
        frame.repeat(30)
    };
    let results: [(&[u8], &str, &str); 8] = [
        (b"\x00\x00\x00\x20ftypisom", "", "mp4"),
        (b"\x00\x00\x00\x20ftypqt  ", ".mov", "mov"),
        (&frames(b"\xff\xfb\x90\x64", 417), "", "mp3"),
        (&frames(b"\xff\xf1\x50\x80\x2e\x7f\xfc", 371), ".php", "aac"),
        (&frames(b"\x47\x40\x00\x10", 188), ".html", "ts"),
        (b"RF64\xff\xff\xff\xffWAVEds64\x1c\x00\x00\x00", "", "wav"),
        (b"BM\x3a\x00\x00\x00\x00\x00\x00\x00\x36\x00\x00\x00\x28", "", "bmp"),
        (b"\xef\xbb\xbf#EXTM3U\n#EXT-X-VERSION:3\n", "", "m3u8"),
    ];
    let kinds = ["text/html", "text/plain", "application/json"].into_iter().enumerate();
    let cases = kinds.flat_map(|(nth, kind)| {
        let good_of = move |(n, (bytes, address, ending)): (usize, &(&[u8], &'static str, &'static str))| {
            (good(&format!("g{nth}{n}"), "generate-video", bytes, kind, address), *ending)
        };
        results.iter().enumerate().map(good_of).collect::<Vec<_>>()
    });
    let (goods, endings): (Vec<Good>, Vec<&str>) = cases.unzip();
    let sandbox = Sandbox::start("");
    let client = ordered(&sandbox, &goods, as_file);
    client.run("run jobs.csv --download files").with(0);
    are_files(&client, &goods, &endings);
    let parts = std::fs::read_dir(client.path("files")).unwrap().count();
    assert_eq!(parts, goods.len(), "nothing else is left");
}

fn messages() -> Vec<Good> {
    let messages: [(&str, &[u8]); 11] = [
        ("plain", b"link has expired"),
        ("sjis", b"\x83\x8a\x83\x93\x83N\x82\xcd\x8a\xfa\x8c\xc0\x90\xd8\x82\xea\x82\xc5\x82\xb7"),
        ("gbk", b"\xc1\xb4\xbd\xd3\xd2\xd1\xb9\xfd\xc6\xda"),
        ("cp1251", b"\xf1\xf1\xfb\xeb\xea\xe0 \xe8\xf1\xf2\xe5\xea\xeb\xe0"),
        ("nul", b"link has expired\0"),
        ("esc", b"\x1b[31mlink has expired\x1b[0m"),
        ("ftyp", b"the ftyp is gone, sorry"),
        ("gif", b"GIF8 words here"),
        ("id3", b"ID3 not available"),
        ("ogg", b"OggS is a word"),
        ("xml", b"<?xml version=\"1.0\"?><Error><Message>see <svg here</Message></Error>"),
    ];
    let of_type = |(n, kind)| good(&format!("of{n}"), "generate-video", b"link has expired", kind, ".mp4");
    let types = ["video/3gpp", "video/x-unheard-of", "audio/mp3", "image/jpg", "image/x-unheard-of"];
    let films = messages.iter().map(|(id, bytes)| good(id, "generate-video", bytes, "video/mp4", ".mp4"));
    films.chain(types.into_iter().enumerate().map(of_type)).collect()
}

#[test]
fn a_message_is_no_film_and_a_persons_word_makes_it_one() {
    std::thread::scope(|scope| {
        let ways: [(How, &str); 3] = [(as_file, "url_gone"), (as_data, "url_gone"), (as_answer, "unknown_answer")];
        for (how, reason) in ways {
            scope.spawn(move || {
                let goods = messages();
                let sandbox = Sandbox::start("");
                let client = ordered(&sandbox, &goods, how);
                client.run("run jobs.csv --download files --max-undelivered 100").with(4);
                let reasons = client.column("jobs.results.csv", "reason");
                assert!(reasons.iter().all(|said| said == reason), "{reasons:?}");
                // A person has looked, and knows better.
                let word = "resolve jobs.csv --job plain --as delivered --note looked";
                client.says("status jobs.csv --job plain").with(4).saying("--job plain@1 --as delivered");
                client.says(word).with(0).saying("taken as");
                client.says("download jobs.csv --job plain --download files").with(4);
                let row = client.rows("jobs.results.csv").remove(0);
                assert_eq!((row["state"].as_str(), row["reason"].as_str()), ("downloaded", ""), "{row:?}");
                assert!(std::fs::read(&row["file"]).unwrap() == goods[0].bytes, "{row:?}");
                client.says(word).with(2).saying("downloaded");
                assert_eq!(sandbox.books().settled().len(), goods.len());
            });
        }
    });
}

/// The word is carried out once, and of what the guess has nothing to do with it is none.
#[test]
fn the_word_is_of_what_is_gone_alone() {
    let goods = vec![good("gone", "generate-video", b"link has expired", "video/mp4", ".mp4")];
    let sandbox = Sandbox::start("");
    let client = ordered(&sandbox, &goods, as_file);
    let word = "resolve jobs.csv --job gone --as delivered --note looked";
    client.run("run jobs.csv").with(0);
    client.says(word).with(2).saying("is delivered");
    client.says("download jobs.csv --download files").with(4);
    client.says(word).with(0).saying("`l402-batch download --batch jobs` fetches it, where that is served whole");
    client.says(word).with(0).saying("taken already").saying("nothing was changed").not_saying("asked for");
    client.says("status jobs.csv --job gone").with(3).saying("served: looked");
    // A run fetches it too.
    client.run("run jobs.csv --download files").with(0);
    assert_eq!(client.column("jobs.results.csv", "state"), ["downloaded"]);
}

/// What is taken may be gone all the same: the word is not asked for again, and said again it is no error.
#[test]
fn what_is_taken_and_gone_needs_no_word_more() {
    let goods = vec![good("gone", "generate-video", b"", "video/mp4", ".mp4")];
    let sandbox = Sandbox::start("");
    let client = ordered(&sandbox, &goods, |_| Sale::File("away.mp4".to_owned()));
    let word = "resolve jobs.csv --job gone --as delivered --note looked";
    client.run("run jobs.csv --download files").with(4);
    client.says("status jobs.csv --job gone").with(4).saying("--job gone@1 --as delivered");
    client.says(word).with(0).saying("l402-batch download --batch jobs");
    client.says("download jobs.csv --download files").with(4);
    client
        .says("status jobs.csv --job gone")
        .with(4)
        .saying("download --batch jobs --job gone")
        .not_saying("--as delivered");
    client.says(word).with(0).saying("taken already").saying("nothing was changed");
    assert_eq!(client.column("jobs.results.csv", "reason"), ["url_gone"]);
}

/// Text, JSON and bytes that are the answer itself, and text within it, are results where their endpoint says so, and files as they are.
#[test]
fn what_an_endpoint_sells_as_the_answer_itself_becomes_a_file() {
    const CHAT: &[u8] = "{\"choices\":[{\"message\":{\"content\":\" A kite, \u{1fa81}.\\n\"}}]}".as_bytes();
    let sold = [
        good("data", "words", JSON, "application/json", ""),
        good("prose", "words", TEXT, "text/plain; charset=utf-8", ""),
        good("raw", "words", &[0, 1, 2, 255], "application/octet-stream", ""),
        good("chat", "pictures", CHAT, "application/json", ""),
        good("wrong", "words", b"{\"error\":\"out of luck\"}", "application/json", ""),
    ];
    let sandbox = Sandbox::start("");
    let client = ordered(&sandbox, &sold, as_answer);
    let rules =
        "\n[endpoint.words.result]\nbody = true\n[endpoint.pictures.result]\ntext = [\"/choices/0/message/content\"]\n";
    let job = |good: &Good| {
        format!(
            "[[job]]\nid = \"{0}\"\nendpoint = \"{1}\"\nprompt = \"the {0}\"\nduration = 3\n",
            good.id, good.endpoint
        )
    };
    client.write("jobs.toml", &("version = 1\n".to_owned() + &sold.iter().map(job).collect::<String>() + rules));
    client.run("run jobs.toml --download files").with(4);
    let states = ["downloaded", "downloaded", "downloaded", "downloaded", "paid"];
    assert_eq!(client.column("jobs.results.csv", "state"), states);
    let files = client.column("jobs.results.csv", "file");
    for (file, (ending, bytes)) in files.iter().zip([
        ("json", JSON),
        ("txt", TEXT),
        ("bin", &[0, 1, 2, 255]),
        ("txt", " A kite, \u{1fa81}.\n".as_bytes()),
    ]) {
        assert!(file.ends_with(&format!(".{ending}")), "{file}");
        assert_eq!(std::fs::read(client.path(file)).unwrap(), bytes, "{file}");
    }
    // What says that it went wrong is kept, shown, and not asked for again.
    assert_eq!(client.column("jobs.results.csv", "reason")[4], "unknown_answer");
    let asked = |sandbox: &Sandbox| sandbox.books().sales.iter().map(|sale| sale.delivered_count).sum::<u64>();
    let before = asked(&sandbox);
    client.run("run jobs.toml --download files").with(4);
    assert_eq!(asked(&sandbox), before);
}
