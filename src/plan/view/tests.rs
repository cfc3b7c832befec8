//! What people and programs read of a plan.

use proptest::prelude::*;

use super::*;
use crate::fiat::Currency;
use crate::plan::Policy;
use crate::plan::column::Column;
use crate::plan::testing::{Rows, animate, capped, named, reusable, video};

fn rows() -> Rows {
    let mut limited = animate(7, "=HYPERLINK(\"x\")", "/pictures/a.png", 10);
    limited.max_sats = Some(Sats::new(100));
    limited.extra = vec![("x_scene".to_owned(), "3".to_owned())];
    Rows::of([
        video(2, "A cat walking on the surface of the moon,\nslowly", 5, "pro", true),
        video(4, "A dog", 15, "standard", false),
        named("-1", video(5, "A \u{1b}[2Jbird", 3, "pro", true)),
        named("wave", animate(6, "Make the person wave hello", "/pictures/a.png", 5)),
        limited,
        video(8, "A dog", 15, "standard", false),
    ])
}

fn shown(left: Option<LeftToBuy>, write: impl Fn(&PlanView<'_>, &mut Vec<u8>) -> Result<(), ViewError>) -> String {
    shown_with((left, None), write)
}

fn shown_with(
    (left, live): (Option<LeftToBuy>, Option<Live>),
    write: impl Fn(&PlanView<'_>, &mut Vec<u8>) -> Result<(), ViewError>,
) -> String {
    shown_of(&rows(), (left, live), write)
}

fn shown_of(
    rows: &Rows,
    (left, live): (Option<LeftToBuy>, Option<Live>),
    write: impl Fn(&PlanView<'_>, &mut Vec<u8>) -> Result<(), ViewError>,
) -> String {
    let plan = Plan::make(rows, &Policy::default()).unwrap();
    let manifest = ManifestFacts { path: "/films/jobs.csv".to_owned(), sha256: "00".repeat(32) };
    let mut out = Vec::new();
    write(
        &PlanView {
            plan: &plan,
            source: rows,
            manifest,
            left,
            fits: None,
            lacks_room: true,
            changed: 0,
            duplicates: None,
            so_far: None,
            told: &["2 files wait for room".to_owned()],
            download: None,
            live: live.as_ref(),
            sums: None,
            rate: None,
            partial: None,
        },
        &mut out,
    )
    .unwrap();
    let host = plan.endpoints()[0].url.host_str().unwrap();
    String::from_utf8(out).unwrap().replace(host, "HOST")
}

#[test]
fn the_table() {
    insta::assert_snapshot!(shown(None, |view, out| view.table(out, false, None)));
}

#[test]
fn the_table_with_rows_and_what_is_left() {
    let left = LeftToBuy { jobs: 1, price: Msat::new(500_001), capped: Msat::ZERO, fee_ceiling: Msat::new(10_000) };
    insta::assert_snapshot!(shown(Some(left), |view, out| view.table(out, true, None)));
}

/// Exact parts and capped ones stand apart, and what is capped is never called exact.
#[test]
fn capped_prices_stand_apart() {
    let one = || video(2, "A cat", 5, "pro", true);
    let mixed = Rows::of([
        one(),
        capped(animate(3, "It waves", "/a.png", 5), 600),
        capped(animate(4, "Bye", "/a.png", 5), 600),
    ]);
    let plan = Plan::make(&mixed, &Policy::default()).unwrap();
    let totals = plan.totals();
    assert_eq!((totals.price, totals.capped), (Msat::new(3_950_000), Msat::new(1_200_000)));
    let left = LeftToBuy { jobs: 3, price: totals.price, capped: totals.capped, fee_ceiling: totals.fee_ceiling };
    let words = left.price_words(|price| price.to_string());
    assert_eq!(words, "at most 3,950 sats (2,750 sats exact, at most 1,200 sats capped)");
    insta::assert_snapshot!(shown_of(&mixed, (Some(left), None), |view, out| view.table(out, true, None)));
    let json = shown_of(&mixed, (Some(left), None), |view, out| view.json(out));
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    for of in [&json, &json["left_to_buy"]] {
        assert_eq!((&of["exact_msat"], &of["capped_msat"]), (&2_750_000.into(), &1_200_000.into()));
    }
    assert_eq!((&json["jobs"][0]["price_is_cap"], &json["jobs"][1]["price_is_cap"]), (&false.into(), &true.into()));
    assert_eq!((&json["groups"][0]["is_cap"], &json["groups"][1]["is_cap"]), (&true.into(), &false.into()));
    // The same price, exact, is another plan.
    let exact = |sats| {
        let mut spec = capped(one(), sats);
        let mut endpoint = crate::catalog::Endpoint::clone(&spec.endpoint);
        endpoint.price.is_cap = false;
        spec.endpoint = std::sync::Arc::new(endpoint);
        Plan::make(&Rows::of([spec]), &Policy::default()).unwrap()
    };
    let cap = Plan::make(&Rows::of([capped(one(), 600)]), &Policy::default()).unwrap();
    assert_ne!(cap.fingerprint(), exact(600).fingerprint());
    assert_eq!(cap.totals().worst_case, exact(600).totals().worst_case);
}

/// One purchase a job is the most that it costs where a token serves several: the price itself stays exact.
#[test]
fn what_a_token_serves_is_capped_and_its_price_is_exact() {
    let token = || reusable(animate(3, "It waves", "/a.png", 5));
    let mixed = Rows::of([video(2, "A cat", 5, "pro", true), token(), named("bye", token())]);
    let plan = Plan::make(&mixed, &Policy::default()).unwrap();
    let totals = plan.totals();
    assert_eq!((totals.price, totals.capped), (Msat::new(3_750_000), Msat::new(1_000_000)));
    let once = Plan::make(&Rows::of([animate(3, "It waves", "/a.png", 5)]), &Policy::default()).unwrap();
    let of_token = Plan::make(&Rows::of([token()]), &Policy::default()).unwrap();
    assert_eq!(of_token.totals().worst_case, once.totals().worst_case);
    assert_ne!(of_token.fingerprint(), once.fingerprint());
    let table = shown_of(&mixed, (None, None), |view, out| view.table(out, false, Some(140)));
    assert!(table.contains("2 jobs: a token serves several jobs"), "{table}");
    assert!(table.contains("100 sats a second  ≤ 1,000 sats"), "the rate is what each invoice asks: {table}");
    // What counts as capped is the sum of the groups that say so.
    let document = shown_of(&mixed, (None, None), |view, out| view.json(out));
    let document: serde_json::Value = serde_json::from_str(&document).unwrap();
    let groups = document["groups"].as_array().unwrap().iter();
    let of_token: Vec<_> = groups.filter(|group| group["is_reusable"] == true).collect();
    assert!(of_token.iter().all(|group| group["is_cap"] == false));
    assert_eq!(of_token.iter().map(|group| group["total_msat"].as_u64().unwrap()).sum::<u64>(), totals.capped.get());
    let live = |asked: u64| {
        let rate = |job: PlannedJob| {
            let answer = LiveAnswer::Asks(Msat::new(asked * 1_000));
            LiveRate { jobs: 2, quantity: 2 * job.priced.quantity, planned: Msat::new(1_000_000), job, answer }
        };
        let job = plan.jobs(&mixed).map(Result::unwrap).find(|job| job.id == "bye").unwrap();
        Live { rates: vec![rate(job)] }
    };
    assert_eq!((live(500).rates[0].verdict(), live(500).words()), (LiveVerdict::Same, None));
    assert_eq!(
        live(400).words().unwrap(),
        "1 rate cheaper: it costs at most 800 sats now, and at most 1,000 sats by the plan (animate-image: 400 sats for bye, planned at \
         most 500 sats)"
    );
}

/// A live price within the cap is as planned; one above it differs.
#[test]
fn live_prices_within_a_cap_are_as_planned() {
    let mixed = Rows::of([video(2, "A cat", 5, "pro", true), capped(animate(3, "It waves", "/a.png", 5), 600)]);
    let plan = Plan::make(&mixed, &Policy::default()).unwrap();
    let live = |asked: u64| {
        let rate = |job: PlannedJob| {
            let sats = if job.is_capped() { asked } else { 2_750 };
            let answer = LiveAnswer::Asks(Msat::new(sats * 1_000));
            LiveRate { jobs: 1, quantity: job.priced.quantity, planned: job.priced.price, job, answer }
        };
        Live { rates: plan.jobs(&mixed).map(|job| rate(job.unwrap())).collect() }
    };
    assert_eq!(live(600).words(), None);
    assert_eq!((live(1).rates[1].verdict(), live(1).words()), (LiveVerdict::WithinCap, None));
    assert_eq!(live(1).total(), Some(Msat::new(2_751_000)));
    assert_eq!(
        live(601).words().unwrap(),
        "1 rate dearer: it costs 3,351 sats now, and at most 3,350 sats (2,750 sats exact, at most 600 sats capped) by the plan \
         (animate-image: 601 sats for jl5amflt6uuvrrz5z, planned at most 600 sats)"
    );
    insta::assert_snapshot!(shown_of(&mixed, (None, Some(live(450))), |view, out| view.table(out, false, Some(140))));
    // What one job is asked for says nothing of the others within the cap.
    let mut of_many = live(10);
    let capped = &mut of_many.rates[1];
    (capped.jobs, capped.quantity, capped.planned) = (100, 100 * capped.quantity, Msat::new(60_000_000));
    assert_eq!((of_many.rates[1].total(), of_many.total()), (None, None));
    let table = shown_of(&mixed, (None, Some(of_many)), |view, out| view.table(out, false, Some(140)));
    assert!(table.contains("10 sats of one job"), "{table}");
    assert!(table.contains("left, at live prices       not known whole"), "{table}");
}

/// One job of each rate, with what sellers say: in the order of the answers.
fn live(answers: [LiveAnswer; 3]) -> Live {
    let rows = rows();
    let plan = Plan::make(&rows, &Policy::default()).unwrap();
    let mut jobs: Vec<PlannedJob> = Vec::new();
    for job in plan.jobs(&rows).map(Result::unwrap) {
        let is_new = |known: &PlannedJob| {
            known.priced.chosen_by != job.priced.chosen_by || known.endpoint.name != job.endpoint.name
        };
        if jobs.iter().all(is_new) {
            jobs.push(job);
        }
    }
    let rate = |(job, answer): (PlannedJob, LiveAnswer)| LiveRate {
        jobs: 2,
        quantity: 2 * job.priced.quantity,
        planned: Msat::new(2 * job.priced.price.get()),
        job,
        answer,
    };
    let rates: Vec<LiveRate> = jobs.into_iter().zip(answers).map(rate).collect();
    Live { rates }
}

#[test]
fn live_prices_stand_beside_the_plans() {
    let asks = |sats: u64| LiveAnswer::Asks(Msat::new(sats * 1_000));
    let known = live([asks(2_750), asks(6_000), asks(1_200)]);
    let verdicts: Vec<&str> = known.rates.iter().map(|rate| rate.verdict().words()).collect();
    let said = (verdicts.join(", "), known.words(), known.planned(), known.total());
    insta::assert_debug_snapshot!(said);
    insta::assert_snapshot!(shown_with((None, Some(known)), |view, out| view.table(out, false, Some(140))));
    let part = live([
        asks(2_750),
        LiveAnswer::Refuses("it is closed".to_owned()),
        LiveAnswer::Unknown("it cannot be reached".to_owned()),
    ]);
    assert_eq!(part.total(), None);
    // No whole number of msat a second: what ten seconds cost does not follow from five.
    let odd = live([LiveAnswer::Asks(Msat::new(500_001)), asks(4_500), asks(500)]);
    assert_eq!((odd.rates[0].total(), odd.rates[1].total()), (None, Some(Msat::new(9_000_000))));
    insta::assert_debug_snapshot!(part.words());
    let text = shown_with((None, Some(part)), |view, out| view.json(out));
    let json: serde_json::Value = serde_json::from_str(&text).unwrap();
    insta::assert_snapshot!(serde_json::to_string_pretty(&json["live"]).unwrap());
}

#[test]
fn the_csv() {
    insta::assert_snapshot!(shown(None, |view, out| view.csv(out)));
}

#[test]
fn the_json() {
    let text = shown(None, |view, out| view.json(out)).replace(env!("CARGO_PKG_VERSION"), "VERSION");
    insta::assert_snapshot!(text);
    let left = LeftToBuy { jobs: 1, price: Msat::new(500_001), capped: Msat::ZERO, fee_ceiling: Msat::new(10_000) };
    let text = shown(Some(left), |view, out| view.json(out));
    let json: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(json["left_to_buy"]["worst_case_sats"], 511);
    assert_eq!(json["left_to_buy"]["total_sats"], 501, "rounded up");
}

#[test]
fn a_manifest_that_changed_is_an_error_and_so_is_a_full_disk() {
    let (before, after) = (rows(), Rows::of([video(2, "else", 5, "pro", true)]));
    let plan = Plan::make(&before, &Policy::default()).unwrap();
    let manifest = ManifestFacts { path: "-".to_owned(), sha256: String::new() };
    let view = PlanView {
        plan: &plan,
        source: &after,
        manifest,
        left: None,
        fits: None,
        lacks_room: false,
        changed: 0,
        duplicates: None,
        so_far: None,
        told: &[],
        download: None,
        live: None,
        sums: None,
        rate: None,
        partial: None,
    };
    for result in [view.json(&mut Vec::new()), view.csv(&mut Vec::new()), view.table(&mut Vec::new(), true, None)] {
        assert!(matches!(result, Err(ViewError::Manifest(_))));
    }
    let mut full = [0u8; 10];
    let view = PlanView { source: &before, ..view };
    assert!(matches!(view.json(&mut full.as_mut_slice()), Err(ViewError::Write(_))));
    assert!(matches!(view.csv(&mut full.as_mut_slice()), Err(ViewError::Write(_))));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn the_jsons_totals_are_the_sum_of_its_jobs(seconds in proptest::collection::vec(3..=15i64, 0..8), pro: bool) {
        let mode = if pro { "pro" } else { "standard" };
        let rows = Rows::of((1..).zip(&seconds).map(|(line, n)| video(line, "p", *n, mode, line % 2 == 0)));
        let plan = Plan::make(&rows, &Policy::default()).unwrap();
        let manifest = ManifestFacts { path: "-".to_owned(), sha256: String::new() };
        let mut out = Vec::new();
        PlanView { plan: &plan, source: &rows, manifest, left: None, fits: None, lacks_room: false, changed: 0, duplicates: None, so_far: None, told: &[], download: None, live: None, sums: None, rate: None, partial: None }.json(&mut out).unwrap();
        let json: serde_json::Value = serde_json::from_slice(&out).unwrap();
        let jobs = json["jobs"].as_array().unwrap();
        let sum = |key: &str| jobs.iter().map(|job| job[key].as_u64().unwrap()).sum::<u64>();
        prop_assert_eq!(json["job_count"].as_u64(), Some(seconds.len() as u64));
        prop_assert_eq!(json["total_msat"].as_u64(), Some(sum("price_msat")));
        prop_assert_eq!(json["total_sats"].as_u64(), Some(sum("price_sats")));
        prop_assert_eq!(json["fee_ceiling_msat"].as_u64(), Some(sum("fee_ceiling_msat")));
        prop_assert_eq!(json["worst_case_msat"].as_u64(), Some(sum("price_msat") + sum("fee_ceiling_msat")));
        prop_assert_eq!(json["fingerprint"].as_str(), Some(plan.fingerprint()));
    }
}

/// A file in which every text tries to be more than text, summed and in another currency.
fn estimate(page: Page) -> String {
    let client = |mut spec: crate::manifest::JobSpec, name: &str| {
        spec.extra = vec![("x_<b>client".to_owned(), name.to_owned())];
        spec
    };
    let rows = Rows::of([
        client(video(2, "<script>alert(1)</script>", 5, "pro", true), "<script>alert(\"Ünal\")</script>"),
        client(video(3, "A dog", 15, "standard", false), "| *A* [b](javascript:x) `c` &amp; ${d} {{ 7*7 }}"),
        client(
            capped(animate(4, "It waves", "/a.png", 5), 600),
            "https://evil.example/ \u{202e}www.evil.example @here\n# big",
        ),
        animate(5, "Nobody's", "/a.png", 5),
    ]);
    let plan = Plan::make(&rows, &Policy::default()).unwrap();
    let sums = plan.sums(&rows, &Column::of("x_<b>Client")).unwrap();
    let rate = Rate {
        currency: Currency::of("EUR").unwrap(),
        price: "95000.5".parse().unwrap(),
        at: crate::time::UnixMs(1_796_040_000_000),
        source: "/home/me/<i>rates.csv".to_owned(),
    };
    let manifest = ManifestFacts { path: "jobs.csv".to_owned(), sha256: String::new() };
    let view = PlanView {
        plan: &plan,
        source: &rows,
        manifest,
        left: None,
        fits: None,
        lacks_room: false,
        changed: 0,
        duplicates: None,
        so_far: None,
        told: &["<u>told</u>".to_owned()],
        download: None,
        live: None,
        sums: Some(&sums),
        rate: Some(&rate),
        partial: None,
    };
    let facts = PageFacts { name: "</title><img src=x onerror=y>".to_owned(), date: "2026-11-30 12:00 UTC".to_owned() };
    let mut out = Vec::new();
    view.page(page, &facts, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

#[test]
fn an_estimate_as_html() {
    let page = estimate(Page::Html);
    insta::assert_snapshot!(page);
    // What the manifest says is nowhere markup, and nothing is loaded.
    let own = include_str!("../../../templates/estimate.html");
    let tags = |text: &str| -> std::collections::BTreeSet<String> {
        let of = text
            .split('<')
            .skip(1)
            .map(|tag| tag.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '/').collect());
        of.collect()
    };
    let foreign: Vec<String> = tags(&page).difference(&tags(own)).cloned().collect();
    assert_eq!(foreign, Vec::<String>::new());
    for word in ["<script", "<img", "<link", "url(", "@import", "\u{202e}", "/home/me", "told</u>", "told&"] {
        assert!(!page.contains(word), "{word}");
    }
    assert!(page.contains("default-src 'none'") && !own.contains("|safe"), "nothing is passed by the escaping");
}

#[test]
fn an_estimate_as_markdown() {
    let page = estimate(Page::Markdown);
    insta::assert_snapshot!(page);
    for word in ["<", "[b](", "://", " www.", "@here", " ${", "/home/me"] {
        assert!(!page.contains(word), "{word}");
    }
}

#[test]
fn sums_by_a_column_in_a_table_and_a_csv() {
    let rows = rows();
    let plan = Plan::make(&rows, &Policy::default()).unwrap();
    for by in ["mode", "Endpoint", "x_scene"] {
        let sums = plan.sums(&rows, &Column::of(by)).unwrap();
        let all = sums.groups.iter().fold(crate::plan::Totals::default(), |all, (_, of)| crate::plan::Totals {
            job_count: all.job_count + of.job_count,
            price: all.price.checked_add(of.price).unwrap(),
            capped: all.capped.checked_add(of.capped).unwrap(),
            fee_ceiling: all.fee_ceiling.checked_add(of.fee_ceiling).unwrap(),
            worst_case: all.worst_case.checked_add(of.worst_case).unwrap(),
        });
        assert_eq!(all, plan.totals(), "{by}");
    }
    let not = |by: &str| plan.sums(&rows, &Column::of(by)).unwrap_err();
    let nowhere = |name: &str, meant: &str| {
        crate::plan::sums::NotSummed::Column(crate::plan::column::NoSums::Nowhere {
            name: name.to_owned(),
            meant: Some(meant.to_owned()).filter(|meant| !meant.is_empty()),
        })
    };
    assert_eq!(not("moed"), nowhere("moed", "mode"));
    assert_eq!(not("x_client"), nowhere("x_client", ""));
}
