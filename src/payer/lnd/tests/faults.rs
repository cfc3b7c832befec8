//! What goes wrong on the way: split, cut, silent, foreign.

use crate::payer::{PayRefusal, SendOutcome};

use super::replay::{stream, unended};
use super::*;

/// Waits of a client that gives up soon.
fn hasty() -> Waits {
    Waits { connect: Duration::from_secs(5), idle: Duration::from_millis(40), unary: Duration::from_millis(300) }
}

fn is_doubt(report: &SendReport, answered: bool) -> bool {
    report.answered == answered && matches!(report.outcome, SendOutcome::InDoubt(_))
}

/// All but the last act, and then another one.
fn then(mut acts: Vec<Act>, last: Act) -> Vec<Act> {
    acts.push(last);
    acts
}

#[tokio::test]
async fn objects_may_come_split_over_chunks() {
    let whole = [in_flight(), succeeded()].concat();
    let mut acts = vec![Act::Head(200)];
    acts.extend(whole.as_bytes().chunks(7).map(|piece| Act::Chunk(piece.to_vec())));
    acts.push(Act::End);
    assert_eq!(sent(acts).await.outcome, SendOutcome::Settled(settled()));
}

#[tokio::test]
async fn the_last_line_may_lack_its_end() {
    let line = succeeded().trim_end().to_owned();
    assert_eq!(sent(stream(&[in_flight(), line.clone()])).await.outcome, SendOutcome::Settled(settled()));
    // Even where the connection breaks right after the object, the preimage is not lost.
    for last in [Act::Close, Act::Reset] {
        let outcome = sent(then(unended(&[in_flight(), line.clone()]), last)).await.outcome;
        assert!(matches!(outcome, SendOutcome::Settled(_) | SendOutcome::InDoubt(_)), "{outcome:?}");
    }
}

#[tokio::test]
async fn a_stream_that_breaks_leaves_doubt_and_an_answer() {
    let cut = in_flight()[..40].to_owned();
    for acts in [
        stream(&[in_flight()]),
        stream(&[in_flight(), "{\"result\":{\"sta".to_owned()]),
        then(unended(&[in_flight()]), Act::Close),
        then(unended(&[in_flight(), cut]), Act::Close),
        stream(&[in_flight(), "<html>\n".to_owned()]),
        stream(&[in_flight(), r#"{"error":{"code":2,"message":"router shutting down","details":[]}}"#.to_owned()]),
    ] {
        let shown = format!("{acts:?}");
        let report = sent(acts).await;
        assert!(is_doubt(&report, true), "{report:?} {shown}");
        assert_eq!(report.node_time, Some(NODE_TIME));
    }
}

#[tokio::test]
async fn a_reset_is_doubt_whether_or_not_something_came_first() {
    assert!(is_doubt(&sent(vec![Act::Reset]).await, false));
    let report = sent(then(unended(&[in_flight()]), Act::Reset)).await;
    assert!(matches!(report.outcome, SendOutcome::InDoubt(_)), "{report:?}");
}

#[tokio::test]
async fn what_lnd_did_not_form_is_no_answer() {
    for (status, body) in [
        (502, "<html><h1>502 Bad Gateway</h1></html>"),
        (504, ""),
        (500, r#"{"message":"Internal Server Error"}"#),
        (502, r#"{"code":2,"message":"x","details":[]}"#),
        (503, r#"{"code":14,"message":"upstream connect error","details":[]}"#),
        (307, ""),
        (204, ""),
        (200, "<html>welcome</html>"),
        (200, "{}"),
        (200, ""),
    ] {
        let report = sent(http(status, body)).await;
        assert!(is_doubt(&report, false), "{status} {body}: {report:?}");
        assert_eq!(report.node_time, None, "a proxy's clock is not the node's");
        assert!(matches!(looked_up(http(status, body)).await.found, Found::Unknown(_)), "{status} {body}");
    }
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let other = Replay::start(vec![stream(&[succeeded()])]).await;
    let moved = format!("HTTP/1.1 307 X\r\nLocation: {}/\r\nContent-Length: 0\r\n\r\n", other.url);
    assert!(is_doubt(&sent(vec![Act::Write(moved.into_bytes())]).await, false));
    assert!(other.requests().is_empty());
}

#[tokio::test]
async fn an_error_inside_a_200_before_any_message_is_a_refusal() {
    let line = r#"{"error":{"code":6,"message":"payment already exists","details":[]}}"#;
    let report = sent(http(200, line)).await;
    assert_eq!((report.answered, report.outcome), (true, SendOutcome::Refused(PayRefusal::AlreadyKnown)));
}

#[tokio::test]
async fn a_wrong_preimage_is_doubt() {
    let wrong = update("SUCCEEDED", &HEXLOWER.encode(&[8; 32]), "FAILURE_REASON_NONE");
    assert!(is_doubt(&sent(stream(std::slice::from_ref(&wrong))).await, true));
    assert!(matches!(
        looked_up(stream(&[wrong])).await.found,
        Found::Unknown(NodeProblem { kind: ProblemKind::Other(_), .. })
    ));
}

#[tokio::test]
async fn a_preimage_counts_while_other_parts_are_in_flight() {
    let out = update("IN_FLIGHT", &HEXLOWER.encode(&PREIMAGE), "FAILURE_REASON_NONE");
    let preimage = settled().preimage;
    let report = sent(then(unended(&[in_flight(), out.clone()]), Act::Hang)).await;
    assert_eq!((report.answered, report.outcome), (true, SendOutcome::PreimageKnown(preimage)));
    let found = looked_up(then(unended(std::slice::from_ref(&out)), Act::Hang)).await.found;
    assert_eq!(found, Found::PreimageKnown(preimage));
    for acts in [stream(std::slice::from_ref(&out)), then(unended(std::slice::from_ref(&out)), Act::Close)] {
        let server = Replay::start(vec![acts]).await;
        let found = payer_at(&server.url).track(&hash(), PATIENT_MS).await.found;
        assert_eq!(found, Found::PreimageKnown(preimage), "a broken stream takes no preimage back");
    }
    let server = Replay::start(vec![stream(&[out, succeeded()])]).await;
    assert_eq!(payer_at(&server.url).track(&hash(), PATIENT_MS).await.found, Found::Settled(settled()));
}

#[tokio::test]
async fn a_line_without_end_is_given_up() {
    let endless = vec!["x".repeat(300_000); 4];
    assert!(is_doubt(&sent(then(unended(&endless), Act::Hang)).await, false));
}

#[tokio::test]
async fn patience_over_is_in_flight_only_where_lnd_has_it() {
    let silent = Replay::start(vec![vec![Act::Hang]]).await;
    assert!(is_doubt(&pay(&payer_at(&silent.url), 0, 30).await, false));
    let mute = Replay::start(vec![vec![Act::Head(200), Act::Hang]]).await;
    assert!(is_doubt(&pay(&payer_at(&mute.url), 0, 30).await, false));
    // How long a machine takes for the first message is not ours to know: be more patient until it came.
    for patience_ms in [30, 300, 3_000, PATIENT_MS] {
        let server = Replay::start(vec![then(unended(&[in_flight()]), Act::Hang)]).await;
        let report = pay(&payer_at(&server.url), 0, patience_ms).await;
        if report.answered {
            return assert_eq!(report.outcome, SendOutcome::InFlight);
        }
        assert!(is_doubt(&report, false), "{report:?}");
    }
    panic!("no message came");
}

#[tokio::test]
async fn a_silent_track_is_asked_anew() {
    for idle_ms in [30, 300, 3_000] {
        let server = Replay::start(vec![then(unended(&[in_flight()]), Act::Hang), stream(&[succeeded()])]).await;
        let payer = waiting_payer(&server.url, Waits { idle: Duration::from_millis(idle_ms), ..Waits::default() });
        match payer.track(&hash(), PATIENT_MS).await.found {
            Found::Unknown(NodeProblem { kind: ProblemKind::Unreachable(_), .. }) => {}
            found => {
                assert_eq!(found, Found::Settled(settled()));
                return assert_eq!(server.requests().len(), 2);
            }
        }
    }
    panic!("no message came");
}

#[tokio::test]
async fn a_track_follows_to_the_end_and_a_look_up_does_not() {
    let acts = stream(&[in_flight(), in_flight(), succeeded()]);
    assert_eq!(looked_up(acts.clone()).await.found, Found::InFlight);
    let server = Replay::start(vec![acts]).await;
    assert_eq!(payer_at(&server.url).track(&hash(), PATIENT_MS).await.found, Found::Settled(settled()));
}

#[tokio::test]
async fn a_node_that_stays_silent_is_unknown() {
    let server = Replay::start(vec![vec![Act::Hang]]).await;
    let payer = waiting_payer(&server.url, hasty());
    for found in [payer.look_up(&hash()).await.found, payer.track(&hash(), 1_000).await.found] {
        assert!(matches!(found, Found::Unknown(NodeProblem { kind: ProblemKind::Unreachable(_), .. })), "{found:?}");
    }
    assert!(matches!(payer.node().await, Err(NodeProblem { kind: ProblemKind::Unreachable(_), .. })));
}

#[tokio::test]
async fn a_killed_node_refuses_the_connection() {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let payer = payer_at(&format!("http://127.0.0.1:{port}"));
    assert!(is_doubt(&pay(&payer, 0, PATIENT_MS).await, false));
    let problem = payer.look_up(&hash()).await.found;
    assert!(matches!(problem, Found::Unknown(NodeProblem { kind: ProblemKind::Unreachable(_), .. })), "{problem:?}");
}

#[tokio::test]
async fn a_stale_connection_never_makes_a_second_post() {
    let one = then(stream(&[succeeded()]), Act::Close);
    let server = Replay::start(vec![one, vec![Act::Reset], stream(&[succeeded()])]).await;
    let payer = payer_at(&server.url);
    assert_eq!(pay(&payer, 0, PATIENT_MS).await.outcome, SendOutcome::Settled(settled()));
    assert!(is_doubt(&pay(&payer, 0, PATIENT_MS).await, false));
    assert!(server.requests().len() <= 2, "a POST was sent twice");
}

#[tokio::test]
async fn connections_are_used_again() {
    const SENDS: usize = 20;
    let server = Replay::start(vec![stream(&[in_flight(), succeeded()])]).await;
    let payer = payer_at(&server.url);
    for _ in 0..SENDS {
        assert_eq!(pay(&payer, 0, PATIENT_MS).await.outcome, SendOutcome::Settled(settled()));
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert!(server.connections() < SENDS, "{} connections", server.connections());
}
