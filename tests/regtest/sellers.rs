//! Servers of others that sell at the payee's node: what each takes, and how it wants to be paid, is its own.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Read, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;

use data_encoding::{BASE64, HEXLOWER};

use crate::audit::booked;
use crate::harness::{Client, Process};
use crate::rig::{Rig, wait_for};
use crate::shop::Lists;

/// A seller of others, which is stopped with its value.
struct Seller {
    origin: String,
    _process: Process,
}

/// What the script has made of one of them, where it could.
pub fn is_there(rig: &Rig, name: &str) -> bool {
    made(rig, name).join("sum").exists()
}

fn made(rig: &Rig, name: &str) -> PathBuf {
    rig.kept().join("sellers").join(name)
}

/// aperture, with a service that is paid by either scheme: where it offers both, it takes the one of the service alone.
pub fn aperture(rig: &Rig) {
    let folder = tempfile::tempdir().unwrap();
    let port = free_port();
    let behind = serve_behind();
    let config = folder.path().join("aperture.yaml");
    std::fs::write(&config, aperture_config(rig, folder.path(), port, &behind)).unwrap();
    let mut command = Command::new(made(rig, "aperture").join("aperture"));
    command.arg(format!("--configfile={}", config.display())).env("HOME", folder.path());
    // Its file has another key for this than its sample says.
    command.arg(format!("--sqlite.dbfile={}", folder.path().join("aperture.db").display()));
    let seller = Seller::start(port, &mut command);
    let jobs = "[[job]]\nid = \"a\"\nendpoint = \"by-l402\"\nprompt = \"kites\"\n\
                [[job]]\nid = \"b\"\nendpoint = \"by-l402\"\nprompt = \"boats\"\n\
                [[job]]\nid = \"c\"\nendpoint = \"by-payment\"\nprompt = \"kites\"\n\
                [[job]]\nid = \"d\"\nendpoint = \"by-payment\"\nprompt = \"boats\"\n\
                [[job]]\nid = \"e\"\nendpoint = \"many\"\nprompt = \"birds\"\n\
                [[job]]\nid = \"f\"\nendpoint = \"many\"\nprompt = \"bees\"\n";
    let endpoint = |name: &str, path: &str, sats: u64, scheme: &str| {
        format!(
            "[endpoint.{name}]\nurl = \"{}{path}\"\nmethod = \"POST\"\nscheme = \"{scheme}\"\nprice = {{ sats = {sats} }}\n\
             params = {{ prompt = {{ type = \"text\", required = true }} }}\nresult = {{ text = [\"/said\"] }}\n",
            seller.origin
        )
    };
    let endpoints = endpoint("by-l402", "/l402/say", 30, "l402") + &endpoint("by-payment", "/mpp/say", 40, "payment");
    // Its tokens are good for further requests: two jobs, one payment.
    let many = endpoint("many", "/l402/more", 30, "l402").replace("scheme =", "credential = \"reusable\"\nscheme =");
    let bought = buys(rig, &seller, &(endpoints + &many + jobs), 170);
    let said = |job: &str| bought[job].as_str();
    assert_eq!([said("a"), said("b")], ["you said kites", "you said boats"]);
    assert_eq!([said("c"), said("d")], ["you said kites", "you said boats"]);
    assert_eq!([said("e"), said("f")], ["you said birds", "you said bees"]);
}

/// boltwall: a challenge by the former name, LSAT, alone.
pub fn boltwall(rig: &Rig) {
    let port = free_port();
    let mut command = Command::new("node");
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/regtest/sellers/npm/boltwall.js");
    command.arg(script).arg(port.to_string()).current_dir(made(rig, "npm"));
    let certificate = std::fs::read(&rig.payee.certificate_file).unwrap();
    command.env("LND_SOCKET", rig.payee_grpc()).env("LND_MACAROON", macaroon(rig));
    command
        .env("LND_TLS_CERT", BASE64.encode(&certificate))
        .env("SESSION_SECRET", "5".repeat(64))
        .env("LOG_LEVEL", "none");
    let seller = Seller::start(port, &mut command);
    let manifest = format!(
        "[endpoint.caption]\nurl = \"{}/caption\"\nmethod = \"POST\"\nprice = {{ sats = 25 }}\n\
         params = {{ prompt = {{ type = \"text\", required = true }} }}\nbody = {{ input = {{ prompt = \"{{prompt}}\" }} }}\n\
         result = {{ text = [\"/caption/text\"] }}\n\
         [[job]]\nid = \"a\"\nendpoint = \"caption\"\nprompt = \"kites\"\n[[job]]\nid = \"b\"\nendpoint = \"caption\"\nprompt = \"boats\"\n",
        seller.origin
    );
    let bought = buys(rig, &seller, &manifest, 50);
    assert_eq!([&*bought["a"], &*bought["b"]], ["A caption for kites", "A caption for boats"]);
}

/// Two packages of PyPI: lightning-toll, in the shape of a chat, and l402kit, a GET whose answer is text and whose token is
/// burnt before the answer is made.
pub fn of_pypi(rig: &Rig) {
    let port = free_port();
    let mut command = Command::new(made(rig, "python").join("bin/python"));
    command
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/regtest/sellers/python/seller.py"))
        .arg(port.to_string());
    command.env("LND_URL", &rig.payee.url).env("LND_MACAROON", macaroon(rig));
    command.env("LND_CERT_FILE", &rig.payee.certificate_file).env("PYTHONDONTWRITEBYTECODE", "1");
    let seller = Seller::start(port, &mut command);
    let manifest = format!(
        "[endpoint.poem]\nurl = \"{origin}/poem\"\nmethod = \"POST\"\nprice = {{ sats = 30 }}\n\
         params = {{ prompt = {{ type = \"text\", required = true }} }}\n\
         body = {{ model = \"rhymes\", messages = [{{ role = \"user\", content = \"{{prompt}}\" }}] }}\n\
         result = {{ text = [\"/choices/0/message/content\"] }}\n\
         [endpoint.weather]\nurl = \"{origin}/weather\"\nmethod = \"GET\"\nprice = {{ sats = 21 }}\n\
         params = {{ place = {{ type = \"text\", required = true }} }}\nresult = {{ body = true }}\n\
         [[job]]\nid = \"a\"\nendpoint = \"poem\"\nprompt = \"kites\"\n[[job]]\nid = \"b\"\nendpoint = \"weather\"\nplace = \"Zürich & Bern\"\n",
        origin = seller.origin
    );
    let bought = buys(rig, &seller, &manifest, 51);
    assert_eq!([&*bought["a"], &*bought["b"]], ["A poem about kites", "Fair weather in Zürich & Bern\n"]);
}

/// Buys all of a manifest for exactly so many sats, each job once, and again nothing; gives what each job's file says.
fn buys(rig: &Rig, seller: &Seller, manifest: &str, sats: u64) -> HashMap<String, String> {
    let lists = Lists::begin(rig);
    let folder = tempfile::tempdir().unwrap();
    let catalog = folder.path().join("none.toml");
    std::fs::write(&catalog, "").unwrap();
    let payer = &rig.payer;
    let client = Client::with(&catalog, &payer.url, &payer.macaroon_file, &payer.certificate_file);
    client.write("jobs.toml", &format!("version = 1\n{manifest}"));
    for _ in 0..2 {
        client.run("run jobs.toml --download films").with(0);
        booked(&lists, &client, "jobs");
    }
    let paid: u64 = lists.payments().iter().map(|payment| payment.value_msat).sum();
    assert_eq!(paid, sats * 1_000, "{}", seller.origin);
    let results = client.rows("jobs.results.csv");
    assert!(results.iter().all(|row| row["state"] == "downloaded"), "{results:?}");
    let file = |row: &HashMap<String, String>| std::fs::read_to_string(client.path(&row["file"])).unwrap();
    results.iter().map(|row| (row["id"].clone(), file(row))).collect()
}

impl Seller {
    /// Starts it, and waits until it listens there.
    fn start(port: u16, command: &mut Command) -> Self {
        let process = Process::start(command);
        wait_for(&format!("{} listens", command.get_program().display()), || {
            TcpStream::connect(("127.0.0.1", port)).is_ok()
        });
        Self { origin: format!("http://127.0.0.1:{port}"), _process: process }
    }
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

fn macaroon(rig: &Rig) -> String {
    HEXLOWER.encode(&std::fs::read(&rig.payee.macaroon_file).unwrap())
}

fn aperture_config(rig: &Rig, folder: &Path, port: u16, behind: &str) -> String {
    let (grpc, certificate) = (rig.payee_grpc(), rig.payee.certificate_file.display());
    let macaroons = rig.payee.macaroon_file.parent().unwrap().display();
    let mut config = format!(
        "listenaddr: \"127.0.0.1:{port}\"\ninsecure: true\nbasedir: \"{}\"\ndbbackend: \"sqlite\"\ndebuglevel: \"error\"\n\
         authenticator:\n  network: \"regtest\"\n  lndhost: \"{grpc}\"\n  tlspath: \"{certificate}\"\n  macdir: \"{macaroons}\"\n\
         \x20 enablempp: true\n  mpprealm: \"tests\"\nservices:\n",
        folder.display()
    );
    for (name, scheme, sats) in [("l402", "l402", 30), ("mpp", "mpp", 40)] {
        write!(
            config,
            "  - name: \"{name}\"\n    hostregexp: '^.*$'\n    pathregexp: '^/{name}/.*$'\n    address: \"{behind}\"\n\
             \x20   protocol: http\n    authscheme: \"{scheme}\"\n    price: {sats}\n"
        )
        .unwrap();
    }
    config
}

/// What stands behind aperture and knows nothing of payments: it says the prompt back. Ends with the test's process.
fn serve_behind() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    thread::spawn(move || {
        for client in listener.incoming().map_while(Result::ok) {
            thread::spawn(move || drop(say_back(client)));
        }
    });
    address
}

fn say_back(mut client: TcpStream) -> std::io::Result<()> {
    let mut reader = BufReader::new(client.try_clone()?);
    let (mut line, mut length) = (String::new(), 0);
    while reader.read_line(&mut line)? > 0 && !line.trim().is_empty() {
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
        line.clear();
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    let asked: serde_json::Value = serde_json::from_slice(&body).unwrap();
    let said = serde_json::json!({ "said": format!("you said {}", asked["prompt"].as_str().unwrap()) }).to_string();
    let length = said.len();
    write!(
        client,
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{said}"
    )
}
