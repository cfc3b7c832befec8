//! What a person describes is what is sent, asked and redeemed to the same byte: requests of other shapes than the built-in ones.

use serde_json::Value;

use crate::harness::{AnyRequest, Asked, Client, Ended, Sandbox};

/// A client whose `jobs.toml` has that endpoint, `{origin}` in it for the seller's address, and these jobs.
fn client(sandbox: &Sandbox, seller: &AnyRequest, endpoint: &str, jobs: &str) -> Client {
    let client = Client::of(sandbox);
    let endpoint = endpoint.replace("{origin}", &seller.origin);
    let common = "price = { sats = 900 }\nresult = { url = [\"/videoUrl\", \"/result/videoUrl\"] }\n";
    client.write(
        "jobs.toml",
        &format!("version = 1\ndefaults.endpoint = \"any\"\n{jobs}\n[endpoint.any]\n{common}{endpoint}"),
    );
    client
}

/// What was asked, and redeemed to the same byte: line and body of each request, in turn.
#[track_caller]
fn bought(seller: &AnyRequest, ended: &Ended) -> Vec<(String, String)> {
    let mut asked = Vec::new();
    for mut came in seller.asked() {
        for of_one_of_them in ["authorization", "accept-authenticate"] {
            came.headers.remove(of_one_of_them);
        }
        if !asked.contains(&came) {
            asked.push(came);
        }
    }
    assert_eq!(
        seller.asked().len(),
        2 * asked.len(),
        "each was asked and redeemed with the same headers and bytes: {ended}"
    );
    let line = |came: &Asked| format!("{} {}", came.method, came.path);
    asked.iter().map(|came| (line(came), String::from_utf8_lossy(&came.body).into_owned())).collect()
}

#[test]
fn decimals_lists_and_objects_are_sent_as_they_are_and_tell_jobs_apart_by_what_they_mean() {
    let sandbox = Sandbox::start("");
    let seller = AnyRequest::before(&sandbox, |_| None);
    let endpoint = "url = \"{origin}/any\"\n[endpoint.any.params]\n\
        strength = { type = \"decimal\", min = 0, max = 1, default = 0.50 }\n\
        loras = { type = \"list\" }\nextra = { type = \"object\" }\n";
    let jobs = "[[job]]\nstrength = 0.100000000000000005\nloras = [\"sea\", { weight = 0.8, name = \"x\" }]\n\
        [[job]]\nstrength = 0.00001\nextra = { b = [1, 2], a = 3 }\n";
    let client = client(&sandbox, &seller, endpoint, jobs);
    let ended = client.run("run jobs.toml").with(0);
    let bodies: Vec<String> = bought(&seller, &ended).into_iter().map(|(_, body)| body).collect();
    let mut expected = [
        r#"{"strength":0.100000000000000005,"loras":["sea",{"name":"x","weight":0.8}]}"#,
        r#"{"strength":0.00001,"extra":{"a":3,"b":[1,2]}}"#,
    ];
    expected.sort_unstable();
    assert_eq!(
        {
            let mut bodies = bodies;
            bodies.sort();
            bodies
        },
        expected
    );
    // The same in a CSV: white space, the order of keys and zeros make no other job of it.
    let (_, described) =
        client.read("jobs.toml").split_once("[endpoint").map(|(a, b)| (a.to_owned(), b.to_owned())).unwrap();
    client.write(
        "same.toml",
        &format!(
            "version = 1\nname = \"same\"\ndefaults.endpoint = \"any\"\nrows.file = \"rows.csv\"\n[endpoint{described}"
        ),
    );
    client.write(
        "rows.csv",
        "extra,strength,loras\n,0.1000000000000000050,\"[\"\"sea\"\", {\"\"name\"\": \"\"x\"\", \"\"weight\"\": 0.8}]\"\n\
         \"{ \"\"a\"\": 3, \"\"b\"\": [1,2] }\",1E-05,\n",
    );
    // What is bought is known again: the plan of both is the same, and nothing of it is bought anew.
    let fingerprint = |manifest: &str, code: i32| {
        let said = client.says(&format!("plan {manifest} --json")).with(code).stdout;
        serde_json::from_str::<Value>(&said).unwrap()["fingerprint"].clone()
    };
    assert_eq!(fingerprint("jobs.toml", 0), fingerprint("same.toml", 6));
    client.write("rows.csv", "extra,strength\n\"{\"\"a\"\": 1, \"\"a\"\": 2}\",\"0,5\"\n[1],1.01\n");
    client
        .says("plan same.toml")
        .with(2)
        .saying("extra: expected an object, in JSON")
        .saying("strength: expected a decimal number from 0 to 1")
        .saying("did you mean \"0.5\"?");
}

#[test]
fn a_put_has_values_in_its_address_and_the_endpoint_s_headers_in_its_head() {
    let sandbox = Sandbox::start("");
    let seller = AnyRequest::before(&sandbox, |_| None);
    let endpoint = "url = \"{origin}/v1/{voice}/speech?format={format}&k=1\"\nmethod = \"PUT\"\n\
        headers = { X-Version = \"2\", Accept = \"audio/mpeg\" }\nbody = { input = \"{text}\" }\n[endpoint.any.params]\n\
        voice = { type = \"text\", default = \"alloy\" }\nformat = { type = \"text\" }\ntext = { type = \"text\", required = true }\n";
    let jobs = "[[job]]\ntext = \"hi\"\n[[job]]\ntext = \"hi\"\nvoice = \"a/admin?x=1#y\"\nformat = \"a&b\"\n";
    let client = client(&sandbox, &seller, endpoint, jobs);
    let ended = client.run("run jobs.toml").with(0);
    let mut asked = bought(&seller, &ended);
    asked.sort();
    let body = r#"{"input":"hi"}"#.to_owned();
    assert_eq!(
        asked,
        [
            ("PUT /v1/a%2Fadmin%3Fx%3D1%23y/speech?format=a%26b&k=1".to_owned(), body.clone()),
            ("PUT /v1/alloy/speech?k=1".to_owned(), body)
        ]
    );
    for came in seller.asked() {
        let head = |name: &str| came.headers.get(name).map(String::as_str);
        assert_eq!((head("x-version"), head("accept")), (Some("2"), Some("audio/mpeg")), "{came:?}");
    }
    client
        .says("catalog show jobs.toml --endpoint any")
        .with(0)
        .saying("X-Version")
        .saying("in the path")
        .saying("/v1/{voice}/speech?format={format}");
    client.write("dots.toml", &client.read("jobs.toml").replace("a/admin?x=1#y", "a/../../admin"));
    client
        .says("plan dots.toml")
        .with(2)
        .saying("voice: expected what can stand in a path: not dots alone, got \"a/../../admin\"");
}

#[test]
fn what_sets_the_price_alone_is_not_sent_and_a_price_has_a_length_and_a_minimum() {
    let sandbox = Sandbox::start("");
    let seller = AnyRequest::before(&sandbox, |_| None);
    let endpoint = "url = \"{origin}/pdf\"\n[endpoint.any.params]\ntext = { type = \"text\", required = true }\n\
        pages = { type = \"integer\", min = 1, required = true, send = false }\n";
    // Four bytes begun twice, thrice: 150 sats each; and what would cost less costs as much.
    let jobs = "[[job]]\nid = \"a\"\ntext = \"hé hé\"\npages = 3\n[[job]]\nid = \"b\"\ntext = \"x\"\npages = 1\n";
    let client = client(&sandbox, &seller, endpoint, jobs);
    let by_length = "price = { sats_per_unit = 150, quantity = \"text\", length = \"bytes\", per = 4, factor = \"pages\", minimum_sats = 900 }";
    client.write("jobs.toml", &client.read("jobs.toml").replace("price = { sats = 900 }", by_length));
    client.says("plan jobs.toml").with(0).saying("150 sats a unit, 900 sats at least").saying("1,800 sats");
    let ended = client.run("run jobs.toml").with(0);
    let mut bodies: Vec<String> = bought(&seller, &ended).into_iter().map(|(_, body)| body).collect();
    bodies.sort();
    assert_eq!(bodies, [r#"{"text":"hé hé"}"#, r#"{"text":"x"}"#]);
    assert_eq!(client.column("jobs.results.csv", "price_sats"), ["900", "900"]);
    client
        .says("catalog show jobs.toml --endpoint any")
        .with(0)
        .saying("150 sats a unit, a unit for each 4 bytes of text begun, times pages, 900 sats at least")
        .saying("not sent");
}

#[test]
fn a_file_of_a_person_is_a_part_or_base64_and_its_name_stays_at_home() {
    let sandbox = Sandbox::start("");
    let seller = AnyRequest::before(&sandbox, |_| None);
    let endpoint = "url = \"{origin}/read\"\nparts = { model = \"reader-1\", document = \"{file}\", pages = \"{pages}\" }\n[endpoint.any.params]\n\
        file = { type = \"file\", types = [\"application/pdf\"], required = true }\npages = { type = \"integer\" }\n\
        [endpoint.json]\nurl = \"{origin}/json\"\nprice = { sats = 900 }\nresult = { url = [\"/videoUrl\", \"/result/videoUrl\"] }\n\
        params = { file = { type = \"file\", as = \"base64\", required = true } }\n";
    let jobs = "[[job]]\nid = \"part\"\nfile = \"my secret.pdf\"\npages = 3\n[[job]]\nid = \"json\"\nendpoint = \"json\"\nfile = \"notes.csv\"\n";
    let client = client(&sandbox, &seller, endpoint, jobs);
    // Larger than what is held in memory.
    let pdf = format!("%PDF-1.7\n{}\n%%EOF\n", "x".repeat(200_000));
    client.write("my secret.pdf", &pdf);
    client.write("notes.csv", "a,b\n1,2\n");
    let ended = client.run("run jobs.toml").with(0);
    let mut asked = bought(&seller, &ended);
    asked.sort();
    let [(json, of_json), (read, of_part)] = &asked[..] else { panic!("{asked:?}") };
    assert_eq!((json.as_str(), of_json.as_str()), ("POST /json", r#"{"file":"YSxiCjEsMgo="}"#));
    let came = seller.asked().into_iter().find(|came| came.path == "/read").unwrap();
    let boundary = came.headers["content-type"].strip_prefix("multipart/form-data; boundary=").unwrap();
    let expected = format!(
        "--B\r\nContent-Disposition: form-data; name=\"model\"\r\n\r\nreader-1\r\n\
         --B\r\nContent-Disposition: form-data; name=\"document\"; filename=\"file.pdf\"\r\nContent-Type: application/pdf\r\n\r\n{pdf}\r\n\
         --B\r\nContent-Disposition: form-data; name=\"pages\"\r\n\r\n3\r\n--B--\r\n"
    );
    assert_eq!(read, "POST /read");
    assert!(of_part.replace(boundary, "B") == expected, "{}", &of_part[..400]);
    assert!(seller.asked().iter().all(|came| !String::from_utf8_lossy(&came.body).contains("secret")));
    // What it is not by its content, it is not by its name.
    client.write("my secret.pdf", "words");
    client.says("plan jobs.toml").with(2).saying("is none of application/pdf by its content");
}
