use super::*;
use crate::ledger::ReceiptKind;
use crate::report::testing::receipt;

/// What somebody might write into a name so that it becomes more than a name.
const HOSTILE: &str = "a; b\n2020-01-01 x\n    assets:bank  1 EUR\" , =1+1 | (code) date:2020-01-01 <b>\\";

fn filled(name: &str, text: &str, rows: &[ReceiptRow]) -> Result<String, TemplateError> {
    let template = BooksTemplate::new(name.to_owned(), text.to_owned())?;
    let mut out = Vec::new();
    let extra = ["x_client".to_owned()];
    template.write(&mut out, "june", &extra, None, &mut |each| rows.iter().cloned().try_for_each(each))?;
    Ok(String::from_utf8(out).unwrap())
}

fn of_ids(name: &str, ids: &[&str]) -> String {
    let rows: Vec<ReceiptRow> = ids.iter().map(|id| ReceiptRow { id: (*id).into(), ..receipt() }).collect();
    filled(name, "{% for s in settlements %}{{ s.id }}\n{% endfor %}", &rows).unwrap()
}

#[test]
fn each_value_stays_one_value() {
    for (name, expected) in [
        ("a.csv.j2", "\"a; b\n2020-01-01 x\n    assets:bank  1 EUR\"\" , =1+1 | (code) date:2020-01-01 <b>\\\"\n"),
        ("a.journal", "a_ b 2020-01-01 x assets_bank 1 EUR_ _ _1+1 _ _code_ date_2020-01-01 _b__\n"),
        (
            "a.beancount.jinja",
            "\"a; b\\n2020-01-01 x\\n    assets:bank  1 EUR\\\" , =1+1 | (code) date:2020-01-01 <b>\\\\\"\n",
        ),
        ("a.txt.j2", &format!("{HOSTILE}\n")),
    ] {
        assert_eq!(of_ids(name, &[HOSTILE]), *expected, "{name}");
    }
    assert_eq!(serde_json::from_str::<String>(&of_ids("a.json", &[HOSTILE])).unwrap(), HOSTILE);
    assert!(of_ids("a.html", &[HOSTILE]).contains("&lt;b&gt;"));
    assert_eq!(of_ids("a.csv", &["=1", "+1", "plain"]), "'=1\n'+1\nplain\n");
    assert_eq!(of_ids("a.journal", &["\t", "*", "§"]), "\n_\n_\n");
}

/// Whatever a value goes through before it is written, it is escaped for what is written, and once.
#[test]
fn filters_macros_and_blocks_escape_as_all_else_does() {
    let rows = [ReceiptRow { id: HOSTILE.into(), ..receipt() }];
    for name in ["a.csv", "a.journal", "a.beancount", "a.json", "a.html", "a.txt"] {
        let written = |text: &str| filled(name, text, &rows).unwrap();
        let plain = written("{{ settlements[0].id }}");
        for text in [
            "{{ settlements[0].id|e }}",
            "{{ settlements[0].id|escape }}",
            "{{ settlements[0].id|e|e }}",
            "{% set x %}{{ settlements[0].id }}{% endset %}{{ x }}",
            "{% set x %}{{ settlements[0].id|e }}{% endset %}{{ x|e }}",
            "{% macro one(s) %}{{ s.id }}{% endmacro %}{{ one(settlements[0]) }}",
            "{% autoescape false %}{{ settlements[0].id }}{{ ''|safe }}{% endautoescape %}",
            "{% autoescape 'html' %}{{ settlements[0].id|e }}{% endautoescape %}",
        ] {
            assert_eq!(written(text), plain, "{name}: {text}");
        }
        // What stands between values is the template's own.
        let row = "{% macro row(s) %}{{ s.id }},{{ s.sats }}\n{% endmacro %}{{ row(settlements[0]) }}";
        assert_eq!(written(row), written("{{ settlements[0].id }},{{ settlements[0].sats }}\n"), "{name}");
        assert_eq!(written("{{ \"{'a'}: 1\"|safe }}"), "{'a'}: 1", "{name}");
    }
    // What is joined is one value.
    let joined = |name: &str| filled(name, "{{ settlements[0].kind ~ ': ' ~ settlements[0].id }}", &rows).unwrap();
    let text = format!("payment: {HOSTILE}");
    assert_eq!([joined("a.csv"), joined("a.journal"), joined("a.txt")], [cell(&text), words(&text), text.clone()]);
    assert_eq!(serde_json::from_str::<String>(&joined("a.json")).unwrap(), text);
    assert_eq!(joined("a.beancount"), format!("payment\": \"{}", quoted(HOSTILE)));
    let json = |name: &str| filled(name, "{{ settlements[0].id|tojson }}", &rows).unwrap();
    for name in ["a.json", "a.html"] {
        assert_eq!(serde_json::from_str::<String>(&json(name)).unwrap(), HOSTILE, "{name}");
    }
    assert!(!filled("a.journal", "{{ settlements[0].at }}", &rows).unwrap().contains('_'), "a time is one everywhere");
    // Elsewhere JSON is a text like any other, and breaks out of nothing.
    let text = json("a.txt");
    assert_eq!(serde_json::from_str::<String>(&text).unwrap(), HOSTILE);
    assert_eq!(json("a.csv"), cell(&text));
    assert_eq!(json("a.journal"), words(&text));
    assert_eq!(json("a.beancount"), quoted(&text));
    assert_eq!(
        filled("a.json", "{{ settlements[0].date }}{{ 'a.b'|account }}", &rows).unwrap(),
        "\"2026-09-21\"\"A-b\""
    );
}

#[test]
fn what_is_not_known_is_none_and_what_is_not_there_is_an_error() {
    let unposted = [ReceiptRow { fee: None, ..receipt() }];
    let text = "{# target: csv #}\n{% for s in settlements %}{{ s.sats }}|{{ s.fee_sats }}|{{ s.x_client }}|{{ s.fiat is none }}\n{% endfor %}";
    assert_eq!(filled("mine", text, &unposted).unwrap(), "2750|||true\n");
    for (text, line, words) in [
        ("a\n{{ settlements[0].preimage }}", 2, "undefined value"),
        ("a\n\n{% for %}", 3, "syntax error"),
        ("{{ settlements }}", 1, "a list is written by a loop"),
        ("{% for a in range(90000) %}{% for b in range(90000) %}{% endfor %}{% endfor %}", 1, "more steps"),
    ] {
        match filled("a.csv", text, &unposted) {
            Err(TemplateError::Wrong { line: found, problem, .. }) => {
                assert!(found == line && problem.contains(words), "{text}: {found} {problem}");
            }
            other => panic!("{text}: {other:?}"),
        }
    }
}

#[test]
fn a_template_says_what_it_writes() {
    let target = |name: &str, text: &str| BooksTemplate::new(name.to_owned(), text.to_owned()).map(|one| one.target);
    assert_eq!(target("books.csv.j2", "").unwrap(), Target::Csv);
    assert_eq!(target("books.JSON", "").unwrap(), Target::Json);
    assert_eq!(target("books.csv", "{#- target: json -#}").unwrap(), Target::Json);
    assert!(matches!(target("books.j2", ""), Err(TemplateError::NoTarget { .. })));
    assert!(matches!(target("books.csv", "{# target: pdf #}"), Err(TemplateError::UnknownTarget { .. })));
}

#[test]
fn a_part_of_an_account_is_one_everywhere() {
    for (text, expected) in
        [("api.example", "Api-example"), ("a:b  c;", "A-b--c"), ("", "Other"), ("größe", "Gr--e"), ("9x", "9x")]
    {
        assert_eq!(account(text), expected, "{text}");
    }
}

/// What these programs read of it, `tests/e2e/books.rs` tries with them.
#[test]
fn shipped_templates_are_filled_in() {
    let paid = ReceiptRow { id: HOSTILE.into(), ..receipt() };
    let unposted = ReceiptRow { fee: None, ..receipt() };
    let refund = ReceiptRow { kind: ReceiptKind::Refund, fee: Some(Msat::ZERO), ..receipt() };
    let rows = [paid, unposted, refund];
    for name in BooksTemplate::names() {
        let template = BooksTemplate::shipped(name).unwrap().unwrap();
        let mut out = Vec::new();
        template.write(&mut out, "june", &[], None, &mut |each| rows.iter().cloned().try_for_each(each)).unwrap();
        insta::assert_snapshot!(name, String::from_utf8(out).unwrap());
    }
}
