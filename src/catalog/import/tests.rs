use std::sync::Arc;

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::catalog::Endpoint;
use crate::money::Msat;
use crate::terminal_text::is_printable;

const SERVICES: &str = include_str!("../../../tests/e2e/import/services.json");
const GATEWAY: &str = include_str!("../../../tests/e2e/import/gateway.json");
const L402: &str = include_str!("../../../tests/e2e/import/l402.json");
const OPENAPI: &str = include_str!("../../../tests/e2e/import/openapi.json");

fn read(document: &Json, base: Option<&str>) -> Result<Imported, ImportError> {
    let base = base.map(|base| base.parse().unwrap());
    let shown = base.as_ref().map_or("shop.json", Url::as_str);
    let source = Source { shown, base: base.as_ref(), day: "2026-11-30" };
    import(document, &source, &Wanted { prefix: "", names: &[] })
}

/// A document, imported; all that has a price is an endpoint of our own reader's.
fn imported(document: &str, base: Option<&str>) -> Imported {
    read(&serde_json::from_str(document).unwrap(), base).unwrap()
}

/// What our own reader makes of the tables.
fn catalog(imported: &Imported) -> Catalog {
    let mut catalog = Catalog::default();
    catalog
        .read_text(&SourceText::new("x.toml", &imported.tables), "x.toml")
        .unwrap_or_else(|errors| panic!("{errors:?}\n{}", imported.tables));
    assert_eq!(catalog.iter().map(|endpoint| endpoint.name.clone()).collect::<Vec<_>>(), imported.names);
    catalog
}

fn endpoint(imported: &Imported, name: &str) -> Arc<Endpoint> {
    Arc::clone(catalog(imported).get(name).unwrap_or_else(|| panic!("{:?}", imported.names)))
}

#[test]
fn each_shape_of_document_becomes_tables_to_read() {
    let web = |site: &str| Some(format!("{site}/.well-known/l402-services"));
    for (name, document, base) in [
        ("services", SERVICES, web("https://kites.example")),
        ("gateway", GATEWAY, web("http://127.0.0.1:8402")),
        ("l402", L402, web("https://papers.example")),
        ("openapi", OPENAPI, None),
    ] {
        let imported = imported(document, base.as_deref());
        catalog(&imported);
        let left: String = imported.left.iter().map(|line| format!("\n- {line}")).collect();
        insta::assert_snapshot!(
            name,
            format!(
                "{}{left}\nunpriced: {:?}; elsewhere: {:?}",
                imported.tables, imported.unpriced, imported.elsewhere
            )
        );
    }
}

#[test]
fn what_is_read_buys_what_the_document_describes() {
    let kites = imported(SERVICES, None);
    let draw = endpoint(&kites, "draw-a-kite");
    assert_eq!(draw.url.as_str(), "https://kites.example/api/l402/draw-kite", "the homepage is the site of a file");
    assert_eq!((draw.price.rates[0].rate, draw.as_of.as_str()), (Msat::new(120_000), "2026-11-02"));
    assert!(draw.param("prompt").unwrap().required);
    let body = serde_json::to_value(draw.body.as_ref().unwrap()).unwrap();
    let places = json!({ "prompt": "{prompt}", "shape": "{shape}", "tail": "{tail}" });
    assert_eq!(body, json!({ "input": places, "modelId": "{modelId}" }));
    assert_eq!((draw.result.url.as_slice(), draw.result.body), (&["/image_url".to_owned()][..], true));
    let fly = endpoint(&kites, "fly-a-kite");
    assert_eq!((fly.price.quantity.as_deref(), fly.price.unit.as_str()), (Some("duration"), "second"));
    let strike = endpoint(&imported(OPENAPI, None), "strike");
    assert_eq!(strike.url.as_str(), "https://eu.bells.example/v2/strike");
    assert_eq!(strike.method, crate::catalog::Method::Get);
    let bells = endpoint(&imported(OPENAPI, None), "bells-id");
    assert_eq!(bells.param("id").unwrap().place, crate::catalog::Place::Path);
    let listed = json!({ "services": [{ "path": "https://a.example/{id}/x", "method": "PUT", "price_sats": 1,
        "params": { "id": "integer", "about": { "type": "object" } } }] });
    let listed = endpoint(&read(&listed, None).unwrap(), "id-x");
    assert_eq!((listed.method, listed.param("id").unwrap().required), (crate::catalog::Method::Put, true));
}

/// A price that the document does not tell is unknown, also where another seller has a price under the same name: no plan takes it for anything.
#[test]
fn an_unknown_price_is_nobody_elses() {
    let seller = |site: &str, price: Json| {
        let sold = json!({ "name": "draw", "url": format!("https://{site}/draw"), "method": "POST", "pricing": price });
        read(&json!({ "services": [sold] }), None).unwrap()
    };
    let (one, other) = (seller("a.example", json!({ "sats": 5 })), seller("b.example", json!({ "usd": 5 })));
    let mut both = catalog(&one);
    both.read_text(&SourceText::new("b.toml", &other.tables), "b.toml").unwrap();
    let draw = both.get("draw").unwrap();
    assert_eq!((draw.url.host_str(), draw.price.is_unknown()), (Some("b.example"), true));
    assert_eq!(draw.price.price(|_| None), Err(crate::catalog::PriceError::Unknown));
    let tides = imported(GATEWAY, Some("https://tides.example/x"));
    assert_eq!(tides.unpriced, ["tides-storm"]);
    assert!(endpoint(&tides, "tides-storm").price.is_unknown() && !endpoint(&tides, "tides-year").price.is_unknown());
    // What our reader does not take for a price is not known, and the rest is there all the same.
    let fly = json!({ "services": [{ "name": "fly", "url": "https://a.example/fly", "method": "POST",
        "pricing": { "sats": 3, "per": "second", "parameter": "seconds" }, "params": { "seconds": { "type": "integer" } } }] });
    assert_eq!(read(&fly, None).unwrap().unpriced, ["fly"]);
}

#[test]
fn names_are_slugs_that_nothing_else_has() {
    for (called, expected) in [
        ("generateVideo", "generate-video"),
        ("  Generate_Video!! ", "generate-video"),
        ("/api/v1/Text2Speech", "api-v1-text2speech"),
        ("日本", "endpoint"),
        ("x]\n[endpoint.evil", "x-endpoint-evil"),
    ] {
        assert_eq!(slug(called), expected);
    }
    assert!(slug(&"long ".repeat(40)).len() <= NAME_CHARS_MAX);
    let services: Vec<Json> = ["a", "a", "generate-video", "a-2"]
        .iter()
        .map(|name| json!({ "id": name, "url": format!("https://a.example/{name}"), "price_sats": 1 }))
        .collect();
    let all = read(&json!({ "services": services }), None).unwrap();
    assert_eq!(all.names, ["a", "a-2", "generate-video-2", "a-2-2"], "what is built in is not changed");
    let document = json!({ "services": services });
    let source = Source { shown: "f", base: None, day: "2026-11-30" };
    let names = ["shop-a".to_owned()];
    let one = import(&document, &source, &Wanted { prefix: "shop-", names: &names }).unwrap();
    assert_eq!((one.names.as_slice(), one.known.len()), (&names[..], 4));
}

#[test]
fn addresses_are_https_or_of_this_machine_and_another_site_is_said() {
    let service = |url: &str| json!({ "services": [{ "name": "x", "url": url, "price_sats": 1 }] });
    let base = Some("https://a.example/.well-known/l402-services");
    for (url, expected) in [
        ("/x", Ok("https://a.example/x")),
        ("x", Ok("https://a.example/x")),
        ("//evil.example/x", Ok("https://a.example/evil.example/x")),
        ("https://a.example:443/x?y=1", Ok("https://a.example/x?y=1")),
        ("http://127.0.0.1:9/x", Ok("http://127.0.0.1:9/x")),
        ("http://b.example/x", Err("plain http")),
        ("https://user:pw@a.example/x", Err("user name")),
        ("javascript:alert(1)", Err("names no address")),
        ("file:///etc/passwd", Err("names no address")),
    ] {
        let found = read(&service(url), base).unwrap();
        match expected {
            Ok(expected) => assert_eq!(endpoint(&found, "x").url.as_str(), expected),
            Err(words) => assert!(found.names.is_empty() && found.left[0].contains(words), "{url}: {found:?}"),
        }
    }
    let elsewhere = read(&service("https://b.example/x"), base).unwrap();
    assert_eq!(elsewhere.elsewhere, ["https://b.example"]);
    assert!(elsewhere.tables.contains("# It stands on another site (https://b.example) than the document.\n"));
    assert_eq!(
        read(&service("/x"), None).unwrap().left,
        ["x (/x): its address /x is relative, and the document names no site"]
    );
}

#[test]
fn what_sells_nothing_is_said_and_much_is_bounded() {
    assert_eq!(read(&json!({ "openapi": "3.0.0", "paths": { "/x": { "get": {} } } }), None), Err(ImportError::Nothing));
    assert_eq!(read(&json!({ "swagger": "2.0", "paths": {} }), None), Err(ImportError::Swagger));
    for document in
        [json!(null), json!([1]), json!({ "services": [] }), json!({ "url": "https://a.example" }), json!("x")]
    {
        assert_eq!(read(&document, None), Err(ImportError::Nothing), "{document}");
    }
    let demo = json!({ "protocol": "l402", "demo_endpoint": "https://a.example/demo", "price_sats": 1 });
    assert_eq!(read(&demo, None).unwrap().names, ["demo"]);
    let service = |n: usize| json!({ "url": format!("https://a.example/{n}"), "price_sats": 1 });
    let many = read(&Json::from_iter((0..ENDPOINTS_MAX + 3).map(service)), None).unwrap();
    assert_eq!((many.names.len(), many.left.len()), (ENDPOINTS_MAX, 3));
    let long = |n: usize| {
        let values: Vec<String> = (0..400).map(|v| format!("{v}{}", "x".repeat(20))).collect();
        json!({ "url": format!("https://a.example/{n}"), "price_sats": 1, "params": { "p": { "enum": values } } })
    };
    let large = read(&Json::from_iter((0..200).map(long)), None).unwrap();
    assert!(large.tables.len() <= TABLES_BYTES_MAX && large.names.len() + large.left.len() == 200);
    assert!(large.names.len() > 50, "{}", large.names.len());
    let lists: serde_json::Map<String, Json> =
        (0..9).map(|n| (format!("{n}{}", "é".repeat(60)), json!({ "type": "date" }))).collect();
    let lacking = |n: usize| json!({ "url": format!("https://a.example/{n}"), "price_sats": 1, "params": lists });
    let lacking = read(&Json::from_iter((0..400).map(lacking)), None).unwrap();
    let told: usize = lacking.left.iter().map(|line| line.len() + "# - \n".len()).sum();
    assert!(lacking.names.len() == 400 && told <= LEFT_BYTES_MAX + "# - and more\n".len(), "{told}");
    assert_eq!(lacking.left.last().map(String::as_str), Some("and more"));
}

/// Words of a document that would end a text, a comment or a table, or steer a terminal.
fn hostile() -> impl Strategy<Value = String> {
    let pieces = [
        "\"",
        "'''",
        "\\",
        "\n",
        "\r",
        "\u{1b}[2J",
        "\u{202e}",
        "\u{7f}",
        "\u{85}",
        "#",
        "]",
        "}",
        "=",
        "[endpoint.evil]",
        "url = \"https://evil.example\"",
        "{a}",
        "x",
        "é",
    ];
    proptest::collection::vec(prop::sample::select(pieces.to_vec()), 0..8).prop_map(|all| all.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]
    #[test]
    fn no_word_of_a_document_breaks_out_of_where_it_stands(words in proptest::collection::vec(hostile(), 9)) {
        let [name, about, path, key, value, default, title, currency, constant] = words.as_slice() else { panic!() };
        let schema = json!({ "type": "object", "required": ["k"], "properties": {
            "k": { "const": constant, "description": about },
            key.as_str(): { "type": "string", "title": title, "default": default },
            "c": { "enum": [value, "b", "c"], "description": about, "default": "b" },
            "within": { "type": "object", "properties": { key.as_str(): { "type": "boolean", "description": title } } },
        } });
        let service = json!({ "name": name, "endpoint": format!("/{path}"), "method": "POST", "description": about,
            "price": { "amount": 5, "currency": currency, "type": title }, "request_schema": schema,
            "response_schema": { "properties": { format!("{key}url"): { "type": "string" }, "url": {} } } });
        let free = json!({ "name": name, "endpoint": path, "method": value, "price_sats": 5 });
        let openapi = json!({ "openapi": "3.1.0", "paths": { format!("/{path}"): { "post": {
            "operationId": name, "summary": about, "x-payment-info": { "method": "lightning", "amount": "5", "currency": currency },
            "requestBody": { "content": { "application/json": { "schema": schema } } } } } } });
        for document in [json!({ "services": [service, free], "updated": title }), openapi] {
            let Ok(found) = read(&document, Some("https://a.example/x")) else { continue };
            prop_assert!(found.tables.lines().chain(found.left.iter().map(String::as_str)).all(is_printable), "{found:?}");
            for endpoint in catalog(&found).iter() {
                prop_assert_eq!(endpoint.url.host_str(), Some("a.example"), "{:?}", &found);
            }
            let table: toml::Table = found.tables.parse().unwrap();
            prop_assert!(table.keys().all(|key| key == "endpoint"));
        }
    }
}
