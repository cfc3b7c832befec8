//! Results fetched into files, beside tools that do nothing else.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::far_side::{FarSide, folder, text};
use crate::measure::{self, Sample};
use crate::ours::Buyer;
use crate::row::{Row, print_left_out};
use crate::{Effort, Outcome, count};

const FILES: u32 = 500;
const FILE_KIB: &str = "4883";
const FILE_BYTES_MIN: u64 = 4_883 * 1_024;
/// Enough not to be waited for: the default is a pace for strangers' hosts.
const FETCHES_PER_SECOND: &str = "1000";

/// A tool that fetches many files at once.
struct Peer {
    tool: &'static str,
    what: &'static str,
    /// How it is told of a file: its address, the folder, and the file's name.
    order: fn(&str, &str, usize) -> String,
    /// What a shell does with the file of these orders, and with the folder.
    script: &'static str,
}

const CURL: Peer = Peer {
    tool: "curl",
    what: "`curl --parallel` and `sync`",
    order: |url, folder, number| format!("url = \"{url}\"\noutput = \"{folder}/{number}\"\n"),
    script: r#"curl -q --noproxy '*' --fail --silent --show-error --parallel --config "$0" && sync "$1"/*"#,
};

const ARIA2: Peer = Peer {
    tool: "aria2c",
    what: "`aria2c -j 8` and `sync`",
    order: |url, _, number| format!("{url}\n out={number}\n"),
    script: r#"aria2c --no-conf --no-proxy 127.0.0.1 --quiet -j 8 --input-file "$0" --dir "$1" && sync "$1"/*"#,
};

/// Downloads a batch, in turns with the peers that are installed; each syncs every file.
pub(crate) fn downloads(effort: &Effort) -> Outcome<()> {
    let jobs = effort.jobs.min(FILES);
    let work = format!("{jobs} files of 5 MB downloaded");
    if !count::is_there(CURL.tool) {
        print_left_out(&work, "no curl is installed")?;
    }
    let peers: Vec<Peer> = [CURL, ARIA2].into_iter().filter(|peer| count::is_there(peer.tool)).collect();
    let mut ours = Vec::new();
    let mut theirs: Vec<Vec<Sample>> = peers.iter().map(|_| Vec::new()).collect();
    for _ in 0..effort.rounds {
        let far_side = FarSide::start(0, &["--sandbox-video-kib", FILE_KIB])?;
        let buyer = Buyer::of_videos(&far_side, jobs)?;
        measure::run(&mut buyer.fast_run(64, 64))?;
        far_side.has_delivered(jobs)?;
        for (peer, samples) in peers.iter().zip(&mut theirs) {
            samples.push(peer.measure(&buyer, jobs)?);
        }
        ours.push(by_us(&buyer, jobs)?);
    }
    for (peer, theirs) in peers.iter().zip(&theirs) {
        let row = |what: &str, unit, of: fn(&Sample) -> f64, aim| {
            let [ours, theirs] = [&ours, theirs].map(|samples| samples.iter().map(of).collect::<Vec<_>>());
            let work = format!("{work}: {what}");
            // Whoever is there for context sets no aim.
            let aim = if peer.tool == CURL.tool { aim } else { "" };
            Row { work: &work, unit, ours: &ours, beside: &theirs, what: peer.what, aim }.print()
        };
        row("time", "s", |sample| sample.wall_s, "≤ 1.0")?;
        row("CPU", "CPU s", |sample| sample.cpu_s, "≤ 1.3")?;
    }
    Ok(())
}

fn by_us(buyer: &Buyer<'_>, jobs: u32) -> Outcome<Sample> {
    let videos = folder()?;
    let mut download = buyer.command("download");
    download.arg("--download").arg(videos.path()).args(["--downloads-per-second", FETCHES_PER_SECOND]);
    let sample = measure::run(&mut download)?;
    are_whole(videos.path(), jobs)?;
    Ok(sample)
}

impl Peer {
    fn measure(&self, buyer: &Buyer<'_>, jobs: u32) -> Outcome<Sample> {
        let videos = folder()?;
        let mut orders = String::new();
        let mut results = csv::Reader::from_path(buyer.file("jobs.results.csv"))?;
        let url = results.headers()?.iter().position(|name| name == "url").ok_or("the results have no urls")?;
        for (number, result) in results.records().enumerate() {
            let result = result?;
            let url = result.get(url).ok_or("a result has no url")?;
            orders += &(self.order)(url, text(videos.path())?, number);
        }
        fs::write(buyer.file("orders"), orders)?;
        let mut shell = Command::new("sh");
        shell.args(["-c", self.script]).arg(buyer.file("orders")).arg(videos.path());
        let sample = measure::run(&mut shell)?;
        are_whole(videos.path(), jobs)?;
        Ok(sample)
    }
}

fn are_whole(videos: &Path, jobs: u32) -> Outcome<()> {
    let mut whole = 0;
    for video in fs::read_dir(videos)? {
        let video = video?.metadata()?;
        whole += u32::from(video.is_file() && video.len() >= FILE_BYTES_MIN);
    }
    if whole == jobs { Ok(()) } else { Err(format!("{jobs} files, of which {whole} are there").into()) }
}
