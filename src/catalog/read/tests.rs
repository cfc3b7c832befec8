//! The built-in catalogue against its documents; entries that add and override; every error in one pass.

use std::io::Write as _;

use super::*;
use crate::catalog::{DedupPolicy, Endpoint, Header, Method, ParamKind, Place, PriceError, Rate, Treatment, Value};
use crate::money::{Msat, Sats};
use crate::schema::{examples, faults, keys, schema, told};

fn builtin() -> Catalog {
    Catalog::builtin().unwrap()
}

/// The built-in catalogue with `text` merged in as `my.toml`.
fn merged(text: &str) -> Result<Catalog, Vec<Diagnostic>> {
    let mut catalog = builtin();
    let read = catalog.read_text(&SourceText::new("my.toml", text), "my.toml").map(|()| catalog);
    if read.is_ok() {
        assert_eq!(faults("catalog", text), Vec::<String>::new(), "what reads well is valid by the schema too: {text}");
    }
    read
}

/// The errors as people read them, a line each.
fn errors(text: &str) -> String {
    let errors = merged(text).expect_err("this entry has errors");
    let line = |error: &Diagnostic| match &error.help {
        Some(help) => format!("{error} ({help})"),
        None => error.to_string(),
    };
    errors.iter().map(line).collect::<Vec<_>>().join("\n")
}

fn price(endpoint: &Endpoint, given: &[(&str, Value)]) -> Sats {
    let value_of = |name: &str| {
        let given = given.iter().find(|(known, _)| *known == name).map(|(_, value)| value);
        given.or_else(|| endpoint.param(name).and_then(|param| param.default.as_ref()))
    };
    let priced = endpoint.price.price(value_of).unwrap();
    assert_eq!(priced.rate.checked_mul(priced.quantity), Some(priced.price));
    priced.price.exact_sats().unwrap()
}

#[test]
fn the_documents_worked_examples() {
    let catalog = builtin();
    let (video, animate) = (catalog.get("generate-video").unwrap(), catalog.get("animate-image").unwrap());
    let seconds = |n| ("duration", Value::Integer(n));
    let audio = ("generate_audio", Value::Boolean(true));
    assert_eq!(price(video, &[seconds(5), ("mode", Value::Text("pro".to_owned())), audio]), Sats::new(2_750));
    assert_eq!(price(animate, &[seconds(5)]), Sats::new(500));
    assert_eq!(price(animate, &[seconds(10)]), Sats::new(1_000));
}

#[test]
fn every_rate_of_the_document() {
    let catalog = builtin();
    let video = catalog.get("generate-video").unwrap();
    for (mode, audio, rate) in
        [("standard", false, 300), ("standard", true, 400), ("pro", false, 450), ("pro", true, 550)]
    {
        for seconds in 3..=15 {
            let given = [
                ("duration", Value::Integer(seconds)),
                ("mode", Value::Text(mode.to_owned())),
                ("generate_audio", Value::Boolean(audio)),
            ];
            assert_eq!(price(video, &given), Sats::new(rate * seconds.unsigned_abs()));
        }
    }
    assert_eq!(price(video, &[]), Sats::new(2_250), "5 s, pro, no audio are the defaults");
}

#[test]
fn the_documents_parameters_in_their_order() {
    let catalog = builtin();
    let shape = |name: &str| {
        let endpoint = catalog.get(name).unwrap();
        assert_eq!((endpoint.method, endpoint.dedup_window_s, endpoint.as_of.as_str()), (Method::Post, 30, ""));
        assert_eq!((endpoint.url.scheme(), endpoint.url.path()), ("https", format!("/api/l402/{name}").as_str()));
        let words = |param: &crate::catalog::Param| {
            let required = if param.required { "!" } else { "" };
            let default = param.default.as_ref().map_or(String::new(), |value| format!("={value}"));
            format!("{}{required}{default}", param.name)
        };
        endpoint.params.iter().map(words).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(shape("generate-video"), "prompt! modelId duration=5 mode=pro generate_audio=false");
    assert_eq!(shape("animate-image"), "prompt! modelId image! duration=5");
    let video = catalog.get("generate-video").unwrap();
    assert_eq!(video.param("duration").unwrap().kind, ParamKind::Integer { min: 3, max: 15 });
    assert_eq!(video.param("modelId").unwrap().kind, ParamKind::IntegerOrText);
}

#[test]
fn a_cap_is_a_whole_price() {
    let entry = |price: &str| {
        let params = "n = { type = \"integer\", min = 1, max = 3, required = true }";
        format!(
            "[endpoint.any]\nurl = \"https://example.org/\"\nparams = {{ {params} }}\nprice = {price}\nresult.url = [\"/u\"]\n"
        )
    };
    let catalog = merged(&entry("{ at_most_sats = 500 }")).unwrap();
    let rule = &catalog.get("any").unwrap().price;
    assert_eq!((rule.is_cap, rule.unit.as_str(), rule.rates[0].rate), (true, "job", Msat::new(500_000)));
    // What is stored of any other rule is what it was.
    let exact = merged(&entry("{ sats = 500 }")).unwrap();
    assert!(!serde_json::to_string(&exact.get("any").unwrap().price).unwrap().contains("cap"));
    // What nobody knows the price of has none: no job of it, and no table over it, takes one from elsewhere.
    let unknown = merged(&entry("\"unknown\"")).unwrap();
    assert_eq!(unknown.get("any").unwrap().price.price(|_| None), Err(PriceError::Unknown));
    let found: Vec<String> = [
        "{ at_most_sats = 500, sats = 400 }",
        "{ at_most_sats = 500, sats_per_unit = 3, quantity = \"n\" }",
        "{ at_most_sats = 0 }",
        "{ at_most_sats = 9223372036854775807 }",
        "{ at_most_sats = 500, at_mots = 3 }",
    ]
    .map(|price| errors(&entry(price)))
    .into();
    insta::assert_snapshot!(found.join("\n"));
}

#[test]
fn an_entry_adds_an_endpoint() {
    let text = r#"
        [endpoint.upscale]
        url = "http://127.0.0.1:9000/upscale"
        method = "GET"
        as_of = 2026-01-31
        params = { size = { type = "integer", min = 1, max = 3, default = 2 }, fast = { type = "boolean", required = true } }
        price = { by = ["size", "fast"], rates = [
            { size = 1, fast = false, msat = 1500 }, { size = 1, fast = true, sats = 3 },
            { size = 2, fast = false, sats = 2 }, { size = 2, fast = true, sats = 4 },
            { size = 3, fast = false, sats = 3 }, { size = 3, fast = true, sats = 5 },
        ] }
        result = { url = ["/out/0/url"] }
        [endpoint.flat]
        url = "https://example.org/flat"
        price = { msat = 2500 }
        result.url = ["/url"]
    "#;
    let catalog = merged(text).unwrap();
    let names = |catalog: &Catalog| catalog.iter().map(|endpoint| endpoint.name.clone()).collect::<Vec<_>>();
    assert_eq!(names(&catalog), [names(&builtin()), vec!["upscale".to_owned(), "flat".to_owned()]].concat());
    let upscale = catalog.get("upscale").unwrap();
    assert_eq!((upscale.price.unit.as_str(), upscale.price.quantity.as_deref()), ("job", None));
    assert_eq!(upscale.price.rates[0].rate, Msat::new(1_500));
    assert_eq!((upscale.as_of.as_str(), upscale.source.as_str()), ("2026-01-31", "my.toml"));
    let flat = catalog.get("flat").unwrap();
    assert_eq!(flat.price.rates, [Rate { when: Vec::new(), rate: Msat::new(2_500) }]);
    assert_eq!((flat.method, flat.defined_in.as_str(), flat.as_of.as_str()), (Method::Post, "my.toml", ""));
}

#[test]
fn an_entry_overrides_only_what_it_names() {
    let text = r#"
        [endpoint.animate-image]
        price = { sats_per_unit = 250, quantity = "duration", unit = "second" }
        params.duration = { type = "integer", min = 1, max = 60, required = true }
        result.url = ["/video"]
    "#;
    let (before, after) = (builtin(), merged(text).unwrap());
    let (before, after) = (before.get("animate-image").unwrap(), after.get("animate-image").unwrap());
    assert_eq!(after.price.rates[0].rate, Msat::new(250_000));
    let names = |endpoint: &Endpoint| endpoint.params.iter().map(|param| param.name.clone()).collect::<Vec<_>>();
    assert_eq!(names(before), names(after));
    assert_eq!(after.param("duration").unwrap().kind, ParamKind::Integer { min: 1, max: 60 });
    assert_eq!((&after.url, &after.result.poll_url), (&before.url, &before.result.poll_url));
    assert_eq!(after.result.url, ["/video"]);
    assert_eq!(after.defined_in, "built-in, my.toml");
    assert_eq!((after.source.as_str(), after.as_of.as_str()), ("my.toml", ""), "the price is not the document's");

    let url_only = merged("[endpoint.animate-image]\nurl = \"http://localhost:1/\"").unwrap();
    let url_only = url_only.get("animate-image").unwrap();
    assert_eq!((&url_only.source, &url_only.as_of), (&before.source, &before.as_of));
}

#[test]
fn error_codes_are_overridden_one_by_one() {
    let text = r#"
        [endpoint.animate-image.errors]
        TIMEOUT = "never"
        rate_limited = { before = "not-for-sale" }
        GPU_FAILED = { before = "retry", after = "redeem-again" }
        L402_REFUND_ISSUED = "by-status"
        [endpoint.flat]
        url = "https://example.org/flat"
        price = { msat = 2500 }
        result.url = ["/url"]
        errors.NO = "refund"
    "#;
    let catalog = merged(text).unwrap();
    let words = |endpoint: &str, code: &str| {
        let rule = catalog.get(endpoint).unwrap().error_rule(code)?.clone();
        Some((rule.before.as_str(), rule.after.as_str()))
    };
    assert_eq!(words("animate-image", "TIMEOUT"), Some(("never", "never")));
    assert_eq!(words("animate-image", "RATE_LIMITED"), Some(("not-for-sale", "by-status")));
    assert_eq!(words("animate-image", "GPU_FAILED"), Some(("retry", "redeem-again")));
    assert_eq!(words("animate-image", "L402_REFUND_ISSUED"), Some(("by-status", "by-status")));
    assert_eq!(words("animate-image", "CONTENT_FILTERED"), Some(("content-filtered", "content-filtered")));
    assert_eq!(words("generate-video", "TIMEOUT"), Some(("retry", "retry")), "another endpoint keeps its own");
    assert_eq!(words("flat", "NO"), Some(("by-status", "refund")));
    assert_eq!(words("flat", "TIMEOUT"), None, "a new endpoint has no codes but its own");
}

#[test]
fn how_far_identical_requests_keep_apart_follows_from_window_and_header() {
    let apart = |text: &str| {
        let catalog = merged(&format!("[endpoint.animate-image]\n{text}")).unwrap();
        catalog.get("animate-image").unwrap().dedup_policy()
    };
    assert_eq!(apart(""), DedupPolicy::Answer, "the built-in service has a header");
    assert_eq!(apart("bypass_header = \"\""), DedupPolicy::Window(30));
    assert_eq!(apart("dedup_window_s = 0"), DedupPolicy::Never);
    for wrong in ["\"Authorization\"", "\"no spaces\"", "\"X:\"", "7"] {
        let found = errors(&format!("[endpoint.animate-image]\nbypass_header = {wrong}"));
        assert!(found.contains("the name of a header of the service's own"), "{found}");
    }
}

#[test]
fn takes_are_told_apart_by_a_number_that_is_sent_and_costs_nothing() {
    let seed = "params.seed = { type = \"integer\", min = 0, max = 4095 }";
    let of = |lines: &str| merged(&format!("[endpoint.animate-image]\n{lines}"));
    let named = |lines: &str| of(lines).unwrap().get("animate-image").unwrap().nonce.clone();
    assert_eq!(named(""), None, "the built-in service documents none");
    assert_eq!(named(&format!("{seed}\nnonce = \"seed\"")).as_deref(), Some("seed"));
    assert_eq!(named("nonce = \"\""), None);
    for (lines, words) in [
        ("nonce = 3".to_owned(), "the name of a parameter, or"),
        (format!("{seed}\nnonce = \"sede\""), "the endpoint has no parameter \"sede\""),
        ("nonce = \"prompt\"".to_owned(), "`prompt` is no integer of at least 4,096 values"),
        (
            format!("{}\nnonce = \"seed\"", seed.replace("4095", "4094")),
            "`seed` is no integer of at least 4,096 values",
        ),
        ("nonce = \"duration\"".to_owned(), "the price depends on `duration`"),
        (format!("{}\nnonce = \"seed\"", seed.replace("min", "send = false, min")), "`seed` is not sent"),
    ] {
        let found = errors(&format!("[endpoint.animate-image]\n{lines}"));
        assert!(found.contains(words), "{lines}: {found}");
    }
    assert!(errors(&format!("[endpoint.animate-image]\n{seed}\nnonce = \"sede\"")).contains("did you mean \"seed\"?"));
}

#[test]
fn a_token_for_many_requests_is_no_charge_and_has_no_cache() {
    let read = |text: &str| {
        let catalog = merged(&format!("[endpoint.animate-image]\ndedup_window_s = 0\n{text}")).unwrap();
        let endpoint = catalog.get("animate-image").unwrap();
        (endpoint.is_reusable(), endpoint.is_capped(), endpoint.price.is_cap)
    };
    assert_eq!(read(""), (false, false, false));
    assert_eq!(read("credential = \"reusable\""), (true, true, false));
    assert_eq!(read("credential = \"single\""), (false, false, false));
    let found = errors("[endpoint.animate-image]\ndedup_window_s = 0\ncredential = \"reusable\"\nscheme = \"payment\"");
    assert!(found.contains("a charge of the Payment scheme is one charge"), "{found}");
    let found = errors("[endpoint.animate-image]\ncredential = \"reusable\"");
    assert!(found.contains("has no cache of identical requests") && found.contains("dedup_window_s = 0"), "{found}");
    let found = errors("[endpoint.animate-image]\ncredential = \"reuseable\"");
    assert!(found.contains("\"single\" or \"reusable\""), "{found}");
}

#[test]
fn every_treatment_has_a_word_of_its_own() {
    for &treatment in Treatment::ALL {
        assert_eq!(Treatment::from_word(treatment.as_str()), Some(treatment));
        assert_eq!(serde_json::to_value(treatment).unwrap(), treatment.as_str());
        assert!(treatment.is_of_before() || treatment.is_of_after());
    }
}

#[test]
fn every_error_of_a_table_of_error_codes() {
    let text = r#"
[endpoint.animate-image.errors]
"A B" = "retry"
ONE = "retri"
TWO = 7
THREE = { before = "refund", later = "retry" }
FOUR = { after = "not-for-sale" }
"#;
    insta::assert_snapshot!(errors(text));
}

#[test]
fn an_override_must_leave_the_price_total() {
    let text = r#"
[endpoint.generate-video.params]
mode = { type = "choice", values = ["pro", "ultra"], default = "pro" }
"#;
    insta::assert_snapshot!(errors(text), @r"
    my.toml:2:11: endpoint.generate-video.price: no rate for mode=ultra, generate_audio=false; mode=ultra, generate_audio=true
    my.toml:2:11: endpoint.generate-video.price: the rate for mode=standard, generate_audio=false can never apply
    my.toml:2:11: endpoint.generate-video.price: the rate for mode=standard, generate_audio=true can never apply
    ");
}

#[test]
fn every_error_in_one_pass() {
    let text = r#"
[endpoint.generate-vidoe]
price = { sats = 100, sats_per_unit = 3 }

[endpoint.one]
urll = "https://example.org"
url = "http://example.org/"
method = "post"
as_of = "20 November"
dedup_window_s = -1
[endpoint.one.params]
size = { type = "integr" }
count = { type = "integer", min = 5, max = 3 }
mode = { type = "choice", values = ["a", "a"], default = "c", min = 1 }
text = { type = "text", required = true, default = "x" }
image = { type = "image", default = "x" }
[endpoint.one.result]
url = ["url"]
pol_url = []

[endpoint.two]
url = "https://user:secret@example.org/"
params.n = { type = "integer", min = 0 }
params.t = { type = "text" }
price = { sats_per_unit = 1, quantity = "n" }
result.url = ["/u"]

[endpoint.three]
url = "https://example.org/"
params.mode = { type = "choice", values = ["a", "b"] }
params.t = { type = "text", required = true }
price = { by = ["mode"], rates = [{ mode = "a", sats = 0 }, { mode = "bb", sats = 1 }, { sats = 1, msat = 1 }] }
result = {}

[endpoint.four]
url = "https://example.org/"
params.t = { type = "text", required = true }
price = { by = ["t", "m"], rates = [] }
result.url = []

[endpoint.five]
url = "https://example.org/"
params.on = { type = "boolean" }
price = { by = ["on"], rates = [{ on = true, sats = 1 }] }
result.url = ["/url"]

["endpoint"."six ü"]
"#;
    insta::assert_snapshot!(errors(text));
}

const CHAT: &str = r#"
[endpoint.chat]
url = "https://example.org/v1/chat/completions"
params.prompt = { type = "text", required = true }
params.max_tokens = { type = "integer", min = 1, max = 4000 }
price = { sats = 5 }
result.text = ["/choices/0/message/content"]
"#;

#[test]
fn a_body_places_every_parameter() {
    let body = r#"body = { model = "m-1", messages = [{ role = "user", content = "{prompt}" }], max_tokens = "{max_tokens}", temperature = 0.5, n = 1_0 }"#;
    let catalog = merged(&format!("{CHAT}{body}")).unwrap();
    let template = catalog.get("chat").unwrap().body.clone().unwrap();
    insta::assert_snapshot!(serde_json::to_string(&template).unwrap());
    // Without words of its own, the usual ones say when such an answer is none.
    let rule = &catalog.get("chat").unwrap().result;
    assert!(
        rule.status == ["/status"]
            && rule.done.contains(&"ok".to_owned())
            && rule.failed.contains(&"failed".to_owned())
    );
    let own = merged(&format!("{CHAT}result.status = []\nresult.done = [\"READY\"]\n")).unwrap();
    let rule = &own.get("chat").unwrap().result;
    assert!(rule.status.is_empty() && rule.done == ["READY"] && rule.poll_url == ["/poll_url"]);
    insta::assert_snapshot!(errors(&format!("{CHAT}dedup_window_s = 30\n")));
    // What overrides nothing of it keeps it, and a new parameter needs a place in it.
    let mut catalog = catalog;
    catalog.read_text(&SourceText::new("later.toml", "[endpoint.chat]\nprice = { sats = 6 }\n"), "later.toml").unwrap();
    assert_eq!(catalog.get("chat").unwrap().body.as_ref(), Some(&template));
    let more = SourceText::new("more.toml", "[endpoint.chat.params]\nseed = { type = \"integer\" }\n");
    let missing = catalog.read_text(&more, "more.toml");
    insta::assert_snapshot!(missing.unwrap_err()[0].message);
    // An endpoint without one reads and writes as before.
    let plain = serde_json::to_string(&**builtin().get("animate-image").unwrap()).unwrap();
    assert!(!plain.contains("\"body\"") && !plain.contains("\"text\":["), "{plain}");
}

#[test]
fn what_is_wrong_with_a_body_is_told_in_one_pass() {
    let text = format!(
        "{CHAT}[endpoint.chat.body]\nprompt = \"{{promt}}\"\nwords = \"say {{prompt}}\"\nday = 2026-01-31\nnumber = nan\ndeep = [{{ a = \"{{prompt}}\" }}]\n\
         [endpoint.get]\nurl = \"https://example.org/\"\nmethod = \"GET\"\nprice = {{ sats = 1 }}\nresult.body = true\nbody = {{}}\n"
    );
    insta::assert_snapshot!(errors(&text));
    insta::assert_snapshot!(errors(&format!("{CHAT}body = {{ prompt = \"{{prompt}}\" }}")));
}

const SPEECH: &str = r#"
[endpoint.speech]
method = "PUT"
params.voice = { type = "text", default = "alloy" }
params.text = { type = "text", required = true }
params.speed = { type = "decimal", min = 0.25, max = 4 }
price = { sats = 5 }
result.body = true
"#;

#[test]
fn an_address_has_places_and_a_head_has_headers() {
    let url = "url = \"https://example.org/v1/{voice}/speech?speed={speed}&k=1\"\nheaders = { X-Version = \"2\", Accept = \"audio/mpeg\" }\n";
    let catalog = merged(&format!("{SPEECH}{url}body = {{ input = \"{{text}}\" }}")).unwrap();
    let speech = catalog.get("speech").unwrap();
    assert_eq!(speech.method, Method::Put);
    let places: Vec<_> = speech.params.iter().map(|param| param.place).collect();
    assert_eq!(places, [Place::Path, Place::Usual, Place::Query]);
    assert!(speech.param("voice").unwrap().from_text("..").is_err());
    let address = |speed: Option<&str>| {
        speech
            .address(&|name| if name == "voice" { Some("a/b".to_owned()) } else { speed.map(str::to_owned) })
            .to_string()
    };
    assert_eq!(address(Some("1.5")), "https://example.org/v1/a%2Fb/speech?speed=1.5&k=1");
    assert_eq!(address(None), "https://example.org/v1/a%2Fb/speech?k=1");
    // Name by name over the base's; an address without places gives them up.
    let mut catalog = catalog;
    let over = "[endpoint.speech]\nurl = \"https://example.org/v2\"\nheaders = { x-version = \"3\", Accept = \"\" }\n\
                body = { input = \"{text}\", voice = \"{voice}\", speed = \"{speed}\" }\n";
    catalog.read_text(&SourceText::new("over.toml", over), "over.toml").unwrap();
    let speech = catalog.get("speech").unwrap();
    assert_eq!(speech.headers, [Header::text("x-version", "3")]);
    assert!(speech.params.iter().all(|param| param.place == Place::Usual));
    // What says nothing of all this is stored as ever.
    let plain = serde_json::to_string(&**builtin().get("animate-image").unwrap()).unwrap();
    assert!(!plain.contains("\"place\"") && !plain.contains("\"headers\""), "{plain}");
}

#[test]
fn what_is_wrong_with_places_and_headers_is_told_in_one_pass() {
    let text = format!(
        "{SPEECH}url = \"https://example.org/{{voic}}/{{voice}}{{speed}}\"\nbypass_header = \"x-fresh\"\n\
         [endpoint.speech.headers]\nAuthorization = \"secret\"\nX-Fresh = \"1\"\nx-fresh = \"2\"\nX-Lines = \"a\\r\\nb\"\nX-N = 7\nX-Key = {{ secret = \"a key\" }}\n\
         [endpoint.host]\nurl = \"https://{{host}}.example.org/\"\nparams.host = {{ type = \"text\", default = \"x\" }}\n\
         price = {{ sats = 1 }}\nresult.body = true\n\
         [endpoint.dots]\nurl = \"https://example.org/{{a}}?i={{i}}\"\nparams = {{ a = {{ type = \"text\", default = \"..\" }}, i = {{ type = \"image\" }} }}\n\
         price = {{ sats = 1 }}\nresult.body = true\n"
    );
    insta::assert_snapshot!(errors(&text));
}

#[test]
fn each_place_is_filled_wherever_it_stands_and_encoded_braces_stand_for_themselves() {
    let text = |url: &str| format!("{SPEECH}url = \"https://example.org/{url}\"\n");
    for (url, expected) in [
        ("{voice}/x?v={voice}&s={speed}", "VOICE/x?v=VOICE&s=SPEED"),
        ("%7Bvoice%7D/{}?q=%7Btext%7D", "%7Bvoice%7D/%7B%7D?q=%7Btext%7D"),
        ("x?q={voice}+{text}", "x?q=VOICE+TEXT"),
    ] {
        let address = merged(&text(url)).unwrap().get("speech").unwrap().address(&|name| Some(name.to_uppercase()));
        assert_eq!(address.as_str(), format!("https://example.org/{expected}"), "{url}");
    }
    for (url, fault) in [
        ("x?q={voice}{speed}", "`speed`, which shares a pair of the query, may be left out of a job"),
        ("%7Bvoice%7D/{voice}", "stands for itself, and `voice` has a place as well"),
        ("{zzz}", "braces that stand for themselves are written %7B and %7D"),
    ] {
        let errors = errors(&text(url));
        assert!(errors.contains(fault), "{errors}");
    }
}

#[test]
fn a_header_may_name_a_secret_and_nothing_else_of_it() {
    let with = |headers: &str| format!("{SPEECH}url = \"https://example.org/x\"\nheaders = {{ {headers} }}\n");
    let catalog = merged(&with("X-Api-Key = { secret = \"SHOP\" }, X-Version = \"2\"")).unwrap();
    let speech = catalog.get("speech").unwrap();
    assert_eq!(speech.headers[0].secret(), Some("SHOP"));
    assert_eq!(speech.headers[1], Header::text("X-Version", "2"));
    let kept = serde_json::to_string(&speech.headers).unwrap();
    assert_eq!(kept, r#"[{"name":"X-Api-Key","value":{"secret":"SHOP"}},{"name":"X-Version","value":"2"}]"#);
    assert_eq!(serde_json::from_str::<Vec<Header>>(&kept).unwrap(), speech.headers);
    for wrong in [
        "Authorization = { secret = \"SHOP\" }",
        "X-Key = { secret = \"SHOP\", value = \"x\" }",
        "X-Key = { secret = 7 }",
    ] {
        assert!(merged(&with(wrong)).is_err(), "{wrong}");
    }
}

#[test]
fn no_header_goes_with_each_request_that_bypasses_a_cache_and_no_line_with_a_secret_is_shown() {
    let base = format!("{SPEECH}url = \"https://example.org/x\"\nbypass_header = \"x-fresh\"\n");
    for (name, fault) in [
        ("X-Fresh", "`headers` names it as well"),
        ("X-Api-Key", "is named like a secret"),
        ("Cache-Control", "expected the name of a header of the service's own"),
    ] {
        let over = format!("[endpoint.speech]\nheaders = {{ {name} = \"hidden words\" }}\n");
        let errors = merged(&base).unwrap().read_text(&SourceText::new("over.toml", over), "over.toml").unwrap_err();
        assert!(errors[0].message.contains(fault), "{errors:?}");
        assert!(errors[0].place.as_ref().is_some_and(|place| place.text.is_empty()), "{errors:?}");
    }
}

const PDF: &str = r#"
[endpoint.pdf]
url = "https://example.org/pdf"
params.text = { type = "text", required = true }
params.pages = { type = "integer", min = 1, required = true, send = false }
params.minutes = { type = "decimal", min = 0.1, max = 600, default = 1, send = false }
result.body = true
"#;

#[test]
fn a_price_may_have_a_length_a_step_a_factor_and_a_minimum() {
    let text = format!(
        "{PDF}price = {{ msat_per_unit = 1500, quantity = \"text\", length = \"bytes\", per = 4, factor = \"pages\", minimum_sats = 5 }}\n\
         [endpoint.minutes]\nurl = \"https://example.org/\"\nparams.minutes = {{ type = \"decimal\", min = 0.1, required = true, send = false }}\n\
         price = {{ sats_per_unit = 2, quantity = \"minutes\", unit = \"minute\" }}\nresult.body = true\n"
    );
    let text =
        text.replace("params.minutes = { type = \"decimal\", min = 0.1, max = 600, default = 1, send = false }\n", "");
    let catalog = merged(&text).unwrap();
    let pdf = catalog.get("pdf").unwrap();
    assert_eq!(pdf.param("pages").unwrap().place, Place::Unsent);
    let cost = |text: &str, pages: i64| {
        let (text, pages) = (Value::Text(text.to_owned()), Value::Integer(pages));
        let priced = pdf.price.price(|name| Some(if name == "text" { &text } else { &pages })).unwrap();
        (priced.quantity, priced.price.get())
    };
    assert_eq!([cost("abcd", 1), cost("abcde", 2), cost("ééé", 2)], [(1, 5_000), (4, 6_000), (4, 6_000)]);
    let minutes = catalog.get("minutes").unwrap();
    let length = minutes.param("minutes").unwrap().from_text("2.5").unwrap();
    assert_eq!(minutes.price.price(|_| Some(&length)).unwrap().price, Msat::new(6_000));
    let plain = serde_json::to_string(&**builtin().get("animate-image").unwrap()).unwrap();
    assert!(!plain.contains("\"scale\""), "{plain}");
}

#[test]
fn what_is_wrong_with_a_price_by_length_is_told_in_one_pass() {
    let wrong = |price: &str| errors(&format!("{PDF}price = {{ {price} }}\n"));
    let all: Vec<String> = [
        "sats = 5, per = 3",
        "sats_per_unit = 1, quantity = \"text\"",
        "sats_per_unit = 1, quantity = \"pages\", length = \"bytes\"",
        "sats_per_unit = 1, quantity = \"text\", length = \"words\"",
        "sats_per_unit = 1, quantity = \"pages\", per = 0",
        "sats_per_unit = 1, quantity = \"pages\", factor = \"text\"",
        "sats_per_unit = 1, quantity = \"pages\", factor = \"page\"",
        "sats_per_unit = 1, quantity = \"pages\", minimum_sats = 0",
        "sats_per_unit = 1, quantity = \"pages\", minimum_sat = 1",
        "sats_per_unit = 1, quantity = \"minutes\", factor = \"pages\", minimum_msat = 1, minimum_sats = 1",
        "msat_per_unit = 9223372036854775807, quantity = \"minutes\", factor = \"pages\"",
    ]
    .map(|price| format!("{price}\n{}", wrong(price)))
    .to_vec();
    insta::assert_snapshot!(all.join("\n"));
    let placed = "[endpoint.x]\nurl = \"https://example.org/{n}\"\nparams.n = { type = \"integer\", min = 1, required = true, send = false }\n\
                  body = { n = \"{n}\" }\nprice = { sats_per_unit = 1, quantity = \"n\" }\nresult.body = true\n";
    insta::assert_snapshot!(errors(placed));
}

#[test]
fn what_is_wrong_with_files_and_parts_is_told_in_one_pass() {
    let text = r#"
[endpoint.up]
url = "https://example.org/up"
body = "multipart"
price = { sats = 1 }
result.body = true
[endpoint.up.params]
image = { type = "file", types = ["image/*", "image/webp2", "vidio/*"], as = "base46", default = "x" }
song = { type = "file", types = "audio/*" }
[endpoint.nested]
url = "https://example.org/up"
params = { file = { type = "file" }, other = { type = "text" } }
parts = { file = "{file}", other = ["{other}"] }
price = { sats = 1 }
result.body = true
[endpoint.both]
url = "https://example.org/up"
body = {}
parts = {}
price = { sats = 1 }
result.body = true
[endpoint.get]
url = "https://example.org/up"
method = "GET"
body = "multipart"
price = { sats = 1 }
result.body = true
[endpoint.word]
url = "https://example.org/up"
body = "form"
price = { sats = 1 }
result.body = true
[endpoint.unplaced]
url = "https://example.org/up"
params.file = { type = "file" }
parts = { model = 1 }
price = { sats = 1 }
result.body = true
"#;
    insta::assert_snapshot!(errors(text));
    let plain = serde_json::to_string(&**builtin().get("animate-image").unwrap()).unwrap();
    assert!(!plain.contains("multipart"), "{plain}");
}

#[test]
fn broken_toml_has_places_too() {
    insta::assert_snapshot!(errors("[endpoint.x]\nurl = \n[endpoint.x]\nprice = { sats = 1\n"), @r#"
    my.toml:4:19: not TOML: unclosed inline table, expected `}`
    my.toml:2:7: not TOML: string values must be quoted, expected literal string
    my.toml:3:11: not TOML: duplicate key
    "#);
    insta::assert_snapshot!(errors("[endpont.x]\n"), @"my.toml:1:2: catalogue: unknown key `endpont` (did you mean `endpoint`?)");
}

#[test]
fn errors_are_bounded() {
    let keys: String = (0..1_000).map(|n| format!("k{n} = 1\n")).collect();
    let errors = merged(&format!("[endpoint.x]\n{keys}")).unwrap_err();
    assert_eq!(errors.len(), 201);
    assert_eq!(errors[200].message, "more errors follow; mend these first");
}

#[test]
fn a_file_of_entries() {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all("\u{feff}[endpoint.animate-image]\ndedup_window_s = 60\n".as_bytes()).unwrap();
    let mut catalog = builtin();
    catalog.read_file(file.path()).unwrap();
    assert_eq!(catalog.get("animate-image").unwrap().dedup_window_s, 60);
    file.write_all(b"\xff").unwrap();
    let errors = catalog.read_file(file.path()).unwrap_err();
    assert_eq!(errors[0].message, "not UTF-8 from byte 49; save it as UTF-8");
    let missing = catalog.read_file(Path::new("/nowhere/at-all.toml")).unwrap_err();
    assert!(missing[0].message == "there is no such file", "{missing:?}");
}

#[test]
fn a_listing_is_a_url_or_a_path_on_the_endpoint_s_host() {
    let url = |text: &str| {
        let catalog = merged(&format!("[endpoint.animate-image]\n{text}")).unwrap();
        catalog.get("animate-image").unwrap().listing_url().map(String::from)
    };
    assert_eq!(url("").as_deref(), Some("https://sats4ai.com/api/l402/models"));
    assert_eq!(url("url = \"http://127.0.0.1:8/x\"").as_deref(), Some("http://127.0.0.1:8/api/l402/models"));
    assert_eq!(url("listing = \"https://other.example/all\"").as_deref(), Some("https://other.example/all"));
    assert_eq!(url("listing = \"\""), None);
    for wrong in ["\"http://other.example/all\"", "\"ftp://x/\"", "\"https://u:p@x/\"", "7"] {
        let found = errors(&format!("[endpoint.animate-image]\nlisting = {wrong}"));
        assert!(found.starts_with("my.toml:2:"), "{found}");
    }
}

#[test]
fn plain_http_is_for_loopback_unless_allowed_by_name() {
    let entry = |url: &str, more: &str| merged(&format!("[endpoint.animate-image]\nurl = {url:?}\n{more}"));
    for url in ["http://127.0.0.1:8/", "http://[::1]/", "http://localhost/", "https://example.org/"] {
        assert!(entry(url, "").is_ok(), "{url}");
    }
    for url in ["http://example.org/", "http://localhost.example.org/", "http://10.0.0.1/"] {
        assert!(entry(url, "").is_err(), "{url}");
        assert!(entry(url, "allow_http = true").is_ok(), "{url}");
    }
    for url in ["ftp://example.org/", "/relative", "https://example.org/#x", "https://u@example.org/"] {
        assert!(entry(url, "allow_http = true").is_err(), "{url}");
    }
}

/// The examples that a person copies.
#[test]
fn every_table_of_the_documents_reads_without_an_error() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/catalog");
    let names = std::fs::read_dir(&folder).unwrap().map(|file| file.unwrap().file_name().into_string().unwrap());
    let (mut names, known): (Vec<String>, _) = (names.collect(), builtin().iter().count());
    names.sort();
    assert_eq!(
        names,
        ["data.toml", "openai-compatible.toml", "payment-only.toml", "text-to-speech.toml", "upscaler.toml"]
    );
    for name in names {
        let mut catalog = builtin();
        let text = std::fs::read_to_string(folder.join(&name)).unwrap();
        catalog.read_text(&SourceText::new(&name, &text), &name).unwrap_or_else(|errors| panic!("{name}: {errors:?}"));
        assert!(catalog.iter().count() > known, "{name}");
        // Nobody is sent to a real seller, nor told a real one's price, by an example.
        for endpoint in catalog.iter().skip(known) {
            assert_eq!(endpoint.url.host_str(), Some("api.example.com"), "{name}");
        }
    }
}

#[test]
fn one_step_of_a_pointer_to_a_result_may_stand_for_each_element() {
    let entry = |result: &str| {
        format!(
            "[endpoint.many]\nurl = \"https://a.example/many\"\nprice = {{ sats = 1 }}\ndedup_window_s = 0\nresult = {{ {result} }}\n"
        )
    };
    let read = merged(&entry("url = [\"/data/*/url\", \"/urls/*\", \"/a*b\"], text = [\"/choices/*/text\"]")).unwrap();
    assert_eq!(read.get("many").unwrap().result.url, ["/data/*/url", "/urls/*", "/a*b"]);
    for (wrong, word) in
        [("url = [\"/a/*/b/*\"]", "result.url"), ("url = [\"/a\"], poll_url = [\"/b/*\"]", "result.poll_url")]
    {
        let said = errors(&entry(wrong));
        assert!(said.contains(word) && said.contains("a step `*` too many"), "{said}");
    }
}

/// What is a wrong catalogue to the reader, and to an editor, below a known endpoint's name.
const WRONG: &[&str] = &[
    "ulr = \"https://a.example\"",
    "url = 3",
    "method = \"PATCH\"",
    "as_of = \"yesterday\"",
    "dedup_window_s = -1",
    "dedup_window_s = 86401",
    "patience_s = 0.5",
    "scheme = \"lsat\"",
    "redeem = \"twice\"",
    "credential = \"many\"",
    "allow_http = \"yes\"",
    "bypass_header = 3",
    "nonce = 3",
    "listing = 3",
    "headers = { X-Version = 3 }",
    "headers = { X-Key = { secret = \"a b\" } }",
    "headers = { X-Key = { secret = \"SHOP\", file = \"x\" } }",
    "body = \"json\"",
    "parts = { a = [1] }",
    "price = \"free\"",
    "price = { sats = 0 }",
    "price = { sat = 5 }",
    "price = { at_most_sats = \"5\" }",
    "price = { sats_per_unit = 5, quantity = \"duration\", length = \"words\" }",
    "price = { sats_per_unit = 5, quantity = \"duration\", per = 0 }",
    "price = { by = [], rates = [] }",
    "result = 3",
    "result = { url = \"/url\" }",
    "result = { url = [\"url\"] }",
    "result = { body = 1 }",
    "result = { ulr = [\"/url\"] }",
    "errors = { A = \"again\" }",
    "errors = { A = { before = \"refund\" } }",
    "errors = { A = { after = \"not-for-sale\" } }",
    "errors = { A = { within = \"never\" } }",
    "params = { a = {} }",
    "params = { a = { type = \"string\" } }",
    "params = { a = { type = \"text\", min = 1 } }",
    "params = { a = { type = \"integer\", min = \"1\" } }",
    "params = { a = { type = \"choice\", values = [] } }",
    "params = { a = { type = \"choice\", values = [\"b\", \"b\"] } }",
    "params = { a = { type = \"image\", default = \"b\" } }",
    "params = { a = { type = \"file\", as = \"hex\" } }",
    "params = { a = { type = \"text\", required = \"yes\" } }",
];

#[test]
fn what_is_wrong_for_an_editor_is_wrong_for_the_reader() {
    for entry in WRONG {
        let text = format!("[endpoint.generate-video]\n{entry}\n");
        assert!(!faults("catalog", &text).is_empty(), "the schema takes {entry}");
        assert!(merged(&text).is_err(), "the reader takes {entry}");
    }
    for text in ["endpoint = 3", "endpoints.a = {}", "endpoint.\"a b\" = {}", "endpoint.generate-video = 3"] {
        assert!(!faults("catalog", text).is_empty() && merged(text).is_err(), "{text}");
    }
}

#[test]
fn an_editor_knows_the_keys_that_the_reader_knows() {
    let whole = schema("catalog");
    let definitions = &whole["definitions"];
    let told_of = |entry: &str| told(&errors(&format!("[endpoint.generate-video]\n{entry}\n")));
    assert_eq!(keys(&definitions["endpoint"]), told_of("qqqqqqqqqqqqqqqq = 1"));
    assert_eq!(keys(&definitions["result"]), told_of("result = { qqqqqqqqqqqqqqqq = 1 }"));
    assert_eq!(keys(&definitions["price"]["anyOf"][1]), told_of("price = { sats = 1, qqqqqqqqqqqqqqqq = 1 }"));
    let errors_of = &definitions["endpoint"]["properties"]["errors"]["additionalProperties"]["anyOf"];
    assert_eq!(keys(&errors_of[1]), told_of("errors = { A = { qqqqqqqqqqqqqqqq = \"never\" } }"));
    let words: Vec<&str> = Treatment::ALL.iter().map(|treatment| treatment.as_str()).collect();
    assert_eq!(errors_of[0]["enum"], serde_json::json!(words));
    let param = &definitions["param"];
    let mut all = std::collections::BTreeSet::new();
    for kind in param["properties"]["type"]["enum"].as_array().unwrap() {
        let of_kind =
            told_of(&format!("params = {{ a = {{ type = {kind}, values = [\"b\"], qqqqqqqqqqqqqqqq = 1 }} }}"));
        let rules = param["allOf"].as_array().unwrap().iter();
        let rule = rules.filter(|rule| rule["if"]["properties"]["type"]["enum"].as_array().unwrap().contains(kind));
        let known: Vec<_> = rule.map(|rule| rule["then"]["propertyNames"]["enum"].clone()).collect();
        let known: Vec<std::collections::BTreeSet<String>> =
            known.into_iter().map(|known| serde_json::from_value(known).unwrap()).collect();
        assert_eq!(known, std::slice::from_ref(&of_kind), "{kind}");
        all.extend(of_kind);
    }
    assert_eq!(keys(param), all);
}

#[test]
fn every_example_is_a_catalogue_to_an_editor() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/catalog");
    let files = std::fs::read_dir(folder).unwrap().map(|entry| std::fs::read_to_string(entry.unwrap().path()).unwrap());
    let files: Vec<String> = files.collect();
    assert!(
        files.len() > 4 && files.iter().all(|text| text.starts_with("#:schema ../schema/catalog.json\n")),
        "{files:?}"
    );
    let is_catalog = |text: &String| text.parse::<toml::Table>().unwrap().keys().all(|key| key == "endpoint");
    let of_document = examples("docs/endpoints.md").into_iter().filter(is_catalog);
    for text in files.into_iter().chain([BUILT_IN_TEXT.to_owned()]).chain(of_document) {
        assert_eq!(faults("catalog", &text), Vec::<String>::new(), "{text}");
    }
}
