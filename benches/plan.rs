//! Planning a million-row CSV, against the bare `csv` crate reading the same file.
//!
//! ```text
//! cargo bench --bench plan
//! ```
//!
//! The yardstick is `csv_string_record`: `csv::Reader::read_record` into one `StringRecord` that is used again, which is the
//! least that a program does that reads the cells as text. `csv_byte_record` shows what is left where nobody asks whether the
//! bytes are text. `plan` is `Manifest::open` (with the SHA-256 of the whole file) and `Plan::make`, which is all that
//! the command `plan` does before it prints. The last lines are ratios of interleaved runs, so that a busy machine
//! slows both sides alike.
//!
//! Peak memory is a matter of a whole process; the files stay where `PLAN_BENCH_DIR` says, if it says so:
//!
//! ```text
//! PLAN_BENCH_DIR=/tmp/plan-bench cargo bench --bench plan
//! cargo build --release
//! /usr/bin/time -v target/release/l402-batch plan /tmp/plan-bench/made.csv --quiet
//! /usr/bin/time -v target/release/l402-batch plan /tmp/plan-bench/given.csv --quiet
//! ```
//!
//! "Maximum resident set size" must stay below 64 MiB and 32 bytes for each row: 96,786 KiB for the million.

use std::error::Error;
use std::fs::File;
use std::hint::black_box;
use std::io::{BufWriter, Write as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use criterion::{Criterion, Throughput};
use l402_batch::manifest::{Manifest, OpenOptions};
use l402_batch::plan::{Plan, Policy};

const ROWS: u64 = 1_000_000;
/// How often the interleaved comparison reads and plans each file.
const ROUNDS: usize = 15;

const SUBJECTS: [&str; 8] = [
    "A red fox",
    "An old lighthouse keeper",
    "A paper boat",
    "Two astronauts",
    "A street musician",
    "A humpback whale",
    "A brass clockwork owl",
    "A field of sunflowers",
];
const DEEDS: [&str; 7] = [
    "crossing a frozen river",
    "turning slowly towards the camera",
    "drifting through morning fog",
    "dancing in the rain",
    "waiting under a broken street lamp",
    "rising out of the dark water",
    "watching a storm come closer",
];
const LOOKS: [&str; 5] = [
    "cinematic, shallow depth of field",
    "hand-held, 35 mm film grain",
    "slow dolly, golden hour",
    "top-down, pastel colours",
    "neon light, wide angle",
];

fn main() -> Result<(), Box<dyn Error>> {
    let mut criterion = Criterion::default().configure_from_args();
    let folder = Folder::new()?;
    for (name, has_ids) in [("made", false), ("given", true)] {
        let path = folder.path().join(format!("{name}.csv"));
        write(&path, has_ids)?;
        check(&path)?;
        measure(&mut criterion, name, &path);
        compare(name, &path)?;
    }
    criterion.final_summary();
    Ok(())
}

/// Where the files stand: for good where a person says so, else as long as the bench runs.
enum Folder {
    Kept(PathBuf),
    Temporary(tempfile::TempDir),
}

impl Folder {
    fn new() -> std::io::Result<Self> {
        match std::env::var_os("PLAN_BENCH_DIR") {
            Some(folder) => {
                std::fs::create_dir_all(&folder)?;
                Ok(Self::Kept(folder.into()))
            }
            None => tempfile::tempdir().map(Self::Temporary),
        }
    }

    fn path(&self) -> &Path {
        match self {
            Self::Kept(path) => path,
            Self::Temporary(folder) => folder.path(),
        }
    }
}

/// A million jobs of 60 to 110 characters of prompt, a few of them identical requests, as a spreadsheet would save them.
fn write(path: &Path, has_ids: bool) -> Result<(), Box<dyn Error>> {
    let mut out = BufWriter::new(File::create(path)?);
    let id_header = if has_ids { "id," } else { "" };
    writeln!(out, "{id_header}endpoint,prompt,duration,mode,generate_audio,x_scene")?;
    let mut random = 0x2545_f491_4f6c_dd1d_u64;
    for row in 0..ROWS {
        // One in a thousand is the row before once more.
        let is_twin = row % 1_000 == 999;
        if !is_twin {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
        }
        let pick = |words: &[&'static str], shift: u32| -> &'static str {
            let at = usize::try_from((random >> shift) & 0xffff).unwrap_or_default() % words.len();
            words.get(at).copied().unwrap_or_default()
        };
        if has_ids {
            write!(out, "shot-{row:07},")?;
        }
        let take = row - u64::from(is_twin);
        let (subject, deed, look) = (pick(&SUBJECTS, 0), pick(&DEEDS, 8), pick(&LOOKS, 16));
        let (duration, mode) = (3 + (random >> 24) % 13, pick(&["standard", "pro", ""], 32));
        let audio = pick(&["true", "false", ""], 40);
        let scene = row / 40;
        writeln!(
            out,
            "generate-video,\"{subject} {deed}, {look}, take {take}, no text\",{duration},{mode},{audio},scene {scene}"
        )?;
    }
    out.into_inner()?.sync_all()?;
    Ok(())
}

/// What is measured does what it should.
fn check(path: &Path) -> Result<(), Box<dyn Error>> {
    let counts = [string_records(path)?, byte_records(path)?, plan(path).ok_or("the file has no plan")?];
    if counts == [ROWS; 3] { Ok(()) } else { Err(format!("not all rows were read: {counts:?}").into()) }
}

fn string_records(path: &Path) -> Result<u64, csv::Error> {
    let mut reader = csv::Reader::from_path(path)?;
    let (mut record, mut count) = (csv::StringRecord::new(), 0);
    while reader.read_record(&mut record)? {
        count += u64::from(!black_box(&record).is_empty());
    }
    Ok(count)
}

fn byte_records(path: &Path) -> Result<u64, csv::Error> {
    let mut reader = csv::Reader::from_path(path)?;
    let (mut record, mut count) = (csv::ByteRecord::new(), 0);
    while reader.read_byte_record(&mut record)? {
        count += u64::from(!black_box(&record).is_empty());
    }
    Ok(count)
}

fn plan(path: &Path) -> Option<u64> {
    let manifest = Manifest::open(&OpenOptions { path: path.to_owned(), ..OpenOptions::default() }).ok()?;
    let plan = Plan::make(&manifest, &Policy::default()).ok()?;
    black_box(manifest.sha256().ok()?);
    Some(black_box(&plan).totals().job_count)
}

fn measure(criterion: &mut Criterion, name: &str, path: &Path) {
    let mut group = criterion.benchmark_group(format!("plan/{name}"));
    group.throughput(Throughput::Elements(ROWS)).sample_size(10).measurement_time(Duration::from_secs(8));
    group.bench_function("csv_byte_record", |bencher| bencher.iter(|| black_box(byte_records(path))));
    group.bench_function("csv_string_record", |bencher| bencher.iter(|| black_box(string_records(path))));
    group.bench_function("plan", |bencher| bencher.iter(|| black_box(plan(path))));
    group.finish();
}

/// Prints how many times longer planning takes than reading: by the medians of time on the clock; by the best of each,
/// which come nearest to a machine that does nothing else; by neighbours in time; and by processor time.
fn compare(name: &str, path: &Path) -> Result<(), Box<dyn Error>> {
    let mut taken: [Vec<f64>; 3] = Default::default();
    let mut cpu = [0.0; 3];
    let works: [&dyn Fn(); 3] = [&|| hide(string_records(path)), &|| hide(byte_records(path)), &|| hide(plan(path))];
    for _ in 0..ROUNDS {
        for ((work, taken), cpu) in works.iter().zip(&mut taken).zip(&mut cpu) {
            let (start, cpu_start) = (Instant::now(), cpu_seconds());
            work();
            taken.push(start.elapsed().as_secs_f64());
            *cpu += cpu_seconds() - cpu_start;
        }
    }
    let [texts, bytes, plans] = &taken;
    let neighbours = median(plans.iter().zip(texts).map(|(plan, text)| plan / text));
    let [text, byte, plan] = [texts, bytes, plans].map(|times| median(times.iter().copied()));
    let [best_text, _, best_plan] = [texts, bytes, plans].map(|times| times.iter().copied().fold(f64::NAN, f64::min));
    let [text_cpu, byte_cpu, plan_cpu] = cpu;
    writeln!(
        std::io::stdout(),
        "plan/{name}: StringRecord {text:.3} s, ByteRecord {byte:.3} s, plan {plan:.3} s; \
         plan / StringRecord = {:.2} (best {best_plan:.3} / {best_text:.3} = {:.2}, neighbours {neighbours:.2}, \
         processor {:.2}), plan / ByteRecord = {:.2} (processor {:.2})",
        plan / text,
        best_plan / best_text,
        plan_cpu / text_cpu,
        plan / byte,
        plan_cpu / byte_cpu,
    )?;
    Ok(())
}

fn hide<T>(result: T) {
    black_box(result);
}

/// Processor time of the whole process so far, in seconds, where Linux tells it: user and system time in hundredths.
fn cpu_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields = stat.rsplit(')').next().unwrap_or_default();
    fields.split_whitespace().skip(11).take(2).filter_map(|ticks| ticks.parse::<f64>().ok()).sum::<f64>() / 100.0
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}
