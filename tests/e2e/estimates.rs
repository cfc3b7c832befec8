//! What it would cost: variants, parts, groups, prices, pages. Nothing of it buys or writes.

use serde_json::Value;

use crate::harness::{Client, Ended, Process, Sandbox};

const SHOTS: &str = "id,endpoint,prompt,duration,mode,x_client\n\
    a,generate-video,A cat,5,pro,Acme\n\
    b,generate-video,A dog,10,standard,Acme\n\
    c,generate-video,A bird,,,\"Ünal, Söhne\"\n";

#[test]
fn variants_stand_side_by_side() {
    let client = Client::alone();
    client.write("shots.csv", SHOTS);
    let compared = client.says("plan shots.csv --compare mode=standard|pro --compare duration=5|20").with(2);
    insta::assert_snapshot!(compared.stdout);
    // As the edited file says it.
    let edited = "id,endpoint,prompt,duration,mode\n\
        a,generate-video,A cat,5,standard\nb,generate-video,A dog,5,standard\nc,generate-video,A bird,5,standard\n";
    client.write("edited.csv", edited);
    let json = |line: &str| serde_json::from_str::<Value>(&client.says(line).with(0).stdout).unwrap();
    let variants = json("plan shots.csv --compare mode=standard --compare duration=5 --json");
    let (variant, plan) = (&variants["variants"][0], json("plan edited.csv --json"));
    for key in ["total_msat", "worst_case_msat", "fingerprint"] {
        assert_eq!(variant[key], plan[key], "{key}");
    }
    assert_eq!((&variant["difference_to_first_msat"], &variants["as_it_is"]["job_count"]), (&0.into(), &3.into()));
    insta::assert_snapshot!(client.says("plan shots.csv --compare mode=standard|max --format csv").with(2).stdout);
    for (words, said) in [
        ("--compare endpoint=a|b", "endpoint is no parameter"),
        ("--compare durration=5|6", "did you mean duration?"),
        ("--compare mode=pro|pro", "pro stands twice"),
        ("--compare mode", "expected KEY=A|B"),
        ("--compare mode=pro --limit 2", "--compare counts every job"),
        ("--compare mode=pro --max-sats 9000 --partial", "--compare counts every job"),
    ] {
        client.says(&format!("plan shots.csv {words}")).with(2).saying(said);
    }
    let limited =
        client.says("plan shots.csv --compare mode=standard|pro --max-sats 7000 --max-sats-per-day 9 --currency EUR");
    let limited = limited.saying("no amounts in fiat").saying("not against max_sats_per_day").with(0);
    assert!(limited.stdout.contains("mode=pro: the worst case is above max_sats of 7,000 sats"), "{}", limited.stdout);
    assert!(!limited.stdout.contains("mode=standard: the worst"), "{}", limited.stdout);
    assert_eq!(client.files(), ["edited.csv", "picture.png", "shots.csv"]);
}

/// `plan`, with the catalogue of the runs.
fn plan_of(client: &Client, line: &str) -> Ended {
    Process::start(client.program().arg("plan").args(&client.node()[..2]).args(line.split_whitespace())).end()
}

/// Two of 910 sats at most, one of 1,360, one of 310.
const PARTS: &str = "id,endpoint,prompt,duration,mode,x_client\n\
    a,generate-video,A cat,3,standard,Acme\n\
    b,generate-video,A dog,3,standard,Acme\n\
    c,generate-video,A bird,3,pro,Baker\n\
    d,generate-video,A fish,3,standard,\n";

#[test]
fn what_fits_is_what_a_run_buys() {
    let sandbox = Sandbox::start("");
    for most in ["905", "1820", "2900", "4100"] {
        let client = Client::of(&sandbox);
        client.write("parts.csv", &PARTS.replace("A ", &format!("{most} ")));
        let flags = format!("parts.csv --partial --max-sats {most}");
        let plan = |format: &str| plan_of(&client, &format!("{flags} {format}"));
        let json: Value = serde_json::from_str(&plan("--json").stdout).unwrap();
        let list = json["partial"].as_array().unwrap();
        let fits = |fits: bool| -> Vec<&str> {
            list.iter().filter(|job| job["fits"] == fits).map(|job| job["id"].as_str().unwrap()).collect()
        };
        if most == "2900" {
            let shown = plan("").stdout;
            let (from, to) = (shown.find("fits for sure").unwrap(), shown.find("prices of").unwrap());
            insta::assert_snapshot!(&shown[from..to]);
        }
        let limits: Vec<&str> = list.iter().filter_map(|job| job["limit"].as_str()).collect();
        assert_eq!(limits, vec!["batch_limit"; fits(false).len()]);
        client.run(&format!("run {flags} --jobs-in-flight 1"));
        let [ids, states] = ["id", "state"].map(|column| client.column("parts.results.csv", column));
        let bought: Vec<&str> =
            ids.iter().zip(&states).filter(|(_, state)| *state == "delivered").map(|(id, _)| id.as_str()).collect();
        assert_eq!(bought, fits(true), "{most}: {list:?}");
    }
}

/// Where all fits, and where nothing is limited, that is said too.
#[test]
fn that_all_fits_is_said() {
    let client = Client::alone();
    client.write("shots.csv", SHOTS);
    let plan = client.says("plan shots.csv --partial").with(0);
    assert!(
        plan.stdout.contains("with --partial: 3 jobs to buy, and all of it fits with the highest routing fees"),
        "{}",
        plan.stdout
    );
    let json: Value = serde_json::from_str(&client.says("plan shots.csv --partial --json").stdout).unwrap();
    assert_eq!(json["partial"].as_array().map(Vec::len), Some(3));
    client.says("plan shots.csv --partial --format csv").with(0).saying("the table and --json list what fits");
}

/// What waits for the first delivery of its origin is bought in the same run: that alone is no reason to end with 8.
#[test]
fn what_waits_for_a_first_delivery_is_foretold_so() {
    let sandbox = Sandbox::start("");
    let client = Client::of(&sandbox);
    client.write("parts.csv", PARTS);
    let flags = "parts.csv --partial --max-sats-new-origin 1000 --max-sats 100000";
    let plan = plan_of(&client, flags).with(0);
    assert!(plan.stdout.contains("waits for the first delivery of its origin"), "{}", plan.stdout);
    client.run(&format!("run {flags} --jobs-in-flight 1")).with(0);
    let none = plan_of(&client, "parts.csv --partial --max-sats-new-origin 10 --max-sats 100000");
    assert!(none.stdout.contains("fits for sure: 0 jobs") || none.stdout.contains("and all of it"), "{}", none.stdout);
}

#[test]
fn groups_add_up_before_and_after() {
    let sandbox = Sandbox::start("");
    let client = Client::of(&sandbox);
    client.write("parts.csv", PARTS);
    let planned: Value =
        serde_json::from_str(&plan_of(&client, "parts.csv --sum-by X-Client --json").with(0).stdout).unwrap();
    let sum = |groups: &Value, key: &str| -> u64 {
        groups["groups"].as_array().unwrap().iter().map(|group| group[key].as_u64().unwrap()).sum()
    };
    assert_eq!(planned["sums"]["by"], "X-Client");
    let values: Vec<&Value> =
        planned["sums"]["groups"].as_array().unwrap().iter().map(|group| &group["value"]).collect();
    assert_eq!(values, [&Value::from("Acme"), &Value::from("Baker"), &Value::Null]);
    for key in ["job_count", "total_msat", "fee_ceiling_msat", "worst_case_msat"] {
        assert_eq!(sum(&planned["sums"], key), planned[key].as_u64().unwrap(), "{key}");
    }
    plan_of(&client, "parts.csv --sum-by x_cleint").with(2).saying("did you mean x_client?");
    let ended = client.run("run parts.csv --limit 3 --sum-by x_client").with(3);
    ended.saying("Acme").saying("Baker");
    let status: Value = serde_json::from_str(&client.says("status parts.csv --sum-by x_client --json").stdout).unwrap();
    assert_eq!(sum(&status["sums"], "spent_msat"), status["spent_msat"].as_u64().unwrap());
    assert_eq!(sum(&status["sums"], "fees_msat"), status["fees_msat"].as_u64().unwrap());
    assert_eq!(sum(&status["sums"], "job_count"), 4);
    client.run("run parts.csv --retake a --limit 1 --sum-by x_client");
    let again: Value = serde_json::from_str(&client.says("status parts.csv --sum-by x_client --json").stdout).unwrap();
    assert!(again["planned_msat"].as_u64() > status["planned_msat"].as_u64(), "a take more: {again}");
    assert_eq!(sum(&again["sums"], "planned_msat"), again["planned_msat"].as_u64().unwrap());
    insta::assert_snapshot!(client.says("status parts.csv --sum-by mode --format csv").stdout);
    client.says("status parts.csv --sum-by nothing").with(2).saying("nothing: no job has anything in such a column");
}

#[test]
fn a_price_list() {
    let client = Client::alone();
    let list = client.says("catalog show --prices --endpoint animate-image --format csv").with(0);
    insta::assert_snapshot!(list.stdout);
    insta::assert_snapshot!(
        "price_table",
        client.says("catalog show --prices --endpoint animate-image").with(0).stdout
    );
    // Each line is what a plan says of such a job.
    let json: Value = serde_json::from_str(&client.says("catalog show --prices --json").with(0).stdout).unwrap();
    let video = json["endpoints"].as_array().unwrap().iter().find(|of| of["endpoint"] == "generate-video").unwrap();
    let prices = video["prices"].as_array().unwrap();
    assert_eq!(prices.len(), 4 * 13);
    let mut csv = "prompt,mode,generate_audio,duration\n".to_owned();
    for price in prices {
        let values = &price["values"];
        let cell = |name: &str| values[name].as_str().map_or_else(|| values[name].to_string(), str::to_owned);
        csv.push_str(&format!("p,{},{},{}\n", cell("mode"), cell("generate_audio"), cell("duration")));
    }
    client.write("all.csv", &csv);
    let plan = client.says("plan all.csv --default endpoint=generate-video --json").with(0);
    let plan: Value = serde_json::from_str(&plan.stdout).unwrap();
    let planned: Vec<&Value> = plan["jobs"].as_array().unwrap().iter().map(|job| &job["price_msat"]).collect();
    assert_eq!(planned, prices.iter().map(|price| &price["price_msat"]).collect::<Vec<_>>());
    client.says("catalog show --format csv").with(2).saying("csv with show --prices");
}

#[test]
fn amounts_in_another_currency_or_none() {
    let client = Client::alone();
    client.write("shots.csv", SHOTS);
    let now = jiff::Timestamp::now();
    client.write("rates.csv", &format!("time,EUR\n2009-01-03,1\n{now},100000\n2999-01-01,7\n"));
    let plan = |flags: &str| client.says(&format!("plan shots.csv --sum-by x_client {flags}"));
    let json = |flags: &str| serde_json::from_str::<Value>(&plan(&format!("{flags} --json")).stdout).unwrap();
    let fiat = json("--rate-file rates.csv")["fiat"].clone();
    // 2,250, 3,000 and 2,250 sats; a sat is a tenth of a cent.
    assert_eq!((&fiat["currency"], &fiat["rate"], &fiat["total"]), (&"EUR".into(), &"100000".into(), &"7.50".into()));
    let groups = json("--rate-file rates.csv")["sums"]["groups"].clone();
    assert_eq!((&groups[0]["fiat"]["total"], &groups[1]["fiat"]["total"]), (&"5.25".into(), &"2.25".into()));
    assert_eq!((&fiat["source"], &fiat["rounding"]), (&"rates.csv".into(), &"up".into()));
    plan("--rate-file rates.csv").with(0).saying("7.50 EUR").saying("(rates.csv), each rounded up");
    for (flags, said) in [
        ("--currency EUR", "no rate_file says what a bitcoin costs in EUR"),
        ("--rate-file rates.csv --currency USD", "rates.csv has no column USD"),
        ("--rate-file none.csv --currency EUR", "none.csv cannot be read"),
    ] {
        let blank = plan(flags).with(0).saying(said);
        assert_eq!(blank.stderr.matches("no amounts in fiat").count(), 1, "said once");
        assert_eq!(json(flags)["fiat"], Value::Null);
    }
    client.write("old.csv", "2009-01-03,1\n");
    plan("--rate-file old.csv --currency EUR").with(0).saying("older than max_rate_age").not_saying(" EUR\n");
}

#[test]
fn an_estimate_to_send() {
    let client = Client::alone();
    client.write("shots.csv", SHOTS);
    let page = client.says("plan shots.csv --sum-by x_client --format html").with(0).stdout;
    let fingerprint: Value = serde_json::from_str(&client.says("plan shots.csv --json").stdout).unwrap();
    for word in ["<title>Estimate: shots</title>", "Ünal, Söhne", fingerprint["fingerprint"].as_str().unwrap()] {
        assert!(page.contains(word), "{word}");
    }
    let text = client.says("plan shots.csv --sum-by x_client --format md").with(0).stdout;
    assert!(text.starts_with("# Estimate: shots\n") && text.contains("| Acme | 2 | 5,250 sats |"), "{text}");
    client.says("plan shots.csv --format html --jobs").with(2).saying("--jobs every job");
    client.says("plan shots.csv --format html --compare mode=pro").with(2).saying("leave --format html or md");
    client.says("batches --format html").with(2).saying("html and md are how `plan` writes an estimate");
    assert_eq!(client.files(), ["picture.png", "shots.csv"]);
}

#[test]
fn rows_that_are_the_same_by_accident_are_said() {
    let client = Client::alone();
    client.write("shots.csv", "id,prompt\na,A cat\nb,A dog\nc,A cat\nd, A cat \n");
    let plan = client.says("plan shots.csv --default endpoint=generate-video").with(0);
    plan.saying("2 jobs ask for the very same as one before them")
        .saying("shots.csv:4")
        .saying("the same is asked for here");
}
