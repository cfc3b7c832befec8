//! A node, or whatever stands in its place, that means harm.

use super::replay::{stream, unended};
use super::*;
use crate::payer::SendOutcome;
use crate::terminal_text::is_printable;

/// Waits of a client that gives up soon.
fn hasty() -> Waits {
    Waits { connect: Duration::from_secs(5), idle: Duration::from_secs(5), unary: Duration::from_millis(500) }
}

/// What each call about the node itself says.
async fn problems(payer: &LndPayer) -> [Option<NodeProblem>; 3] {
    [payer.node().await.err(), payer.balance().await.err(), payer.newest_settled().await.err()]
}

/// Nothing that such a server says is believed: a send is in doubt, all else is unknown, in harmless words.
async fn is_not_believed(acts: Vec<Act>, answered: bool) {
    let shown = format!("{acts:?}").chars().take(120).collect::<String>();
    let server = Replay::start(vec![acts]).await;
    let payer = waiting_payer(&server.url, hasty());
    let report = pay(&payer, 1_000, 500).await;
    let SendOutcome::InDoubt(words) = &report.outcome else { panic!("{shown}: {report:?}") };
    assert_eq!(report.answered, answered, "{shown}");
    let mut told = vec![words.clone()];
    for found in [payer.look_up(&hash()).await.found, payer.track(&hash(), 500).await.found] {
        let Found::Unknown(problem) = found else { panic!("{shown}: {found:?}") };
        told.push(problem.to_string());
    }
    for problem in problems(&payer).await {
        told.push(problem.unwrap_or_else(|| panic!("{shown}: believed")).to_string());
    }
    for words in told {
        assert!(is_printable(&words) && words.chars().count() < 1_000, "{shown}: {words:?}");
    }
}

#[tokio::test]
async fn heads_and_lines_without_end_are_given_up() {
    let head = |line: &str| vec![Act::Write(format!("HTTP/1.1 200 OK\r\n{}", line.repeat(40_000)).into_bytes())];
    is_not_believed(head("a: 0123456789\r\n"), false).await;
    is_not_believed(head("a long header without an end "), false).await;
    let line = |piece: &str| unended(&vec![piece.repeat(300_000 / piece.len()); 16]);
    for piece in ["x", "[", "{\"result\":", " ", "{\"result\":{\"htlcs\":["] {
        is_not_believed(line(piece), false).await;
    }
}

#[tokio::test]
async fn json_without_bottom_is_not_understood() {
    let deep = |open: &str| open.repeat(100_000);
    for body in [
        deep("["),
        deep(r#"{"result":"#),
        format!(r#"{{"result":{{"fee_msat":{}"#, deep("[")),
        format!(r#"{{"error":{{"code":2,"message":"x","details":[{}"#, deep("[")),
        format!(r#"{{"local_balance":{}"#, deep(r#"{"msat":"#)),
    ] {
        is_not_believed(stream(std::slice::from_ref(&body)), false).await;
        is_not_believed(http(200, &body), false).await;
        is_not_believed(http(500, &body), false).await;
    }
}

#[tokio::test]
async fn html_and_nonsense_are_no_answers() {
    for body in ["<html>\u{1b}[2J welcome \u{202e}</html>", "{}", "[]", "null", "\0\0\0", "\u{feff}{\"result\":{}}"] {
        for status in [200, 203, 206, 404, 500] {
            is_not_believed(http(status, body), false).await;
        }
    }
    is_not_believed(vec![Act::Write(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{}".to_vec()), Act::Close], false)
        .await;
}

#[tokio::test]
async fn a_message_of_escape_sequences_is_told_harmlessly() {
    let words = "\\u001b]0;owned\\u0007\\u009b2J\\u202e\\u2028\\u200b".repeat(500);
    let body = format!(r#"{{"code":2,"message":"{words}","details":[]}}"#);
    let report = sent(http(500, &body)).await;
    let SendOutcome::Refused(crate::payer::PayRefusal::Other(told)) = report.outcome else { panic!("{report:?}") };
    assert!(is_printable(&told) && told.chars().count() < 1_000, "{told:?}");
    let state = http(200, &format!(r#"{{"state":"{words}"}}"#));
    let server = Replay::start(vec![state]).await;
    let told = payer_at(&server.url).node().await.unwrap_err().to_string();
    assert!(is_printable(&told) && told.chars().count() < 1_000, "{told:?}");
}

#[tokio::test]
async fn a_preimage_of_another_length_is_none() {
    let right = HEXLOWER.encode(&PREIMAGE);
    for preimage in ["", "07", &right[..62], &format!("{right}00"), &right.replace('7', "g"), &format!("0x{right}")] {
        let report = sent(stream(&[update("SUCCEEDED", preimage, "FAILURE_REASON_NONE")])).await;
        assert!(matches!(report.outcome, SendOutcome::InDoubt(_)), "{preimage}: {report:?}");
    }
}

#[tokio::test]
async fn a_fee_that_is_none_is_paid_and_not_posted() {
    let preimage = settled().preimage;
    for fee in
        ["\"-1\"", "-1", "\"18446744073709551616\"", "1e999", "\"1e3\"", "1.5", "null", "\"0x10\"", "[1]", "\" 1\""]
    {
        let line = succeeded().replace("\"fee_msat\":\"1005\"", &format!("\"fee_msat\":{fee}"));
        let report = sent(stream(std::slice::from_ref(&line))).await;
        // A number that JSON has not makes the line no message at all.
        if fee == "1e999" {
            assert!(matches!(report.outcome, SendOutcome::InDoubt(_)), "{report:?}");
            continue;
        }
        assert_eq!(report.outcome, SendOutcome::PreimageKnown(preimage), "{fee}");
    }
}

#[tokio::test]
async fn numbers_that_cannot_be_are_not_understood() {
    for number in ["\"-1\"", "\"99999999999999999999999\"", "1e30", "\"\"", "{}", "true"] {
        let balance = http(200, &format!(r#"{{"local_balance":{{"sat":"1","msat":{number}}}}}"#));
        let payments = http(200, &format!(r#"{{"payments":[{{"payment_hash":{number},"status":"SUCCEEDED"}}]}}"#));
        let server = Replay::start(vec![balance, payments]).await;
        let payer = payer_at(&server.url);
        assert!(matches!(payer.balance().await, Err(NodeProblem { kind: ProblemKind::Other(_), .. })), "{number}");
        assert!(
            matches!(payer.newest_settled().await, Err(NodeProblem { kind: ProblemKind::Other(_), .. })),
            "{number}"
        );
    }
}

#[tokio::test]
async fn the_macaroon_goes_nowhere_else() {
    let other = Replay::start(vec![stream(&[succeeded()])]).await;
    for status in [300, 301, 302, 303, 305, 307, 308] {
        let moved = format!("HTTP/1.1 {status} x\r\nLocation: {}/\r\nContent-Length: 0\r\n\r\n", other.url);
        is_not_believed(vec![Act::Write(moved.into_bytes())], false).await;
    }
    assert!(other.requests().is_empty());
    assert_eq!(other.connections(), 0);
}

/// A server that writes a block for ever.
async fn flood(first: &'static str, block: String) -> String {
    use tokio::io::AsyncWriteExt;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let block = block.clone();
            tokio::spawn(async move {
                replay::read_request(&mut stream).await;
                let _ = stream.write_all(first.as_bytes()).await;
                while stream.write_all(block.as_bytes()).await.is_ok() {}
            });
        }
    });
    url
}

#[tokio::test]
async fn a_node_that_never_stops_talking_is_left_in_time() {
    const HEAD: &str = "HTTP/1.1 200 OK\r\n\r\n";
    for (block, in_flight) in [(in_flight().repeat(50), true), ("\n".repeat(50_000), false)] {
        let url = flood(HEAD, block).await;
        let payer = waiting_payer(&url, hasty());
        let report = pay(&payer, 0, 300).await;
        assert_eq!(report.answered, in_flight, "{report:?}");
        assert_eq!(report.outcome == SendOutcome::InFlight, in_flight, "{report:?}");
        let found = payer.track(&hash(), 300).await.found;
        assert_eq!(found == Found::InFlight, in_flight, "{found:?}");
        assert!(problems(&payer).await.iter().all(Option::is_some));
    }
    let url = flood("", "HTTP/1.1 103 Early Hints\r\n\r\n".to_owned()).await;
    let payer = waiting_payer(&url, hasty());
    assert!(matches!(pay(&payer, 0, 300).await.outcome, SendOutcome::InDoubt(_)));
    assert!(problems(&payer).await.iter().all(Option::is_some));
}
