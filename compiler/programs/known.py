"""The programs that read words of their command line as code, and those that start others.

Only tables: what they mean is read by `commandline`.
"""

from __future__ import annotations

from typing import Literal, TypeAlias

from msgspec import Struct

Dialect: TypeAlias = Literal["shell", "python", "other"]


class Language(Struct, frozen=True):
    """`reads` is how a program in it gets a variable of the environment, "" where it can't."""

    name: str
    reads: str = ""
    dialect: Dialect = "other"


class Options(Struct, frozen=True):
    """How a program is given a text.

    `options` take it as their next word, or behind `=`; `letters` do so at the end of a cluster of
    short options. `positional` is the number of the plain word that is one, if no option in
    `instead` (or with a text) is given; with `rest` all that follow are too, up to one of `ends`.
    `valued` are letters, and `skipping` words with the number of words, that take values. Options
    may still follow behind `among` plain words.
    """

    language: Language
    options: tuple[str, ...] = ()
    letters: str = ""
    positional: int | None = None
    rest: bool = False
    instead: tuple[str, ...] = ()
    valued: str = ""
    attached: str = ""
    skipping: tuple[tuple[str, int], ...] = ()
    stops: str = ""
    among: int = 0
    ends: tuple[str, ...] = ()


_ANYWHERE = 1000

SHELL = Language("shell", '"${name}"', "shell")
PYTHON = Language("Python", 'os.environ["{name}"]', "python")
OTHER_SHELL = Language("shell")
# env splits the words of its text as a shell does, and puts in variables.
SPLIT_STRING = Language("words", "${{{name}}}")
_PERL = Language("Perl", "$ENV{{{name}}}")
_RUBY = Language("Ruby", 'ENV["{name}"]')
_NODE = Language("JavaScript", "process.env.{name}")
_DENO = Language("JavaScript", 'Deno.env.get("{name}")')
_R = Language("R", 'Sys.getenv("{name}")')
_JULIA = Language("Julia", 'ENV["{name}"]')
_LUA = Language("Lua", 'os.getenv("{name}")')
_PHP = Language("PHP", 'getenv("{name}")')
_MATLAB = Language("MATLAB", 'getenv("{name}")')
_GROOVY = Language("Groovy", 'System.getenv("{name}")')
_SCALA = Language("Scala", 'sys.env("{name}")')
_AWK = Language("awk", 'ENVIRON["{name}"]')
_JQ = Language("jq", "$ENV.{name}")
_YQ = Language("yq", "env({name})")
_SED = Language("sed")
_SQL = Language("SQL")
_LUA_OF_REDIS = Language("Lua")
_GNUPLOT = Language("gnuplot")

SHELLS = {"sh", "bash", "dash", "ash", "zsh", "ksh", "ksh93", "mksh"}
ALL_SHELLS = SHELLS | {"csh", "tcsh"}
SHELL_VALUED = ("--rcfile", "--init-file")

# By name, or by name and the word right behind it.
PROGRAMS: dict[str, Options] = {
    "python": Options(PYTHON, letters="c", valued="WXQ", stops="m"),
    "perl": Options(_PERL, letters="eE", valued="I", attached="iMmFxD"),
    "ruby": Options(_RUBY, letters="e", valued="rIC", attached="iFKEWTx"),
    "node": Options(_NODE, ("-e", "--eval", "-p", "--print", "-pe"), valued="rC"),
    "bun": Options(_NODE, ("-e", "--eval", "-p", "--print"), valued="r"),
    "deno eval": Options(_DENO, positional=0),
    "Rscript": Options(_R, ("-e",)),
    "R": Options(_R, ("-e",)),
    "julia": Options(_JULIA, ("-e", "-E", "--eval", "--print"), valued="pJtLCHgO"),
    "lua": Options(_LUA, ("-e",), valued="l"),
    "php": Options(_PHP, ("-r", "-B", "-R", "-E", "--run"), valued="dcz"),
    "octave": Options(_MATLAB, ("--eval",)),
    "matlab": Options(_MATLAB, ("-batch", "-r")),
    "groovy": Options(_GROOVY, ("-e",)),
    "scala": Options(_SCALA, ("-e",)),
    "gnuplot": Options(_GNUPLOT, ("-e",)),
    "awk": Options(
        _AWK,
        ("-e", "--source"),
        positional=0,
        instead=("-f", "--file", "-E", "--exec"),
        valued="FvfEi",
        skipping=(("--assign", 1), ("--field-separator", 1)),
    ),
    "sed": Options(
        _SED, ("-e", "--expression"), positional=0, instead=("-f", "--file"), valued="fl"
    ),
    "jq": Options(
        _JQ,
        positional=0,
        instead=("-f", "--from-file"),
        valued="fL",
        skipping=(
            ("--indent", 1),
            ("--arg", 2),
            ("--argjson", 2),
            ("--slurpfile", 2),
            ("--rawfile", 2),
        ),
    ),
    **dict.fromkeys(
        ("yq", "yq e", "yq eval", "yq ea", "yq eval-all"),
        Options(
            _YQ,
            ("--expression",),
            positional=0,
            instead=("--from-file",),
            valued="opI",
            skipping=(("--arg", 2), ("--argjson", 2), ("--indent", 1)),
        ),
    ),
    "psql": Options(_SQL, ("--command",), "c", valued="dfvoFPRThpUL", among=_ANYWHERE),
    "mysql": Options(_SQL, ("--execute",), "e", valued="hPuDS", attached="p", among=_ANYWHERE),
    "sqlite3": Options(
        _SQL,
        ("-cmd",),
        positional=1,
        skipping=(("-separator", 1), ("-nullvalue", 1), ("-newline", 1), ("-init", 1)),
    ),
    "duckdb": Options(_SQL, ("-c", "-s", "-cmd"), positional=1, among=_ANYWHERE),
    "clickhouse-client": Options(_SQL, ("--query",), "q", valued="hudf", among=1),
    "trino": Options(_SQL, ("--execute",), among=_ANYWHERE),
    "hive": Options(_SQL, letters="e", valued="fidunpw", among=_ANYWHERE),
    "snowsql": Options(_SQL, ("--query",), "q", valued="acufhdsrwo"),
    "sqlcmd": Options(_SQL, letters="qQ", valued="SUPdiov"),
    "bq query": Options(_SQL, positional=0),
    "aws": Options(_SQL, ("--query-string",), among=_ANYWHERE),
    "mongosh": Options(_NODE, ("--eval",), among=_ANYWHERE),
    "redis-cli eval": Options(_LUA_OF_REDIS, positional=0),
    "fish": Options(OTHER_SHELL, ("--command", "--init-command"), "cC"),
    "pwsh": Options(OTHER_SHELL, ("-c", "-C", "-Command", "-command"), rest=True),
    "ssh": Options(
        OTHER_SHELL, positional=1, rest=True, valued="BbcDEeFIiJLlmOoPpQRSWw", instead=("-N",)
    ),
    "gcloud": Options(OTHER_SHELL, ("--command",), among=_ANYWHERE),
    "su": Options(
        OTHER_SHELL, ("--command", "--session-command"), "c", valued="gGsw", among=_ANYWHERE
    ),
    "flock": Options(OTHER_SHELL, ("--command",), "c", valued="wE", among=1),
    "script": Options(OTHER_SHELL, ("--command",), "c", valued="BEIlomTO", among=1),
    "watch": Options(OTHER_SHELL, positional=0, rest=True, instead=("-x", "--exec"), valued="nq"),
    "parallel": Options(
        OTHER_SHELL,
        positional=0,
        rest=True,
        valued="jPnNLaIS",
        skipping=(("--jobs", 1), ("--max-procs", 1), ("--joblog", 1), ("--results", 1)),
        ends=(":::", ":::+", "::::"),
    ),
    "nix-shell": Options(OTHER_SHELL, ("--run", "--command"), valued="pIA", among=_ANYWHERE),
    "eval": Options(OTHER_SHELL, positional=0, rest=True),
    "trap": Options(OTHER_SHELL, positional=0),
}
# Their text is behind an option: a plain word after their name is data.
INTERPRETERS = frozenset(name for name, known in PROGRAMS.items() if known.positional is None)
SAME_AS = {
    "pypy": "python",
    "ipython": "python",
    "nodejs": "node",
    "tsx": "node",
    "luajit": "lua",
    "gawk": "awk",
    "mawk": "awk",
    "nawk": "awk",
    "gsed": "sed",
    "gojq": "jq",
    "mariadb": "mysql",
    "clickhouse": "clickhouse-client",
    "clickhouse-local": "clickhouse-client",
    "presto": "trino",
    "beeline": "hive",
    "spark-sql": "hive",
    "impala-shell": "hive",
    "cqlsh": "hive",
    "mongo": "mongosh",
    "powershell": "pwsh",
    "runuser": "su",
}
# Programs that start the command behind their own options: letters of options with a value, and
# the number of plain words before the command.
WRAPPERS: dict[str, tuple[str, int]] = {
    "busybox": ("", 0),
    "catatonit": ("", 0),
    "chroot": ("", 1),
    "command": ("", 0),
    "doas": ("uC", 0),
    "dumb-init": ("r", 0),
    "env": ("uC", 0),
    "exec": ("a", 0),
    "flock": ("wE", 1),
    "gosu": ("", 1),
    "ionice": ("cnpPu", 0),
    "nice": ("n", 0),
    "nohup": ("", 0),
    "setsid": ("", 0),
    "stdbuf": ("ioe", 0),
    "su-exec": ("", 1),
    "sudo": ("CDghpRrTtUu", 0),
    "taskset": ("", 1),
    "time": ("fo", 0),
    "timeout": ("ks", 1),
    "tini": ("pe", 0),
    "toybox": ("", 0),
    "xargs": ("adEILnPs", 0),
}
# Programs that start a command somewhere among their words, with options before it.
LAUNCHERS = {
    *("bwrap", "docker", "find", "firejail", "kubectl", "mpiexec", "mpirun", "ncu", "nsenter"),
    *("nsys", "numactl", "perf", "podman", "setpriv", "srun", "strace", "torchrun", "unbuffer"),
    *("unshare", "valgrind", "xvfb-run"),
}
# Those that do so behind one of these words.
RUNNERS = {
    *("apptainer", "conda", "hatch", "mamba", "micromamba", "nerdctl", "pdm", "pipenv", "pixi"),
    *("poetry", "rye", "singularity", "uv"),
}
RUNNING = ("run", "exec")
# The letters that one of these names starts with, to see quickly that a text has none of them.
FIRST_LETTERS = frozenset(
    name.partition(" ")[0].partition("-")[0].rstrip("0123456789")
    for name in ("env", *PROGRAMS, *SAME_AS, *ALL_SHELLS)
)
