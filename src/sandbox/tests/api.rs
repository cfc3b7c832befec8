//! The stand-in API.

use super::*;

const IMAGE_10S: &str = r#"{"prompt":"Make the person wave hello","image":"iVBORw0KGgo=","duration":10}"#;

#[tokio::test]
async fn both_endpoints_from_the_ask_to_the_video() {
    let bench = Bench::new(quick()).await;
    for (path, body, sats) in [(VIDEO, VIDEO_BODY, 2_750), (ANIMATION, IMAGE_5S, 500), (ANIMATION, IMAGE_10S, 1_000)] {
        let challenge = bench.ask(path, body).await;
        assert_eq!(challenge.amount_msat, sats * 1_000);
        let preimage = bench.preimage(&challenge.invoice).await;
        let credential = format!("L402 {}:{preimage}", challenge.token);
        let (status, answer) = read(bench.post(path, body, Some(&credential)).await).await;
        assert_eq!(status, 200);
        let video = bench.http.get(answer["videoUrl"].as_str().unwrap()).send().await.unwrap();
        assert_eq!(video.headers()["content-type"], "video/mp4");
        assert_eq!(&video.bytes().await.unwrap()[4..8], b"ftyp");
    }
    let books = bench.sandbox.books();
    assert!(books.sales.iter().all(|sale| sale.paid && sale.delivered_count == 1));
    let over_http =
        read(bench.http.get(bench.sandbox.origin.join("sandbox/books").unwrap()).send().await.unwrap()).await;
    assert_eq!(over_http.1, serde_json::to_value(&books).unwrap());
}

#[tokio::test]
async fn whatever_a_server_of_a_test_sells_costs_what_it_says() {
    let bench = Bench::new(quick()).await;
    let (one, two) = ("sandbox/sell/1500/one", "sandbox/sell/2500/two");
    assert_eq!(bench.ask(one, "whatever").await.amount_msat, 1_500);
    let credential = bench.buy(two, "no JSON").await;
    assert_eq!(bench.post(two, "no JSON", Some(&credential)).await.status(), 200);
    for (path, body) in [(one, "no JSON"), (two, "another")] {
        assert_eq!(bench.post(path, body, Some(&credential)).await.status(), 401, "{path} {body}");
    }
    let sold: Vec<_> = bench.sandbox.books().sales.iter().map(|sale| (sale.endpoint.clone(), sale.paid)).collect();
    assert_eq!(sold, [("anything".to_owned(), false), ("anything".to_owned(), true)]);
}

#[tokio::test]
async fn the_same_credential_gives_the_same_video() {
    let bench = Bench::new(quick()).await;
    let credential = bench.buy(VIDEO, VIDEO_BODY).await;
    let (first, again) = (
        read(bench.post(VIDEO, VIDEO_BODY, Some(&credential)).await).await,
        read(bench.post(VIDEO, VIDEO_BODY, Some(&credential.replace("L402", "LSAT"))).await).await,
    );
    assert_eq!((first.0, &first.1), (200, &again.1));
    assert_eq!(bench.sandbox.books().sales[0].delivered_count, 2);
}

#[tokio::test]
async fn identical_requests_get_one_video_within_the_window_and_two_without() {
    for (dedup_s, distinct) in [(600, false), (0, true)] {
        let bench = Bench::new(SandboxOptions { dedup_s, ..quick() }).await;
        let (one, two) = (bench.buy(VIDEO, VIDEO_BODY).await, bench.buy(VIDEO, VIDEO_BODY).await);
        let first = bench.post(VIDEO, VIDEO_BODY, Some(&one)).await;
        let second = bench.post(VIDEO, VIDEO_BODY, Some(&two)).await;
        assert!(!first.headers().contains_key("x-dedup"));
        assert_eq!(second.headers().contains_key("x-dedup"), !distinct);
        assert_eq!(read(first).await.1 != read(second).await.1, distinct);
    }
}

#[tokio::test]
async fn accepted_then_completed() {
    let bench = Bench::new(SandboxOptions { accept: true, accept_ms: 600_000, ..quick() }).await;
    let credential = bench.buy(VIDEO, VIDEO_BODY).await;
    let (status, accepted) = read(bench.post(VIDEO, VIDEO_BODY, Some(&credential)).await).await;
    assert_eq!((status, &accepted["status"]), (202, &json!("processing")));
    let poll = bench.sandbox.origin.join(accepted["poll_url"].as_str().unwrap()).unwrap();
    let (status, polled) = read(bench.http.get(poll).send().await.unwrap()).await;
    assert_eq!((status, &polled["status"]), (200, &json!("processing")));
    assert_eq!(bench.sandbox.books().sales[0].delivered_count, 0);

    let bench = Bench::new(SandboxOptions { accept: true, accept_ms: 0, ..quick() }).await;
    let hash = bench.ask(VIDEO, VIDEO_BODY).await;
    bench.preimage(&hash.invoice).await;
    let unknown = format!("api/l402/job-status?requestId=pred_{}&jobType=video", hash.hash);
    assert_eq!(bench.http.get(bench.sandbox.origin.join(&unknown).unwrap()).send().await.unwrap().status(), 404);
    let credential = bench.buy(VIDEO, VIDEO_BODY).await;
    assert_eq!(bench.post(VIDEO, VIDEO_BODY, Some(&credential)).await.status(), 200);
    let sale = bench.sandbox.books().sales[1].clone();
    let poll = format!("api/l402/job-status?requestId=pred_{}&jobType=video", sale.hash);
    let (_, done) = read(bench.http.get(bench.sandbox.origin.join(&poll).unwrap()).send().await.unwrap()).await;
    assert_eq!(done["status"], "COMPLETED");
    assert_eq!(done["result"]["url"], format!("/videos/{}.mp4", sale.video.unwrap()));
}

#[tokio::test]
async fn a_changed_body_a_wrong_preimage_and_a_forged_token_are_refused() {
    let bench = Bench::new(quick()).await;
    let credential = bench.buy(VIDEO, VIDEO_BODY).await;
    let changed = VIDEO_BODY.replace("5,", "6,");
    let (token, _) = credential.rsplit_once(':').unwrap();
    let wrong = format!("{token}:{}", "00".repeat(32));
    let forged = credential.replacen("L402 Ag", "L402 Aw", 1);
    assert_ne!(forged, credential);
    let refused =
        [(changed.as_str(), credential.as_str()), (VIDEO_BODY, &wrong), (VIDEO_BODY, &forged), (VIDEO_BODY, "L402 x")];
    for (body, credential) in refused {
        let (status, answer) = read(bench.post(VIDEO, body, Some(credential)).await).await;
        assert_eq!((status, &answer["error_code"]), (401, &json!("L402_INVALID_CREDENTIAL")), "{body}");
    }
    assert_eq!(bench.post(VIDEO, VIDEO_BODY, Some(&credential)).await.status(), 200);
}

#[tokio::test]
async fn an_unpaid_credential_is_asked_to_pay_again() {
    let bench = Bench::new(quick()).await;
    let challenge = bench.ask(VIDEO, VIDEO_BODY).await;
    let preimage = crate::sandbox::keys::hex(&bench.sandbox.world.keys.preimage(0));
    let credential = format!("L402 {}:{preimage}", challenge.token);
    let response = bench.post(VIDEO, VIDEO_BODY, Some(&credential)).await;
    assert_eq!(response.status(), 402);
    assert_ne!(Challenge::read(&response).hash, challenge.hash);
}

#[tokio::test]
async fn a_credential_ends() {
    let bench = Bench::new(SandboxOptions { credential_s: 0, ..quick() }).await;
    let credential = bench.buy(VIDEO, VIDEO_BODY).await;
    pause(2).await;
    assert_eq!(bench.post(VIDEO, VIDEO_BODY, Some(&credential)).await.status(), 401);
}

#[tokio::test]
async fn invalid_input_costs_nothing() {
    let bench = Bench::new(quick()).await;
    let response = bench.post(VIDEO, r#"{"prompt":"a","duration":99}"#, None).await;
    assert_eq!(response.headers()["x-error-code"], "INVALID_INPUT");
    let (status, answer) = read(response).await;
    assert_eq!((status, &answer["error_code"]), (400, &json!("INVALID_INPUT")));
    assert!(bench.sandbox.books().sales.is_empty());
    assert_eq!(bench.post("/api/l402/nothing", "{}", None).await.status(), 404);
}

#[tokio::test]
async fn prices_drift_on_demand() {
    for (price_drift_percent, drift_jobs_percent, sats) in [(10, 100, 3_025), (-10, 100, 2_475), (10, 0, 2_750)] {
        let bench = Bench::new(SandboxOptions { price_drift_percent, drift_jobs_percent, ..quick() }).await;
        assert_eq!(bench.ask(VIDEO, VIDEO_BODY).await.amount_msat, sats * 1_000);
    }
}

#[tokio::test]
async fn faults_are_committed() {
    let bench = Bench::new(SandboxOptions { rate_limit_percent: 100, ..quick() }).await;
    let limited = bench.post(VIDEO, VIDEO_BODY, None).await;
    assert_eq!((limited.status().as_u16(), limited.headers()["retry-after"].to_str().unwrap()), (429, "1"));
    let bench = Bench::new(SandboxOptions { fail_origin_percent: 100, ..quick() }).await;
    assert!(bench.post(VIDEO, VIDEO_BODY, None).await.status().is_server_error());
    assert!(bench.sandbox.books().sales.is_empty());
    let bench = Bench::new(SandboxOptions { drop_percent: 100, ..quick() }).await;
    let url = bench.sandbox.origin.join(VIDEO).unwrap();
    let request = bench.http.post(url).header("content-type", "application/json").body(VIDEO_BODY);
    assert!(request.send().await.is_err());
    assert_eq!(bench.sandbox.books().sales.len(), 1);
}

#[tokio::test]
async fn a_part_of_a_video() {
    let bench = Bench::new(quick()).await;
    let credential = bench.buy(VIDEO, VIDEO_BODY).await;
    let (_, answer) = read(bench.post(VIDEO, VIDEO_BODY, Some(&credential)).await).await;
    let url = answer["videoUrl"].as_str().unwrap();
    let part = async |range: &str| bench.http.get(url).header("range", range).send().await.unwrap();
    let some = part("bytes=4-7").await;
    assert_eq!(some.status(), 206);
    assert!(some.headers()["content-range"].to_str().unwrap().starts_with("bytes 4-7/"));
    assert_eq!(some.bytes().await.unwrap().as_ref(), b"ftyp");
    assert_eq!(part("bytes=99999999-").await.status(), 416);
    assert_eq!(
        bench.http.get(bench.sandbox.origin.join("videos/none.mp4").unwrap()).send().await.unwrap().status(),
        404
    );
}

#[tokio::test]
async fn a_restart_keeps_keys_books_and_addresses() {
    let state = tempfile::tempdir().unwrap();
    let first = Bench::at(state.path()).await;
    let credential = first.buy(VIDEO, VIDEO_BODY).await;
    let books = first.sandbox.books();
    let (origin, node, macaroon) = (
        first.sandbox.origin.clone(),
        first.sandbox.node.as_ref().unwrap().url.clone(),
        first.sandbox.node.as_ref().unwrap().macaroon.clone(),
    );
    drop(first.http);
    first.sandbox.stop().await;
    let second = Bench::at(state.path()).await;
    assert_eq!(
        (
            &second.sandbox.origin,
            &second.sandbox.node.as_ref().unwrap().url,
            &second.sandbox.node.as_ref().unwrap().macaroon
        ),
        (&origin, &node, &macaroon)
    );
    assert_eq!(second.sandbox.books(), books);
    assert_eq!(second.post(VIDEO, VIDEO_BODY, Some(&credential)).await.status(), 200);
    assert_ne!(second.ask(VIDEO, VIDEO_BODY).await.hash, books.sales[0].hash);
}

#[tokio::test]
async fn the_files_for_the_client_are_there() {
    let bench = Bench::new(quick()).await;
    let sandbox = &bench.sandbox;
    let catalog = std::fs::read_to_string(sandbox.catalog_file()).unwrap();
    let catalog: toml::Table = catalog.parse().unwrap();
    let url = sandbox.origin.join(ANIMATION).unwrap();
    assert_eq!(catalog["endpoint"]["animate-image"]["url"].as_str(), Some(url.as_str()));
    assert_eq!(
        std::fs::read(sandbox.directory.join("admin.macaroon")).unwrap(),
        HEXLOWER.decode(sandbox.node.as_ref().unwrap().macaroon.as_bytes()).unwrap()
    );
    assert_eq!(
        std::fs::read_to_string(sandbox.certificate_file()).unwrap(),
        sandbox.node.as_ref().unwrap().certificate_pem
    );
    assert!(sandbox.how_to_use("l402-batch").contains(sandbox.node.as_ref().unwrap().url.as_str()));
    assert!(!format!("{sandbox:?}").contains(&sandbox.node.as_ref().unwrap().macaroon));
}
