//! Jobs with a picture: their bodies are files, which are built before the ask and named by the intent.

use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tempfile::TempDir;

use super::crash::stopped_at;
use super::ledger::Stop;
use super::shop::{Act, Kind};
use super::store::Store;
use super::world::{HOUR, Wish, World, wishes};
use crate::event::Event;
use crate::ledger::OpenMode;
use crate::ledger::sqlite::SqliteLedger;
use crate::purchase::{JobState, Reason};
use crate::run::Controller;

/// A ledger in a file, and jobs that each have a picture.
struct Pictured {
    world: World,
    folder: TempDir,
}

impl Pictured {
    fn new(jobs: usize) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut wishes = wishes(jobs);
        for wish in &mut wishes {
            let picture = folder.path().join(format!("{}.png", wish.id));
            std::fs::write(&picture, wish.id.repeat(25_000)).unwrap();
            wish.picture = Some(picture);
        }
        Self::of(folder, &wishes)
    }

    fn of(folder: TempDir, wishes: &[Wish]) -> Self {
        let ledger = SqliteLedger::open(&folder.path().join("ledger.db"), OpenMode::Write).unwrap();
        Self { world: World::on(Store::Sqlite(Box::new(ledger)), wishes), folder }
    }

    fn bodies(&self) -> PathBuf {
        self.folder.path().join("ledger.db.bodies")
    }

    fn files(&self) -> Vec<PathBuf> {
        std::fs::read_dir(self.bodies()).unwrap().map(|file| file.unwrap().path()).collect()
    }

    /// Waits until the first job was redeemed once.
    async fn redeemed(&self) {
        while self.world.shop.times(Kind::Redeem, "j001").is_empty() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

pub(super) async fn a_run_with_a_picture_stopped_at_any_commit_is_finished_by_the_next() {
    let scripted = || {
        let pictured = Pictured::new(2);
        pictured.world.shop.script(Kind::Redeem, "j001", [Act::Drop, Act::Accept]);
        pictured
    };
    let whole = scripted();
    whole.world.buy(HOUR).await;
    whole.world.audit_all_delivered();
    assert_eq!(whole.files(), Vec::<PathBuf>::new(), "what is delivered needs no body");
    for number in 1..=whole.world.ledger.commits() {
        for stop in [Stop::Before(number), Stop::After(number)] {
            let pictured = scripted();
            stopped_at(&pictured.world, stop).await;
            for _ in 0..2 {
                pictured.world.buy(3 * HOUR).await;
                pictured.world.audit();
            }
            pictured.world.audit_all_delivered();
            assert_eq!(pictured.files(), Vec::<PathBuf>::new(), "{stop:?}");
        }
    }
}

/// One job is paid for by the time at which the body of the next cannot be written.
pub(super) async fn what_cannot_be_kept_stops_the_buying_and_what_is_paid_goes_on() {
    let mut wishes = wishes(3);
    let folder = tempfile::tempdir().unwrap();
    let picture = folder.path().join("picture.png");
    std::fs::write(&picture, [7; 100_000]).unwrap();
    wishes[1].picture = Some(picture);
    let mut pictured = Pictured::of(folder, &wishes);
    std::fs::write(pictured.bodies(), "no folder").unwrap();
    pictured.world.settings.payments_in_flight = 1;
    pictured.world.shop.script(Kind::Redeem, "j001", [Act::Slow(5_000)]);
    pictured.world.buy(HOUR).await;
    assert_eq!(pictured.world.state_of("j001").0, JobState::Delivered);
    assert_eq!(pictured.world.state_of("j002"), (JobState::Pending, Reason::None));
    assert_eq!(pictured.world.state_of("j003"), (JobState::Pending, Reason::None));
    let is_told = |event: &&Event| matches!(event, Event::Paused { cause } if cause.contains("ledger.db.bodies: "));
    assert_eq!(pictured.world.heard.0.borrow().iter().filter(is_told).count(), 1);
    std::fs::remove_file(pictured.bodies()).unwrap();
    pictured.world.buy(HOUR).await;
    pictured.world.audit_all_delivered();
}

/// Whoever builds a body finds that its picture has changed: nobody does before a slot is near.
pub(super) async fn no_picture_is_read_before_its_job_may_be_asked_for() {
    let mut pictured = Pictured::new(3);
    for wish in &pictured.world.wishes[1..] {
        std::fs::write(wish.picture.as_ref().unwrap(), "another").unwrap();
    }
    pictured.world.settings.payments_in_flight = 1;
    pictured.world.shop.script(Kind::Ask, "j001", [Act::Slow(500)]);
    let (controller, control) = Controller::new();
    let stop = async {
        tokio::time::sleep(Duration::from_millis(200)).await;
        controller.stop_buying();
    };
    let (outcome, ()) = tokio::join!(pictured.world.try_buy(HOUR, control), stop);
    outcome.unwrap();
    assert_eq!(pictured.world.in_state(JobState::Pending), 3, "{:?}", pictured.world.standing());
}

/// Its file is changed between two redeems, and its length is what it was.
pub(super) async fn a_body_that_changes_once_it_is_paid_for_is_made_anew() {
    let pictured = Pictured::new(1);
    pictured.world.shop.script(Kind::Redeem, "j001", [Act::Drop]);
    let change = async {
        pictured.redeemed().await;
        for file in pictured.files() {
            std::fs::OpenOptions::new().write(true).open(file).unwrap().write_all_at(b"AAAA", 50_000).unwrap();
        }
    };
    tokio::join!(pictured.world.buy(HOUR), change);
    pictured.world.audit_all_delivered();
    assert_eq!(pictured.world.shop.times(Kind::Redeem, "j001").len(), 2);
}

pub(super) async fn while_it_is_waited_for_no_body_is_open() {
    let pictured = Pictured::new(2);
    pictured.world.shop.always(Kind::Redeem, "shop.example", Act::Accept);
    pictured.world.shop.script(Kind::Poll, "j001", [Act::Accept, Act::Accept]);
    let look = async {
        while pictured.world.shop.times(Kind::Poll, "j001").is_empty() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        open_in(&pictured.bodies())
    };
    let (_, open) = tokio::join!(pictured.world.buy(HOUR), look);
    assert_eq!(open, 0);
    pictured.world.audit_all_delivered();
}

/// How many of this process's open files are in that folder.
fn open_in(folder: &Path) -> usize {
    let Ok(all) = std::fs::read_dir("/proc/self/fd") else { return 0 };
    let links = all.filter_map(|open| std::fs::read_link(open.ok()?.path()).ok());
    links.filter(|target| target.starts_with(folder)).count()
}
