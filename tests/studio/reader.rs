//! A screen reader at the window: it reads the names on the accessibility bus and presses a button by its name.

use super::window::{Display, Guard, Pictures, display};
use super::window_command;
use std::io::BufRead as _;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use zbus::zvariant::{OwnedObjectPath, OwnedValue, Value};

/// The window has appeared on the bus and was read within this time.
const LONGEST: Duration = Duration::from_secs(120);

/// A session bus of the test's own, which starts the accessibility bus when that is asked for.
struct Bus {
    daemon: Child,
    address: String,
}

impl Drop for Bus {
    fn drop(&mut self) {
        let _ = self.daemon.kill();
        let _ = self.daemon.wait();
    }
}

impl Bus {
    /// `None` where the programs are missing, which `REQUIRE_GPU=1` does not allow.
    fn open(display: &Display) -> Option<Self> {
        let mut command = Command::new("dbus-daemon");
        command.args(["--session", "--nofork", "--nopidfile", "--print-address=1"]).stdout(Stdio::piped());
        display.dress(&mut command);
        let found = std::path::Path::new("/usr/share/dbus-1/services/org.a11y.Bus.service").exists();
        let Some(mut daemon) = command.spawn().ok().filter(|_| found) else {
            assert!(!std::env::var("REQUIRE_GPU").is_ok_and(|v| v == "1"), "install dbus and at-spi2-core");
            println!("skipped: no accessibility bus (packages dbus and at-spi2-core)");
            return None;
        };
        let mut address = String::new();
        let out = daemon.stdout.take().expect("it is piped");
        std::io::BufReader::new(out).read_line(&mut address).expect("the bus says where it is");
        Some(Self { daemon, address: address.trim().to_owned() })
    }
}

/// An object of a program on the accessibility bus.
type Object = (String, OwnedObjectPath);

/// What a screen reader does.
struct Reader(zbus::Connection);

impl Reader {
    /// Tells the desktop that there is a reader, as readers do.
    async fn begin(bus: &Bus) -> zbus::Result<Self> {
        let session = zbus::connection::Builder::address(bus.address.as_str())?.build().await?;
        let at = (Some("org.a11y.Bus"), "/org/a11y/bus");
        for switch in ["IsEnabled", "ScreenReaderEnabled"] {
            let set = ("org.a11y.Status", switch, Value::from(true));
            session.call_method(at.0, at.1, Some("org.freedesktop.DBus.Properties"), "Set", &set).await?;
        }
        let found = session.call_method(at.0, at.1, Some("org.a11y.Bus"), "GetAddress", &()).await?;
        let address: String = found.body().deserialize()?;
        Ok(Self(zbus::connection::Builder::address(address.as_str())?.build().await?))
    }

    async fn children(&self, (program, path): &Object) -> zbus::Result<Vec<Object>> {
        let of = Some("org.a11y.atspi.Accessible");
        self.0.call_method(Some(program.as_str()), path, of, "GetChildren", &()).await?.body().deserialize()
    }

    async fn name(&self, (program, path): &Object) -> zbus::Result<String> {
        let asked = ("org.a11y.atspi.Accessible", "Name");
        let of = Some("org.freedesktop.DBus.Properties");
        let found = self.0.call_method(Some(program.as_str()), path, of, "Get", &asked).await?;
        let value: OwnedValue = found.body().deserialize()?;
        Ok(String::try_from(value).unwrap_or_default())
    }

    /// All that programs show, with their names. What goes away while it is read is left out.
    async fn everything(&self) -> Vec<(String, Object)> {
        let desktop = OwnedObjectPath::try_from("/org/a11y/atspi/accessible/root").expect("a path");
        let mut left = vec![("org.a11y.atspi.Registry".to_owned(), desktop)];
        let mut found = Vec::new();
        while let Some(object) = left.pop() {
            left.extend(self.children(&object).await.unwrap_or_default());
            found.push((self.name(&object).await.unwrap_or_default(), object));
        }
        found
    }

    /// Presses what has this name; an error that lists all names when nothing has it in time.
    async fn press(&self, wanted: &str) -> Result<(), String> {
        let deadline = Instant::now() + LONGEST;
        loop {
            let all = self.everything().await;
            let action = all.iter().find(|(name, _)| name == wanted);
            if let Some((_, (program, path))) = action {
                let of = Some("org.a11y.atspi.Action");
                let done = self.0.call_method(Some(program.as_str()), path, of, "DoAction", &(0_i32,)).await;
                let done = done.and_then(|d| d.body().deserialize::<bool>()).map_err(|e| e.to_string())?;
                return if done { Ok(()) } else { Err(format!("{wanted} cannot be pressed")) };
            }
            if Instant::now() > deadline {
                let names: Vec<&str> = all.iter().map(|(name, _)| name.as_str()).filter(|n| !n.is_empty()).collect();
                return Err(format!("nothing is named {wanted:?} among {names:?}"));
            }
            std::thread::sleep(Duration::from_millis(100));
        }
    }
}

#[test]
fn a_screen_reader_reads_the_window_and_presses_its_buttons() {
    let Some(display) = display() else { return };
    let Some(bus) = Bus::open(&display) else { return };
    let reader = pollster::block_on(Reader::begin(&bus)).expect("the accessibility bus");
    let pictures = Pictures::new();
    // The script itself never starts the run.
    let script = format!("open {}; wait-open; wait-finished; quit", pictures.dir().display());
    let mut command = window_command(&display, &script, &[("DBUS_SESSION_BUS_ADDRESS", &bus.address)]);
    let child = Guard(command.spawn().expect("this test runs"));
    pollster::block_on(reader.press("▶ Reconstruct")).expect("the button");
    assert!(child.ends_well(), "the button that the reader pressed has begun the run");
    let missing = pollster::block_on(reader.everything());
    assert!(!missing.iter().any(|(name, _)| name == "▶ Reconstruct"), "a window that is gone is not read");
}
