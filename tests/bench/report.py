"""Outcomes as a Markdown table, and as data and script for gnuplot."""

import dataclasses
import os
import subprocess

from servers import differences

HEAD = ("| case | unit | sdbox | pgbox | ratio | bare SQL | target | holds | round trips "
        "| statements | commits | WAL |\n"
        "|---|---|---|---|---|---|---|---|---|---|---|---|\n")

SCRIPT = """\
# Made by tests/bench/run; gnuplot {script} makes the SVG again.
set terminal svg size 900,{height} font "sans-serif,12" background "white"
set output "benchmarks.svg"
set title "Speed of pgbox, sdbox = 1"
set logscale x 2
set xrange [0.0625:64]
set yrange [-0.7:{top}]
set ytics nomirror
set grid x
set xtics ("1/16" 0.0625, "1/8" 0.125, "1/4" 0.25, "1/2" 0.5, "1" 1, "2" 2, "4" 4, "8" 8, "16" 16, "32" 32)
set arrow from 1,-0.7 to 1,{top} nohead lw 2
set lmargin 52
unset key
set style fill solid 0.7
plot "benchmarks.dat" using ($3 >= 1 ? sqrt($3) : sqrt($3)):0:(1):($3):($0-0.3):($0+0.3):ytic(2) \\
    with boxxyerror lc rgb "#3b6ea5"
"""


def number(value):
    """Three digits that count."""
    if value is None:
        return ""
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}"


def octets(value):
    for unit in ("B", "KB", "MB", "GB"):
        if value < 1000 or unit == "GB":
            return f"{value:.3g} {unit}" if value < 100 else f"{value:.0f} {unit}"
        value /= 1000
    return None


def row(outcome):
    case = outcome.case
    counts = outcome.counts
    bare = ""
    if outcome.bare:
        bare = f"{number(outcome.bare)} ({number(outcome.pgbox / outcome.bare)})"
    holds = {True: "yes", False: "**no**", None: ""}[outcome.holds]
    cells = [case.title, "1/s" if case.kind == "rate" else "ms", number(outcome.sdbox),
             number(outcome.pgbox), number(outcome.ratio), bare, case.target, holds]
    if counts is None:
        cells += [""] * 4
    else:
        cells += [number(counts.round_trips), number(counts.statements),
                  number(counts.commits), octets(counts.wal)]
    return "| " + " | ".join(cells) + " |\n"


def lines_of(outcome):
    """An outcome for the terminal."""
    notes = "".join(f"      {note}\n" for note in outcome.notes)
    return "   " + row(outcome) + notes


def sizes(size):
    """Which sizes are not those that the titles of cases speak of."""
    default = type(size)()
    names = [field.name for field in dataclasses.fields(size) if field.name != "rounds"]
    other = [f"{getattr(size, name):,} instead of {getattr(default, name):,} ({name})"
             for name in names if getattr(size, name) != getattr(default, name)]
    return f" Sizes are not those of the titles: {', '.join(other)}." if other else ""


def circumstances(bench, options):
    """What else a reader must know of the run."""
    version = bench.lab.postgres.value("show server_version").split()[0]
    dovecot = subprocess.run(["/usr/sbin/dovecot", "--version"], capture_output=True, text=True,
                             check=True).stdout.split()[0]
    with open("/proc/cpuinfo", encoding="utf-8") as info:
        model = next((line.partition(":")[2].strip() for line in info
                      if line.startswith("model name")), "unknown processor")
    return (f"Dovecot {dovecot}, PostgreSQL {version} (fsync and synchronous_commit on, "
            f"shared_buffers 512MB), sdbox with mail_fsync={options.sdbox_fsync}, "
            f"{os.cpu_count()} cores ({model}), clients on the same machine; "
            f"scale {options.scale}; load average at the beginning {os.getloadavg()[0]:.1f}."
            + sizes(bench.size) + "\n\nSettings that only one side has: "
            + "; ".join(f"{name}: {', '.join(f'`{line}`' for line in lines)}"
                        for name, lines in differences(bench.sides).items()) + ".")


def write(directory, outcomes, notes):
    os.makedirs(directory, exist_ok=True)
    with open(os.path.join(directory, "benchmarks.md"), "w", encoding="utf-8") as table:
        table.write("<!-- Made by tests/bench/run. -->\n\n")
        table.write(notes + "\n\n" + HEAD)
        for outcome in outcomes:
            table.write(row(outcome))
        table.write("\nMedians; the ratio is the median of the ratios of the rounds, in which "
                    "both took turns. The last four columns are of one operation of pgbox.\n\n")
        for outcome in outcomes:
            for note in outcome.notes:
                table.write(f"- {outcome.case.title}: {note}\n")
    compared = [outcome for outcome in outcomes if outcome.ratio and outcome.sdbox]
    with open(os.path.join(directory, "benchmarks.dat"), "w", encoding="utf-8") as data:
        data.write("# case, label, how many times as fast as sdbox\n")
        for outcome in reversed(compared):
            speed = outcome.ratio if outcome.case.kind == "rate" else 1 / outcome.ratio
            data.write(f'{outcome.case.name} "{outcome.case.title}" {speed:.4f}\n')
    script = os.path.join(directory, "benchmarks.gnuplot")
    with open(script, "w", encoding="utf-8") as plot_script:
        plot_script.write(SCRIPT.format(script="benchmarks.gnuplot", top=len(compared) - 0.3,
                                        height=120 + 24 * max(1, len(compared))))


def plot(directory):
    """benchmarks.svg; raises OSError where gnuplot is not installed."""
    subprocess.run(["gnuplot", "benchmarks.gnuplot"], cwd=directory, check=True,
                   capture_output=True)
