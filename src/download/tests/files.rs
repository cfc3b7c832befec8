//! The part and the file on the disk.

use super::*;

#[tokio::test]
async fn a_part_that_is_removed_under_the_hands_concerns_its_file_alone() {
    local(async {
        let folder: std::rc::Rc<RefCell<PathBuf>> = std::rc::Rc::default();
        let seen = std::rc::Rc::clone(&folder);
        let place = Fixture::of(async move |n, _, mut stream: TcpStream| {
            let whole = video(10_000);
            send(&mut stream, "HTTP/1.1 200 x\nContent-Length: 10000\nConnection: close", &whole[..5_000]).await;
            let part = seen.borrow().join("kite.mp4.part");
            if n == 0 {
                for _ in 0..500 {
                    if std::fs::metadata(&part).is_ok_and(|about| about.len() > 0) {
                        break;
                    }
                    tokio::time::sleep(Duration::from_millis(2)).await;
                }
                std::fs::remove_file(&part).unwrap();
                std::fs::write(&part, "somebody's").unwrap();
            }
            let _ = stream.write_all(&whole[5_000..]).await;
        })
        .await;
        *folder.borrow_mut() = place.folder.path().to_owned();
        let fetched = place.fetch().await;
        assert_eq!(fetched.trouble, None);
        assert_eq!(place.content(), Some(video(10_000)));
        assert_eq!(std::fs::read(place.path("kite.mp4.part")).unwrap(), b"somebody's");
    })
    .await;
}

#[tokio::test]
async fn a_part_that_is_removed_before_it_is_thrown_away_halts_nothing() {
    local(async {
        let folder: std::rc::Rc<RefCell<PathBuf>> = std::rc::Rc::default();
        let seen = std::rc::Rc::clone(&folder);
        let place = Fixture::of(async move |_, _, mut stream: TcpStream| {
            send(&mut stream, "HTTP/1.1 200 x\nContent-Length: 9000\nConnection: close", b"<!doctype html>").await;
            let part = seen.borrow().join("kite.mp4.part");
            for _ in 0..500 {
                if std::fs::remove_file(&part).is_ok() {
                    break;
                }
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
            let _ = stream.write_all(&[b' '; 8_985][..]).await;
        })
        .await;
        *folder.borrow_mut() = place.folder.path().to_owned();
        let fetched = place.fetch().await;
        assert_eq!(fetched.trouble, None);
        place.failed_with(Reason::UrlGone, "a page");
    })
    .await;
}

#[tokio::test]
async fn what_is_in_a_whole_part_is_looked_at_before_it_gets_its_name() {
    local(async {
        let place = Fixture::of(async |_, _, mut stream: TcpStream| {
            send(&mut stream, "HTTP/1.1 200 x\nContent-Length: 5000\nConnection: close", &video(5_000)).await;
        })
        .await;
        let file = place.path("kite.mp4").to_str().unwrap().to_owned();
        let sha256 = Some(Sha256::digest(video(5_000)).into());
        place.ledger.job.borrow_mut().mark = Some(FetchMark { file, resume: None, sha256 });
        std::fs::write(place.path("kite.mp4.part"), "edited").unwrap();
        place.fetch().await;
        assert_eq!(place.content(), Some(video(5_000)));
        assert_eq!(place.requests(), 1);
    })
    .await;
}

#[tokio::test]
async fn a_name_is_another_jobs_for_good_even_where_its_file_was_moved_away() {
    local(async {
        let place = Fixture::of(async |_, _, mut stream: TcpStream| {
            send(&mut stream, "HTTP/1.1 200 x\nContent-Length: 5000\nConnection: close", &video(5_000)).await;
        })
        .await;
        *place.ledger.anothers.borrow_mut() = place.path("kite.mp4").to_str().unwrap().to_owned();
        place.fetch().await;
        assert_eq!(place.content(), Some(video(5_000)));
        assert!(place.path("kite-2.mp4").exists() && !place.path("kite.mp4").exists());
    })
    .await;
}

#[tokio::test]
async fn the_part_of_another_folder_is_left_alone() {
    local(async {
        let place = Fixture::of(async |_, _, mut stream: TcpStream| {
            send(&mut stream, "HTTP/1.1 200 x\nContent-Length: 5000\nConnection: close", &video(5_000)).await;
        })
        .await;
        let before = tempfile::tempdir().unwrap();
        let file = before.path().join("kite.mp4").to_str().unwrap().to_owned();
        std::fs::write(before.path().join("kite.mp4.part"), "begun").unwrap();
        place.ledger.job.borrow_mut().mark = Some(FetchMark { file, resume: None, sha256: None });
        place.fetch().await;
        assert_eq!(place.content(), Some(video(5_000)));
        assert!(place.path("kite.mp4").exists());
        assert_eq!(std::fs::read(before.path().join("kite.mp4.part")).unwrap(), b"begun");
    })
    .await;
}
