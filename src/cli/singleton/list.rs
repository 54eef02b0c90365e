//! `memo singleton ls`: which singletons there are.

use super::args::ListArgs;
use super::asking::ANSWER;
use super::words::how;
use super::{place, shown};
use crate::cli::color::Paint;
use crate::cli::json::Object;
use crate::cli::surroundings::Surroundings;
use crate::cli::table::{Cell, Columns, Side};
use crate::cli::{print, when};
use crate::config::Config;
use crate::error::Error;
use crate::singleton::ask;
use crate::singleton::report::Report;
use crate::singleton::scope::Scope;
use crate::singleton::slot::Slot;
use crate::singleton::verdict::Last;
use crate::sys::{descriptor, terminal};
use crate::ui::Ui;

/// What is in a slot.
enum There {
    Running(Box<Report>),
    /// Its supervisor does not answer.
    Silent,
    Ended(Box<Last>),
    Nothing,
}

/// Lists singletons. Returns the exit code.
///
/// # Errors
/// When stdout fails.
pub(super) fn list(args: &ListArgs, config: &Config, around: &Surroundings, ui: &Ui) -> Result<u8, Error> {
    let root = place::root(config, around, ui)?;
    let scope = if args.everywhere { None } else { Some(place::scope(args.global, around)?) };
    let mut shown = Vec::new();
    for (scope, slot) in place::slots(&root, scope.as_ref()) {
        let there = match ask::report(&slot, ANSWER) {
            Ok(Some(report)) => There::Running(Box::new(report)),
            Err(_) => There::Silent,
            Ok(None) if args.all => {
                Last::read(slot.directory()).map_or(There::Nothing, |last| There::Ended(Box::new(last)))
            }
            Ok(None) => There::Nothing,
        };
        if !matches!(there, There::Nothing) {
            shown.push((scope, slot, there));
        }
    }
    let text = if args.json {
        shown.iter().map(|(scope, slot, there)| object(scope, slot, there, around).line()).collect()
    } else if shown.is_empty() {
        String::new()
    } else {
        table(&shown, args.everywhere, around)
    };
    if shown.is_empty() && !args.everywhere && !args.json {
        let others = place::slots(&root, None).iter().filter(|(_, slot)| slot.connect().is_ok()).count();
        let hint = (others > 0).then(|| format!("elsewhere are {others}: `memo singleton ls --everywhere`"));
        ui.note("no singleton runs here", hint.as_deref());
    }
    print::print(&text).map(|()| 0)
}

fn table(shown: &[(Scope, Slot, There)], everywhere: bool, around: &Surroundings) -> String {
    let now = around.clock.now();
    let mut titles = vec![
        ("NAME", Side::Left),
        ("STAGE", Side::Left),
        ("PID", Side::Right),
        ("AGE", Side::Right),
        ("USED", Side::Right),
        ("ADDRESS", Side::Left),
    ];
    if everywhere {
        titles.push(("WHERE", Side::Left));
    }
    titles.push(("COMMAND", Side::Left));
    let mut lines = Vec::new();
    for (scope, slot, there) in shown {
        let none = || "-".to_owned();
        let (stage, pid, age, used, address, command) = match there {
            There::Running(report) => (
                report.stage.name().to_owned(),
                if report.pid == 0 { none() } else { report.pid.to_string() },
                when::shown_age(shown::age(now, report.started)),
                when::shown_age(report.unused),
                report.address.clone().unwrap_or_else(none),
                shown::command(report),
            ),
            There::Silent => ("silent".to_owned(), none(), none(), none(), none(), String::new()),
            There::Ended(last) => (
                "ended".to_owned(),
                none(),
                when::shown_age(shown::age(now, last.verdict.finished)),
                none(),
                none(),
                format!("({})", shown::ended(&last.verdict)),
            ),
            There::Nothing => continue,
        };
        let mut line = vec![place::called(slot), stage, pid, age, used, address];
        if everywhere {
            line.push(scope.to_string());
        }
        line.push(command);
        lines.push(line.into_iter().map(Cell::from).collect::<Vec<_>>());
    }
    let width = terminal::width(descriptor::standard(1));
    let mut columns = Columns::new(&titles, width, Paint::NONE);
    columns.fit(&lines);
    lines.iter().fold(columns.head(), |text, line| text + &columns.line(line))
}

fn object(scope: &Scope, slot: &Slot, there: &There, around: &Surroundings) -> Object {
    let name = place::called(slot);
    let object = match there {
        There::Running(report) => shown::object(&name, slot, report, around.clock.now()),
        There::Silent => Object::new().text("name", &name).text("stage", "silent"),
        There::Ended(last) => Object::new()
            .text("name", &name)
            .text("stage", "ended")
            .text("instance", &last.verdict.instance.to_string())
            .text("why", last.verdict.why.name())
            .text("ended", &how(last.verdict.ended))
            .text("note", &last.verdict.note),
        There::Nothing => Object::new().text("name", &name),
    };
    object.text("scope", &scope.to_string())
}
