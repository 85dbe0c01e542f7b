//! `thenar batch`: many captures, one after the other or some at a time, each in a process of its own.
//!
//! Every capture gets a run folder in the output folder, `jobs/NAME.json` (what was asked for and how it ended) and
//! `jobs/NAME.log` (what its process said). Work that is done is recognised by the hash of the input, the arguments and the
//! version, and skipped; work that was cut off goes on from its checkpoint. A run of other input or arguments is kept under
//! another name. A capture that fails stops nobody else.

mod job;
mod shape;
mod summary;

use super::args::Setting;
use super::interrupt::Interrupt;
use super::{CliError, Exit};
use job::{Job, Plan, State};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Arguments of `thenar batch`.
#[derive(Clone, Debug, PartialEq, clap::Args)]
pub struct BatchArgs {
    /// A folder of captures, one capture, or a text file with the path of a capture a line (from its own folder; # begins a
    /// comment).
    #[arg(value_name = "DIR|LIST")]
    pub captures: PathBuf,
    /// Folder for the runs and the summary.
    #[arg(short, long = "output", value_name = "OUT")]
    pub output: PathBuf,
    /// Reconstructions at a time; they share processors and graphics device.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=64))]
    pub jobs: u16,
    /// All captures show one person: fit all of them first, then give each reconstruction the shape they have in common.
    #[arg(long)]
    pub shared_shape: bool,
    /// Preset, as for `reconstruct`.
    #[arg(long, value_name = "NAME|FILE.ron")]
    pub preset: Option<String>,
    /// Change one setting of the preset; may be repeated.
    #[arg(long, value_name = "KEY=VALUE")]
    pub set: Vec<Setting>,
    /// Further arguments of `reconstruct`, after `--`: `thenar batch DIR -o OUT -- --hands right --until fit`.
    #[arg(last = true, value_name = "ARGUMENTS")]
    pub reconstruct: Vec<String>,
}

impl BatchArgs {
    /// Arguments of `reconstruct` that all captures share.
    fn shared(&self) -> Vec<String> {
        let mut all = Vec::new();
        all.extend(self.preset.iter().flat_map(|preset| ["--preset".to_owned(), preset.clone()]));
        all.extend(self.set.iter().flat_map(|s| ["--set".to_owned(), format!("{}={}", s.key, s.value)]));
        all.extend(self.reconstruct.iter().cloned());
        all
    }
}

/// How often running processes are looked at.
const PATIENCE: Duration = Duration::from_millis(50);

struct Running {
    job: Job,
    child: Child,
    began: Instant,
}

pub(super) fn run(args: &BatchArgs, out: &mut dyn Write) -> Result<Exit, CliError> {
    let mut shared = args.shared();
    for reserved in ["-o", "--output", "--resume"] {
        if shared.iter().any(|word| word == reserved) {
            return Err(CliError::Usage(format!("{reserved} is set by `batch` itself")));
        }
    }
    let captures = captures(&args.captures)?;
    let interrupt = Interrupt::install_saying("stopping: reconstructions under way save their state, no other begins")?;
    if args.shared_shape {
        let fits =
            work(&captures, &args.output.join(shape::FOLDER), &shape::fit_alone(&shared), args.jobs, &interrupt)?;
        if interrupt.requested() {
            return Ok(Exit::Interrupted);
        }
        if let Some(found) = shape::Shared::of(&fits)? {
            tracing::info!("{found}");
            found.write(&args.output)?;
            shared.extend(found.arguments());
        }
    }
    let ended = work(&captures, &args.output, &shared, args.jobs, &interrupt)?;
    let table = summary::table(&ended);
    table.write(&args.output.join("summary.csv"))?;
    write!(out, "{table}")?;
    let bad: Vec<&Job> = ended.iter().filter(|j| j.record.state == State::Failed).collect();
    for job in &bad {
        tracing::warn!("{} failed: {}", job.name, job.record.message.as_deref().unwrap_or("see its log"));
    }
    Ok(if interrupt.requested() {
        Exit::Interrupted
    } else if bad.is_empty() {
        Exit::Done
    } else {
        Exit::Gate
    })
}

/// Reconstructs all captures into run folders in `output`, `at_a_time` processes at a time; what is done already is skipped.
/// Returns what became of each, in order.
fn work(
    captures: &[PathBuf],
    output: &Path,
    arguments: &[String],
    at_a_time: u16,
    interrupt: &Interrupt,
) -> Result<Vec<Job>, CliError> {
    let jobs = output.join("jobs");
    std::fs::create_dir_all(&jobs).map_err(|e| CliError::Other(anyhow::anyhow!("{}: {e}", jobs.display())))?;
    let program = std::env::current_exe()?;
    let mut waiting = job::named(captures, output).into_iter();
    let (mut running, mut ended): (Vec<Running>, Vec<Job>) = (Vec::new(), Vec::new());
    loop {
        while running.len() < usize::from(at_a_time) && !interrupt.requested() {
            let Some(mut job) = waiting.next() else { break };
            match job.plan(arguments)? {
                Plan::Skip => {
                    say(&job, "was done before");
                    ended.push(job);
                }
                Plan::Refuse(why) => {
                    job.fail(Exit::Input as i32, &why)?;
                    say(&job, &why);
                    ended.push(job);
                }
                Plan::Run { resume } => {
                    let child = start(&program, &job, arguments, resume)?;
                    say(&job, if resume { "goes on" } else { "begins" });
                    running.push(Running { job, child, began: Instant::now() });
                }
            }
        }
        if running.is_empty() {
            break;
        }
        let mut still = Vec::new();
        for mut one in running {
            match one.child.try_wait()? {
                None => still.push(one),
                Some(status) => {
                    one.job.end(status.code(), one.began.elapsed())?;
                    say(&one.job, one.job.ending());
                    ended.push(one.job);
                }
            }
        }
        running = still;
        std::thread::sleep(PATIENCE);
    }
    ended.extend(waiting);
    ended.sort_by_key(|job| job.order);
    Ok(ended)
}

fn say(job: &Job, what: &str) {
    tracing::info!("{}: {what}", job.name);
}

/// Starts `thenar reconstruct` on a job; what it says goes to the job's log, after what it said before.
fn start(program: &Path, job: &Job, shared: &[String], resume: bool) -> Result<Child, CliError> {
    let log = std::fs::OpenOptions::new().create(true).append(true).open(job.log())?;
    let mut command = Command::new(program);
    command.arg("reconstruct").arg(&job.capture).arg("-o").arg(&job.run).args(shared);
    if resume {
        command.arg("--resume");
    }
    command.args(["--progress", "none"]).stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
    Ok(command.spawn()?)
}

/// The captures that are meant, in order.
fn captures(path: &Path) -> Result<Vec<PathBuf>, CliError> {
    let unusable = |problem: &str, remedy: &str| crate::capture::CaptureError::unusable(path, problem, remedy);
    let found: Vec<PathBuf> = if path.is_file() {
        let folder = path.parent().unwrap_or_else(|| Path::new("."));
        let text = std::fs::read_to_string(path)
            .map_err(|_| unusable("is no text file", "Give a list with a path a line, or a folder"))?;
        let lines = text.lines().map(|line| line.split('#').next().unwrap_or_default().trim());
        lines.filter(|line| !line.is_empty()).map(|line| folder.join(line)).collect()
    } else if crate::capture::Capture::open(path).is_ok() {
        vec![path.to_owned()]
    } else {
        let entries = std::fs::read_dir(path)
            .map_err(|_| unusable("there is no such folder", "Check the path"))?
            .collect::<Result<Vec<_>, _>>()?;
        let visible = |path: &PathBuf| path.file_name().is_some_and(|n| !n.to_string_lossy().starts_with('.'));
        let mut folders: Vec<PathBuf> =
            entries.into_iter().map(|e| e.path()).filter(|p| p.is_dir()).filter(visible).collect();
        folders.sort();
        folders
    };
    if found.is_empty() {
        return Err(unusable("holds no capture", "Give a folder of capture folders, or a list of them").into());
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::args::parse_only;

    #[test]
    fn the_documented_forms_parse() {
        let args: BatchArgs =
            parse_only("room -o out --jobs 2 --shared-shape --preset draft --set ham.level=1 -- --hands right")
                .expect("documented");
        assert_eq!((args.jobs, args.shared_shape), (2, true), "jobs and shape");
        let shared = ["--preset", "draft", "--set", "ham.level=1", "--hands", "right"];
        assert_eq!(args.shared(), shared, "what each reconstruction gets");
        for wrong in ["room", "room -o out --jobs 0", "room -o out --jobs many"] {
            assert_eq!(parse_only::<BatchArgs>(wrong).expect_err(wrong).exit_code(), 2, "{wrong}");
        }
    }
}
